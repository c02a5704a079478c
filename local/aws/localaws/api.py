"""The API calls that moto does not know: HealthLake, the policy of a function's alias, provisioned concurrency, Lambda's
limits, the responses of custom resources, and the one that it would carry out in Docker: a function's invocation."""

import json
import re
from urllib.parse import parse_qs

from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID

from . import custom, function, healthlake, invocation, schema
from .resource import Rejected

_POLICY = re.compile(r"/2015-03-31/functions/([^/]+)/policy/?")
_CONCURRENCY = re.compile(r"/2019-09-30/functions/([^/]+)/provisioned-concurrency/?")
_LIMITS = re.compile(r"/2016-08-19/account-settings/?")
_INVOCATION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")


class Application:
    """A WSGI application that answers these calls and hands every other one to moto's."""

    def __init__(self, moto):
        self.moto = moto

    def __call__(self, environ, start_response):
        answer = self._answer(environ)
        if answer is None:
            try:
                return self.moto(environ, start_response)
            except NotImplementedError as error:  # as an answer of 5xx, it would be asked again
                answer = _error("NotImplementedException", str(error))
        status, body, *headers = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if not headers:
            headers = [("Content-Type", "application/x-amz-json-1.0")]
        start_response(status, [*headers, ("Content-Length", str(len(content)))])
        return [content]

    def _answer(self, environ):
        region = _region(environ)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith("HealthLake."):
            return _healthlake(target.split(".")[1], json.loads(_body(environ) or b"{}"), region)
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] == "PUT" and path.startswith(custom.RESPONSE):
            custom.respond(path, _body(environ))
            return "200 OK", {}
        qualifier = parse_qs(environ.get("QUERY_STRING", "")).get("Qualifier", [None])[0]
        if environ["REQUEST_METHOD"] == "POST" and (match := _INVOCATION.fullmatch(path)):
            kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
            return _invoke(region, match[1], qualifier, kind, _body(environ))
        if environ["REQUEST_METHOD"] == "GET" and _LIMITS.fullmatch(path):
            return _limits(region)
        if environ["REQUEST_METHOD"] == "GET" and qualifier:
            if match := _POLICY.fullmatch(path):
                return _policy(match[1], qualifier, region)
            if match := _CONCURRENCY.fullmatch(path):
                return _concurrency(match[1], qualifier, region)
        return None


def _body(environ):
    return environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def _region(environ):
    """The region of the request's signature (AWS4-HMAC-SHA256 Credential=key/date/region/service/aws4_request)."""
    match = re.search(r"Credential=[^/]+/\d+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return match[1] if match else "us-east-1"


def _healthlake(operation, request, region):
    known = healthlake.datastores.get((DEFAULT_ACCOUNT_ID, region), {})
    if operation == "ListFHIRDatastores":
        return "200 OK", {"DatastorePropertiesList": [d.describe() for d in known.values()]}
    if operation == "CreateFHIRDatastore":
        return _create_datastore(request, region)
    datastore = known.get(request.get("DatastoreId"))
    if datastore is None and operation in ("DescribeFHIRDatastore", "UpdateFHIRDatastore", "DeleteFHIRDatastore"):
        return _error("ResourceNotFoundException", f"Datastore not found: {request.get('DatastoreId')}")
    if operation == "DescribeFHIRDatastore":
        return "200 OK", {"DatastoreProperties": datastore.describe()}
    if operation == "UpdateFHIRDatastore":
        return _update_datastore(datastore, request)
    if operation == "DeleteFHIRDatastore":
        datastore.remove()
        return "200 OK", {**datastore.attributes(), "DatastoreStatus": "DELETING"}
    return _error("UnknownOperationException", f"the local HealthLake does not know {operation}")


def _create_datastore(request, region):
    """A datastore that no stack has, by the same rules as one of a stack."""
    properties = {k: v for k, v in request.items() if k != "ClientToken"}
    datastore = healthlake.Datastore(DEFAULT_ACCOUNT_ID, region, "", "", properties)
    try:
        schema.check(datastore.TYPE, properties)
        datastore.create()
    except Rejected as error:
        return _error("ValidationException", str(error))
    return "200 OK", {**datastore.attributes(), "DatastoreStatus": "CREATING"}


def _update_datastore(datastore, request):
    try:
        datastore.update_in_place(request)
    except healthlake.Conflict as error:
        return _error("ConflictException", str(error))
    except Rejected as error:
        return _error("ValidationException", str(error))
    return "200 OK", {"DatastoreProperties": datastore.describe()}


def _invoke(*arguments):
    try:
        answer, headers = invocation.invoke(*arguments)
    except invocation.Refused as refusal:
        return _error(refusal.kind, str(refusal), refusal.status)
    return "200 OK", answer, *headers


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


def _limits(region):
    """A new account's, less what functions have reserved (Lambda developer guide, "Lambda quotas")."""
    functions = lambda_backends[DEFAULT_ACCOUNT_ID][region].list_functions()
    reserved = sum(int(f.reserved_concurrency or 0) for f in functions)
    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000 - reserved}
    return "200 OK", {"AccountLimit": limit, "AccountUsage": {"FunctionCount": len(functions)}}


def _error(kind, message, status="400 Bad Request"):
    return status, {"__type": kind, "message": message}
