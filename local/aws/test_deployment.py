"""What the local AWS refuses, and how it carries out change sets. Run: make local-aws-test"""

import copy
import io
import json
import os
import unittest
import zipfile

os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION="us-east-1")

import boto3  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from moto import mock_aws  # noqa: E402
from werkzeug.test import Client  # noqa: E402

import localaws  # noqa: E402
from localaws import function, healthlake  # noqa: E402
from localaws.api import Application  # noqa: E402
from localaws.resource import Rejected  # noqa: E402

localaws.install()

ACCOUNT, REGION = "123456789012", "us-east-1"
FUNCTION = "sof-hl-checkToken"
DATASTORE = "AWS::HealthLake::FHIRDatastore"
METADATA = {
    "issuer": "https://idp.example/",
    "jwks_uri": "https://idp.example/jwks",
    "authorization_endpoint": "https://idp.example/auth",
    "token_endpoint": "https://idp.example/token",
    "capabilities": ["sso-openid-connect", "permission-v2"],
    "grant_types_supported": ["authorization_code", "client_credentials"],
    "code_challenge_methods_supported": ["S256"],
}


def template():
    """The smallest stack with what HealthLake needs: role, function, version, alias, permission, datastore."""
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    idp = {"AuthorizationStrategy": "SMART_ON_FHIR", "FineGrainedAuthorizationEnabled": "true"}
    idp.update(IdpLambdaArn={"Ref": "Alias"}, Metadata=json.dumps(METADATA))
    function = {"FunctionName": FUNCTION, "Code": {"S3Bucket": "assets", "S3Key": "one.zip"}, "Handler": "bootstrap"}
    function.update(Runtime="provided.al2023", Role={"Fn::GetAtt": ["Role", "Arn"]})
    alias = {"FunctionName": {"Ref": "Function"}, "FunctionVersion": {"Fn::GetAtt": ["Version1", "Version"]}}
    alias.update(Name="live", ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": 5})
    permission = {"Action": "lambda:InvokeFunction", "FunctionName": {"Ref": "Alias"}}
    permission.update(Principal="healthlake.amazonaws.com", SourceAccount={"Ref": "AWS::AccountId"})
    datastore = {"DatastoreName": "records", "DatastoreTypeVersion": "R4", "IdentityProviderConfiguration": idp}
    resources = {
        "Datastore": {"Type": DATASTORE, "UpdateReplacePolicy": "Retain", "Properties": datastore},
        "Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": alias},
        "Version1": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [statement]}}},
    }
    resources["Role"]["Properties"]["AssumeRolePolicyDocument"]["Version"] = "2012-10-17"
    return {"Resources": resources, "Outputs": {"Alias": {"Value": {"Ref": "Alias"}, "Export": {"Name": "alias"}}}}


class Deployment(unittest.TestCase):
    def setUp(self):
        mock = mock_aws()
        mock.start()
        self.addCleanup(mock.stop)
        for table in (healthlake.datastores, function.permissions, function.provisioned):
            table.clear()
        self.cloudformation, self.lambdas, self.s3 = map(boto3.client, ("cloudformation", "lambda", "s3"))
        self.api = Client(Application(lambda environ, start_response: self.fail("handed to moto")))
        self.s3.create_bucket(Bucket="assets")
        for name in ("one", "two"):
            package = io.BytesIO()
            with zipfile.ZipFile(package, "w") as archive:
                archive.writestr("bootstrap", name)
            self.s3.put_object(Bucket="assets", Key=f"{name}.zip", Body=package.getvalue())
        self.existing = set()

    def deploy(self, body, name="stack", kind=None, **more):
        """Returns the stack's status, and the reasons of what failed."""
        kind = kind or ("UPDATE" if name in self.existing else "CREATE")
        change_set = self.cloudformation.create_change_set(
            StackName=name, ChangeSetName="deploy", ChangeSetType=kind, TemplateBody=json.dumps(body), **more
        )
        self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        self.existing.add(name)
        return self.status(name)

    def status(self, name="stack"):
        status = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return status, [e.get("ResourceStatusReason") for e in events if e["ResourceStatus"].endswith("FAILED")]

    def deployed(self, *arguments, **named):
        status, reasons = self.deploy(*arguments, **named)
        self.assertRegex(status, "^(CREATE|UPDATE|IMPORT)_COMPLETE$", reasons)

    def refused(self, because, *arguments, **named):
        status, reasons = self.deploy(*arguments, **named)
        self.assertIn(status, ("UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"))
        self.assertRegex(str(reasons), because)

    def ids(self, name="stack"):
        resources = self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}

    def datastores(self):
        return set(healthlake.datastores.get((ACCOUNT, REGION), {}))

    def call(self, operation, **request):
        headers = {"X-Amz-Target": f"HealthLake.{operation}"}
        return self.api.post("/", json=request, headers=headers).get_json(force=True)

    def test_a_version_without_a_change_is_refused_and_taken_back(self):
        body = template()
        self.deployed(body)
        before = self.ids()
        body["Resources"]["Version2"] = copy.deepcopy(body["Resources"]["Version1"])
        body["Resources"]["Role"]["Properties"]["Description"] = "another"
        self.refused("A version for this Lambda function exists", body)
        self.assertEqual(before, self.ids())
        self.assertEqual("", boto3.client("iam").get_role(RoleName=before["Role"])["Role"]["Description"])

    def test_replacement_follows_the_policy(self):
        body = template()
        self.deployed(body)
        first = self.datastores()
        changed = {**METADATA, "token_endpoint": "https://other.example/token"}
        datastore = body["Resources"]["Datastore"]
        datastore["Properties"]["IdentityProviderConfiguration"]["Metadata"] = json.dumps(changed)
        unknown = {"Type": "AWS::Nowhere::Thing", "DependsOn": "Datastore"}
        self.refused("does not know this resource type", {**body, "Resources": {**body["Resources"], "Other": unknown}})
        self.assertEqual((first, {self.ids()["Datastore"]}), (self.datastores(), first))
        self.deployed(body)
        both = self.datastores()
        self.assertEqual(2, len(both))
        self.assertNotIn(self.ids()["Datastore"], first)
        del datastore["UpdateReplacePolicy"]
        self.deployed(body)
        datastore["Properties"]["DatastoreName"] = "renamed"
        self.deployed(body)
        self.assertEqual(first | {self.ids()["Datastore"]}, self.datastores())

    def test_deletion_follows_the_policy(self):
        for policy, left in (("Delete", 0), ("Retain", 1)):
            for way in ("from the template", "with its stack"):
                with self.subTest(policy, way=way):
                    healthlake.datastores.clear()
                    body, name = template(), policy + way.split()[-1]
                    del body["Outputs"]
                    body["Resources"]["Function"]["Properties"]["FunctionName"] += name
                    body["Resources"]["Datastore"]["DeletionPolicy"] = policy
                    self.deployed(body, name)
                    del body["Resources"]["Datastore"]
                    if way == "from the template":
                        self.deployed(body, name)
                    else:
                        self.cloudformation.delete_stack(StackName=name)
                    self.assertEqual(left, len(self.datastores()))

    def test_an_export_in_use_stays(self):
        body = template()
        self.deployed(body)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        properties = {"PolicyDocument": policy, "Description": {"Fn::ImportValue": "alias"}}
        self.deployed({"Resources": {"P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}}}, "user")
        body["Resources"]["Alias"]["Properties"]["Name"] = "other"
        self.refused("Cannot update export alias as it is in use by user", body)
        self.cloudformation.delete_stack(StackName="stack")
        status, reasons = self.status()
        self.assertIn("Cannot delete export alias as it is in use by user", reasons)
        self.assertEqual("DELETE_FAILED", status)

    def test_what_is_refused(self):
        idp = ("Datastore", "IdentityProviderConfiguration")
        gone = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}:gone"
        role = template()["Resources"]["Role"]
        target = {"ServiceNamespace": "lambda", "ScalableDimension": "lambda:function:ProvisionedConcurrency"}
        target.update(ResourceId=f"function:{FUNCTION}:gone", MinCapacity=1, MaxCapacity=2)
        target = {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": target, "DependsOn": "Alias"}
        for because, change in (
            ("IdpLambdaArn names no function or alias", {idp: {"IdpLambdaArn": gone}}),
            ("IdpLambdaArn: '.*' is too short", {idp: {"IdpLambdaArn": {"Ref": "Function"}}}),
            ("'Color' was unexpected", {("Datastore",): {"Color": "red"}}),
            ("'R5' is not one of", {("Datastore",): {"DatastoreTypeVersion": "R5"}}),
            ("Runtime 'nodejs22.x' does not run", {("Function",): {"Runtime": "nodejs22.x"}}),
            ("64 is less than the minimum", {("Function",): {"MemorySize": 64}}),
            ("exceeds the reserved concurrency", {("Function",): {"ReservedConcurrentExecutions": 4}}),
            ("Function not found: .*:gone", {"Target": target}),
            ("Circular dependency", {"One": {**role, "DependsOn": "Two"}, "Two": {**role, "DependsOn": ["One"]}}),
        ):
            with self.subTest(because):
                body = template()
                for where, what in change.items():
                    if isinstance(where, str):
                        body["Resources"][where] = what
                        continue
                    properties = body["Resources"][where[0]]["Properties"]
                    (properties[where[1]] if where[1:] else properties).update(what)
                self.refused(because, body)
                self.assertEqual(set(), self.datastores())
                self.cloudformation.delete_stack(StackName="stack")
                self.existing.clear()

    def test_a_parameter_of_ssm_keeps_its_name(self):
        boto3.client("ssm").put_parameter(Name="/version", Value="21", Type="String")
        body = template()
        body["Parameters"] = {"Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/version"}}
        body["Resources"]["Function"]["Properties"]["Description"] = {"Ref": "Version"}
        self.deployed(body)
        del body["Resources"]["Permission"]
        previous = [{"ParameterKey": "Version", "UsePreviousValue": True}]
        self.deployed(body, Parameters=previous)
        self.assertEqual("21", self.lambdas.get_function_configuration(FunctionName=FUNCTION)["Description"])
        change_set = self.cloudformation.create_change_set(
            StackName="stack", ChangeSetName="a", ChangeSetType="UPDATE", TemplateBody=json.dumps(body), Parameters=previous
        )
        described = self.cloudformation.describe_change_set(ChangeSetName=change_set["Id"])
        self.assertIn("didn't contain changes", described["StatusReason"])

    def test_import(self):
        made, other = (self.call("CreateFHIRDatastore", DatastoreTypeVersion="R4")["DatastoreId"] for _ in range(2))
        one = {"Type": DATASTORE, "DeletionPolicy": "Retain", "Properties": {"DatastoreTypeVersion": "R4"}}
        group = {"Type": "AWS::Logs::LogGroup", "Properties": {}}

        def wanted(name, identifier):
            key = {"DatastoreId": identifier}
            return [{"LogicalResourceId": name, "ResourceType": DATASTORE, "ResourceIdentifier": key}]

        before = {"Resources": {"Group": group}, "Outputs": {"Group": {"Value": {"Ref": "Group"}}}}
        self.deployed(before)
        after = {**before, "Resources": {"Group": group, "Datastore": one}}
        self.deployed(after, kind="IMPORT", ResourcesToImport=wanted("Datastore", made))
        self.assertEqual(made, self.ids()["Datastore"])
        one["Properties"]["Tags"] = [{"Key": "a", "Value": "b"}]
        after["Outputs"]["Id"] = {"Value": {"Ref": "Datastore"}}
        self.deployed(after)
        self.assertEqual(made, self.ids()["Datastore"])
        for because, body, imports in (
            ("is empty", {"D": one}, []),
            ("E: the template has no resource", {"D": one}, wanted("E", other)),
            (r"\[D\] must have DeletionPolicy", {"D": {**one, "DeletionPolicy": None}}, wanted("D", other)),
            ("DatastoreId gone exists", {"D": one}, wanted("D", "gone")),
            (f"{made} already exists in stack", {"D": one}, wanted("D", made)),
            (r"modified resources \[G\]", {"D": one, "G": group}, wanted("D", other)),
            ("'Color' was unexpected", {"D": {**one, "Properties": {"Color": "red"}}}, wanted("D", other)),
        ):
            with self.subTest(because), self.assertRaisesRegex(ClientError, "ValidationError.*" + because):
                if "DeletionPolicy" in because:
                    del body["D"]["DeletionPolicy"]
                self.deploy({"Resources": body}, "new", "IMPORT", ResourcesToImport=imports)
        with self.assertRaisesRegex(ClientError, "cannot modify or add .Outputs."):
            body = {"Resources": {"D": one}, "Outputs": {"Id": {"Value": {"Ref": "D"}}}}
            self.deploy(body, "new", "IMPORT", ResourcesToImport=wanted("D", other))
        self.deployed({"Resources": {"D": one}}, "new", "IMPORT", ResourcesToImport=wanted("D", other))
        self.cloudformation.delete_stack(StackName="new")
        self.assertIn(other, self.datastores())
        summary = self.cloudformation.get_template_summary(TemplateBody=json.dumps(after))
        self.assertEqual(["DatastoreId"], summary["ResourceIdentifierSummaries"][0]["ResourceIdentifiers"])


class Metadata(unittest.TestCase):
    def test_good(self):
        healthlake.check_metadata(json.dumps(METADATA), "SMART_ON_FHIR")
        healthlake.check_metadata(json.dumps({**METADATA, "issuer": "http://127.0.0.1:4444/"}), "SMART_ON_FHIR")

    def test_bad(self):
        finer = ["permission-v2", "permission-v2.2"]
        for because, change, strategy in (
            ("'authorization_endpoint' is a required", {"authorization_endpoint": None}, "SMART_ON_FHIR"),
            ("'capabilities' is a required", {"capabilities": None}, "SMART_ON_FHIR"),
            ("'issuer' is a required", {"issuer": None}, "SMART_ON_FHIR"),
            ("'jwks_uri' is a required", {"jwks_uri": None}, "SMART_ON_FHIR"),
            ("token_endpoint is not an absolute https URL", {"token_endpoint": "http://idp.example/token"}, "SMART_ON_FHIR"),
            ("'client_credential' is not one of", {"grant_types_supported": ["client_credential"]}, "SMART_ON_FHIR"),
            (r"grant_types_supported: \[\]", {"grant_types_supported": []}, "SMART_ON_FHIR"),
            ("code_challenge.*'plain'", {"code_challenge_methods_supported": ["plain", "S256"]}, "SMART_ON_FHIR"),
            ("methods_supported: None of", {"code_challenge_methods_supported": ["S512"]}, "SMART_ON_FHIR"),
            ("needs strategy", {"capabilities": finer}, "SMART_ON_FHIR_V1"),
            ("capabilities: None of", {"capabilities": finer[1:]}, "SMART_ON_FHIR"),
        ):
            with self.subTest(because):
                document = {k: v for k, v in {**METADATA, **change}.items() if v is not None}
                self.assertRaisesRegex(Rejected, because, healthlake.check_metadata, json.dumps(document), strategy)
        self.assertRaisesRegex(Rejected, "is not JSON", healthlake.check_metadata, "{", "SMART_ON_FHIR")
