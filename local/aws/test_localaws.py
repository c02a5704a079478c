"""What the local AWS refuses and how it carries out change sets. Run: python3 -m unittest discover -s local/aws"""

import copy
import io
import json
import os
import unittest
import zipfile

os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION="us-east-1")

import boto3  # noqa: E402
from moto import mock_aws  # noqa: E402
from werkzeug.test import Client  # noqa: E402

from localaws import engine, function, healthlake, install  # noqa: E402
from localaws.api import Application  # noqa: E402
from localaws.resource import Rejected  # noqa: E402

install.install()

ACCOUNT, REGION = "123456789012", "us-east-1"
METADATA = {
    "issuer": "https://idp.example/",
    "jwks_uri": "https://idp.example/jwks",
    "authorization_endpoint": "https://idp.example/auth",
    "token_endpoint": "https://idp.example/token",
    "capabilities": ["sso-openid-connect", "permission-v2"],
    "grant_types_supported": ["authorization_code", "client_credentials"],
    "code_challenge_methods_supported": ["S256"],
}


def package(content):
    """A zip file as the CDK uploads one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("bootstrap", content)
    return buffer.getvalue()


def template():
    """The smallest stack with what HealthLake needs: role, function, version, alias, permission, datastore."""
    role = {"Service": "lambda.amazonaws.com"}
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": role, "Action": "sts:AssumeRole"}]}
    return {
        "Resources": {
            "Datastore": {
                "Type": "AWS::HealthLake::FHIRDatastore",
                "UpdateReplacePolicy": "Retain",
                "Properties": {
                    "DatastoreName": "records",
                    "DatastoreTypeVersion": "R4",
                    "IdentityProviderConfiguration": {
                        "AuthorizationStrategy": "SMART_ON_FHIR",
                        "FineGrainedAuthorizationEnabled": True,
                        "IdpLambdaArn": {"Ref": "Alias"},
                        "Metadata": json.dumps(METADATA),
                    },
                },
            },
            "Permission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": {"Ref": "Alias"},
                    "Principal": "healthlake.amazonaws.com",
                    "SourceAccount": {"Ref": "AWS::AccountId"},
                },
            },
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "FunctionVersion": {"Fn::GetAtt": ["Version1", "Version"]},
                    "Name": "live",
                    "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 5},
                },
            },
            "Version1": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "sof-hl-checkToken",
                    "Code": {"S3Bucket": "assets", "S3Key": "one.zip"},
                    "Handler": "bootstrap",
                    "Runtime": "provided.al2023",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        },
        "Outputs": {"Alias": {"Value": {"Ref": "Alias"}, "Export": {"Name": "alias"}}},
    }


class CloudFormation(unittest.TestCase):
    def setUp(self):
        mock = mock_aws()
        mock.start()
        self.addCleanup(mock.stop)
        for table in (healthlake.datastores, function.permissions, function.provisioned):
            table.clear()
        self.cloudformation = boto3.client("cloudformation")
        self.lambdas = boto3.client("lambda")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="assets")
        for name in ("one", "two"):
            s3.put_object(Bucket="assets", Key=f"{name}.zip", Body=package(name))
        self.existing = set()

    def deploy(self, body, name="stack"):
        kind = "UPDATE" if name in self.existing else "CREATE"
        change_set = self.cloudformation.create_change_set(
            StackName=name, ChangeSetName="deploy", ChangeSetType=kind, TemplateBody=json.dumps(body)
        )
        self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        status = self.cloudformation.describe_stacks(StackName=change_set["StackId"])["Stacks"][0]["StackStatus"]
        if status == "ROLLBACK_COMPLETE":
            self.cloudformation.delete_stack(StackName=name)
        else:
            self.existing.add(name)
        events = self.cloudformation.describe_stack_events(StackName=change_set["StackId"])["StackEvents"]
        return status, [e.get("ResourceStatusReason") for e in events if e["ResourceStatus"].endswith("FAILED")]

    def refused(self, body, because, name="stack"):
        status, reasons = self.deploy(body, name)
        self.assertIn(status, ("UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"))
        self.assertRegex(str(reasons), because)

    def physical_ids(self, name="stack"):
        resources = self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}

    def datastores(self):
        return set(healthlake.datastores.get((ACCOUNT, REGION), {}))

    def test_new_code_moves_the_alias_and_leaves_the_datastore(self):
        body = template()
        self.deploy(body)
        before = self.physical_ids()
        code = {"S3Bucket": "assets", "S3Key": "two.zip"}
        body["Resources"]["Function"]["Properties"].update(MemorySize=256, Code=code)
        body["Resources"]["Version2"] = body["Resources"].pop("Version1")
        body["Resources"]["Alias"]["Properties"]["FunctionVersion"] = {"Fn::GetAtt": ["Version2", "Version"]}
        old = self.lambdas.get_function(FunctionName="sof-hl-checkToken", Qualifier="live")["Configuration"]
        self.deploy(body)
        new = self.lambdas.get_function(FunctionName="sof-hl-checkToken", Qualifier="live")["Configuration"]
        after = self.physical_ids()
        self.assertEqual((before["Alias"], before["Datastore"]), (after["Alias"], after["Datastore"]))
        self.assertNotEqual(old["CodeSha256"], new["CodeSha256"])
        self.assertEqual(("2", 256), (new["Version"], new["MemorySize"]))
        versions = self.lambdas.list_versions_by_function(FunctionName="sof-hl-checkToken")["Versions"]
        self.assertEqual(["$LATEST", "2"], [v["Version"] for v in versions])

    def test_a_version_without_a_change_is_refused(self):
        body = template()
        self.deploy(body)
        body["Resources"]["Version2"] = copy.deepcopy(body["Resources"]["Version1"])
        self.refused(body, "A version for this Lambda function exists")

    def test_replacement_keeps_the_old_datastore(self):
        body = template()
        self.deploy(body)
        first = self.datastores()
        changed = {**METADATA, "token_endpoint": "https://other.example/token"}
        configuration = body["Resources"]["Datastore"]["Properties"]["IdentityProviderConfiguration"]
        configuration["Metadata"] = json.dumps(changed)
        self.deploy(body)
        self.assertLess(first, self.datastores())
        self.assertEqual(2, len(self.datastores()))
        self.assertNotIn(self.physical_ids()["Datastore"], first)

    def test_replacement_without_the_policy_deletes_the_old_datastore(self):
        body = template()
        del body["Resources"]["Datastore"]["UpdateReplacePolicy"]
        self.deploy(body)
        first = self.datastores()
        body["Resources"]["Datastore"]["Properties"]["DatastoreName"] = "renamed"
        self.deploy(body)
        self.assertEqual(1, len(self.datastores()))
        self.assertFalse(first & self.datastores())

    def test_another_alias_name_replaces_the_datastore_too(self):
        body = template()
        del body["Outputs"]
        self.deploy(body)
        before = self.physical_ids()
        body["Resources"]["Alias"]["Properties"]["Name"] = "other"
        self.deploy(body)
        after = self.physical_ids()
        self.assertTrue(after["Alias"].endswith(":other"))
        self.assertNotEqual(before["Datastore"], after["Datastore"])

    def test_removal(self):
        self.deploy(template())
        self.cloudformation.delete_stack(StackName="stack")
        self.assertEqual(set(), self.datastores())
        self.assertEqual([], self.lambdas.list_functions()["Functions"])
        self.assertEqual([], boto3.client("iam").list_roles()["Roles"])
        self.assertEqual([], self.cloudformation.describe_stacks()["Stacks"])

    def test_removal_keeps_what_is_retained(self):
        body = template()
        body["Resources"]["Datastore"]["DeletionPolicy"] = "Retain"
        self.deploy(body)
        self.cloudformation.delete_stack(StackName="stack")
        self.assertEqual(1, len(self.datastores()))

    def test_a_resource_taken_from_the_template_honours_its_policy(self):
        for policy, left in (("Delete", 0), ("Retain", 1)):
            with self.subTest(policy):
                healthlake.datastores.clear()
                body, name = template(), f"stack{left}"
                del body["Outputs"]
                body["Resources"]["Function"]["Properties"]["FunctionName"] += str(left)
                body["Resources"]["Datastore"]["DeletionPolicy"] = policy
                self.deploy(body, name)
                del body["Resources"]["Datastore"]
                self.deploy(body, name)
                self.assertEqual(left, len(self.datastores()))

    def test_an_export_in_use_stays(self):
        body = template()
        self.deploy(body)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        properties = {"PolicyDocument": policy, "Description": {"Fn::ImportValue": "alias"}}
        self.deploy({"Resources": {"P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}}}, "user")
        self.cloudformation.delete_stack(StackName="stack")
        events = self.cloudformation.describe_stack_events(StackName="stack")["StackEvents"]
        self.assertEqual("Cannot delete export alias as it is in use by user", events[1]["ResourceStatusReason"])
        body["Resources"]["Alias"]["Properties"]["Name"] = "other"
        self.refused(body, "Cannot update export alias as it is in use by user")

    def test_names_that_are_taken(self):
        self.deploy(template())
        body = template()
        del body["Outputs"]
        self.refused(body, "function sof-hl-checkToken exists already", "another")

    def test_a_secret_changed_by_hand_survives_a_deployment(self):
        secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "SOF-HL", "SecretString": "{}"}}
        self.deploy({"Resources": {"Secret": secret}})
        manager = boto3.client("secretsmanager")
        manager.put_secret_value(SecretId="SOF-HL", SecretString="by hand")
        secret["Properties"]["Description"] = "another"
        self.deploy({"Resources": {"Secret": secret}})
        self.assertEqual("by hand", manager.get_secret_value(SecretId="SOF-HL")["SecretString"])
        secret["Properties"]["SecretString"] = '{"a":1}'
        self.deploy({"Resources": {"Secret": secret}})
        self.assertEqual('{"a":1}', manager.get_secret_value(SecretId="SOF-HL")["SecretString"])
        self.refused({"Resources": {"Secret": secret}}, "SOF-HL exists already", "another")

    def test_what_is_refused(self):
        def without_alias(r):
            r["Datastore"]["Properties"]["IdentityProviderConfiguration"]["IdpLambdaArn"] = (
                f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sof-hl-checkToken:gone"
            )

        def function_name_for_arn(r):
            r["Datastore"]["Properties"]["IdentityProviderConfiguration"]["IdpLambdaArn"] = {"Ref": "Function"}

        def unknown_property(r):
            r["Datastore"]["Properties"]["Color"] = "red"

        def unknown_type(r):
            r["Queue"] = {"Type": "AWS::Nowhere::Thing", "Properties": {}}

        def old_runtime(r):
            r["Function"]["Properties"]["Runtime"] = "nodejs18.x"

        def no_capacity(r):
            r["Alias"]["Properties"]["ProvisionedConcurrencyConfig"]["ProvisionedConcurrentExecutions"] = 0

        def more_than_reserved(r):
            r["Function"]["Properties"]["ReservedConcurrentExecutions"] = 4

        def wrong_target(r):
            r["Target"] = {
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": {
                    "ResourceId": "function:sof-hl-checkToken:gone",
                    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
                    "ServiceNamespace": "lambda",
                    "MinCapacity": 1,
                    "MaxCapacity": 2,
                },
                "DependsOn": "Alias",
            }

        for fault, because in (
            (without_alias, "IdpLambdaArn names no function or alias"),
            (function_name_for_arn, "IdpLambdaArn has 17 characters"),
            (unknown_property, "property not supported: Color"),
            (unknown_type, "does not know this resource type"),
            (old_runtime, "Runtime 'nodejs18.x'"),
            (no_capacity, "ProvisionedConcurrentExecutions is 0"),
            (more_than_reserved, "exceeds the reserved concurrency"),
            (wrong_target, "ResourceId names no alias"),
        ):
            with self.subTest(fault.__name__):
                body, name = template(), "stack" + fault.__name__.replace("_", "")
                del body["Outputs"]
                body["Resources"]["Function"]["Properties"]["FunctionName"] += fault.__name__
                fault(body["Resources"])
                if fault is function_name_for_arn:
                    body["Resources"]["Function"]["Properties"]["FunctionName"] = "sof-hl-checkToken"
                self.refused(body, because, name)

    def test_a_parameter_keeps_its_value(self):
        boto3.client("ssm").put_parameter(Name="/version", Value="21", Type="String")
        body = template()
        body["Parameters"] = {"Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/version"}}
        body["Resources"]["Function"]["Properties"]["Description"] = {"Ref": "Version"}
        self.deploy(body)
        del body["Resources"]["Permission"]
        change_set = self.cloudformation.create_change_set(
            StackName="stack",
            ChangeSetName="deploy",
            ChangeSetType="UPDATE",
            TemplateBody=json.dumps(body),
            Parameters=[{"ParameterKey": "Version", "UsePreviousValue": True}],
        )
        self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        self.assertEqual("21", self.lambdas.get_function_configuration(FunctionName="sof-hl-checkToken")["Description"])

    def test_a_change_set_without_changes_says_so(self):
        body = {"Parameters": {"Note": {"Type": "String"}}, "Resources": template()["Resources"]}
        given = {"TemplateBody": json.dumps(body), "Parameters": [{"ParameterKey": "Note", "ParameterValue": "x"}]}
        for kind in ("CREATE", "UPDATE"):
            change_set = self.cloudformation.create_change_set(
                StackName="stack", ChangeSetName="deploy", ChangeSetType=kind, **given
            )
            if kind == "CREATE":
                self.cloudformation.execute_change_set(ChangeSetName=change_set["Id"])
        described = self.cloudformation.describe_change_set(ChangeSetName=change_set["Id"])
        self.assertEqual("FAILED", described["Status"])
        self.assertIn("didn't contain changes", described["StatusReason"])

    def test_what_a_stack_makes_is_tagged_with_it(self):
        body = template()
        secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "SOF-HL", "SecretString": "{}"}}
        body["Resources"]["Secret"] = secret
        for node in (body["Resources"]["Function"], secret):
            node["Properties"]["Tags"] = [{"Key": "Purpose", "Value": "a"}]
        for purpose in ("a", "b"):  # made, and changed
            for node in (body["Resources"]["Function"], secret):
                node["Properties"]["Tags"][0]["Value"] = purpose
            self.deploy(body)
            described = boto3.client("secretsmanager").describe_secret(SecretId="SOF-HL")["Tags"]
            of_function = self.lambdas.get_function(FunctionName="sof-hl-checkToken")["Tags"]
            for name, tags in (("Secret", {t["Key"]: t["Value"] for t in described}), ("Function", of_function)):
                self.assertEqual(purpose, tags["Purpose"])
                self.assertEqual("stack", tags["aws:cloudformation:stack-name"])
                self.assertEqual(name, tags["aws:cloudformation:logical-id"])

    def test_monitoring_comes_changes_and_goes(self):
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sns:Publish"}]}
        transformation = {"MetricName": "m", "MetricNamespace": "n", "MetricValue": "1"}
        dimensions = {"Dimensions": [{"Key": "Reason", "Value": "$.reason"}]}
        topic = {"Ref": "Topic"}

        def resources(text, points, address):
            kinds = {
                "Topic": ("AWS::SNS::Topic", {"DisplayName": text}),
                "Policy": ("AWS::SNS::TopicPolicy", {"PolicyDocument": policy, "Topics": [topic]}),
                "Mail": ("AWS::SNS::Subscription", {"Endpoint": address, "Protocol": "email", "TopicArn": topic}),
                "Board": ("AWS::CloudWatch::Dashboard", {"DashboardBody": text, "DashboardName": "board"}),
                "Group": ("AWS::Logs::LogGroup", {}),
                "Filter": (
                    "AWS::Logs::MetricFilter",
                    {
                        "FilterPattern": "{ $.a = 1 }",
                        "LogGroupName": {"Ref": "Group"},
                        "MetricTransformations": [{**transformation, **dimensions}],
                    },
                ),
                "Alarm": (
                    "AWS::CloudWatch::Alarm",
                    {
                        "AlarmActions": [topic],
                        "ComparisonOperator": "GreaterThanThreshold",
                        "EvaluationPeriods": points,
                        "MetricName": "m",
                        "Namespace": "n",
                        "Period": 60,
                        "Statistic": "Sum",
                        "Threshold": 0,
                    },
                ),
            }
            return {"Resources": {k: {"Type": t, "Properties": p} for k, (t, p) in kinds.items()}}

        cloudwatch, sns = boto3.client("cloudwatch"), boto3.client("sns")
        for text, points, address in (('{"widgets": []}', 1, "a@example.org"), ('{"widgets": [1]}', 2, "b@example.org")):
            body = resources(text, points, address)
            self.deploy(body)
            self.assertEqual(text, cloudwatch.get_dashboard(DashboardName="board")["DashboardBody"])
            self.assertEqual([points], [a["EvaluationPeriods"] for a in cloudwatch.describe_alarms()["MetricAlarms"]])
            self.assertEqual([address], [s["Endpoint"] for s in sns.list_subscriptions()["Subscriptions"]])
        attributes = sns.get_topic_attributes(TopicArn=self.physical_ids()["Topic"])["Attributes"]
        self.assertEqual((text, policy), (attributes["DisplayName"], json.loads(attributes["Policy"])))
        body["Resources"]["Filter"]["Properties"]["MetricTransformations"][0]["DefaultValue"] = 0
        self.refused(body, "a default value excludes dimensions")
        body = resources("widgets", 1, "b@example.org")
        self.refused(body, "DashboardBody is no JSON")
        self.cloudformation.delete_stack(StackName="stack")
        self.assertEqual([], cloudwatch.list_dashboards()["DashboardEntries"])
        self.assertEqual([], cloudwatch.describe_alarms()["MetricAlarms"])
        self.assertEqual(([], []), (sns.list_topics()["Topics"], sns.list_subscriptions()["Subscriptions"]))

    def test_circle(self):
        role = template()["Resources"]["Role"]
        one, two = copy.deepcopy(role), copy.deepcopy(role)
        one["DependsOn"], two["DependsOn"] = "Two", ["One"]
        self.refused({"Resources": {"One": one, "Two": two}}, "Circular dependency")

    def test_calls_that_moto_lacks(self):
        self.deploy(template())
        client = Client(Application(lambda environ, start_response: self.fail("handed to moto")))
        policy = client.get("/2015-03-31/functions/sof-hl-checkToken/policy?Qualifier=live").get_json(force=True)
        statement = json.loads(policy["Policy"])["Statement"][0]
        self.assertEqual({"Service": "healthlake.amazonaws.com"}, statement["Principal"])
        self.assertEqual({"StringEquals": {"AWS:SourceAccount": ACCOUNT}}, statement["Condition"])
        self.assertTrue(statement["Resource"].endswith(":sof-hl-checkToken:live"))
        path = "/2019-09-30/functions/sof-hl-checkToken/provisioned-concurrency?Qualifier=live"
        self.assertEqual(5, client.get(path).get_json(force=True)["AllocatedProvisionedConcurrentExecutions"])
        limits = client.get("/2016-08-19/account-settings/").get_json(force=True)["AccountLimit"]
        self.assertEqual(1000, limits["UnreservedConcurrentExecutions"])
        self.lambdas.put_function_concurrency(FunctionName="sof-hl-checkToken", ReservedConcurrentExecutions=300)
        limits = client.get("/2016-08-19/account-settings/").get_json(force=True)["AccountLimit"]
        self.assertEqual(700, limits["UnreservedConcurrentExecutions"])
        described = client.post(
            "/",
            json={"DatastoreId": self.physical_ids()["Datastore"]},
            headers={"X-Amz-Target": "HealthLake.DescribeFHIRDatastore"},
        ).get_json(force=True)["DatastoreProperties"]
        self.assertEqual("records", described["DatastoreName"])
        self.assertEqual(METADATA, json.loads(described["IdentityProviderConfiguration"]["Metadata"]))


class Metadata(unittest.TestCase):
    def test_good(self):
        healthlake.check_metadata(json.dumps(METADATA), "SMART_ON_FHIR")
        healthlake.check_metadata(json.dumps({**METADATA, "issuer": "http://127.0.0.1:4444/"}), "SMART_ON_FHIR")

    def test_bad(self):
        def less(*names):
            return {k: v for k, v in METADATA.items() if k not in names}

        finer = {**METADATA, "capabilities": ["permission-v2", "permission-v2.2"]}
        for bad, because, strategy in (
            ("{", "is not JSON", "SMART_ON_FHIR"),
            ('{"a":1,"a":2}', "twice", "SMART_ON_FHIR"),
            ([], "not a JSON object", "SMART_ON_FHIR"),
            (less("authorization_endpoint"), "lacks authorization_endpoint", "SMART_ON_FHIR"),
            (less("token_endpoint"), "lacks token_endpoint", "SMART_ON_FHIR"),
            (less("capabilities"), "lacks capabilities", "SMART_ON_FHIR"),
            (less("grant_types_supported"), "lacks grant_types_supported", "SMART_ON_FHIR"),
            (less("code_challenge_methods_supported"), "lacks code_challenge", "SMART_ON_FHIR"),
            (less("issuer"), "needs issuer", "SMART_ON_FHIR"),
            (less("jwks_uri"), "needs jwks_uri", "SMART_ON_FHIR"),
            ({**METADATA, "token_endpoint": "http://idp.example/token"}, "not an absolute https URL", "SMART_ON_FHIR"),
            ({**METADATA, "revocation_endpoint": "/revoke"}, "not an absolute https URL", "SMART_ON_FHIR"),
            ({**METADATA, "grant_types_supported": ["client_credential"]}, "has more than", "SMART_ON_FHIR"),
            ({**METADATA, "grant_types_supported": []}, "with one at least", "SMART_ON_FHIR"),
            ({**METADATA, "capabilities": ["a", "a"]}, "twice", "SMART_ON_FHIR"),
            ({**METADATA, "code_challenge_methods_supported": ["plain", "S256"]}, "has plain", "SMART_ON_FHIR"),
            ({**METADATA, "code_challenge_methods_supported": ["S512"]}, "lacks S256", "SMART_ON_FHIR"),
            (finer, "needs strategy", "SMART_ON_FHIR_V1"),
            ({**finer, "capabilities": ["permission-v2.2"]}, "needs permission-v2", "SMART_ON_FHIR"),
        ):
            with self.subTest(because=because, bad=bad):
                text = bad if isinstance(bad, str) else json.dumps(bad)
                self.assertRaisesRegex(Rejected, because, healthlake.check_metadata, text, strategy)


class Order(unittest.TestCase):
    def test_dependencies_come_first(self):
        order = engine._dependency_order(
            {
                "A": {"Properties": {"X": {"Fn::Join": ["", [{"Ref": "B"}, {"Ref": "AWS::Region"}]]}}},
                "B": {"Properties": {"X": {"Fn::Sub": "${C.Arn}-${!D}"}}, "DependsOn": ["E"]},
                "C": {},
                "D": {},
                "E": {},
            }
        )
        self.assertEqual(["E", "C", "B", "A", "D"], order)


if __name__ == "__main__":
    unittest.main()
