"""Lambda's Invoke (Lambda API reference), which moto would carry out in Docker."""

import json

from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import JsonRESTError

from . import sandbox
from .function import split_arn


class Refused(Exception):
    """Lambda's refusal to invoke: an error of its API and the HTTP status that goes with it."""

    def __init__(self, status, kind, message):
        super().__init__(message)
        self.status, self.kind = status, kind


def invoke(region, function, qualifier, kind, payload):
    """The function's answer and the headers with it."""
    name, derived = split_arn(function)
    if derived and qualifier and derived != qualifier:
        message = "The derived qualifier from the function name does not match the specified qualifier."
        raise Refused("400 Bad Request", "InvalidParameterValueException", message)
    if kind != "RequestResponse":
        message = f"the local AWS invokes functions by RequestResponse only, not by {kind}"
        raise Refused("400 Bad Request", "InvalidParameterValueException", message)
    found = find(region, name, derived or qualifier)
    try:
        json.loads(payload or b"{}")
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise Refused("400 Bad Request", "InvalidRequestContentException", message) from error
    try:
        body, failed = sandbox.invoke(found, payload or b"{}")
    except sandbox.NotRunnable as error:
        # Not one of the 5xx: SDKs would try again for seconds before they say why.
        raise Refused("409 Conflict", "ResourceConflictException", f"{name} cannot be run: {error}") from error
    headers = [("Content-Type", "application/json"), ("X-Amz-Executed-Version", str(found.version))]
    return body, headers + ([("X-Amz-Function-Error", "Unhandled")] if failed else [])


def find(region, name, qualifier):
    """The version of moto's that a function's name and qualifier stand for."""
    try:
        return lambda_backends[DEFAULT_ACCOUNT_ID][region].get_function(name, qualifier)
    except JsonRESTError as error:
        arn = f"arn:aws:lambda:{region}:{DEFAULT_ACCOUNT_ID}:function:{name}" + (f":{qualifier}" if qualifier else "")
        raise Refused("404 Not Found", "ResourceNotFoundException", f"Function not found: {arn}") from error
