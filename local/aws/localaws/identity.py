"""AWS::IAM::Role and ::ManagedPolicy. moto neither attaches what a role names nor updates a managed policy."""

import json

from moto.iam.models import iam_backends

from .resource import Resource, require, require_match, tag_map


class Role(Resource):
    TYPE = "AWS::IAM::Role"
    REQUIRED = frozenset({"AssumeRolePolicyDocument"})
    OPTIONAL = frozenset(
        {"Description", "ManagedPolicyArns", "MaxSessionDuration", "Path", "Policies", "RoleName", "Tags"}
    )
    CREATE_ONLY = frozenset({"Path", "RoleName"})

    def create(self):
        p = self.properties
        name = p.get("RoleName") or self.generated_name()[:64]
        require_match(r"[\w+=,.@\-]{1,64}", name, "RoleName")
        iam = _backend(self)
        require(name not in [r.name for r in iam.get_roles()], f"role {name} exists already")
        self.role = iam.create_role(
            role_name=name,
            assume_role_policy_document=json.dumps(p["AssumeRolePolicyDocument"]),
            path=p.get("Path", "/"),
            permissions_boundary="",
            description=p.get("Description", ""),
            tags=_tags(p),
            max_session_duration=p.get("MaxSessionDuration", 3600),
        )
        self.physical_resource_id = name
        self._grant({}, p)

    def update(self, properties):
        iam, name = _backend(self), self.physical_resource_id
        iam.update_assume_role_policy(name, json.dumps(properties["AssumeRolePolicyDocument"]))
        iam.update_role(name, properties.get("Description", ""), properties.get("MaxSessionDuration", 3600))
        self.role.tags = {k: {"Key": k, "Value": v} for k, v in tag_map(properties).items()}
        self._grant(self.properties, properties)

    def remove(self):
        self._grant(self.properties, {})
        _backend(self).delete_role(self.physical_resource_id)

    def attributes(self):
        return {"Arn": self.role.arn, "RoleId": self.role.id}

    def _grant(self, old, new):
        iam, name = _backend(self), self.physical_resource_id
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
    REQUIRED = frozenset({"PolicyDocument"})
    OPTIONAL = frozenset({"Description", "ManagedPolicyName", "Path", "Roles"})
    CREATE_ONLY = frozenset({"Description", "ManagedPolicyName", "Path"})

    def create(self):
        p = self.properties
        name = p.get("ManagedPolicyName") or self.generated_name()
        require_match(r"[\w+=,.@\-]{1,128}", name, "ManagedPolicyName")
        policy = _backend(self).create_policy(
            description=p.get("Description", ""),
            path=p.get("Path", "/"),
            policy_document=json.dumps(p["PolicyDocument"]),
            policy_name=name,
            tags=[],
        )
        self.physical_resource_id = policy.arn
        self._attach({}, p)

    def update(self, properties):
        iam, arn = _backend(self), self.physical_resource_id
        policy = iam.get_policy(arn)
        policy.versions = [v for v in policy.versions if v.is_default]
        iam.create_policy_version(arn, json.dumps(properties["PolicyDocument"]), True)
        self._attach(self.properties, properties)

    def remove(self):
        self._attach(self.properties, {})
        _backend(self).delete_policy(self.physical_resource_id)

    def attributes(self):
        return {"PolicyArn": self.physical_resource_id}

    def _attach(self, old, new):
        iam, arn = _backend(self), self.physical_resource_id
        before, after = set(old.get("Roles", [])), set(new.get("Roles", []))
        existing = {r.name for r in iam.get_roles()}
        for role in before - after:
            if role in existing:
                iam.detach_role_policy(arn, role)
        for role in after - before:
            require(role in existing, f"role {role} does not exist")
            iam.attach_role_policy(arn, role)


def _backend(resource):
    return iam_backends[resource.account]["aws"]


def _tags(properties):
    return [{"Key": k, "Value": v} for k, v in tag_map(properties).items()]
