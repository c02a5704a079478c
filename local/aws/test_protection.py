"""A protected stack is not deleted. Run: python3 -m unittest discover -s local/aws"""

import json
import os
import unittest

os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local", AWS_DEFAULT_REGION="us-east-1")

import boto3  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402
from moto import mock_aws  # noqa: E402

from localaws import install  # noqa: E402

install.install()


class Protection(unittest.TestCase):
    @mock_aws
    def test_a_protected_stack_stays_until_its_protection_is_off(self):
        stacks = boto3.client("cloudformation")
        logs = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "kept"}}
        change = {"StackName": "kept", "ChangeSetName": "first"}
        body = json.dumps({"Resources": {"Logs": logs}})
        stacks.create_change_set(**change, ChangeSetType="CREATE", TemplateBody=body)
        stacks.execute_change_set(**change)
        stacks.update_termination_protection(StackName="kept", EnableTerminationProtection=True)
        self.assertTrue(stacks.describe_stacks(StackName="kept")["Stacks"][0]["EnableTerminationProtection"])
        with self.assertRaisesRegex(ClientError, "TerminationProtection is enabled"):
            stacks.delete_stack(StackName="kept")
        self.assertEqual("CREATE_COMPLETE", stacks.describe_stacks(StackName="kept")["Stacks"][0]["StackStatus"])
        stacks.update_termination_protection(StackName="kept", EnableTerminationProtection=False)
        stacks.delete_stack(StackName="kept")
        with self.assertRaises(ClientError):
            stacks.describe_stacks(StackName="kept")


if __name__ == "__main__":
    unittest.main()
