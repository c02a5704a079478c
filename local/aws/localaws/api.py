"""The API calls that moto does not know: HealthLake, the policy of a function's alias, provisioned concurrency, Lambda's
limits, the responses of custom resources, and the one that it would carry out in Docker: a function's invocation."""

import base64
import json
import re
from urllib.parse import parse_qs

from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID

from . import custom, function, healthlake, sandbox
from .resource import Refused

_RECORD = re.compile(r"/datastore/([0-9a-f]{32})/r4/(\w+/[\w.-]+)")
_LAMBDA = re.compile(r"/20[0-9-]{8}/functions/([^/]+)/(policy|provisioned-concurrency|invocations)/?")


class Application:
    """A WSGI application that answers these calls and hands every other one to moto's."""

    def __init__(self, moto):
        self.moto = moto

    def __call__(self, environ, start_response):
        status, headers = "200 OK", [("Content-Type", "application/x-amz-json-1.0")]
        try:
            answer = _answer(environ, headers)
            if answer is None:
                return self.moto(environ, start_response)
        except Refused as refusal:
            status, answer = refusal.status, {"__type": refusal.kind, "message": str(refusal)}
        except NotImplementedError as error:  # as an answer of 5xx, it would be asked again
            status, answer = "400 Bad Request", {"__type": "NotImplementedException", "message": str(error)}
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        start_response(status, [*headers, ("Content-Length", str(len(content)))])
        return [content]


def _answer(environ, headers):
    """The answer, to which headers can be added, or None."""
    method, path, target = environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), environ.get("HTTP_X_AMZ_TARGET", "")
    # AWS4-HMAC-SHA256 Credential=key/date/region/service/aws4_request
    signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    region = signed[1] if signed else "us-east-1"
    if target.startswith("HealthLake."):
        return healthlake.call(target.split(".")[1], json.loads(_body(environ) or b"{}"), region)
    if method == "PUT" and path.startswith(custom.RESPONSE):
        custom.respond(path, _body(environ))
        return {}
    if method == "GET" and path.startswith("/2016-08-19/account-settings"):
        return _limits(region)
    if method in ("GET", "PUT") and (match := _RECORD.fullmatch(path)):
        return healthlake.record(*match.groups(), _body(environ) if method == "PUT" else None)
    if (match := _LAMBDA.fullmatch(path)) is None:
        return None
    qualifier = parse_qs(environ.get("QUERY_STRING", "")).get("Qualifier", [None])[0]
    if method == "POST" and match[2] == "invocations":
        kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        tail = environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail"
        return _invoke(region, match[1], qualifier, kind, _body(environ), headers, tail)
    if method == "GET" and qualifier:
        key = DEFAULT_ACCOUNT_ID, region, match[1], qualifier
        return _policy(key) if match[2] == "policy" else _concurrency(key)
    return None


def _body(environ):
    return environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def _invoke(region, name, qualifier, kind, payload, headers, tail):
    """Lambda API reference, "Invoke"."""
    name, derived = function.split_arn(name)
    if derived and qualifier and derived != qualifier:
        message = "The derived qualifier from the function name does not match the specified qualifier."
        raise Refused("InvalidParameterValueException", message)
    if kind != "RequestResponse":
        message = f"the local AWS invokes functions by RequestResponse only, not by {kind}"
        raise Refused("InvalidParameterValueException", message)
    found = function.find(region, name, derived or qualifier)
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        raise Refused("InvalidRequestContentException", f"Could not parse request body into json: {error}") from error
    body, failed = sandbox.invoke(found, payload or b"{}")
    headers.append(("X-Amz-Executed-Version", str(found.version)))
    if failed:
        headers.append(("X-Amz-Function-Error", "Unhandled"))
    if tail:
        headers.append(("X-Amz-Log-Result", base64.b64encode(sandbox.tail(found)).decode()))
    return body


def _policy(key):
    if not (statements := function.permissions.get(key)):
        raise Refused("ResourceNotFoundException", "The resource you requested does not exist.", "404 Not Found")
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    return {"Policy": json.dumps(policy), "RevisionId": "1"}


def _concurrency(key):
    if (count := function.provisioned.get(key)) is None:
        message = "No Provisioned Concurrency Config found for this function"
        raise Refused("ProvisionedConcurrencyConfigNotFoundException", message, "404 Not Found")
    counts = {f"{kind}ProvisionedConcurrentExecutions": count for kind in ("Requested", "Available", "Allocated")}
    return {**counts, "Status": "READY", "LastModified": function.find(*key[1:]).last_modified}


def _limits(region):
    """A new account's, less what functions have reserved (Lambda developer guide, "Lambda quotas")."""
    functions = lambda_backends[DEFAULT_ACCOUNT_ID][region].list_functions()
    reserved = sum(int(f.reserved_concurrency or 0) for f in functions)
    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000 - reserved}
    return {"AccountLimit": limit, "AccountUsage": {"FunctionCount": len(functions)}}
