"""The API calls that moto does not know: HealthLake, the policy of a function's alias, provisioned concurrency."""

import json
import re

from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID

from . import function, healthlake

_POLICY = re.compile(r"/2015-03-31/functions/([^/]+)/policy/?")
_CONCURRENCY = re.compile(r"/2019-09-30/functions/([^/]+)/provisioned-concurrency/?")


class Application:
    """A WSGI application that answers these calls and hands every other one to moto's."""

    def __init__(self, moto):
        self.moto = moto

    def __call__(self, environ, start_response):
        answer = self._answer(environ)
        if answer is None:
            return self.moto(environ, start_response)
        status, body = answer
        content = json.dumps(body).encode()
        start_response(status, [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(content)))])
        return [content]

    def _answer(self, environ):
        region = _region(environ)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith("HealthLake."):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            return _healthlake(target.split(".")[1], json.loads(environ["wsgi.input"].read(length) or b"{}"), region)
        path = environ.get("PATH_INFO", "")
        qualifier = re.search(r"(?:^|&)Qualifier=([^&]+)", environ.get("QUERY_STRING", ""))
        if environ["REQUEST_METHOD"] == "GET" and qualifier:
            if match := _POLICY.fullmatch(path):
                return _policy(match[1], qualifier[1], region)
            if match := _CONCURRENCY.fullmatch(path):
                return _concurrency(match[1], qualifier[1], region)
        return None


def _region(environ):
    """The region of the request's signature (AWS4-HMAC-SHA256 Credential=key/date/region/service/aws4_request)."""
    match = re.search(r"Credential=[^/]+/\d+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return match[1] if match else "us-east-1"


def _healthlake(operation, request, region):
    known = healthlake.datastores.get((DEFAULT_ACCOUNT_ID, region), {})
    if operation == "ListFHIRDatastores":
        return "200 OK", {"DatastorePropertiesList": [d.describe() for d in known.values()]}
    datastore = known.get(request.get("DatastoreId"))
    if datastore is None and operation in ("DescribeFHIRDatastore", "DeleteFHIRDatastore"):
        return _error("ResourceNotFoundException", f"Datastore not found: {request.get('DatastoreId')}")
    if operation == "DescribeFHIRDatastore":
        return "200 OK", {"DatastoreProperties": datastore.describe()}
    if operation == "DeleteFHIRDatastore":
        datastore.remove()
        return "200 OK", {
            "DatastoreArn": datastore.arn,
            "DatastoreEndpoint": datastore.endpoint,
            "DatastoreId": datastore.physical_resource_id,
            "DatastoreStatus": "DELETING",
        }
    return _error("UnknownOperationException", f"the local HealthLake does not know {operation}")


def _policy(name, qualifier, region):
    statements = function.permissions.get((DEFAULT_ACCOUNT_ID, region, name, qualifier))
    if not statements:
        return _error("ResourceNotFoundException", "The resource you requested does not exist.", "404 Not Found")
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    return "200 OK", {"Policy": json.dumps(policy), "RevisionId": "1"}


def _concurrency(name, qualifier, region):
    count = function.provisioned.get((DEFAULT_ACCOUNT_ID, region, name, qualifier))
    if count is None:
        message = "No Provisioned Concurrency Config found for this function"
        return _error("ProvisionedConcurrencyConfigNotFoundException", message, "404 Not Found")
    return "200 OK", {
        "RequestedProvisionedConcurrentExecutions": count,
        "AvailableProvisionedConcurrentExecutions": count,
        "AllocatedProvisionedConcurrentExecutions": count,
        "Status": "READY",
        "LastModified": lambda_backends[DEFAULT_ACCOUNT_ID][region].get_function(name, qualifier).last_modified,
    }


def _error(kind, message, status="400 Bad Request"):
    return status, {"__type": kind, "message": message}
