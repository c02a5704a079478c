"""HealthLake, which moto does not have: its control plane, and AWS::HealthLake::FHIRDatastore."""

import copy
import json
import re
import time

from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.kms.models import kms_backends
from moto.moto_api._internal import mock_random

from . import schema
from .function import split_arn
from .resource import Refused, Rejected, Resource, require, tag_map

# The datastores, also those that CloudFormation retains: (account, region) -> id -> Datastore.
datastores = {}

# How long an update in place takes, in seconds. HealthLake says "at once".
_UPDATE = 1

_LIST = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": True}


def _if_capable(capability, then):
    has = {"properties": {"capabilities": {"contains": {"const": capability}}}}
    return {"if": has, "then": then}


# HealthLake developer guide, "SMART on FHIR"; SMART App Launch 2, "Conformance".
_METADATA = {
    "type": "object",
    "required": [
        *("authorization_endpoint", "token_endpoint", "capabilities"),
        *("grant_types_supported", "code_challenge_methods_supported"),
    ],
    "properties": {
        "capabilities": _LIST,
        "scopes_supported": _LIST,
        "grant_types_supported": {**_LIST, "items": {"enum": ["authorization_code", "client_credentials"]}},
        "code_challenge_methods_supported": {**_LIST, "contains": {"const": "S256"}, "items": {"not": {"const": "plain"}}},
    },
    "allOf": [
        _if_capable("sso-openid-connect", {"required": ["issuer", "jwks_uri"]}),
        _if_capable("permission-v2.2", {"properties": {"capabilities": {"contains": {"const": "permission-v2"}}}}),
    ],
}


class Datastore(Resource):
    """A FHIR datastore that is active at once. Its registry schema makes everything but the tags create-only; HealthLake's
    own API changes name and identity provider configuration in place."""

    TYPE = "AWS::HealthLake::FHIRDatastore"

    def create(self):
        self._check(self.properties)
        key = self.properties.get("SseConfiguration", {}).get("KmsEncryptionConfig", {}).get("KmsKeyId")
        try:
            key is None or kms_backends[self.account][self.region].describe_key(key)
        except Exception as error:
            raise Rejected(f"KmsKeyId names no key: {key}") from error
        # What the service knows. Of an imported datastore, CloudFormation's properties may differ from it.
        self.configuration = copy.deepcopy({k: v for k, v in self.properties.items() if k != "Tags"})
        if (idp := self.configuration.get("IdentityProviderConfiguration")) is not None:
            fine = idp.get("FineGrainedAuthorizationEnabled", False)
            idp["FineGrainedAuthorizationEnabled"] = fine in (True, "true")  # a string where a parameter gives it
        self.busy_until, self.physical_resource_id, self.records = 0, mock_random.get_random_hex(32), {}
        datastores.setdefault((self.account, self.region), {})[self.physical_resource_id] = self

    def update(self, properties):
        tag_map(properties)

    def remove(self):
        del datastores[self.account, self.region][self.physical_resource_id]

    def attributes(self):
        name = self.physical_resource_id
        return {
            "DatastoreArn": f"arn:aws:healthlake:{self.region}:{self.account}:datastore/fhir/{name}",
            "DatastoreEndpoint": f"https://healthlake.{self.region}.amazonaws.com/datastore/{name}/r4/",
            "DatastoreId": name,
            "DatastoreStatus": "UPDATING" if time.monotonic() < self.busy_until else "ACTIVE",
        }

    def update_in_place(self, request):
        """UpdateFHIRDatastore. What the request leaves out stays; of the identity provider configuration, nothing does."""
        wanted = {k: v for k, v in request.items() if k != "DatastoreId"}
        other = wanted.keys() - {"DatastoreName", "IdentityProviderConfiguration"}
        require(not other, f"the local HealthLake does not update {', '.join(sorted(other))}")
        require(wanted, "nothing to update")
        if self.attributes()["DatastoreStatus"] == "UPDATING":
            raise Refused("ConflictException", f"datastore {self.physical_resource_id} is being updated")
        schema.check(self.TYPE, {**wanted, "DatastoreTypeVersion": "R4"})
        fine = wanted.get("IdentityProviderConfiguration", {}).get("FineGrainedAuthorizationEnabled", False)
        require(isinstance(fine, bool), "FineGrainedAuthorizationEnabled is not a boolean")
        self._check(wanted)
        self.configuration.update(wanted)
        self.busy_until = time.monotonic() + _UPDATE

    def _check(self, p):
        """What the schema doesn't say."""
        name, idp = p.get("DatastoreName", "-"), p.get("IdentityProviderConfiguration", {})
        require(re.fullmatch(r"[\w\s.:/=+\-%@]{1,256}", name), f"DatastoreName has other characters: {name!r}")
        strategy, arn = idp.get("AuthorizationStrategy", "AWS_AUTH"), idp.get("IdpLambdaArn", "")
        if strategy == "AWS_AUTH":
            return
        try:
            lambda_backends[self.account][self.region].get_function(*split_arn(arn))
        except Exception as error:
            raise Rejected(f"IdpLambdaArn names no function or alias: {arn}") from error
        check_metadata(idp.get("Metadata", ""), strategy)


def check_metadata(text, strategy):
    """Raises Rejected unless the text is SMART discovery metadata that HealthLake accepts with this strategy."""
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise Rejected(f"Metadata is not JSON: {error}") from error
    schema.match(metadata, _METADATA, "Metadata")
    for name, value in metadata.items():
        if re.search("^issuer$|_endpoint$|_uri$", name):  # http for this machine alone, where local providers are
            good = re.match(r"https://[^/]|http://(127\.0\.0\.1|localhost)[:/]", str(value))
            require(good, f"Metadata: {name} is not an absolute https URL: {value!r}")
    finer = "permission-v2.2" in metadata["capabilities"]
    require(not finer or strategy == "SMART_ON_FHIR", "Metadata: permission-v2.2 needs strategy SMART_ON_FHIR")


def record(datastore, name, content):
    """Keeps a record, or returns the one that is kept: enough to show that a datastore is still the one that it was."""
    found = next((known[datastore] for known in datastores.values() if datastore in known), None)
    if found is not None and content is not None:
        found.records[name] = content
    if found is None or name not in found.records:
        raise Refused("ResourceNotFoundException", f"no {name} in datastore {datastore}", "404 Not Found")
    return found.records[name]


def call(operation, request, region):
    """An operation of the API."""
    known = datastores.get((DEFAULT_ACCOUNT_ID, region), {})
    if operation == "ListFHIRDatastores":
        return {"DatastorePropertiesList": [{**d.configuration, **d.attributes()} for d in known.values()]}
    try:
        if operation == "CreateFHIRDatastore":  # one that no stack has, by the same rules
            properties = {k: v for k, v in request.items() if k != "ClientToken"}
            schema.check(Datastore.TYPE, properties)
            datastore = Datastore(DEFAULT_ACCOUNT_ID, region, "", "", properties)
            datastore.create()
            return {**datastore.attributes(), "DatastoreStatus": "CREATING"}
        datastore = known.get(request.get("DatastoreId"))
        if datastore is None:
            raise Refused("ResourceNotFoundException", f"Datastore not found: {request.get('DatastoreId')}")
        if operation == "DeleteFHIRDatastore":
            datastore.remove()
            return {**datastore.attributes(), "DatastoreStatus": "DELETING"}
        if operation == "UpdateFHIRDatastore":
            datastore.update_in_place(request)
        elif operation != "DescribeFHIRDatastore":
            raise Refused("UnknownOperationException", f"the local HealthLake does not know {operation}")
    except Rejected as error:
        raise Refused("ValidationException", str(error)) from error
    return {"DatastoreProperties": {**datastore.configuration, **datastore.attributes()}}
