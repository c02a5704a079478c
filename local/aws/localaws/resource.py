"""What the resource types have in common."""

from moto.moto_api._internal import mock_random


class Rejected(Exception):
    """The service's or CloudFormation's refusal of a resource; the text is for the person who deploys."""


class Refused(Exception):
    """A service's refusal of a call: an error of its API and the HTTP status that goes with it."""

    def __init__(self, kind, message, status="400 Bad Request"):
        super().__init__(message)
        self.kind, self.status = kind, status


class Resource:
    """One deployed resource. Subclasses do the work on moto's state. Before, their properties were held against the type's
    schema; what that can't say, they check."""

    TYPE = ""

    def __init__(self, account, region, stack_id, logical_id, properties):
        self.account = account
        self.region = region
        self.stack_id = stack_id
        self.logical_resource_id = logical_id
        self.cf_resource_type = self.TYPE
        self.properties = properties
        self.physical_resource_id = ""

    def create(self):
        """Makes the resource and sets physical_resource_id, which is what Ref returns."""
        raise NotImplementedError

    def update(self, properties):
        """Changes the resource in place. No create-only property differs."""

    def remove(self):
        """Deletes the resource."""

    def attributes(self):
        """What Fn::GetAtt returns, by name."""
        return {}

    def get_cfn_attribute(self, name):
        attributes = self.attributes()
        require(name in attributes, f"{self.cf_resource_type} has no attribute {name}")
        return attributes[name]

    def is_created(self):
        return True

    def tags(self, properties):
        """The Tags property as a dictionary, with the tags that CloudFormation itself sets on what it creates (user
        guide, "Resource tag")."""
        return {
            **tag_map(properties),
            "aws:cloudformation:stack-name": self.stack_id.split("/")[1],
            "aws:cloudformation:stack-id": self.stack_id,
            "aws:cloudformation:logical-id": self.logical_resource_id,
        }

    def name(self, given=""):
        """The name that the property given has, or one in CloudFormation's style."""
        stack = self.stack_id.split("/")[1]
        suffix = mock_random.get_random_hex(12).upper()
        return self.properties.get(given) or f"{stack}-{self.logical_resource_id}"[:50] + f"-{suffix}"


def require(condition, message):
    """Raises Rejected with the message unless the condition holds."""
    if not condition:
        raise Rejected(message)


def tag_map(properties):
    """The Tags property as a dictionary; a key that is there twice is refused, as AWS does."""
    tags = {}
    for tag in properties.get("Tags", []):
        require(tag["Key"] not in tags, f"tag {tag['Key']} is there twice")
        tags[tag["Key"]] = tag["Value"]
    return tags
