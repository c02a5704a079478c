"""Resources that are checked and kept, but do nothing here: no alarm goes off, no policy of a bucket is enforced. And log
groups, which functions write to."""

from moto.logs.models import logs_backends

from .resource import Resource, require, tag_map

# The types, each with the property that names it.
_TYPES = {
    "AWS::ApplicationAutoScaling::ScalingPolicy": "PolicyName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::EC2::VPCEndpoint": "",
    "AWS::Events::Rule": "Name",
    "AWS::Logs::MetricFilter": "FilterName",
    "AWS::Logs::QueryDefinition": "",
    "AWS::S3::BucketPolicy": "",
    "AWS::SNS::Subscription": "",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SNS::TopicPolicy": "",
}


class Recorded(Resource):
    GIVEN = ""

    def create(self):
        self.named = self.name(self.GIVEN)
        is_topic = self.TYPE == "AWS::SNS::Topic"
        self.physical_resource_id = self.attributes()["TopicArn"] if is_topic else self.named

    def attributes(self):
        service = self.TYPE.split("::")[1].lower()
        arn = f"arn:aws:{service}:{self.region}:{self.account}:{self.named}"
        dns = f"Z0:{self.named.lower()}.secretsmanager.{self.region}.vpce.amazonaws.com"
        return {"Arn": arn, "TopicArn": arn, "TopicName": self.named, "GroupId": "sg-0123456789abcdef0", "DnsEntries": [dns]}


def types():
    """A class for each of the types."""
    return [type("Recorded", (Recorded,), {"TYPE": kind, "GIVEN": given}) for kind, given in _TYPES.items()]


class LogGroup(Resource):
    TYPE = "AWS::Logs::LogGroup"

    def create(self):
        name = self.physical_resource_id = self.name("LogGroupName")
        logs = logs_backends[self.account][self.region]
        require(name not in logs.groups, f"log group {name} exists already")
        self.group = logs.create_log_group(name, tag_map(self.properties), kmsKeyId=self.properties.get("KmsKeyId"))
        self.update(self.properties)

    def update(self, properties):
        self.group.retention_in_days = properties.get("RetentionInDays")

    def remove(self):
        logs = logs_backends[self.account][self.region]
        if self.physical_resource_id in logs.groups:
            logs.delete_log_group(self.physical_resource_id)

    def attributes(self):
        return {"Arn": self.group.arn}
