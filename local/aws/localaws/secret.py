"""AWS::SecretsManager::Secret and ::ResourcePolicy on moto's Secrets Manager."""

import json
import re

from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from .resource import Rejected, Resource, require, require_match


class Secret(Resource):
    TYPE = "AWS::SecretsManager::Secret"
    OPTIONAL = frozenset({"Description", "KmsKeyId", "Name", "SecretString", "Tags"})
    CREATE_ONLY = frozenset({"Name"})

    def create(self):
        p = self.properties
        name = p.get("Name") or self.generated_name()
        require_match(r"[A-Za-z0-9/_+=.@\-]{1,512}", name, "Name")
        _check_value(p)
        secrets = _backend(self)
        require(name not in secrets.secrets, f"the secret {name} exists already or is scheduled for deletion")
        secrets.create_secret(
            name,
            p.get("SecretString"),
            None,
            p.get("Description"),
            self._tags(p),
            p.get("KmsKeyId"),
            None,
            [],
            False,
        )
        self.physical_resource_id = secrets.secrets[name].arn

    def update(self, properties):
        _check_value(properties)
        secrets = _backend(self)
        stored = secrets.secrets[self.physical_resource_id]
        stored.description = properties.get("Description")
        stored.kms_key_id = properties.get("KmsKeyId")
        stored.tags = self._tags(properties)
        # Only a changed value in the template makes a new version: a value set by hand survives every other deployment.
        if properties.get("SecretString") != self.properties.get("SecretString"):
            secrets.put_secret_value(stored.arn, properties.get("SecretString"), None, None, ["AWSCURRENT"])

    def remove(self):
        if self.physical_resource_id in _backend(self).secrets:
            _backend(self).delete_secret(self.physical_resource_id, None, True)

    def attributes(self):
        return {"Id": self.physical_resource_id}

    def _tags(self, properties):
        return [{"Key": k, "Value": v} for k, v in self.tags(properties).items()]


class ResourcePolicy(Resource):
    TYPE = "AWS::SecretsManager::ResourcePolicy"
    REQUIRED = frozenset({"ResourcePolicy", "SecretId"})
    OPTIONAL = frozenset({"BlockPublicPolicy"})
    CREATE_ONLY = frozenset({"SecretId"})

    def create(self):
        self._put(self.properties)
        self.physical_resource_id = self.properties["SecretId"]

    def update(self, properties):
        self._put(properties)

    def remove(self):
        if self.physical_resource_id in _backend(self).secrets:
            _backend(self).delete_resource_policy(self.physical_resource_id)

    def attributes(self):
        return {"Id": self.physical_resource_id}

    def _put(self, properties):
        require(properties["SecretId"] in _backend(self).secrets, "SecretId names no secret")
        policy = properties["ResourcePolicy"]
        if isinstance(policy, str):
            try:
                policy = json.loads(policy)
            except ValueError as error:
                raise Rejected("ResourcePolicy is not JSON") from error
        require(policy.get("Statement"), "ResourcePolicy has no Statement")
        roles = iam_backends[self.account]["aws"]
        for statement in policy["Statement"]:
            require(statement.get("Effect") in ("Allow", "Deny"), "ResourcePolicy: Effect is not Allow or Deny")
            require("Principal" in statement or "NotPrincipal" in statement, "ResourcePolicy: no Principal")
            for arn in _principals(statement):
                if re.fullmatch(rf"arn:aws:iam::{self.account}:role/.+", arn):
                    require(
                        arn in [r.arn for r in roles.get_roles()],
                        f"This resource policy contains an unsupported principal: {arn}",
                    )
        _backend(self).put_resource_policy(properties["SecretId"], json.dumps(policy))


def _principals(statement):
    principal = statement.get("Principal", statement.get("NotPrincipal"))
    arns = principal.get("AWS", []) if isinstance(principal, dict) else []
    return [arns] if isinstance(arns, str) else arns


def _check_value(properties):
    value = properties.get("SecretString")
    require(isinstance(value, str) and value, "SecretString is missing or not a string")
    require(len(value.encode()) <= 65536, "SecretString has more than 65536 bytes")


def _backend(resource):
    return secretsmanager_backends[resource.account][resource.region]
