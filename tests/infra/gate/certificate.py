"""A certificate authority of an hour and a certificate under it, for the hosts that the gate's test plays.

    certificate.py FOLDER HOST...    writes ca.pem, certificate.pem and key.pem
"""

import datetime
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(subject, key, issuer, issuer_key, extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    name = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(minutes=5))
    builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


folder, hosts = Path(sys.argv[1]), sys.argv[2:]
folder.mkdir(parents=True, exist_ok=True)
root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
ca = certificate("gate", root, "gate", root, [x509.BasicConstraints(ca=True, path_length=0)])
names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
(folder / "ca.pem").write_bytes(ca)
(folder / "certificate.pem").write_bytes(certificate(hosts[0], leaf, "gate", root, [x509.BasicConstraints(ca=False, path_length=None), names]))
(folder / "key.pem").write_bytes(
    leaf.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
)
