"""Custom resources: CloudFormation calls the function that ServiceToken names, and waits for its response.

CloudFormation user guide, "Create custom provisioning logic with custom resources" and its reference of requests and
responses.
"""

import contextlib
import copy
import json
import queue
import uuid

from . import function, sandbox
from .resource import Refused, Rejected, Resource, require

RESPONSE = "/cloudformation-response/"
_LONGEST_RESPONSE = 4096  # bytes
_waiting = {}


def respond(path, body):
    """Takes what is put to a response URL. Only the first response counts."""
    waiting = _waiting.pop(path.removeprefix(RESPONSE), None)
    if waiting is not None:
        waiting.put(body)


class CustomResource(Resource):
    TYPE = "AWS::CloudFormation::CustomResource"

    def create(self):
        # A physical id that stands for the resource if the function dies before it gives one.
        self.physical_resource_id, self.data = self.name(), {}
        try:
            self._request("Create", self.properties)
        except Rejected:
            with contextlib.suppress(Rejected):
                self.remove()  # what was perhaps half made
            raise

    def update(self, properties):
        """Another physical id stands for another resource. Returns the old one then, which is to be removed."""
        old = copy.copy(self)
        self._request("Update", properties, OldResourceProperties=_as_text(self.properties))
        return old if old.physical_resource_id != self.physical_resource_id else None

    def remove(self):
        self._request("Delete", self.properties)

    def attributes(self):
        return self.data

    def _request(self, kind, properties, **more):
        token, timeout = properties["ServiceToken"], str(properties.get("ServiceTimeout", 3600))
        require(":lambda:" in token, f"ServiceToken is not the ARN of a Lambda function: {token!r}")
        require(timeout.isdigit() and 1 <= int(timeout) <= 3600, f"ServiceTimeout {timeout!r} is not 1 to 3600")
        identifier = str(uuid.uuid4())
        if kind != "Create":
            more["PhysicalResourceId"] = self.physical_resource_id
        event = {
            "RequestType": kind,
            "RequestId": identifier,
            "ResponseURL": f"{sandbox.endpoint}{RESPONSE}{identifier}",
            "ResourceType": self.cf_resource_type,
            "LogicalResourceId": self.logical_resource_id,
            "StackId": self.stack_id,
            "ServiceToken": token,
            "ResourceProperties": _as_text(properties),
            **more,
        }
        response = self._response(identifier, event, int(timeout))
        self.physical_resource_id = response["PhysicalResourceId"]
        self.data = {k: v if isinstance(v, dict | list) else _as_text(v) for k, v in response.get("Data", {}).items()}

    def _response(self, identifier, event, timeout):
        answers = _waiting[identifier] = queue.Queue()
        try:
            found = function.find(self.region, *function.split_arn(event["ServiceToken"]))
            body, failed = sandbox.invoke(found, json.dumps(event).encode())
            # AWS would call it again twice, and then wait for a response until the timeout.
            require(not failed, f"the function failed, and CloudFormation waits for its response: {body.decode()}")
            text = answers.get(timeout=timeout)
        except Refused as error:
            raise Rejected(str(error)) from error
        except queue.Empty as error:
            message = "CloudFormation did not receive a response from your Custom Resource."
            raise Rejected(f"{message} Please check your logs for requestId [{identifier}].") from error
        finally:
            _waiting.pop(identifier, None)
        return self._checked(text, event)

    def _checked(self, text, event):
        require(len(text) <= _LONGEST_RESPONSE, f"Response object is too long: {len(text)} bytes")
        try:
            response = json.loads(text)
        except ValueError as error:
            raise Rejected("Invalid response: it is no JSON") from error
        for name in ("RequestId", "StackId", "LogicalResourceId"):
            require(response.get(name) == event[name], f"Invalid response: {name} is not the request's")
        if response.get("Status") != "SUCCESS":
            raise Rejected(
                f"Received response status [{response.get('Status')}] from custom resource. Message returned: "
                f"{response.get('Reason')} (RequestId: {event['RequestId']})"
            )
        require(response.get("PhysicalResourceId"), "Invalid PhysicalResourceId")
        return response


def _as_text(value):
    """CloudFormation sends numbers and booleans as strings."""
    if isinstance(value, dict):
        return {k: _as_text(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_text(v) for v in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
