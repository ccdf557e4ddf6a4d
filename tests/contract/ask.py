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
# Widget, functions, and what there is: a value made up by chance would meet nothing but 404.
ROUNDS = [
    ("demo", ["connect", "proxy"], {"auth_key": "acme", "name": "listEvents", "passport": "demo.acme-cloud"}),
    ("demo", ["qrvey-token"], {"name": "sales"}),
    ("contract", ["connect", "proxy"], {"auth_key": "unbound", "name": "calendars"}),
    ("contract", ["settings"], {"scope": "user"}),
    ("contract", ["settings"], {"scope": "organisation", "key": "theme"}),
]
WIDGET = "/v1/widgets/{widget}"
TO_BE_MET = [
    ("GET", f"{WIDGET}/connections", 200),
    ("POST", f"{WIDGET}/connections/{{auth_key}}/connect", 201),
    ("DELETE", f"{WIDGET}/connections/{{auth_key}}", 200),
    ("POST", f"{WIDGET}/apis/{{name}}", 424),
    ("POST", f"{WIDGET}/apis/{{name}}", 400),
    ("POST", f"{WIDGET}/qrvey/{{name}}", 200),
    ("PUT", f"{WIDGET}/settings/{{scope}}/{{key}}", 201),
    ("PUT", f"{WIDGET}/settings/{{scope}}/{{key}}", 200),
    ("GET", f"{WIDGET}/settings/{{scope}}", 200),
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
            worst = asked(consulate, data, ready[1], folder)
            log.flush()
            return worst or unmet(open(log.name))
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
    for number, (widget, tags, values) in enumerate(ROUNDS):
        jwt = run("token", "--widget", widget, "--user", "ada", "--organisation", "o1",
                  "--email", "ada@example.com", "--expires-in", "3600")["token"]
        config = pathlib.Path(folder) / f"{number}.toml"
        lines = ["[parameters]", f'"path.widget" = "{widget}"']
        lines += [f'"path.{name}" = "{value}"' for name, value in values.items()]
        config.write_text("\n".join(lines) + "\n")
        done = subprocess.run([
            SCHEMATHESIS, "--config-file", config, "run", f"{base_url}/v1/openapi.json",
            "--header", f"Authorization: Bearer {jwt}", "--checks", ",".join(CHECKS),
            *(word for tag in tags for word in ("--include-tag", tag)),
            # One worker: CPython 3.11 now and then fails to parse source in two threads at once, as Hypothesis does to show lambdas.
            "--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1", "--workers", "1",
            "--max-redirects", "0", "--request-timeout", "30", "--continue-on-failure", "--no-color",
            "--generation-database", "none", "--warnings", "off",
        ], cwd=folder)
        good = good and done.returncode == 0
    return 0 if good else 1


def unmet(log):
    """Says which answers should have been met and were not: asking only for what is not there proves little."""
    lines = (json.loads(line) for line in log if line.startswith("{"))
    met = {(line.get("method"), line.get("route"), line.get("status")) for line in lines}
    missing = [answer for answer in TO_BE_MET if answer not in met]
    for method, route, status in missing:
        print(f"never met: {method} {route} {status}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
