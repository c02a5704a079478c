"""Import change sets: CloudFormation takes an existing datastore into a stack, which is what `cdk import` asks for.

CloudFormation user guide, "Bringing existing resources into CloudFormation management": each resource to import exists,
belongs to no stack and has a DeletionPolicy in the template; the operation creates, changes and deletes nothing. What is
imported is not compared with the template. That outputs may not change either is not in the guide, but in AWS's refusals.
"""

import json

from moto.cloudformation import responses
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from . import engine, schema
from .healthlake import Datastore, datastores
from .resource import Rejected, require

_IDENTIFIER = "DatastoreId"  # the primaryIdentifier of the registry's schema


def install():
    create, summarize = CloudFormationResponse.create_change_set, responses.get_template_summary_response_from_template

    def create_change_set(self):
        try:
            return _import(self) if self._get_param("ChangeSetType") == "IMPORT" else create(self)
        except Rejected as error:
            raise ValidationError(message=str(error)) from error

    def summary(body):
        """With what identifies the resources that can be imported. moto also needs a version in the template, which AWS
        does not and the CDK does not write."""
        template = {"AWSTemplateFormatVersion": "2010-09-09", **Stack.parse_template(body)}
        names = [name for name, d in template["Resources"].items() if d["Type"] == Datastore.TYPE]
        one = {"ResourceType": Datastore.TYPE, "LogicalResourceIds": names, "ResourceIdentifiers": [_IDENTIFIER]}
        return {**summarize(json.dumps(template, default=str)), "ResourceIdentifierSummaries": [one] if names else []}

    CloudFormationResponse.create_change_set = create_change_set
    responses.get_template_summary_response_from_template = summary


def _import(request):
    backend, name = request.cloudformation_backend, request._get_param("StackName")
    found = next((s for s in backend.stacks.values() if name in (s.name, s.stack_id)), None)
    is_review = found is not None and found.status == "REVIEW_IN_PROGRESS"
    stack = None if is_review else found
    url, body = request._get_param("TemplateURL"), request._get_param("TemplateBody")
    body = request._get_stack_from_s3_url(url) if url else body
    template = Stack.parse_template(body)
    previous = stack.stack_parameters if stack else {}
    parameters = {
        p["ParameterKey"]: previous[p["ParameterKey"]] if p.get("UsePreviousValue") else p["ParameterValue"]
        for p in request._get_param("Parameters", [])
    }
    wanted = request._get_param("ResourcesToImport", [])
    require(wanted, "ResourcesToImport is empty; an import needs one at least")
    imports = {one["LogicalResourceId"]: _resource(backend, template["Resources"], one) for one in wanted}
    _refuse_other_changes(stack.template_dict if stack else {}, template, imports)
    if is_review:  # nothing was carried out, and moto would have two stacks of the name
        del backend.stacks[found.stack_id]
    change_set_id, stack_id = backend.create_change_set(
        stack_name=stack.name if stack else name,
        change_set_name=request._get_param("ChangeSetName"),
        template=body,
        parameters=parameters,
        description=request._get_param("Description"),
        tags={tag["Key"]: tag["Value"] for tag in request._get_param("Tags", [])},
        change_set_type="UPDATE" if stack else "CREATE",
    )
    change_set = backend.change_sets[change_set_id]
    change_set.change_set_type, change_set.imports = "IMPORT", imports
    for change in change_set.changes:
        change.action = "Import"
    return ActionResult({"Id": change_set_id, "StackId": stack_id})


def _resource(backend, definitions, wanted):
    name, kind, identifier = wanted["LogicalResourceId"], wanted["ResourceType"], wanted["ResourceIdentifier"]
    definition = definitions.get(name, {})
    require(definition.get("Type") == kind, f"{name}: the template has no resource of that name and type {kind}")
    require(kind == Datastore.TYPE, f"the local AWS does not import resources of type {kind}")
    schema.check(kind, definition.get("Properties", {}))
    require(identifier.keys() == {_IDENTIFIER}, f"{kind} is identified by {_IDENTIFIER}")
    value = identifier[_IDENTIFIER]
    resource = datastores.get((backend.account_id, backend.region_name), {}).get(value)
    require(resource is not None, f"no {kind} with {_IDENTIFIER} {value} exists")
    for stack in backend.stacks.values():
        owned = [d.resource for d in engine.deployed_in(stack.resource_map).values()]
        require(resource not in owned, f"{value} already exists in stack {stack.stack_id}")
    guarded = "DeletionPolicy" in definition
    require(guarded, f"The following resources to import [{name}] must have DeletionPolicy attribute specified.")
    return resource


def _refuse_other_changes(before, template, imports):
    old = before.get("Resources", {})
    new = {k: v for k, v in template["Resources"].items() if k not in imports}
    changed = ", ".join(sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k)))
    require(not changed, f"You have modified resources [{changed}] in your template that are not being imported.")
    outputs = template.get("Outputs", {}) == before.get("Outputs", {})
    require(outputs, "As part of the import operation, you cannot modify or add [Outputs]")
