"""AWS::KMS::Key. moto's takes no tags from a template and cannot change a key."""

import json

from moto.kms.models import kms_backends

from .resource import Resource, require, tag_map


class Key(Resource):
    TYPE = "AWS::KMS::Key"
    OPTIONAL = frozenset(
        {"Description", "Enabled", "EnableKeyRotation", "KeyPolicy", "PendingWindowInDays", "Tags"}
    )

    def create(self):
        p = self.properties
        self._check(p)
        tags = [{"TagKey": k, "TagValue": v} for k, v in tag_map(p).items()]
        self.key = kms_backends[self.account][self.region].create_key(
            json.dumps(p["KeyPolicy"]), "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", p.get("Description", ""), tags
        )
        self.physical_resource_id = self.key.id
        self.update(p)

    def update(self, properties):
        self._check(properties)
        self.key.policy = json.dumps(properties["KeyPolicy"])
        self.key.description = properties.get("Description", "")
        self.key.enabled = properties.get("Enabled", True)
        self.key.key_rotation_status = properties.get("EnableKeyRotation", False)

    def remove(self):
        days = int(self.properties.get("PendingWindowInDays", 30))
        kms_backends[self.account][self.region].schedule_key_deletion(self.key.id, days)

    def attributes(self):
        return {"Arn": self.key.arn, "KeyId": self.key.id}

    def _check(self, properties):
        """A key that nobody may administer is refused, as KMS's safety check does."""
        statements = properties.get("KeyPolicy", {}).get("Statement", [])
        require(statements, "KeyPolicy has no Statement")
        root = f"arn:aws:iam::{self.account}:root"
        administered = any(
            s["Effect"] == "Allow" and root in json.dumps(s.get("Principal")) and "kms:" in json.dumps(s.get("Action"))
            for s in statements
        )
        require(administered, "The new key policy will not allow you to update the key policy in the future.")
