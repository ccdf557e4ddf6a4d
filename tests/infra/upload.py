"""`cargo lambda deploy` of one function to moto on loopback: to a function that is there already, as after `sam deploy`.

    upload.py TARGET/lambda    the folder that `cargo lambda build` filled

Shows that the settings in the function's Cargo.toml are those of infra/template.yaml: deploying changes the code and nothing else.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="eu-central-1", AWS_REGION="eu-central-1")
import boto3
from moto.server import ThreadedMotoServer
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
NAME = "consulate-settings"
KEPT = ["MemorySize", "Timeout", "TracingConfig", "Environment", "Role", "Runtime", "Handler"]


def declared(template, folder):
    """What the template sets on the function whose sources lie in `folder`: (memory, timeout)."""
    of_all = template["Globals"]["Function"]
    for resource in template["Resources"].values():
        if resource.get("Properties", {}).get("CodeUri") == f"../functions/{folder}":
            own = resource["Properties"]
            return own.get("MemorySize", of_all["MemorySize"]), own.get("Timeout", of_all["Timeout"])
    raise AssertionError(f"the template has no function for functions/{folder}")


def main(built):
    template = yaml_parse((ROOT / "infra/template.yaml").read_text())
    for manifest in sorted((ROOT / "functions").glob("*/Cargo.toml")):
        settings = tomllib.loads(manifest.read_text())["package"]["metadata"]["lambda"]["deploy"]
        wanted = declared(template, manifest.parent.name)
        assert (settings["memory"], settings["timeout"]) == wanted, f"{manifest}: {settings}, not {wanted}"
        assert settings["tracing"] == "active", manifest

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    role = boto3.client("iam", endpoint_url=endpoint).create_role(RoleName="settings", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    lambdas = boto3.client("lambda", endpoint_url=endpoint)
    memory, timeout = declared(template, "settings")
    before = lambdas.create_function(
        FunctionName=NAME, Runtime="provided.al2023", Handler="bootstrap", Role=role, Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        MemorySize=memory, Timeout=timeout, TracingConfig={"Mode": "Active"}, Environment={"Variables": {"CONSULATE_TABLE": "consulate"}},
    )
    # Without --binary-name it looks for what the package builds; the folder is where `cargo lambda build` of the workspace put it.
    command = ["cargo-lambda", "lambda", "deploy", "--endpoint-url", endpoint, "--lambda-dir", str(built), NAME]
    deployed = subprocess.run(command, cwd=ROOT / "functions/settings", capture_output=True, text=True, timeout=120, check=False)
    print(deployed.stdout, deployed.stderr)
    after = lambdas.get_function(FunctionName=NAME)["Configuration"]
    server.stop()
    assert deployed.returncode == 0, "cargo lambda deploy failed"
    changed = [name for name in KEPT if before.get(name) != after.get(name)]
    assert not changed, f"the deployment changed {changed}"
    assert after["CodeSha256"] != before["CodeSha256"], "the code is the former one"
    assert after["CodeSize"] > 1_000_000, after["CodeSize"]
    print(f"{NAME}: {after['CodeSize']} bytes, configuration as before")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
