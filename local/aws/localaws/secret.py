"""AWS::SecretsManager::Secret and ::ResourcePolicy on moto's Secrets Manager."""

import json

from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from .resource import Resource, require


class Secret(Resource):
    TYPE = "AWS::SecretsManager::Secret"

    def create(self):
        p, secrets, name = self.properties, _backend(self), self.name("Name")
        require(p.get("SecretString"), "SecretString is missing")
        require(name not in secrets.secrets, f"the secret {name} exists already or is scheduled for deletion")
        value, text = p["SecretString"], p.get("Description")
        secrets.create_secret(name, value, None, text, self._tags(p), p.get("KmsKeyId"), None, [], False)
        self.physical_resource_id = secrets.secrets[name].arn

    def update(self, properties):
        stored = _backend(self).secrets[self.physical_resource_id]
        stored.description = properties.get("Description")
        stored.kms_key_id = properties.get("KmsKeyId")
        stored.tags = self._tags(properties)
        # Only a changed value in the template makes a new version: a value set by hand survives every other deployment.
        if properties.get("SecretString") != self.properties.get("SecretString"):
            _backend(self).put_secret_value(stored.arn, properties["SecretString"], None, None, ["AWSCURRENT"])

    def remove(self):
        if self.physical_resource_id in _backend(self).secrets:
            _backend(self).delete_secret(self.physical_resource_id, None, True)

    def attributes(self):
        return {"Id": self.physical_resource_id}

    def _tags(self, properties):
        return [{"Key": k, "Value": v} for k, v in self.tags(properties).items()]


class ResourcePolicy(Resource):
    TYPE = "AWS::SecretsManager::ResourcePolicy"

    def create(self):
        self.physical_resource_id = self.properties["SecretId"]
        self.update(self.properties)

    def update(self, properties):
        policy = properties["ResourcePolicy"]
        roles = [r.arn for r in iam_backends[self.account]["aws"].get_roles()]
        for statement in policy["Statement"]:
            principal = statement["Principal"]
            arns = principal.get("AWS", []) if isinstance(principal, dict) else []
            for arn in [arns] if isinstance(arns, str) else arns:
                known = ":role/" not in arn or arn in roles
                require(known, f"This resource policy contains an unsupported principal: {arn}")
        _backend(self).put_resource_policy(properties["SecretId"], json.dumps(policy))

    def remove(self):
        if self.physical_resource_id in _backend(self).secrets:
            _backend(self).delete_resource_policy(self.physical_resource_id)

    def attributes(self):
        return {"Id": self.physical_resource_id}


def _backend(resource):
    return secretsmanager_backends[resource.account][resource.region]
