"""What stands there against what was promised: who may touch what (README, "Who may touch what"), and the numbers that hang together.

The gate shows by running that no permission is unneeded and that these are enough. What it cannot show is here, in the documents:
that nothing beside them is allowed to anybody, and what Lambda itself does in a role's name (logs, traces, feeding queues).
"""

import copy
import re
from fnmatch import fnmatchcase
from pathlib import Path

# Where the functions' metrics are named.
METRICS = Path(__file__).resolve().parents[2] / "shared/src/metrics.rs"

# Of each secret, who may read it. Nobody else may.
READERS = {
    "widgets/w": {"connect", "proxy", "qrvey-token", "settings"},
    "qrvey/w/t": {"qrvey-token"},
    "passports/p": {"custodian"},
    "keys/access": {"proxy", "custodian"},
    "keys/refresh": {"custodian"},
    "keys/fingerprint": {"custodian"},
    "keys/settings": {"qrvey-token", "settings"},
    "anything": set(),
}
INVOKES = {
    "connect": {"custodian"},
    "proxy": {"custodian"},
    "custodian": set(),
    "qrvey-token": set(),
    "settings": set(),
    "console": {"connect", "proxy", "custodian"},
}
# Kinds of items by who may change them, in any way.
WRITERS = {
    "REGISTRY": {"console"},
    "WIDGET#w": {"console"},
    "PASSPORT#p": {"console"},
    "HOST#h": {"console"},
    "PROVIDER#p": set(),
    "TICK": {"custodian"},
    "LIMIT#d": {"custodian"},
    "CIRCUIT#p": {"custodian"},
    "GRANT#g": {"custodian"},
    "SUBJECT#p#s": {"custodian"},
    "CONNECTION#p#o": {"connect", "proxy", "custodian"},
    "DETAILS#p#o": {"custodian"},
    "SETTINGS#o": {"settings"},
    "SETTING#o#i": {"settings"},
    "TICKET#d": {"connect"},
    "STATE#d": {"connect"},
    "JWT#d": {"connect"},
    "FLOW#f": {"connect", "custodian"},
    "CONSOLE_TICKET#d": {"console"},
    "CONSOLE_SESSION#d": {"console"},
    "CONSOLE_ACTIVITY": {"console"},
    "CONSOLE_ACTIVITY#1": {"console"},
}
WRITES = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"]
# What is sealed, or was kept of a provider's reply: attributes no statement may give the console.
SEALED = {"a", "r", "f", "fl", "tk", "s", "cv", "sb"}
CONDITIONS = {"ForAllValues:StringLike", "ForAllValues:StringEquals", "StringEqualsIfExists", "StringEquals", "Null"}


def listed(value):
    return value if isinstance(value, list) else [value]


def statements(function):
    for document in function["policies"].values():
        yield from document["Statement"]


def keys_of(statement):
    return listed(statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", "*"))


def allows(statement, action, resource):
    return action in listed(statement["Action"]) and any(fnmatchcase(resource, known) for known in listed(statement["Resource"]))


def judge(told, prefix="consulate/", options=False):
    """Findings, one sentence each."""
    findings = []

    def expect(what, is_so, wanted):
        if is_so != wanted:
            findings.append(f"{told['stack']}: {what}: {is_so}, not {wanted}")

    functions = told["functions"]
    region, account = functions["custodian"]["arn"].split(":")[3:5]
    arn = lambda service, name: f"arn:aws:{service}:{region}:{account}:{name}"
    table = arn("dynamodb", f"table/{told['table']['name']}")

    expect("functions", set(functions), set(INVOKES))
    expect("roles are each function's own", len({function["role"] for function in functions.values()}), len(functions))
    for name, function in functions.items():
        for statement in statements(function):
            label = f"{name}/{statement.get('Sid')}"
            expect(f"{label} effect", statement["Effect"], "Allow")
            wild = [action for action in listed(statement["Action"]) if "*" in action]
            expect(f"{label} names its actions", wild, [])
            broad = "*" in listed(statement["Resource"]) and not all(a.startswith("xray:") for a in listed(statement["Action"]))
            expect(f"{label} is for every resource", broad, False)
            expect(f"{label} conditions are known", set(statement.get("Condition", {})) <= CONDITIONS, True)
            for action in listed(statement["Action"]):
                service = action.split(":")[0]
                if service == "dynamodb" and action != "dynamodb:Query":
                    expect(f"{label} {action} is bound to kinds of items", keys_of(statement) != ["*"], True)
        actions = {action for statement in statements(function) for action in listed(statement["Action"])}
        for unwanted in ["dynamodb:Scan", "dynamodb:BatchWriteItem", "dynamodb:PartiQLSelect", "secretsmanager:ListSecrets", "secretsmanager:BatchGetSecretValue"]:
            expect(f"{name} may {unwanted}", unwanted in actions, False)
        log = arn("logs", f"log-group:/aws/lambda/{told['stack']}-{name}:log-stream:x")
        expect(f"{name} may log", any(allows(s, "logs:PutLogEvents", log) for s in statements(function)), True)
        other = arn("logs", "log-group:/aws/lambda/other:log-stream:x")
        expect(f"{name} may log elsewhere", any(allows(s, "logs:PutLogEvents", other) for s in statements(function)), False)

    def who(action, resource):
        return {name for name, function in functions.items() if any(allows(s, action, resource) for s in statements(function))}

    for secret, readers in READERS.items():
        full = arn("secretsmanager", f"secret:{prefix}{secret}-AbCdEf")
        expect(f"who may read the secret {secret}", who("secretsmanager:GetSecretValue", full), readers)
        writers = {"console"} if secret.startswith(("widgets/", "passports/")) else set()
        expect(f"who may write the secret {secret}", who("secretsmanager:PutSecretValue", full), writers)
    for name, wanted in INVOKES.items():
        home = "us-east-1" if options else region
        at = lambda target: f"arn:aws:lambda:{home}:{account}:function:{told['stack']}-{target}"
        invoked = {target for target in functions if any(allows(s, "lambda:InvokeFunction", at(target)) for s in statements(functions[name]))}
        expect(f"what {name} may invoke", invoked, wanted)
    for pk, writers in WRITERS.items():
        able = {
            name
            for name, function in functions.items()
            for s in statements(function)
            if any(allows(s, action, table) for action in WRITES) and any(fnmatchcase(pk, key) for key in keys_of(s))
        }
        expect(f"who may change {pk}", able, writers)
    for s in statements(functions["console"]):
        condition = s.get("Condition", {})
        if any(key.startswith(("CONNECTION", "DETAILS", "GRANT", "FLOW")) for key in keys_of(s)):
            attributes = set(condition.get("ForAllValues:StringEquals", {}).get("dynamodb:Attributes", ["*"]))
            expect("sealed attributes the console may read", attributes & (SEALED | {"*"}), set())
            expect("the console may read whole rows", condition.get("Null", {}).get("dynamodb:Attributes"), "false")
    expect("who polls queues", {n for n, f in functions.items() for s in statements(f) if "sqs:ReceiveMessage" in listed(s["Action"])}, {"custodian"})
    keyed = {n for n, f in functions.items() for s in statements(f) if "kms:Decrypt" in listed(s["Action"])}
    expect("who may use the table's key", keyed, set(functions) if options else set())

    emitted = set(re.findall(r'^pub const \w+: &str = "([a-z_]+)";$', METRICS.read_text(), re.MULTILINE))
    expect("metrics that alarms watch and the code never writes", {metric["name"] for metric in told["metrics"]} - emitted, set())
    for metric in told["metrics"]:
        dimensions = dict(metric["dimensions"])
        by = {"function"} | ({"outcome"} if metric["name"] in ("requests", "refreshes") else set())
        expect(f"{metric} has its dimensions", {"function"} <= set(dimensions) <= by, True)
        expect(f"{metric} is of a function", dimensions.get("function") in {*functions, "issuers"}, True)
    expect("metrics of ours that are watched", len(told["metrics"]) >= 5, True)

    custodian, queues = functions["custodian"], told["queues"]
    for logical in ("WorkQueue", "SalvageQueue"):
        expect(f"{logical}: six times the timeout", int(queues[logical]["VisibilityTimeout"]) >= 6 * custodian["timeout"], True)
        redrive = queues[logical]["RedrivePolicy"]
        expect(f"{logical}: tries", '"maxReceiveCount": 5' in redrive or '"maxReceiveCount":5' in redrive, True)
    expect("the salvage queue is FIFO", queues["SalvageQueue"].get("FifoQueue"), "true")
    fed = sum(source["at_once"] for source in told["sources"].values())
    expect("the queues leave the custodian room for calls", fed < custodian["reserved"], True)
    expect("the custodian's timeout", custodian["timeout"], 90)
    expect("the custodian's reservation", custodian["reserved"], 100 if options else 20)
    expect("table", told["table"], {
        "name": "other" if options else "consulate", "billing": "PAY_PER_REQUEST", "protected": True,
        "indexes": {"due": "d", "unhealthy": "u"}, "recovery": True, "ttl": "ttl",
    })
    return findings


# Ways to be wrong, each of which `judge` has to find: (function, statement, what is changed in it).
MISTAKES = [
    ("proxy", "AccessTokens", lambda s: s.update(Resource="arn:aws:secretsmanager:eu-central-1:123456789012:secret:consulate/keys/*")),
    ("connect", "CallerKeys", lambda s: s.update(Resource="*")),
    ("console", "WriteSecrets", lambda s: s["Action"].append("secretsmanager:GetSecretValue")),
    ("console", "Connections", lambda s: s["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"].append("r")),
    ("console", "Connections", lambda s: s["Condition"].pop("Null")),
    ("settings", "Settings", lambda s: s["Action"].append("dynamodb:Scan")),
    ("settings", "Settings", lambda s: s.pop("Condition")),
    ("qrvey-token", "Settings", lambda s: s.update(Action=["dynamodb:GetItem", "dynamodb:PutItem"])),
    ("connect", "Disconnect", lambda s: s["Condition"]["ForAllValues:StringLike"].update({"dynamodb:LeadingKeys": "*"})),
    ("proxy", "Custodian", lambda s: s["Resource"].append("arn:aws:lambda:eu-central-1:123456789012:function:consulate-connect")),
    ("custodian", "Log", lambda s: s.update(Resource="*")),
    ("custodian", "Limits", lambda s: s.update(Action=["dynamodb:*"])),
]
# The same of what alarms watch.
UNWATCHED = [
    lambda metric: metric.update(name="no_such_metric"),
    lambda metric: metric.update(dimensions=[["function", "nobody"]]),
    lambda metric: metric.update(dimensions=[["passport", "p"]]),
]


def unseen(told):
    """The mistakes that `judge` would not see: none."""
    findings = []
    for number, (function, sid, change) in enumerate(MISTAKES):
        wrong = copy.deepcopy(told)
        change(next(s for s in statements(wrong["functions"][function]) if s.get("Sid") == sid))
        if not judge(wrong):
            findings.append(f"mistake {number} ({function}, {sid}) is not seen")
    for number, change in enumerate(UNWATCHED):
        wrong = copy.deepcopy(told)
        change(wrong["metrics"][0])
        if not judge(wrong):
            findings.append(f"mistake {number} in what alarms watch is not seen")
    return findings
