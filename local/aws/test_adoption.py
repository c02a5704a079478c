"""Existing datastores imported into stacks. Run: python3 -m unittest discover -s local/aws"""

import json
import uuid

from botocore.exceptions import ClientError

from started import Started

TYPE = "AWS::HealthLake::FHIRDatastore"


def datastore(name="records", **attributes):
    return {
        "Type": TYPE,
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {"DatastoreName": name, "DatastoreTypeVersion": "R4"},
        **attributes,
    }


def group(**properties):
    return {"Type": "AWS::Logs::LogGroup", "Properties": properties}


class Adoption(Started):
    def setUp(self):
        self.healthlake, self.cloudformation = self.client("healthlake"), self.client("cloudformation")
        self.stack = f"stack-{uuid.uuid4().hex}"

    def make(self, name="records"):
        return self.healthlake.create_fhir_datastore(DatastoreName=name, DatastoreTypeVersion="R4")["DatastoreId"]

    def change(self, kind, template, imports=(), stack=None, kinds=TYPE, identifier="DatastoreId"):
        wanted = [
            {"LogicalResourceId": k, "ResourceType": kinds, "ResourceIdentifier": {identifier: v}} for k, v in imports
        ]
        return self.cloudformation.create_change_set(
            StackName=stack or self.stack,
            ChangeSetName="change",
            ChangeSetType=kind,
            TemplateBody=json.dumps(template),
            **({"ResourcesToImport": wanted} if kind == "IMPORT" else {}),
        )["Id"]

    def deploy(self, kind, template, *arguments, **named):
        self.cloudformation.execute_change_set(ChangeSetName=self.change(kind, template, *arguments, **named))

    def described(self):
        return self.cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]

    def outputs(self):
        return {o["OutputKey"]: o["OutputValue"] for o in self.described()["Outputs"]}

    def id(self):
        resource = self.cloudformation.describe_stack_resources(StackName=self.stack, LogicalResourceId="Datastore")
        return resource["StackResources"][0]["PhysicalResourceId"]

    def exists(self, identifier):
        listed = self.healthlake.list_fhir_datastores()["DatastorePropertiesList"]
        return identifier in [d["DatastoreId"] for d in listed]

    def test_into_a_new_stack(self):
        made = self.make()
        template = {"Resources": {"Datastore": datastore()}}
        change = self.change("IMPORT", template, [("Datastore", made)])
        found = self.cloudformation.describe_change_set(ChangeSetName=change)
        self.assertEqual("CREATE_COMPLETE", found["Status"])
        changes = [c["ResourceChange"] for c in found["Changes"]]
        changes = [(c["Action"], c["LogicalResourceId"], c["ResourceType"]) for c in changes]
        self.assertEqual([("Import", "Datastore", TYPE)], changes)
        self.assertEqual("REVIEW_IN_PROGRESS", self.described()["StackStatus"])
        self.cloudformation.execute_change_set(ChangeSetName=change)
        self.assertEqual("IMPORT_COMPLETE", self.described()["StackStatus"])
        self.assertEqual(made, self.id())
        events = self.cloudformation.describe_stack_events(StackName=self.stack)["StackEvents"]
        self.assertEqual(
            ["IMPORT_COMPLETE", "IMPORT_COMPLETE", "IMPORT_IN_PROGRESS", "REVIEW_IN_PROGRESS"],
            [e["ResourceStatus"] for e in events],
        )

    def test_then_it_is_the_stacks_own(self):
        made = self.make()
        template = {"Resources": {"Datastore": datastore()}}
        self.deploy("IMPORT", template, [("Datastore", made)])
        template["Outputs"] = {
            "Id": {"Value": {"Ref": "Datastore"}},
            "Arn": {"Value": {"Fn::GetAtt": ["Datastore", "DatastoreArn"]}},
        }
        template["Resources"]["Datastore"]["Properties"]["Tags"] = [{"Key": "a", "Value": "b"}]
        self.deploy("UPDATE", template)
        arn = self.healthlake.describe_fhir_datastore(DatastoreId=made)["DatastoreProperties"]["DatastoreArn"]
        self.assertEqual({"Id": made, "Arn": arn}, self.outputs())
        template["Resources"]["Datastore"]["Properties"]["DatastoreName"] = "renamed"
        self.deploy("UPDATE", template)
        self.assertNotEqual(made, self.id())
        self.assertTrue(self.exists(made))
        self.deploy("IMPORT", {"Resources": {"Old": datastore()}}, [("Old", made)], stack=self.stack + "-2")

    def test_the_template_is_not_compared(self):
        made = self.make("by hand")
        template = {"Resources": {"Datastore": datastore("in the template")}}
        self.deploy("IMPORT", template, [("Datastore", made)])
        template["Resources"]["Datastore"]["Properties"]["Tags"] = [{"Key": "a", "Value": "b"}]
        self.deploy("UPDATE", template)
        self.assertEqual(made, self.id())
        name = self.healthlake.describe_fhir_datastore(DatastoreId=made)["DatastoreProperties"]["DatastoreName"]
        self.assertEqual("by hand", name)

    def test_deletion_follows_the_policy(self):
        for policy, left in (("Retain", True), ("RetainExceptOnCreate", True), ("Delete", False)):
            with self.subTest(policy):
                made = self.make()
                self.deploy("IMPORT", {"Resources": {"D": datastore(DeletionPolicy=policy)}}, [("D", made)])
                self.cloudformation.delete_stack(StackName=self.stack)
                self.assertEqual(left, self.exists(made))

    def test_what_a_stack_retained_can_be_imported_again(self):
        made = self.make()
        for stack in (self.stack, self.stack + "-2"):
            self.deploy("IMPORT", {"Resources": {"D": datastore()}}, [("D", made)], stack=stack)
            self.cloudformation.delete_stack(StackName=stack)
        self.assertTrue(self.exists(made))

    def test_into_a_stack_that_lacks_it(self):
        made = self.make()
        template = {
            "Parameters": {"Days": {"Type": "Number", "Default": 7}},
            "Resources": {"Group": group(RetentionInDays={"Ref": "Days"})},
            "Outputs": {"Group": {"Value": {"Ref": "Group"}}},
        }
        self.deploy("CREATE", template)
        template["Resources"]["Datastore"] = datastore()

        def refused(because, **changed):
            with self.assertRaisesRegex(ClientError, because):
                self.change("IMPORT", {**template, **changed}, [("Datastore", made)])

        resources = template["Resources"]
        modified = r"You have modified resources \[{}\] in your template that are not being imported"
        refused(modified.format("More"), Resources={**resources, "More": group()})
        refused(modified.format("Group"), Resources={**resources, "Group": group(RetentionInDays=30)})
        refused(modified.format("Group"), Resources={"Datastore": resources["Datastore"]})
        added = {**template["Outputs"], "Id": {"Value": {"Ref": "Datastore"}}}
        for outputs in (added, {}, {"Group": {"Value": "another"}}):
            refused(r"you cannot modify or add \[Outputs\]", Outputs=outputs)
        refused("you cannot modify parameter Days", Parameters={"Days": {"Type": "Number", "Default": 14}})
        self.assertEqual("CREATE_COMPLETE", self.described()["StackStatus"])
        before = self.outputs()
        self.deploy("IMPORT", template, [("Datastore", made)])
        after = self.described()["StackStatus"], self.id(), self.outputs()
        self.assertEqual(("IMPORT_COMPLETE", made, before), after)
        self.deploy("UPDATE", {**template, "Outputs": added})
        self.assertEqual(made, self.outputs()["Id"])

    def test_what_is_refused(self):
        made, owned = self.make(), self.make()
        self.deploy("IMPORT", {"Resources": {"D": datastore()}}, [("D", owned)], stack=self.stack + "-owner")
        unguarded = datastore()
        del unguarded["DeletionPolicy"]
        by_arn = {"identifier": "DatastoreArn"}
        for because, resources, imports, more in (
            ("ResourcesToImport is empty", {"D": datastore()}, [], {}),
            ("E: the template has no resource of that name and type", {"D": datastore()}, [("E", made)], {}),
            (r"import \[D\] must have DeletionPolicy", {"D": unguarded}, [("D", made)], {}),
            ("DatastoreId gone exists", {"D": datastore()}, [("D", "gone")], {}),
            (f"{owned} already exists in stack .*-owner/", {"D": datastore()}, [("D", owned)], {}),
            ("imported twice", {"D": datastore(), "E": datastore()}, [("D", made), ("E", made)], {}),
            ("identified by DatastoreId, not DatastoreArn", {"D": datastore()}, [("D", made)], by_arn),
            (
                "does not import resources of type AWS::Logs::LogGroup",
                {"G": {**group(), "DeletionPolicy": "Retain"}},
                [("G", "group")],
                {"kinds": "AWS::Logs::LogGroup", "identifier": "LogGroupName"},
            ),
            (r"modified resources \[G\]", {"D": datastore(), "G": group()}, [("D", made)], {}),
        ):
            with self.subTest(because):
                with self.assertRaisesRegex(ClientError, "ValidationError.*" + because):
                    self.change("IMPORT", {"Resources": resources}, imports, **more)
        with self.assertRaisesRegex(ClientError, "cannot modify or add .Outputs."):
            template = {"Resources": {"D": datastore()}, "Outputs": {"Id": {"Value": {"Ref": "D"}}}}
            self.change("IMPORT", template, [("D", made)])
        names = [s["StackName"] for s in self.cloudformation.describe_stacks()["Stacks"]]
        self.assertNotIn(self.stack, names)

    def test_the_template_has_to_fit_the_type(self):
        properties = {"DatastoreTypeVersion": "R4", "Color": "red"}
        template = {"Resources": {"D": datastore(Properties=properties)}}
        with self.assertRaisesRegex(ClientError, "D: property not supported: Color"):
            self.change("IMPORT", template, [("D", self.make())])

    def test_a_change_set_that_was_never_carried_out_is_no_stack(self):
        made, template = self.make(), {"Resources": {"Datastore": datastore()}}
        self.change("IMPORT", template, [("Datastore", made)])
        with self.assertRaisesRegex(ClientError, "DatastoreId gone exists"):
            self.change("IMPORT", template, [("Datastore", "gone")])
        self.assertEqual("REVIEW_IN_PROGRESS", self.described()["StackStatus"])
        self.deploy("IMPORT", template, [("Datastore", made)])
        stacks = self.cloudformation.describe_stacks()["Stacks"]
        self.assertEqual(["IMPORT_COMPLETE"], [s["StackStatus"] for s in stacks if s["StackName"] == self.stack])

    def test_what_identifies_resources(self):
        template = {"Resources": {"One": datastore(), "Two": datastore(), "Group": group()}}
        summary = self.cloudformation.get_template_summary(TemplateBody=json.dumps(template))
        self.assertEqual(
            [{"ResourceType": TYPE, "LogicalResourceIds": ["One", "Two"], "ResourceIdentifiers": ["DatastoreId"]}],
            summary["ResourceIdentifierSummaries"],
        )
        self.assertEqual([TYPE, TYPE, "AWS::Logs::LogGroup"], summary["ResourceTypes"])


class ByHand(Started):
    def test_a_datastore_is_made_by_the_rules_of_the_template(self):
        healthlake = self.client("healthlake")
        made = healthlake.create_fhir_datastore(DatastoreName="records", DatastoreTypeVersion="R4")
        self.assertEqual("CREATING", made["DatastoreStatus"])
        found = healthlake.describe_fhir_datastore(DatastoreId=made["DatastoreId"])["DatastoreProperties"]
        self.assertEqual(("ACTIVE", "records"), (found["DatastoreStatus"], found["DatastoreName"]))
        self.assertEqual(made["DatastoreEndpoint"], found["DatastoreEndpoint"])
        provider = {"AuthorizationStrategy": "SMART_ON_FHIR", "FineGrainedAuthorizationEnabled": True}
        provider["IdpLambdaArn"] = "arn:aws:lambda:us-east-1:123456789012:function:gone:live"
        for because, properties in (
            ("IdpLambdaArn names no function", {"IdentityProviderConfiguration": {**provider, "Metadata": "{}"}}),
            ("DatastoreName does not match", {"DatastoreName": "#"}),
        ):
            with self.subTest(because), self.assertRaisesRegex(ClientError, "ValidationException.*" + because):
                healthlake.create_fhir_datastore(DatastoreTypeVersion="R4", **properties)
        self.assertEqual(1, len(healthlake.list_fhir_datastores()["DatastorePropertiesList"]))
        deleted = healthlake.delete_fhir_datastore(DatastoreId=made["DatastoreId"])
        self.assertEqual("DELETING", deleted["DatastoreStatus"])
        self.assertEqual([], healthlake.list_fhir_datastores()["DatastorePropertiesList"])
