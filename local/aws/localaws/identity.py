"""AWS::IAM::Role, ::ManagedPolicy and AWS::KMS::Key. moto neither attaches what a role names nor updates a policy, and
cannot change a key."""

import json

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends

from .resource import Resource, require, tag_map


class Role(Resource):
    TYPE = "AWS::IAM::Role"

    def create(self):
        p, iam = self.properties, _iam(self)
        name = self.physical_resource_id = self.name("RoleName")
        require(name not in [r.name for r in iam.get_roles()], f"role {name} exists already")
        trust, path = json.dumps(p["AssumeRolePolicyDocument"]), p.get("Path", "/")
        self.role = iam.create_role(name, trust, path, "", p.get("Description", ""), [], p.get("MaxSessionDuration", 3600))
        self._set({}, p)

    def update(self, properties):
        iam, name = _iam(self), self.physical_resource_id
        iam.update_assume_role_policy(name, json.dumps(properties["AssumeRolePolicyDocument"]))
        iam.update_role(name, properties.get("Description", ""), properties.get("MaxSessionDuration", 3600))
        self._set(self.properties, properties)

    def remove(self):
        self._set(self.properties, {})
        _iam(self).delete_role(self.physical_resource_id)

    def attributes(self):
        return {"Arn": self.role.arn, "RoleId": self.role.id}

    def _set(self, old, new):
        iam, name = _iam(self), self.physical_resource_id
        self.role.tags = {k: {"Key": k, "Value": v} for k, v in tag_map(new).items()}
        before, after = set(old.get("ManagedPolicyArns", [])), set(new.get("ManagedPolicyArns", []))
        for arn in before - after:
            iam.detach_role_policy(arn, name)
        for arn in after - before:
            iam.attach_role_policy(arn, name)
        for policy in old.get("Policies", []):
            iam.delete_role_policy(name, policy["PolicyName"])
        for policy in new.get("Policies", []):
            iam.put_role_policy(name, policy["PolicyName"], json.dumps(policy["PolicyDocument"]))


class ManagedPolicy(Resource):
    TYPE = "AWS::IAM::ManagedPolicy"

    def create(self):
        p = self.properties
        document, name = json.dumps(p["PolicyDocument"]), self.name("ManagedPolicyName")
        policy = _iam(self).create_policy(p.get("Description", ""), p.get("Path", "/"), document, name, [])
        self.physical_resource_id = policy.arn
        self._attach({}, p)

    def update(self, properties):
        iam, arn = _iam(self), self.physical_resource_id
        policy = iam.get_policy(arn)
        policy.versions = [v for v in policy.versions if v.is_default]
        iam.create_policy_version(arn, json.dumps(properties["PolicyDocument"]), True)
        self._attach(self.properties, properties)

    def remove(self):
        self._attach(self.properties, {})
        _iam(self).delete_policy(self.physical_resource_id)

    def attributes(self):
        return {"PolicyArn": self.physical_resource_id}

    def _attach(self, old, new):
        iam, arn = _iam(self), self.physical_resource_id
        before, after = set(old.get("Roles", [])), set(new.get("Roles", []))
        existing = {r.name for r in iam.get_roles()}
        for role in (before - after) & existing:
            iam.detach_role_policy(arn, role)
        for role in after - before:
            require(role in existing, f"role {role} does not exist")
            iam.attach_role_policy(arn, role)


class Key(Resource):
    TYPE = "AWS::KMS::Key"

    def create(self):
        tags = [{"TagKey": k, "TagValue": v} for k, v in tag_map(self.properties).items()]
        self.key = _kms(self).create_key("{}", "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", tags)
        self.physical_resource_id = self.key.id
        self.update(self.properties)

    def update(self, properties):
        self.key.policy = json.dumps(properties["KeyPolicy"])
        root = f"arn:aws:iam::{self.account}:root"
        require(root in self.key.policy, "The new key policy will not allow you to update the key policy in the future.")
        self.key.description = properties.get("Description", "")
        self.key.enabled = properties.get("Enabled", True)
        self.key.key_rotation_status = properties.get("EnableKeyRotation", False)

    def remove(self):
        _kms(self).schedule_key_deletion(self.key.id, int(self.properties.get("PendingWindowInDays", 30)))

    def attributes(self):
        return {"Arn": self.key.arn, "KeyId": self.key.id}


def _iam(resource):
    return iam_backends[resource.account]["aws"]


def _kms(resource):
    return kms_backends[resource.account][resource.region]
