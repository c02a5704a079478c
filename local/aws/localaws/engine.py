"""How CloudFormation carries out a change set.

moto creates resources in the right order but updates them in an order that AWS does not use: it removes first, compares
templates and not values, ignores DeletionPolicy and UpdateReplacePolicy, and forgets the exports of a stack that a
change set made. The rules here are those of the CloudFormation user guide ("Update behaviors of stack resources",
"DeletionPolicy attribute", "UpdateReplacePolicy attribute"):

- create and update in the order of dependencies, comparing property values with every reference resolved;
- a change of a create-only property makes a new resource, and what points at the old one is updated to the new one;
- then an export that another stack imports may neither have changed nor gone;
- only then old and removed resources are deleted, in the opposite order, unless their policy retains them;
- a refusal rolls back: resources get their old properties again, and new resources are deleted.
"""

import contextlib
import graphlib
import json
import re
import threading
from dataclasses import dataclass

from moto.cloudformation import models, parsing, responses
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.core.exceptions import AWSError, ServiceException
from moto.core.responses import ActionResult
from werkzeug.exceptions import HTTPException

from . import schema
from .resource import Refused, Rejected, Resource

# Resource types that exist in CloudFormation but make nothing.
_NOTHING = {"AWS::CDK::Metadata"}

# How long an API call waits, in seconds, for what it has begun: the CDK looks only every few seconds.
_PATIENCE = 20

_types = {}


@dataclass
class _Deployed:
    definition: dict  # the resource's part of the template
    properties: dict  # with every reference resolved
    resource: object


def install(types):
    """Makes moto's CloudFormation carry out change sets by these rules, with the resource types given (subclasses of
    Resource) before moto's own."""
    _types.update({t.TYPE: t for t in types})
    parsing.parse_and_create_resource = _create_lazily
    backend = models.CloudFormationBackend
    backend.execute_change_set = _execute_change_set
    backend.create_change_set = _checking_parameters(backend.create_change_set)
    backend.delete_change_set = _delete_change_set
    backend.describe_change_set = _describe_change_set
    backend.delete_stack = _delete_stack
    backend.create_stack = _refuse_direct
    backend.update_stack = _refuse_direct
    models.Stack.stack_parameters = property(_given_parameters)
    # moto's own would create, for a description, what is not there.
    models.Stack.stack_resources = property(lambda stack: [d.resource for d in deployed_in(stack.resource_map).values()])
    responses.CloudFormationResponse.update_termination_protection = _protect
    # moto refuses a change set without changes at once; AWS makes one whose status says so, which cdk diff reads.
    responses.CloudFormationResponse._validate_different_update = lambda *_: None
    # moto takes a host name apart to find the bucket, which an IP address does not have.
    from_url = models.get_stack_from_s3_url

    def localhost_url(template_url, account_id, partition):
        return from_url(template_url.replace("//127.0.0.1", "//localhost"), account_id, partition)

    models.get_stack_from_s3_url = localhost_url
    responses.get_stack_from_s3_url = localhost_url


def type_named(name):
    """The resource type of that name, or None if it is not one of those given."""
    return _types.get("AWS::CloudFormation::CustomResource" if name.startswith("Custom::") else name)


def _refuse_direct(self, *args, **kwargs):
    raise ValidationError(message="the local AWS deploys by change set only")


def _given_parameters(stack):
    """What UsePreviousValue stands for: the values as they were given. moto has the resolved ones, so that an SSM
    parameter's value would be taken for its name the next time."""
    declared = stack.resource_map._template.get("Parameters", {})
    defaults = {name: parameter["Default"] for name, parameter in declared.items() if "Default" in parameter}
    return {**defaults, **stack.resource_map.input_parameters}


def _checking_parameters(create_change_set):
    def checked(self, *args, parameters, **kwargs):
        for name, value in parameters.items():
            if len(str(value).encode()) > 4096:  # user guide, "CloudFormation quotas"
                raise ValidationError(message=f"Parameter {name} has more than 4096 bytes")
        return create_change_set(self, *args, parameters=parameters, **kwargs)

    return checked


def _protect(request):
    stack = request.cloudformation_backend.get_stack(request._get_param("StackName"))
    stack.enable_termination_protection = request._get_bool_param("EnableTerminationProtection")
    return ActionResult({"StackId": stack.stack_id})


def _execute_change_set(self, change_set_name, stack_name=None):
    """Returns before everything is done if that takes long, as AWS always does: stack and events say what came of it."""
    change_set = self.describe_change_set(change_set_name)
    stack = self.stacks[change_set.stack_id]
    if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
    # AWS forgets a change set that was carried out; moto would find this one again for the next stack, since the CDK
    # gives all its change sets the same name.
    del self.change_sets[change_set.change_set_id]
    _set_status(stack, f"{change_set.change_set_type}_IN_PROGRESS", "User Initiated")
    _in_background(lambda: _carry_out(self, stack, change_set))


def _in_background(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_PATIENCE)


def _set_status(stack, status, reason=None):
    stack.status = status
    stack._add_stack_event(status, resource_status_reason=reason)


def _carry_out(backend, stack, change_set):
    verb, resources = change_set.change_set_type, stack.resource_map
    before, previous = dict(deployed_in(resources)), (resources._template, resources.input_parameters)
    replaced = []
    resources.stack, resources.imports = stack, getattr(change_set, "imports", {})
    try:
        _converge(backend, stack, change_set.template_dict, change_set.parameters, replaced)
    except Exception as refusal:
        if not isinstance(refusal, ValidationError):  # not of a resource, which has its own event
            stack._add_stack_event(f"{verb}_FAILED", resource_status_reason=str(refusal))
        _roll_back(backend, stack, verb, before, previous, replaced, str(refusal))
        return
    wanted = {n for n, d in change_set.template_dict["Resources"].items() if _is_wanted(resources, d)}
    left = [_forget(resources, name) for name in _reversed_order(before) if name not in wanted]
    for old, policy in [(o, "UpdateReplacePolicy") for _, o in reversed(replaced)] + [(o, "DeletionPolicy") for o in left]:
        if old.definition.get(policy) != "Retain":
            with contextlib.suppress(ValidationError):  # AWS tries again, and leaves it: what is wanted is there
                _remove(resources, old)
    stack.template, stack.template_dict = change_set.template, change_set.template_dict
    stack.description = change_set.template_dict.get("Description")
    stack.parameters = change_set.parameters
    _set_status(stack, f"{verb}_COMPLETE")


def _roll_back(backend, stack, verb, before, previous, replaced, reason):
    """Brings back what was there before: the old properties, then the old resources in the place of the new ones."""
    resources, rollback = stack.resource_map, "ROLLBACK" if verb == "CREATE" else f"{verb}_ROLLBACK"
    _set_status(stack, f"{rollback}_IN_PROGRESS", reason)
    deployed = deployed_in(resources)
    discarded = []
    for name, old in reversed(replaced):
        if deployed[name] is not old:
            discarded.append(deployed[name])
        deployed[name], resources._parsed_resources[name] = old, old.resource
    created = [name for name in _reversed_order(deployed) if name not in before and name not in resources.imports]
    try:
        stack.output_map = models.OutputMap(resources, {"Outputs": {}}, stack.stack_id)
        if before:
            _converge(backend, stack, *previous, [])
        for old in discarded + [_forget(resources, name) for name in created]:
            if old.definition.get("DeletionPolicy") != "Retain":
                _remove(resources, old)
    except ValidationError as refusal:
        _set_status(stack, f"{rollback}_FAILED", str(refusal))
        return
    for name in resources.imports:
        _forget(resources, name)
    _set_status(stack, f"{rollback}_COMPLETE")


class _ChangeSetNotFound(CloudFormationError):
    code = "ChangeSetNotFound"


def _describe_change_set(self, change_set_name):
    for arn, change_set in self.change_sets.items():
        if change_set_name in (arn, change_set.change_set_name):
            return change_set
    raise _ChangeSetNotFound(f"ChangeSet [{change_set_name}] does not exist")


def _delete_change_set(self, change_set_name):
    with contextlib.suppress(_ChangeSetNotFound):  # as in AWS
        del self.change_sets[self.describe_change_set(change_set_name).change_set_id]


def _converge(backend, stack, template, parameters, replaced):
    """Creates and updates what the template has. Resources that are replaced, and stay for now, are added to replaced
    with their names."""
    resources = stack.resource_map
    before = dict(deployed_in(resources))
    definitions = template.get("Resources", {})

    resources._template = template
    resources._resource_json_map = definitions
    resources.cross_stack_resources = backend.exports
    resources.input_parameters, resources.resolved_parameters = parameters, {}
    resources.load_mapping()
    resources.load_parameters()
    resources.load_conditions()

    for name in _dependency_order(definitions):
        if not _is_wanted(resources, definitions[name]):
            continue
        old = before.get(name)
        if old is None:
            resources[name]  # creates it
        else:
            _update(resources, name, definitions[name], old, replaced)

    stack.template_dict = template
    stack.output_map = models.OutputMap(resources, template, stack.stack_id)
    with _naming(resources, "Outputs", {"Type": "stack outputs"}):
        _publish_exports(backend, stack)


def _delete_stack(self, name_or_stack_id):
    stack = next((s for s in self.stacks.values() if name_or_stack_id in (s.stack_id, s.name)), None)
    if stack is None:
        return  # AWS does not mind either
    if stack.enable_termination_protection:
        raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    _set_status(stack, "DELETE_IN_PROGRESS", "User Initiated")
    _in_background(lambda: _carry_out_deletion(self, stack))


def _carry_out_deletion(backend, stack):
    resources = stack.resource_map
    resources.stack = stack
    deployed = deployed_in(resources)
    try:
        with _naming(resources, stack.name, {"Type": "AWS::CloudFormation::Stack"}, "DELETE"):
            for export in stack.exports:
                _refuse_if_imported(backend, stack, export.name, "delete")
        # moto would ask for the resources in the outputs again, for a description.
        stack.output_map = models.OutputMap(resources, {"Outputs": {}}, stack.stack_id)
        for name in _reversed_order(deployed):
            if deployed[name].definition.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate"):
                _remove(resources, deployed[name])
            _forget(resources, name)
    except ValidationError as refusal:
        _set_status(stack, "DELETE_FAILED", str(refusal))
        return
    for name in [n for n, e in backend.exports.items() if e.exporting_stack_id == stack.stack_id]:
        del backend.exports[name]
    _set_status(stack, "DELETE_COMPLETE")
    backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)


def _forget(resources, name):
    resources._parsed_resources.pop(name, None)
    resources._resource_json_map = {k: v for k, v in resources._resource_json_map.items() if k != name}
    return deployed_in(resources).pop(name, None)


def _reversed_order(deployed):
    return reversed(_dependency_order({name: one.definition for name, one in deployed.items()}))


def deployed_in(resources):
    """What moto's resource map of a stack stands for, by logical id."""
    if not hasattr(resources, "deployed"):
        resources.deployed = {}
    return resources.deployed


def _is_wanted(resources, definition):
    condition = definition.get("Condition")
    return (not condition or resources.lazy_condition_map[condition]) and definition["Type"] not in _NOTHING


def _create_lazily(logical_id, definition, resources, account_id, region_name):
    """moto calls this for a resource that is not there yet, also when another one's property refers to it."""
    if not _is_wanted(resources, definition):
        return None
    done = "CREATE_COMPLETE"
    with _naming(resources, logical_id, definition):
        properties = parsing.clean_json(definition.get("Properties", {}), resources)
        if logical_id in resources.imports:  # as it is: AWS does not compare it with the template
            resource, done = resources.imports[logical_id], "IMPORT_COMPLETE"
            resource.stack_id, resource.logical_resource_id = resources.stack_id, logical_id
        else:
            resource = _create(resources, logical_id, definition, properties)
    deployed_in(resources)[logical_id] = _Deployed(definition, properties, resource)
    _event(resources, logical_id, definition, done)
    return resource


def _create(resources, logical_id, definition, properties):
    account, region, kind = resources._account_id, resources._region_name, definition["Type"]
    schema.check(kind, properties)
    if (cls := type_named(kind)) is not None:
        resource = cls(account, region, resources.stack_id, logical_id, properties)
        resource.cf_resource_type = kind
        resource.create()
        return resource
    if parsing.resource_class_from_type(kind) is None:
        raise Rejected("the local AWS does not know this resource type")
    cls, resolved, name = parsing.parse_resource_and_generate_name(logical_id, definition, resources)
    resource = cls.create_from_cloudformation_json(
        name, resolved, account, region, LogicalId=logical_id, StackId=resources.stack_id, ResourceType=kind
    )
    resource.cf_resource_type = kind
    resource.logical_resource_id = logical_id
    return resource


def _update(resources, name, definition, old, replaced):
    """Brings one resource to its new definition."""
    deployed = deployed_in(resources)
    with _naming(resources, name, definition):
        properties = parsing.clean_json(definition.get("Properties", {}), resources)
        changed = {k for k in old.properties.keys() | properties.keys() if old.properties.get(k) != properties.get(k)}
        resource, other_type = old.resource, old.definition["Type"] != definition["Type"]
        if changed and not other_type:
            schema.check(definition["Type"], properties)
        if other_type or (changed and isinstance(resource, Resource) and changed & schema.create_only(definition["Type"])):
            resource = _create(resources, name, definition, properties)
            replaced.append((name, old))
        elif changed and isinstance(resource, Resource):
            # Also where the update fails: then the rollback sends the old properties.
            deployed[name] = _Deployed(definition, properties, resource)
            try:
                former = resource.update(properties)
            finally:
                resource.properties = properties
            if former is not None:
                replaced.append((name, _Deployed(old.definition, old.properties, former)))
        elif changed:
            resource = parsing.parse_and_update_resource(
                name, definition, resources, resources._account_id, resources._region_name
            )
            if resource is None:
                raise Rejected("the local AWS cannot update this resource type: " + ", ".join(sorted(changed)))
    resources._parsed_resources[name] = resource
    deployed[name] = _Deployed(definition, properties, resource)
    if changed or other_type:
        _event(resources, name, definition, "UPDATE_COMPLETE")


def _remove(resources, old):
    name = old.resource.logical_resource_id
    with _naming(resources, name, old.definition, "DELETE"):
        if isinstance(old.resource, Resource):
            old.resource.remove()
        else:
            resources._delete_resource(old.resource, old.definition)
    _event(resources, name, old.definition, "DELETE_COMPLETE", physical_id=old.resource.physical_resource_id)


def _event(resources, name, definition, status, reason=None, physical_id=None):
    deployed, stack = deployed_in(resources).get(name), resources.stack
    physical_id = physical_id or (deployed.resource.physical_resource_id if deployed else "")
    stack.events.append(
        models.Event(stack.stack_id, stack.name, name, physical_id, definition["Type"], status, reason, None)
    )


def _publish_exports(backend, stack):
    old = {n: e for n, e in backend.exports.items() if e.exporting_stack_id == stack.stack_id}
    new = {e.name: e for e in stack.exports}
    for name, export in old.items():
        if name not in new:
            _refuse_if_imported(backend, stack, name, "delete")
        elif new[name].value != export.value:
            _refuse_if_imported(backend, stack, name, "update")
    for name in new:
        if name in backend.exports and name not in old:
            raise Rejected(f"export {name} exists already")
    for name in old:
        del backend.exports[name]
    backend.exports.update(new)


def _refuse_if_imported(backend, stack, export, verb):
    for other in backend.stacks.values():
        if other is not stack and f'"Fn::ImportValue": "{export}"' in json.dumps(other.template_dict):
            raise Rejected(f"Cannot {verb} export {export} as it is in use by {other.name}")


def _dependency_order(definitions):
    """The resources' names, each after those it depends on."""
    graph = {name: sorted(_references(d) & definitions.keys()) for name, d in definitions.items()}
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        raise Rejected(f"Circular dependency between resources: {', '.join(error.args[1])}") from error


def _references(definition):
    """The names in Ref, Fn::GetAtt, Fn::Sub and DependsOn."""
    depends_on, text = definition.get("DependsOn", []), json.dumps(definition.get("Properties", {}))
    named = re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)|\$\{(\w+)', text)
    return {a or b for a, b in named} | set([depends_on] if isinstance(depends_on, str) else depends_on)


@contextlib.contextmanager
def _naming(resources, logical_id, definition, verb=None):
    """Turns a refusal into CloudFormation's error, with the resource's name in it, and into the stack's event."""
    try:
        yield
    except ValidationError:
        raise
    except Exception as error:
        text = getattr(error, "message", None) or str(error)
        if not isinstance(error, (Refused, Rejected, AWSError, ServiceException, HTTPException)):
            text = f"{type(error).__name__}: {error}"
        verb = verb or ("UPDATE" if logical_id in deployed_in(resources) else "CREATE")
        _event(resources, logical_id, definition, f"{verb}_FAILED", text)
        raise ValidationError(message=f"{logical_id} ({definition['Type']}): {text}") from error
