"""What every resource type has in common: the checks that CloudFormation makes before it calls the service."""

import re

from moto.moto_api._internal import mock_random


class Rejected(Exception):
    """The service's or CloudFormation's refusal of a resource; the text is for the person who deploys."""


class Resource:
    """One deployed resource. Subclasses state the properties that the type has and do the work on moto's state.

    A property that the type has in AWS, but that this project does not use, is refused: a deployment must not appear to
    work here because something in it was silently ignored.
    """

    TYPE = ""
    REQUIRED = frozenset()
    OPTIONAL = frozenset()
    CREATE_ONLY = frozenset()
    # The property that identifies a resource to import, of a type that can be imported: its registry schema's
    # primaryIdentifier. Such a type has find.
    IDENTIFIER = ""

    def __init__(self, account, region, stack_id, logical_id, properties):
        self.account = account
        self.region = region
        self.stack_id = stack_id
        self.logical_resource_id = logical_id
        self.cf_resource_type = self.TYPE
        self.properties = properties
        self.physical_resource_id = ""

    @classmethod
    def check(cls, properties):
        """Raises Rejected unless the properties are among the type's and the required ones are there."""
        missing = sorted(cls.REQUIRED - properties.keys())
        if missing:
            raise Rejected("required property missing: " + ", ".join(missing))
        unknown = sorted(properties.keys() - cls.REQUIRED - cls.OPTIONAL)
        if unknown:
            raise Rejected("property not supported: " + ", ".join(unknown))

    @classmethod
    def find(cls, account, region, identifier):
        """The existing resource of that identifier, or None."""
        raise NotImplementedError

    def create(self):
        """Makes the resource and sets physical_resource_id, which is what Ref returns."""
        raise NotImplementedError

    def update(self, properties):
        """Changes the resource in place. No create-only property differs."""
        raise NotImplementedError

    def remove(self):
        """Deletes the resource."""
        raise NotImplementedError

    def attributes(self):
        """What Fn::GetAtt returns, by name."""
        return {}

    def get_cfn_attribute(self, name):
        attributes = self.attributes()
        if name not in attributes:
            raise Rejected(f"{self.TYPE} has no attribute {name}")
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

    def generated_name(self):
        """A name in CloudFormation's style for a resource that the template does not name."""
        stack_name = self.stack_id.split("/")[1]
        return f"{stack_name}-{self.logical_resource_id}-{mock_random.get_random_hex(12).upper()}"


def require(condition, message):
    """Raises Rejected with the message unless the condition holds."""
    if not condition:
        raise Rejected(message)


def require_match(pattern, value, what):
    """Raises Rejected unless the whole value matches the pattern."""
    require(isinstance(value, str) and re.fullmatch(pattern, value), f"{what} does not match {pattern}: {value!r}")


def tag_map(properties):
    """The Tags property as a dictionary; a key that is there twice is refused, as AWS does."""
    tags = {}
    for tag in properties.get("Tags", []):
        require(tag["Key"] not in tags, f"tag {tag['Key']} is there twice")
        tags[tag["Key"]] = tag["Value"]
    return tags
