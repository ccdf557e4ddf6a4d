"""Deploys infra/template.yaml: SAM's own translator, then CloudFormation, on a moto server on loopback. Nothing leaves the machine.

    deploy.py OUT.json    twice: as it comes, and with every option; then writes what stands there for the gate, and judges it

OUT.json holds what moto's services answer about the first stack, not what the template says: policies of roles, configuration of
functions, queues. What moto cannot make (API Gateway v2, alarms) is taken from the translated template, and named.
"""

import ast
import json
import logging
import os
import sys
import warnings
from pathlib import Path

os.environ.update(
    AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="eu-central-1", AWS_EC2_METADATA_DISABLED="true"
)
import boto3
from moto.server import ThreadedMotoServer
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

import custody

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "code"
EVERY_OPTION = {
    "TableKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555",
    "DomainName": "consulate.example.com",
    "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1",
    "HostedZoneId": "Z1",
    "HomeRegion": "us-east-1",
    "EventBus": "create",
    "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms",
    "Scale": "large",
    "TableName": "other",
    "ReplicatedTable": "yes",
    "SecretsPrefix": "other/",
}
# With a domain name the functions' address does not hang on the API, which moto does not make.
PLAIN = {"DomainName": "consulate.example.com", "CertificateArn": EVERY_OPTION["CertificateArn"], "EventBus": "create", "DueShards": "2"}


# moto passes over kinds it does not know, but not over what asks for their attributes.
ASKING = {"DomainRecord", "Dashboard"}


class Stack:
    """One deployed stack."""

    def __init__(self, endpoint, name, parameters):
        self.client = lambda service: boto3.client(service, endpoint_url=endpoint)
        self.name = name
        self.parameters = parameters
        self.template = self.translated(parameters)
        makeable = {name: resource for name, resource in self.template["Resources"].items() if name not in ASKING}
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=json.dumps({**self.template, "Resources": makeable, "Outputs": {}}),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        assert status == "CREATE_COMPLETE", status
        resources = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
        self.resources = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}

    def translated(self, parameters):
        template = yaml_parse((ROOT / "infra/template.yaml").read_text())
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                # What `sam deploy` puts there, having uploaded the built binary.
                resource["Properties"]["CodeUri"] = {"Bucket": BUCKET, "Key": "code.zip"}
        return Translator({}, Parser()).translate(template, parameters)

    def of_type(self, kind):
        resources = self.template["Resources"]
        return {name: resource for name, resource in resources.items() if resource["Type"] == kind}

    def functions(self):
        found = {}
        for logical in self.of_type("AWS::Lambda::Function"):
            function = self.client("lambda").get_function(FunctionName=self.resources[logical])["Configuration"]
            concurrency = self.client("lambda").get_function_concurrency(FunctionName=function["FunctionName"])
            found[function["FunctionName"].removeprefix(f"{self.name}-")] = {
                "logical": logical,
                "arn": function["FunctionArn"],
                "role": function["Role"],
                "environment": function["Environment"]["Variables"],
                "timeout": function["Timeout"],
                "memory": function["MemorySize"],
                "reserved": concurrency.get("ReservedConcurrentExecutions"),
                "policies": self.policies(function["Role"].rsplit("/", 1)[-1]),
            }
        return found

    def policies(self, role):
        """Every policy document of a role, as IAM has it."""
        iam = self.client("iam")
        inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in inline}
        for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
            answer = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)
            documents[attached["PolicyName"]] = answer["PolicyVersion"]["Document"]
        # moto's CloudFormation stores some documents as Python writes a dict.
        return {name: ast.literal_eval(document) if isinstance(document, str) else document for name, document in documents.items()}

    def queues(self):
        sqs = self.client("sqs")
        return {
            logical: sqs.get_queue_attributes(QueueUrl=self.resources[logical], AttributeNames=["All"])["Attributes"]
            for logical in self.of_type("AWS::SQS::Queue")
        }

    def sources(self):
        """Event source mappings. moto keeps no ScalingConfig: that is the template's."""
        found = {}
        for logical, resource in self.of_type("AWS::Lambda::EventSourceMapping").items():
            mapping = self.client("lambda").get_event_source_mapping(UUID=self.resources[logical])
            scaling = resource["Properties"]["ScalingConfig"]["MaximumConcurrency"]
            if isinstance(scaling, dict):
                scales, _, key = scaling["Fn::FindInMap"]
                scaling = self.template["Mappings"][scales][self.parameters.get("Scale", "standard")][key]
            found[logical] = {"queue": mapping["EventSourceArn"], "batch": mapping["BatchSize"], "at_once": scaling}
        return found

    def routes(self):
        """Path to function, through the integrations: moto's CloudFormation does not make API Gateway v2."""
        integrations = self.of_type("AWS::ApiGatewayV2::Integration")
        functions = {function["logical"]: name for name, function in self.functions().items()}
        found = {}
        for resource in self.of_type("AWS::ApiGatewayV2::Route").values():
            properties = resource["Properties"]
            integration = properties["Target"]["Fn::Sub"].removeprefix("integrations/${").removesuffix("}")
            logical = integrations[integration]["Properties"]["IntegrationUri"]["Fn::GetAtt"][0]
            found[properties["RouteKey"].removeprefix("ANY ")] = functions[logical]
        return found

    def table(self):
        answer = self.client("dynamodb").describe_table(TableName=self.resources["Table"])["Table"]
        # moto's CloudFormation leaves these two out.
        template = self.template["Resources"]["Table"]["Properties"]
        return {
            "name": answer["TableName"],
            "billing": answer["BillingModeSummary"]["BillingMode"],
            "protected": answer["DeletionProtectionEnabled"],
            "indexes": {index["IndexName"]: index["KeySchema"][0]["AttributeName"] for index in answer["GlobalSecondaryIndexes"]},
            "recovery": template["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
            "ttl": template["TimeToLiveSpecification"]["AttributeName"],
        }

    def metrics(self):
        """Metrics of our own namespace that alarms watch: moto's CloudFormation does not make alarms."""
        found = []
        for resource in self.of_type("AWS::CloudWatch::Alarm").values():
            properties = resource["Properties"]
            several = [query["MetricStat"]["Metric"] for query in properties.get("Metrics", []) if "MetricStat" in query]
            for metric in several or [properties]:
                if metric["Namespace"] == {"Ref": "MetricsNamespace"}:
                    dimensions = [[dimension["Name"], dimension["Value"]] for dimension in metric["Dimensions"]]
                    found.append({"name": metric["MetricName"], "dimensions": dimensions})
        return found

    def not_made(self):
        return sorted({resource["Type"] for name, resource in self.template["Resources"].items() if name not in self.resources})

    def told(self):
        return {
            "stack": self.name,
            "table": self.table(),
            "functions": self.functions(),
            "queues": self.queues(),
            "sources": self.sources(),
            "routes": self.routes(),
            "metrics": self.metrics(),
            "not_made": self.not_made(),
        }


def main(out):
    logging.disable(logging.WARNING) if "DEBUG" not in os.environ else None
    warnings.simplefilter("ignore")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=endpoint).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    boto3.client("s3", endpoint_url=endpoint).put_object(Bucket=BUCKET, Key="code.zip", Body=b"PK\x05\x06" + bytes(18))
    told = Stack(endpoint, "consulate", PLAIN).told()
    optional = Stack(endpoint, "optional", EVERY_OPTION).told()
    server.stop()
    findings = custody.judge(told) + custody.judge(optional, prefix="other/", options=True) + custody.unseen(told)
    for finding in findings:
        print(f"not ok - {finding}")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(told, indent=2))
    print(f"Deployed twice. Not made by moto, taken from the translated template: {', '.join(told['not_made'])}.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
