"""Deployed functions run, by invocation and as custom resources. Run: make local-aws-test"""

import base64
import io
import json
import os
import subprocess
import sys
import unittest
import urllib.request
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

NAME = "settings"
ARN = f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}"

# A function that does what the event says, or responds to CloudFormation. It logs what that sends.
BOOTSTRAP = f"""#!{sys.executable}
import json, os, time, urllib.request

def call(url, body=None, method=None, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as answer:
        return answer.headers, answer.read()

def custom(event):
    old, new = event.get("OldResourceProperties", {{}}), event["ResourceProperties"]
    line = " ".join([event["RequestType"], event["ResourceType"], old.get("Text", "-"), new["Text"], new["Flag"]])
    print(line, flush=True)
    response = {{k: event[k] for k in ("RequestId", "StackId", "LogicalResourceId")}}
    response.update(PhysicalResourceId=new.get("Id", "id"), Data={{"Said": new["Text"].upper()}}, Status="SUCCESS")
    if new["Text"] == "fail" and event["RequestType"] != "Delete":
        response.update(Status="FAILED", Reason="no such text")
    call(event["ResponseURL"], json.dumps(response).encode(), "PUT")

def handle(event):
    if "RequestType" in event:
        return custom(event)
    if event.get("do") == "exit":
        os._exit(3)
    if event.get("do") == "log":
        print("said", flush=True)
    if event.get("do") == "hang":
        time.sleep(60)
    return {{"event": event, "environment": dict(os.environ), "pid": os.getpid()}}

api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    headers, body = call(api + "next")
    event = json.loads(body)
    answer = json.dumps(handle(event)).encode()
    if event.get("do") != "fail":
        answer = iter([answer])  # in chunks, as AWS's library for Go sends it
    call(api + headers["Lambda-Runtime-Aws-Request-Id"] + ("/error" if event.get("do") == "fail" else "/response"), answer)
"""


_SERVER = Path(__file__).with_name("server.py")


class Started(unittest.TestCase):
    """One server for the tests of a class: they share its state and use names of their own."""

    @classmethod
    def setUpClass(cls):
        cls.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-B", str(_SERVER), "--end-with-stdin"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        cls.addClassCleanup(cls._stop)
        cls.url = cls.process.stdout.readline().strip().removeprefix("export AWS_ENDPOINT_URL=")

    @classmethod
    def _stop(cls):
        cls.process.terminate()
        cls.process.wait()
        cls.process.stdin.close()
        cls.process.stdout.close()

    @classmethod
    def client(cls, service):
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=cls.url,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )


def package(bootstrap):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("bootstrap", bootstrap)
    return buffer.getvalue()


def function(**properties):
    principal = {"Service": "lambda.amazonaws.com"}
    statement = [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]
    trust = {"Version": "2012-10-17", "Statement": statement}
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/aws/lambda/" + NAME}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": NAME,
                "Code": {"S3Bucket": "assets", "S3Key": "one.zip"},
                "Environment": {"Variables": {"AB": "b"}},
                "Handler": "bootstrap",
                "Runtime": "provided.al2023",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                **properties,
            },
        },
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                "Name": "live",
            },
        },
    }


class Function(Started):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloudformation, cls.lambdas, cls.logs = map(cls.client, ("cloudformation", "lambda", "logs"))
        cls.s3 = cls.client("s3")
        cls.s3.create_bucket(Bucket="assets")
        cls.s3.put_object(Bucket="assets", Key="one.zip", Body=package(BOOTSTRAP))
        if cls.deploy("function", "CREATE", function()) != "CREATE_COMPLETE":
            raise AssertionError(cls.reasons("function"))

    @classmethod
    def deploy(cls, stack, kind, resources, parameters=(), **template):
        change_set = cls.cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName="deploy",
            ChangeSetType=kind,
            TemplateBody=json.dumps({"Resources": resources, **template}),
            Parameters=[{"ParameterKey": k, **v} for k, v in parameters],
        )
        cls.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        return cls.described(change_set["StackId"])["StackStatus"]

    @classmethod
    def described(cls, stack):
        return cls.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]

    @classmethod
    def reasons(cls, stack):
        events = cls.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        return [e.get("ResourceStatusReason") for e in events if e["ResourceStatus"].endswith("_FAILED")]

    def lines(self):
        return [e["message"] for e in self.logs.filter_log_events(logGroupName="/aws/lambda/" + NAME)["events"]]


class Invocation(Function):
    def invoke(self, name=NAME, event="{}", **more):
        return self.lambdas.invoke(FunctionName=name, Payload=event, **more)

    def test_it_runs_as_in_lambda(self):
        answer = self.invoke(f"{ARN}:live", '{"a": 1}', Qualifier="live")
        self.assertEqual((200, "1"), (answer["StatusCode"], answer["ExecutedVersion"]))
        said = json.load(answer["Payload"])
        environment = said["environment"]
        self.assertEqual(({"a": 1}, "b"), (said["event"], environment["AB"]))
        self.assertEqual(self.url, environment["AWS_ENDPOINT_URL"])
        self.assertNotIn("HOME", environment)
        self.assertNotIn("FunctionError", answer)

    def test_the_end_of_the_log(self):
        for do, log in (("log", "said"), ("", "")):
            answer = self.invoke(event=json.dumps({"do": do}), Qualifier="live", LogType="Tail")
            self.assertEqual(log, base64.b64decode(answer["LogResult"]).decode())

    def test_a_functions_error_is_an_answer(self):
        for do, because in (("fail", "environment"), ("exit", "Runtime.ExitError"), ("hang", "Sandbox.Timedout")):
            with self.subTest(do):
                answer = self.invoke(event=json.dumps({"do": do}), Qualifier="live")
                self.assertEqual((200, "Unhandled"), (answer["StatusCode"], answer["FunctionError"]))
                self.assertIn(because, answer["Payload"].read().decode())
        self.assertNotIn("FunctionError", self.invoke(Qualifier="live"))

    def test_what_is_refused(self):
        self.s3.put_object(Bucket="assets", Key="arm.zip", Body=package("\x7fELF"))
        code = {"S3Bucket": "assets", "S3Key": "arm.zip"}
        resources = function(FunctionName="arm", Code=code, Architectures=["arm64"])
        del resources["Group"]
        self.assertEqual("CREATE_COMPLETE", self.deploy("arm", "CREATE", resources))
        for name, more, because in (
            ("gone", {}, f"ResourceNotFound.*Function not found: {ARN.replace(NAME, 'gone')}"),
            (NAME, {"Qualifier": "gone"}, f"ResourceNotFound.*{ARN}:gone"),
            (f"{NAME}:live", {"Qualifier": "1"}, "does not match the specified qualifier"),
            (NAME, {"InvocationType": "Event"}, "not by Event"),
            (NAME, {"event": "{"}, "Could not parse request body"),
            ("arm", {}, "ResourceConflict.*bootstrap, built for arm64, does not run"),
        ):
            with self.subTest(because), self.assertRaisesRegex(ClientError, because):
                self.invoke(name, **more)


class CustomResource(Function):
    def custom(self, text, kind="Custom::Thing", token=ARN, **more):
        return {"Thing": {"Type": kind, "Properties": {"ServiceToken": token, "Text": text, "Flag": True, **more}}}

    def test_its_life(self):
        outputs = {"Outputs": {"Said": {"Value": {"Fn::GetAtt": ["Thing", "Said"]}}}}
        before = len(self.lines())
        self.assertEqual("CREATE_COMPLETE", self.deploy("life", "CREATE", self.custom("one"), **outputs))
        self.assertEqual("ONE", self.described("life")["Outputs"][0]["OutputValue"])
        self.assertEqual("UPDATE_COMPLETE", self.deploy("life", "UPDATE", self.custom("two"), **outputs))
        self.assertEqual("UPDATE_COMPLETE", self.deploy("life", "UPDATE", self.custom("two", Id="other"), **outputs))
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", self.deploy("life", "UPDATE", self.custom("fail", Id="other")))
        self.assertRegex(self.reasons("life")[0], r"status \[FAILED\] from custom resource. Message returned: no such text")
        self.assertEqual("TWO", self.described("life")["Outputs"][0]["OutputValue"])
        self.cloudformation.delete_stack(StackName="life")
        self.assertEqual(
            [
                "Create Custom::Thing - one true",
                "Update Custom::Thing one two true",
                "Update Custom::Thing two two true",
                "Delete Custom::Thing - two true",
                "Update Custom::Thing two fail true",
                "Update Custom::Thing fail two true",
                "Delete Custom::Thing - two true",
            ],
            self.lines()[before:],
        )

    def test_what_fails_later_takes_it_back(self):
        unknown = {"Queue": {"Type": "AWS::Nowhere::Thing", "DependsOn": "Thing"}}
        kind, before = "AWS::CloudFormation::CustomResource", len(self.lines())
        self.assertEqual("ROLLBACK_COMPLETE", self.deploy("later", "CREATE", {**self.custom("one", kind), **unknown}))
        self.deploy("later-2", "CREATE", self.custom("one", kind))
        status = self.deploy("later-2", "UPDATE", {**self.custom("two", kind), **unknown})
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", status)
        said = [line.replace(f" {kind}", "").replace(" true", "") for line in self.lines()[before:]]
        self.assertEqual(["Create - one", "Delete - one", "Create - one", "Update one two", "Update two one"], said)

    def test_what_is_refused(self):
        for number, (resources, because) in enumerate((
            (self.custom("fail"), "Message returned: no such text"),
            (self.custom("one", token="arn:aws:sns:us-east-1:123456789012:topic"), "not the ARN of a Lambda function"),
            (self.custom("one", token=ARN.replace(NAME, "gone")), "Function not found"),
            (self.custom("one", ServiceTimeout=0), "ServiceTimeout '0' is not 1 to 3600"),
            ({"Thing": {"Type": "Custom::Thing", "Properties": {"ServiceToken": ARN}}}, "the function failed"),
        )):
            with self.subTest(because):
                stack = f"refused-{number}"
                self.assertEqual("ROLLBACK_COMPLETE", self.deploy(stack, "CREATE", resources))
                self.assertRegex(str(self.reasons(stack)), because)

    def test_a_parameter_keeps_its_value(self):
        def parameters(default):
            return {"Parameters": {"Text": {"Type": "String", "Default": default}}}

        def said():
            return self.described("kept")["Parameters"][0]["ParameterValue"]

        custom, previous = self.custom({"Ref": "Text"}), [("Text", {"UsePreviousValue": True})]
        self.deploy("kept", "CREATE", custom, **parameters("first"))
        self.deploy("kept", "UPDATE", {**custom, **self.custom({"Ref": "Text"}, More=1)}, previous, **parameters("second"))
        self.assertEqual("first", said())
        self.deploy("kept", "UPDATE", self.custom({"Ref": "Text"}, More=2), previous, **parameters("third"))
        self.assertEqual("first", said())
        self.deploy("kept", "UPDATE", self.custom({"Ref": "Text"}, More=3), **parameters("fourth"))
        self.assertEqual("fourth", said())
        with self.assertRaisesRegex(ClientError, "Parameter Text has more than 4096 bytes"):
            self.deploy("kept", "UPDATE", custom, [("Text", {"ParameterValue": "x" * 4097})], **parameters("fifth"))


class End(Function):
    def test_the_functions_end_with_the_server(self):
        pid = json.load(self.lambdas.invoke(FunctionName=NAME, Payload="{}")["Payload"])["pid"]
        os.kill(pid, 0)
        for _ in range(2):  # one of them from make
            self.process.terminate()
        self.assertEqual(0, self.process.wait())
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)


class HealthLake(Started):
    def call(self, operation, **request):
        """The API as AWS's own client speaks it, which is too old here for UpdateFHIRDatastore."""
        headers = {"X-Amz-Target": f"HealthLake.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url, json.dumps(request).encode(), headers)
            ) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def test_an_update_in_place(self):
        made = self.call("CreateFHIRDatastore", DatastoreName="a", DatastoreTypeVersion="R4")["DatastoreId"]
        idp = {"AuthorizationStrategy": "AWS_AUTH", "FineGrainedAuthorizationEnabled": True}
        updated = self.call("UpdateFHIRDatastore", DatastoreId=made, DatastoreName="b", IdentityProviderConfiguration=idp)
        self.assertEqual("UPDATING", updated["DatastoreProperties"]["DatastoreStatus"])
        again = {"DatastoreId": made, "IdentityProviderConfiguration": {"AuthorizationStrategy": "AWS_AUTH"}}
        self.assertEqual("ConflictException", self.call("UpdateFHIRDatastore", **again)["__type"])
        found = updated["DatastoreProperties"]
        while found["DatastoreStatus"] != "ACTIVE":
            found = self.call("DescribeFHIRDatastore", DatastoreId=made)["DatastoreProperties"]
        self.assertEqual(("b", idp), (found["DatastoreName"], found["IdentityProviderConfiguration"]))
        found = self.call("UpdateFHIRDatastore", **again)["DatastoreProperties"]
        self.assertEqual("b", found["DatastoreName"])
        self.assertEqual(again["IdentityProviderConfiguration"], found["IdentityProviderConfiguration"])

    def test_what_is_refused(self):
        made = self.call("CreateFHIRDatastore", DatastoreName="a", DatastoreTypeVersion="R4")["DatastoreId"]
        smart = {"AuthorizationStrategy": "SMART_ON_FHIR", "IdpLambdaArn": ARN, "Metadata": "{}"}
        for request, because in (
            ({"DatastoreName": "#"}, "DatastoreName has other characters"),
            ({"IdentityProviderConfiguration": smart}, "IdpLambdaArn names no function"),
            ({"IdentityProviderConfiguration": {**smart, "FineGrainedAuthorizationEnabled": "true"}}, "not a boolean"),
            ({"IdentityProviderConfiguration": {"Metadata": "{}"}}, "'AuthorizationStrategy' is a required property"),
            ({"SseConfiguration": {}}, "does not update SseConfiguration"),
            ({}, "nothing to update"),
        ):
            with self.subTest(because):
                refusal = self.call("UpdateFHIRDatastore", DatastoreId=made, **request)
                self.assertEqual("ValidationException", refusal["__type"])
                self.assertIn(because, refusal["message"])
        refusal = self.call("UpdateFHIRDatastore", DatastoreId="gone", DatastoreName="b")
        self.assertEqual("ResourceNotFoundException", refusal["__type"])
        found = self.call("DescribeFHIRDatastore", DatastoreId=made)["DatastoreProperties"]
        self.assertEqual(("a", "ACTIVE"), (found["DatastoreName"], found["DatastoreStatus"]))
