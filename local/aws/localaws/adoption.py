"""Import change sets: CloudFormation takes an existing resource into a stack, which is what `cdk import` asks for.

CloudFormation user guide, "Bringing existing resources into CloudFormation management": each resource to import exists,
belongs to no stack and has a DeletionPolicy in the template, and its properties are those of its type; the operation
creates, changes and deletes nothing. What is imported is not compared with the template. That outputs may not change
either is not in the guide, but in AWS's refusals. The words of those are used where they are known: for a missing
DeletionPolicy, for other resources, and for outputs.
"""

import json

from moto.cloudformation import responses
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from . import engine
from .resource import Rejected, require


def install():
    CloudFormationResponse.create_change_set = _or_import(CloudFormationResponse.create_change_set)
    responses.get_template_summary_response_from_template = _summary(
        responses.get_template_summary_response_from_template
    )


def _or_import(create):
    def create_change_set(self):
        return _import(self) if self._get_param("ChangeSetType") == "IMPORT" else create(self)

    return create_change_set


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
    imports = _resources(backend, template, request._get_param("ResourcesToImport", []))
    _refuse_other_changes(stack, template, parameters, imports)
    if is_review:  # nothing was carried out, and moto would have two stacks of the name
        del backend.stacks[found.stack_id]
    change_set_id, stack_id = backend.create_change_set(
        stack_name=stack.name if stack else name,
        change_set_name=request._get_param("ChangeSetName"),
        template=body,
        parameters=parameters,
        description=request._get_param("Description"),
        notification_arns=request._get_param("NotificationARNs", []),
        tags={tag["Key"]: tag["Value"] for tag in request._get_param("Tags", [])},
        role_arn=request._get_param("RoleARN"),
        change_set_type="UPDATE" if stack else "CREATE",
    )
    change_set = backend.change_sets[change_set_id]
    change_set.change_set_type, change_set.imports = "IMPORT", imports
    for change in change_set.changes:
        change.action = "Import"
    return ActionResult({"Id": change_set_id, "StackId": stack_id})


def _resources(backend, template, wanted):
    """The resources to import by logical id."""
    if not wanted:
        raise ValidationError(message="ResourcesToImport is empty; an import needs one at least")
    found = {}
    for one in wanted:
        name = one["LogicalResourceId"]
        try:
            resource = _resource(backend, template["Resources"].get(name, {}), one)
            require(resource not in found.values(), f"{resource.physical_resource_id} is to be imported twice")
        except Rejected as error:
            raise ValidationError(message=f"{name}: {error}") from error
        found[name] = resource
    unguarded = [name for name in found if "DeletionPolicy" not in template["Resources"][name]]
    if unguarded:
        raise ValidationError(
            message=f"The following resources to import [{', '.join(unguarded)}] must have DeletionPolicy attribute"
            " specified in the template."
        )
    return found


def _resource(backend, definition, wanted):
    kind, identifier = wanted["ResourceType"], wanted["ResourceIdentifier"]
    require(definition.get("Type") == kind, f"the template has no resource of that name and type {kind}")
    cls = engine.type_named(kind)
    require(cls is not None and cls.IDENTIFIER, f"the local AWS does not import resources of type {kind}")
    cls.check(definition.get("Properties", {}))
    names = ", ".join(identifier)
    require(identifier.keys() == {cls.IDENTIFIER}, f"{kind} is identified by {cls.IDENTIFIER}, not {names}")
    value = identifier[cls.IDENTIFIER]
    resource = cls.find(backend.account_id, backend.region_name, value)
    require(resource is not None, f"no {kind} with {cls.IDENTIFIER} {value} exists")
    owner = _owner(backend, resource)
    require(owner is None, f"{value} already exists in stack {owner}")
    return resource


def _owner(backend, resource):
    for stack in backend.stacks.values():
        if any(d.resource is resource for d in engine.deployed_in(stack.resource_map).values()):
            return stack.stack_id
    return None


def _refuse_other_changes(stack, template, parameters, imports):
    before = stack.template_dict if stack else {}
    old = before.get("Resources", {})
    new = {k: v for k, v in template["Resources"].items() if k not in imports}
    changed = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
    if changed:
        raise ValidationError(
            message=f"You have modified resources [{', '.join(changed)}] in your template that are not being imported."
            " Update, create or delete operations cannot be executed during import operations."
        )
    if template.get("Outputs", {}) != before.get("Outputs", {}):
        raise ValidationError(message="As part of the import operation, you cannot modify or add [Outputs]")
    for name, value in (stack.stack_parameters if stack else {}).items():
        default = template.get("Parameters", {}).get(name, {}).get("Default")
        if parameters.get(name, default) != value:
            raise ValidationError(message=f"As part of the import operation, you cannot modify parameter {name}")


def _summary(summarize):
    """GetTemplateSummary with what identifies the resources that can be imported. moto also needs a version in the
    template, which AWS does not and the CDK does not write."""

    def summary(body):
        template = {"AWSTemplateFormatVersion": "2010-09-09", **Stack.parse_template(body)}
        types = {}
        for name, definition in template["Resources"].items():
            types.setdefault(definition["Type"], []).append(name)
        answer = summarize(json.dumps(template, default=str))
        answer["ResourceIdentifierSummaries"] = [
            {"ResourceType": kind, "LogicalResourceIds": names, "ResourceIdentifiers": [cls.IDENTIFIER]}
            for kind, names in types.items()
            if (cls := engine.type_named(kind)) is not None and cls.IDENTIFIER
        ]
        return answer

    return summary
