"""Asks a running `consulate dev` for everything its OpenAPI document says, with schemathesis: no 5xx, and no status, content type or
body that is not in it. Starts the server on a folder of its own and stops it again; talks to loopback only.

    .tools/contract/bin/python tests/contract/ask.py target/debug/consulate
"""

import json
import pathlib
import secrets
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
SCHEMATHESIS = pathlib.Path(sys.executable).parent / "schemathesis"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
]


def main(consulate):
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "data"
        log = open(pathlib.Path(folder) / "log", "w")
        server = subprocess.Popen(
            [consulate, "dev", "--port", "0", "--data-dir", data, "--import", HERE / "bundle"],
            stdout=subprocess.PIPE, stderr=log, text=True,
        )
        try:
            ready = server.stdout.readline().split()
            if len(ready) != 2 or ready[0] != "ready":
                sys.exit(f"the server did not start: {open(log.name).read()[-2000:]}")
            return asked(consulate, data, ready[1], folder)
        finally:
            server.terminate()
            server.wait(20)


def asked(consulate, data, base_url, folder):
    def run(*words, given=None):
        done = subprocess.run(
            [consulate, *words, "--json", "--dev", data], input=given, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"consulate {words[0]}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    run("secret", "set", "widgets/contract", given=json.dumps({"host_secrets": [secrets.token_urlsafe(32)]}))
    good = True
    for widget, names in [
        ("demo", {"auth_key": "acme", "name": ["listEvents", "whoAmI", "sales", "nothing"]}),
        ("contract", {"auth_key": "unbound", "name": "calendars", "scope": ["user", "organisation"]}),
    ]:
        jwt = run("token", "--widget", widget, "--user", "ada", "--organisation", "o1",
                  "--email", "ada@example.com", "--expires-in", "3600")["token"]
        config = pathlib.Path(folder) / f"{widget}.toml"
        lines = ["[parameters]", f'"path.widget" = "{widget}"']
        lines += [f'"path.{name}" = {json.dumps(value)}' for name, value in names.items()]
        config.write_text("\n".join(lines) + "\n")
        done = subprocess.run([
            SCHEMATHESIS, "--config-file", config, "run", f"{base_url}/v1/openapi.json",
            "--header", f"Authorization: Bearer {jwt}", "--checks", ",".join(CHECKS),
            "--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--seed", "1", "--workers", "2",
            "--max-redirects", "0", "--request-timeout", "30", "--continue-on-failure", "--no-color",
            "--generation-database", "none",
        ], cwd=folder)
        good = good and done.returncode == 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
