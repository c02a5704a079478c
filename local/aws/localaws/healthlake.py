"""AWS::HealthLake::FHIRDatastore, which moto does not have at all."""

import copy
import json
import re
import time
from urllib.parse import urlparse

from moto.awslambda.models import lambda_backends
from moto.kms.models import kms_backends
from moto.moto_api._internal import mock_random

from . import schema
from .function import split_arn
from .resource import Rejected, Resource, require, tag_map

# The datastores, also those that CloudFormation retains: (account, region) -> id -> Datastore.
datastores = {}

# How long an update in place takes, in seconds. HealthLake says "at once".
_UPDATE = 1

_LISTS = ("capabilities", "grant_types_supported", "code_challenge_methods_supported")
_OPTIONAL_LISTS = ("scopes_supported", "response_types_supported", "token_endpoint_auth_methods_supported")


class Conflict(Exception):
    """Another update runs."""


class Datastore(Resource):
    """A FHIR datastore that is active at once. Its registry schema makes everything but the tags create-only; HealthLake's
    own API changes name and identity provider configuration in place."""

    TYPE = "AWS::HealthLake::FHIRDatastore"

    def create(self):
        p = self.properties
        self._check_name(p.get("DatastoreName", "-"))
        self._check_encryption(p.get("SseConfiguration"))
        self._check_identity_provider(p.get("IdentityProviderConfiguration", {"AuthorizationStrategy": "AWS_AUTH"}))
        tag_map(p)
        # What the service knows. Of an imported datastore, CloudFormation's properties may differ from it.
        self.configuration, self.busy_until = copy.deepcopy({k: v for k, v in p.items() if k != "Tags"}), 0
        if (idp := self.configuration.get("IdentityProviderConfiguration")) is not None:
            fine = idp.get("FineGrainedAuthorizationEnabled", False)
            idp["FineGrainedAuthorizationEnabled"] = fine in (True, "true")  # a string where a parameter gives it
        self.physical_resource_id = mock_random.get_random_hex(32)
        self.arn = f"arn:aws:healthlake:{self.region}:{self.account}:datastore/fhir/{self.physical_resource_id}"
        self.endpoint = f"https://healthlake.{self.region}.amazonaws.com/datastore/{self.physical_resource_id}/r4/"
        datastores.setdefault((self.account, self.region), {})[self.physical_resource_id] = self

    def update(self, properties):
        tag_map(properties)

    def remove(self):
        del datastores[self.account, self.region][self.physical_resource_id]

    def attributes(self):
        return {
            "DatastoreArn": self.arn,
            "DatastoreEndpoint": self.endpoint,
            "DatastoreId": self.physical_resource_id,
            "DatastoreStatus": "ACTIVE",
        }

    def describe(self):
        """The DatastoreProperties of DescribeFHIRDatastore."""
        return {**self.attributes(), **self.configuration, "DatastoreStatus": self._status()}

    def update_in_place(self, request):
        """UpdateFHIRDatastore. What the request leaves out stays; of the identity provider configuration, nothing does."""
        wanted = {k: v for k, v in request.items() if k != "DatastoreId"}
        other = wanted.keys() - {"DatastoreName", "IdentityProviderConfiguration"}
        require(not other, f"the local HealthLake does not update {', '.join(sorted(other))}")
        require(wanted, "nothing to update")
        if self._status() == "UPDATING":
            raise Conflict(f"datastore {self.physical_resource_id} is being updated")
        schema.check(self.TYPE, {**wanted, "DatastoreTypeVersion": "R4"})
        self._check_name(wanted.get("DatastoreName", "-"))
        if (idp := wanted.get("IdentityProviderConfiguration")) is not None:
            strict = isinstance(idp.get("FineGrainedAuthorizationEnabled", False), bool)
            require(strict, "FineGrainedAuthorizationEnabled is not a boolean")
            self._check_identity_provider(idp)
        self.configuration.update(wanted)
        self.busy_until = time.monotonic() + _UPDATE

    def _status(self):
        return "UPDATING" if time.monotonic() < self.busy_until else "ACTIVE"

    @staticmethod
    def _check_name(name):
        require(re.fullmatch(r"[\w\s.:/=+\-%@]{1,256}", name), f"DatastoreName has other characters: {name!r}")

    def _check_encryption(self, sse):
        if sse is None:
            return
        key = sse["KmsEncryptionConfig"]
        customer = key["CmkType"] == "CUSTOMER_MANAGED_KMS_KEY"
        require(customer == ("KmsKeyId" in key), f"CmkType {key['CmkType']} with KmsKeyId, or without")
        if not customer:
            return
        try:
            kms_backends[self.account][self.region].describe_key(key["KmsKeyId"])
        except Exception as error:
            raise Rejected(f"KmsKeyId names no key: {key['KmsKeyId']}") from error

    def _check_identity_provider(self, idp):
        strategy = idp["AuthorizationStrategy"]
        if strategy != "AWS_AUTH":
            self._check_function(idp.get("IdpLambdaArn", ""))
            check_metadata(idp.get("Metadata"), strategy)

    def _check_function(self, arn):
        try:
            lambda_backends[self.account][self.region].get_function(*split_arn(arn))
        except Exception as error:
            raise Rejected(f"IdpLambdaArn names no function or alias: {arn}") from error


def check_metadata(text, strategy):
    """Raises Rejected unless the text is SMART discovery metadata that HealthLake accepts with this strategy.

    HealthLake developer guide, "SMART on FHIR"; SMART App Launch 2, "Conformance".
    """
    require(isinstance(text, str), "Metadata is missing or not a string")
    try:
        metadata = json.loads(text, object_pairs_hook=_no_duplicates)
    except ValueError as error:
        raise Rejected(f"Metadata is not JSON: {error}") from error
    require(isinstance(metadata, dict), "Metadata is not a JSON object")
    for name in ("authorization_endpoint", "token_endpoint", *_LISTS):
        require(name in metadata, f"Metadata lacks {name}")
    for name, value in metadata.items():
        if name.endswith(("_endpoint", "_uri")) or name == "issuer":
            require(_is_endpoint(value), f"Metadata: {name} is not an absolute https URL: {value!r}")
        if name in _LISTS + _OPTIONAL_LISTS:
            good = isinstance(value, list) and value and all(isinstance(v, str) and v for v in value)
            require(good, f"Metadata: {name} is not a list of strings with one at least")
            require(len(set(value)) == len(value), f"Metadata: {name} has one value twice")
    grants = set(metadata["grant_types_supported"])
    require(
        grants <= {"authorization_code", "client_credentials"},
        f"Metadata: grant_types_supported has more than authorization_code and client_credentials: {sorted(grants)}",
    )
    challenges = metadata["code_challenge_methods_supported"]
    require("S256" in challenges, "Metadata: code_challenge_methods_supported lacks S256")
    require("plain" not in challenges, "Metadata: code_challenge_methods_supported has plain")
    capabilities = metadata["capabilities"]
    if "sso-openid-connect" in capabilities:
        for name in ("issuer", "jwks_uri"):
            require(name in metadata, f"Metadata: capability sso-openid-connect needs {name}")
    if "permission-v2.2" in capabilities:
        require("permission-v2" in capabilities, "Metadata: capability permission-v2.2 needs permission-v2")
        require(strategy == "SMART_ON_FHIR", "Metadata: capability permission-v2.2 needs strategy SMART_ON_FHIR")


def _no_duplicates(pairs):
    keys = [k for k, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key is there twice")
    return dict(pairs)


def _is_endpoint(value):
    """An absolute https URL. http is let through for this machine alone, where the local identity providers are."""
    if not isinstance(value, str):
        return False
    url = urlparse(value)
    if url.scheme == "http":
        return url.hostname in ("127.0.0.1", "localhost", "::1")
    return url.scheme == "https" and bool(url.hostname)
