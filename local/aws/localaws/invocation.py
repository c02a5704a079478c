"""Lambda's Invoke, forwarded to a server that runs the functions: moto itself would run them in Docker."""

import http.client
import json
import urllib.parse
import urllib.request

from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import JsonRESTError

from .function import split_arn

# The longest that Lambda lets a function run, in seconds (Lambda developer guide, "Lambda quotas").
_PATIENCE = 900

# A proxy of the environment is for other machines, and the functions run on this one.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """Lambda's refusal to invoke: an error of its API and the HTTP status that goes with it."""

    def __init__(self, status, kind, message):
        super().__init__(message)
        self.status, self.kind = status, kind


def invoke(functions, region, function, qualifier, kind, payload):
    """The function's answer and the headers with it. Lambda API reference, "Invoke"."""
    name, derived = split_arn(function)
    if derived and qualifier and derived != qualifier:
        message = "The derived qualifier from the function name does not match the specified qualifier."
        raise Refused("400 Bad Request", "InvalidParameterValueException", message)
    if kind != "RequestResponse":
        message = f"the local AWS invokes functions by RequestResponse only, not by {kind}"
        raise Refused("400 Bad Request", "InvalidParameterValueException", message)
    version = _version(region, name, derived or qualifier)
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise Refused("400 Bad Request", "InvalidRequestContentException", message) from error
    if functions is None:
        raise _not_running("the local AWS was started without --functions")
    return _forward(f"{functions.rstrip('/')}/{urllib.parse.quote(name)}", payload or b"{}", version)


def _version(region, name, qualifier):
    try:
        return lambda_backends[DEFAULT_ACCOUNT_ID][region].get_function(name, qualifier).version
    except JsonRESTError as error:
        arn = f"arn:aws:lambda:{region}:{DEFAULT_ACCOUNT_ID}:function:{name}" + (f":{qualifier}" if qualifier else "")
        raise Refused("404 Not Found", "ResourceNotFoundException", f"Function not found: {arn}") from error


def _forward(url, payload, version):
    try:
        request = urllib.request.Request(url, payload, {"Content-Type": "application/json"})
        with _direct.open(request, timeout=_PATIENCE) as answer:
            body, fault = answer.read(), answer.headers.get("X-Amz-Function-Error")
    except (OSError, http.client.HTTPException) as error:
        raise _not_running(f"{url}: {error}") from error
    headers = [("Content-Type", "application/json"), ("X-Amz-Executed-Version", version)]
    return body, headers + ([("X-Amz-Function-Error", fault)] if fault else [])


def _not_running(why):
    """Not one of the 5xx: SDKs would try again for seconds before they say why."""
    message = f"The operation cannot be performed at this time. No function runs here: {why}"
    return Refused("409 Conflict", "ResourceConflictException", message)
