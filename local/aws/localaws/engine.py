"""How CloudFormation carries out a change set.

moto creates resources in the right order but updates them in an order that AWS does not use: it removes first, compares
templates and not values, ignores DeletionPolicy and UpdateReplacePolicy, and forgets the exports of a stack that a
change set made. The rules here are those of the CloudFormation user guide ("Update behaviors of stack resources",
"DeletionPolicy attribute", "UpdateReplacePolicy attribute"):

- create and update in the order of dependencies, comparing property values with every reference resolved;
- a change of a create-only property makes a new resource, and what points at the old one is updated to the new one;
- then an export that another stack imports may neither have changed nor gone;
- only then old and removed resources are deleted, in the opposite order, unless their policy retains them.

There is no rollback: a refusal ends the deployment with the reason, and the state stays as it is for a look at it.
"""

import re
from dataclasses import dataclass

from moto.cloudformation import models, parsing, responses
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.core.exceptions import AWSError, ServiceException
from werkzeug.exceptions import HTTPException

from .resource import Rejected, Resource

# Resource types that exist in CloudFormation but make nothing.
_NOTHING = {"AWS::CDK::Metadata"}

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
    backend.delete_change_set = _delete_change_set
    backend.describe_change_set = _describe_change_set
    backend.delete_stack = _delete_stack
    backend.create_stack = _refuse_direct
    backend.update_stack = _refuse_direct
    models.Stack.stack_parameters = property(_given_parameters)
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
    return _types.get(name)


def _refuse_direct(self, *args, **kwargs):
    raise ValidationError(message="the local AWS deploys by change set only")


def _given_parameters(stack):
    """What UsePreviousValue stands for: the values as they were given. moto has the resolved ones, so that an SSM
    parameter's value would be taken for its name the next time."""
    declared = stack.resource_map._template.get("Parameters", {})
    defaults = {name: parameter["Default"] for name, parameter in declared.items() if "Default" in parameter}
    return {**defaults, **stack.resource_map.input_parameters}


def _execute_change_set(self, change_set_name, stack_name=None):
    change_set = self.describe_change_set(change_set_name)
    stack = self.stacks[change_set.stack_id]
    verb = change_set.change_set_type
    stack._add_stack_event(f"{verb}_IN_PROGRESS", resource_status_reason="User Initiated")
    try:
        _deploy(self, stack, change_set.template_dict, change_set.parameters, getattr(change_set, "imports", {}))
    except ValidationError as refusal:
        stack.status = "IMPORT_ROLLBACK_FAILED" if verb == "IMPORT" else f"{verb}_FAILED"
        stack._add_stack_event(stack.status, resource_status_reason=str(refusal))
        raise
    stack.template = change_set.template
    stack.template_dict = change_set.template_dict
    stack.description = change_set.template_dict.get("Description")
    stack.parameters = change_set.parameters
    stack.status = f"{verb}_COMPLETE"
    stack._add_stack_event(stack.status)
    # AWS forgets a change set that was carried out; moto would find this one again for the next stack, since the CDK
    # gives all its change sets the same name.
    del self.change_sets[change_set.change_set_id]


class _ChangeSetNotFound(CloudFormationError):
    code = "ChangeSetNotFound"

    def __init__(self, name):
        super().__init__(f"ChangeSet [{name}] does not exist")


def _describe_change_set(self, change_set_name):
    for arn, change_set in self.change_sets.items():
        if change_set_name in (arn, change_set.change_set_name):
            return change_set
    raise _ChangeSetNotFound(change_set_name)


def _delete_change_set(self, change_set_name):
    for arn, change_set in list(self.change_sets.items()):
        if change_set_name in (arn, change_set.change_set_name):
            del self.change_sets[arn]  # and no error where there is none, as in AWS


def _deploy(backend, stack, template, parameters, imports):
    resources = stack.resource_map
    resources.imports = imports
    deployed = deployed_in(resources)
    before = dict(deployed)
    definitions = template["Resources"]

    resources._template = template
    resources._resource_json_map = definitions
    resources.cross_stack_resources = backend.exports
    resources.input_parameters = parameters
    resources.load_mapping()
    resources.load_parameters()
    resources.load_conditions()

    replaced = []
    wanted = [name for name in _dependency_order(definitions) if _is_wanted(resources, definitions[name])]
    for name in wanted:
        old = before.get(name)
        if old is None or old.definition["Type"] != definitions[name]["Type"]:
            resources._parsed_resources.pop(name, None)
            resources[name]  # creates it
            if old is not None:
                replaced.append(old)
            continue
        with _naming(name, definitions[name]):
            if _update(resources, name, definitions[name], old):
                replaced.append(old)

    stack.template_dict = template
    stack.output_map = models.OutputMap(resources, template, stack.stack_id)
    with _naming("Outputs", {"Type": "stack outputs"}):
        _publish_exports(backend, stack)

    for old in reversed(replaced):
        if old.definition.get("UpdateReplacePolicy") != "Retain":
            _remove(resources, old)
    removed = [name for name in before if name not in wanted]
    order = {name: i for i, name in enumerate(_dependency_order({n: before[n].definition for n in before}))}
    for name in sorted(removed, key=lambda n: -order[n]):
        resources._parsed_resources.pop(name, None)
        deployed.pop(name, None)
        if before[name].definition.get("DeletionPolicy") != "Retain":
            _remove(resources, before[name])


def _delete_stack(self, name_or_stack_id):
    stack = next((s for s in self.stacks.values() if name_or_stack_id in (s.stack_id, s.name)), None)
    if stack is None:
        return  # AWS does not mind either
    stack._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
    for export in stack.exports:
        _refuse_if_imported(self, stack, export.name, "delete")
    deployed = deployed_in(stack.resource_map)
    for name in reversed(_dependency_order({n: deployed[n].definition for n in deployed})):
        if deployed[name].definition.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate"):
            _remove(stack.resource_map, deployed[name])
    for name in [n for n, e in self.exports.items() if e.exporting_stack_id == stack.stack_id]:
        del self.exports[name]
    stack.status = "DELETE_COMPLETE"
    stack._add_stack_event("DELETE_COMPLETE")
    self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)


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
    with _naming(logical_id, definition):
        properties = parsing.clean_json(definition.get("Properties", {}), resources)
        if logical_id in resources.imports:
            resource = _adopt(resources, logical_id)
        else:
            resource = _create(resources, logical_id, definition, properties)
    deployed_in(resources)[logical_id] = _Deployed(definition, properties, resource)
    return resource


def _adopt(resources, logical_id):
    """Takes an existing resource into the stack as it is: AWS does not compare it with the template."""
    resource = resources.imports[logical_id]
    resource.stack_id, resource.logical_resource_id = resources.stack_id, logical_id
    return resource


def _create(resources, logical_id, definition, properties):
    account, region, kind = resources._account_id, resources._region_name, definition["Type"]
    if kind in _types:
        _types[kind].check(properties)
        resource = _types[kind](account, region, resources.stack_id, logical_id, properties)
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


def _update(resources, name, definition, old):
    """Brings one resource to its new definition; reports whether that took a new resource."""
    properties = parsing.clean_json(definition.get("Properties", {}), resources)
    changed = {k for k in old.properties.keys() | properties.keys() if old.properties.get(k) != properties.get(k)}
    resource, replaced = old.resource, False
    if changed and isinstance(resource, Resource):
        resource.check(properties)
        if changed & resource.CREATE_ONLY:
            resource, replaced = _create(resources, name, definition, properties), True
        else:
            resource.update(properties)
            resource.properties = properties
    elif changed:
        resource = parsing.parse_and_update_resource(
            name, definition, resources, resources._account_id, resources._region_name
        )
        if resource is None:
            raise Rejected("the local AWS cannot update this resource type: " + ", ".join(sorted(changed)))
    resources._parsed_resources[name] = resource
    deployed_in(resources)[name] = _Deployed(definition, properties, resource)
    return replaced


def _remove(resources, old):
    with _naming(old.resource.logical_resource_id, old.definition):
        if isinstance(old.resource, Resource):
            old.resource.remove()
        else:
            resources._delete_resource(old.resource, old.definition)


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
        if other is not stack and export in _imports(other.template_dict):
            raise ValidationError(message=f"Cannot {verb} export {export} as it is in use by {other.name}")


def _imports(value):
    if isinstance(value, dict):
        if "Fn::ImportValue" in value:
            return {value["Fn::ImportValue"]} if isinstance(value["Fn::ImportValue"], str) else set()
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*(_imports(v) for v in value))
    return set()


def _dependency_order(definitions):
    """The resources' names, each after those it depends on; otherwise as the template has them."""
    order, visiting = [], set()

    def visit(name):
        if name in order or name not in definitions:
            return
        if name in visiting:
            raise ValidationError(message=f"Circular dependency between resources: {', '.join(sorted(visiting))}")
        visiting.add(name)
        for reference in _references(definitions[name]):
            visit(reference)
        visiting.discard(name)
        order.append(name)

    for name in definitions:
        visit(name)
    return order


def _references(definition):
    depends_on = definition.get("DependsOn", [])
    names = [depends_on] if isinstance(depends_on, str) else list(depends_on)

    def walk(value):
        if isinstance(value, list):
            for v in value:
                walk(v)
        elif isinstance(value, dict):
            for key, v in value.items():
                if key == "Ref":
                    names.append(v)
                elif key == "Fn::GetAtt":
                    names.append(v[0] if isinstance(v, list) else v.split(".")[0])
                elif key == "Fn::Sub":
                    text = v if isinstance(v, str) else v[0]
                    names.extend(m.split(".")[0] for m in re.findall(r"\$\{([^!}]+)\}", text))
                    walk(v)
                else:
                    walk(v)

    walk(definition.get("Properties", {}))
    return names


class _naming:
    """Turns a refusal into CloudFormation's error, with the resource's name in it."""

    def __init__(self, logical_id, definition):
        self.what = f"{logical_id} ({definition['Type']})"

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None or isinstance(error, ValidationError):
            return False
        text = getattr(error, "message", None) or str(error)
        if not isinstance(error, (Rejected, AWSError, ServiceException, HTTPException)):
            text = f"{type(error).__name__}: {error}"
        raise ValidationError(message=f"{self.what}: {text}") from error
