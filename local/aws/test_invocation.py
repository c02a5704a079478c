"""Invocations of functions that run elsewhere. Run: python3 -m unittest discover -s local/aws"""

import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

from botocore.exceptions import ClientError

from started import Started

NAME = "sof-hl-checkToken"


class Upstream(BaseHTTPRequestHandler):
    """Where functions run: answers with what it was asked, and fails if it is told so."""

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(event.get("status", 200))
        if "fault" in event:
            self.send_header("X-Amz-Function-Error", event["fault"])
        self.end_headers()
        self.wfile.write(json.dumps({"path": self.path, "event": event}).encode())

    def log_message(self, *_):
        pass


def deploy(case):
    """The function with one version and its alias."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("bootstrap", "")
    s3, cloudformation = case.client("s3"), case.client("cloudformation")
    s3.create_bucket(Bucket="assets")
    s3.put_object(Bucket="assets", Key="one.zip", Body=buffer.getvalue())
    principal = {"Service": "lambda.amazonaws.com"}
    trust = {"Version": "2012-10-17"}
    trust["Statement"] = [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]
    kinds = {
        "Role": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": trust}),
        "Function": (
            "AWS::Lambda::Function",
            {
                "FunctionName": NAME,
                "Code": {"S3Bucket": "assets", "S3Key": "one.zip"},
                "Handler": "bootstrap",
                "Runtime": "provided.al2023",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        ),
        "Version": ("AWS::Lambda::Version", {"FunctionName": {"Ref": "Function"}}),
        "Alias": (
            "AWS::Lambda::Alias",
            {
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                "Name": "live",
            },
        ),
    }
    body = json.dumps({"Resources": {k: {"Type": t, "Properties": p} for k, (t, p) in kinds.items()}})
    change_set = cloudformation.create_change_set(
        StackName="function", ChangeSetName="deploy", ChangeSetType="CREATE", TemplateBody=body
    )
    cloudformation.execute_change_set(ChangeSetName=change_set["Id"])


class Invocation(Started):
    @classmethod
    def setUpClass(cls):
        cls.upstream = HTTPServer(("127.0.0.1", 0), Upstream)
        thread = threading.Thread(target=cls.upstream.serve_forever)
        thread.start()
        cls.addClassCleanup(thread.join)
        cls.addClassCleanup(cls._end_upstream)
        cls.ARGUMENTS = ("--functions", f"http://127.0.0.1:{cls.upstream.server_port}/run/")
        super().setUpClass()
        deploy(cls)
        cls.lambdas = cls.client("lambda")

    @classmethod
    def _end_upstream(cls):
        cls.upstream.shutdown()
        cls.upstream.server_close()

    def invoke(self, name=NAME, event="{}", **more):
        return self.lambdas.invoke(FunctionName=name, Payload=event, **more)

    def refused(self, kind, status, because, *arguments, **named):
        with self.assertRaisesRegex(ClientError, because) as refusal:
            self.invoke(*arguments, **named)
        response = refusal.exception.response
        self.assertEqual((kind, status), (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]))

    def test_every_way_to_name_a_function(self):
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}"
        for version, name, more in (
            ("$LATEST", NAME, {}),
            ("$LATEST", arn, {}),
            ("1", NAME, {"Qualifier": "live"}),
            ("1", NAME, {"Qualifier": "1"}),
            ("1", f"{NAME}:live", {}),
            ("1", f"{arn}:live", {"Qualifier": "live"}),
        ):
            with self.subTest(name, **more):
                answer = self.invoke(name, '{"a": 1}', **more)
                self.assertEqual((200, version), (answer["StatusCode"], answer["ExecutedVersion"]))
                self.assertEqual({"path": f"/run/{NAME}", "event": {"a": 1}}, json.load(answer["Payload"]))
                self.assertNotIn("FunctionError", answer)

    def test_a_functions_error_is_an_answer(self):
        answer = self.invoke(event='{"fault": "Unhandled"}', Qualifier="live")
        self.assertEqual((200, "Unhandled"), (answer["StatusCode"], answer["FunctionError"]))
        self.assertEqual("Unhandled", json.load(answer["Payload"])["event"]["fault"])

    def test_what_is_not_there(self):
        for name, more, because in (
            ("gone", {}, ":function:gone$"),
            (NAME, {"Qualifier": "gone"}, f":function:{NAME}:gone$"),
            (f"{NAME}:2", {}, f":function:{NAME}:2$"),
        ):
            with self.subTest(name, **more):
                because = "Function not found: arn:aws:lambda:us-east-1:123456789012" + because
                self.refused("ResourceNotFoundException", 404, because, name, **more)

    def test_what_is_refused(self):
        invalid = "InvalidParameterValueException"
        self.refused(invalid, 400, "does not match the specified qualifier", f"{NAME}:live", Qualifier="1")
        self.refused(invalid, 400, "not by Event", InvocationType="Event")
        self.refused("InvalidRequestContentException", 400, "Could not parse request body", event="{")
        self.refused("ResourceConflictException", 409, "No function runs here: .*500", event='{"status": 500}')


class NothingListens(Started):
    ARGUMENTS = ("--functions", "http://127.0.0.1:1")
    WHY = "http://127.0.0.1:1/sof-hl-checkToken: .*refused"

    def test_the_error_says_so(self):
        deploy(self)
        with self.assertRaisesRegex(ClientError, "ResourceConflictException.*No function runs here: " + self.WHY):
            self.client("lambda").invoke(FunctionName=NAME, Qualifier="live")


class NotAsked(NothingListens):
    ARGUMENTS = ()
    WHY = "the local AWS was started without --functions"
