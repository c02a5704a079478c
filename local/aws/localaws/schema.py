"""What CloudFormation's registry says about resource types, as cfn-lint carries it."""

import functools

import jsonschema

from .resource import Rejected


def check(kind, properties):
    """Raises Rejected unless the properties are those of the type: names, required ones, values."""
    match(properties, {k: v for k, v in _schema(kind).items() if k != "typeName"})


def create_only(kind):
    """The properties whose change makes a new resource."""
    return {path.split("/")[2] for path in _schema(kind).get("createOnlyProperties", [])}


def match(value, schema, name=""):
    """Raises Rejected, with the path to it, for what does not match a JSON schema."""
    error = jsonschema.exceptions.best_match(_Validator(schema).iter_errors(value))
    if error is not None:
        where = ".".join([name] * bool(name) + [str(part) for part in error.absolute_path])
        raise Rejected(f"{where}: {error.message}" if where else error.message)


@functools.cache
def _schema(kind):
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError  # takes seconds: not at the start

    try:
        return PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    except ResourceNotFoundError as error:
        raise Rejected("CloudFormation does not know this resource type") from error


def _type(validator, types, instance, schema):
    """CloudFormation takes a string for a number or a boolean, and the other way round."""
    types = [types] if isinstance(types, str) else types
    if any(validator.is_type(instance, t) for t in types):
        return
    scalar = isinstance(instance, (str, int, float))
    if "string" in types and scalar or "boolean" in types and instance in ("true", "false"):
        return
    if {"integer", "number"} & set(types) and isinstance(instance, str) and instance.lstrip("-").isdigit():
        return
    yield jsonschema.ValidationError(f"{instance!r} is not of type {', '.join(types)}")


def _pattern(validator, pattern, instance, schema):
    if "\\p{" not in pattern:  # Unicode classes, which Python's expressions do not have
        yield from jsonschema.Draft7Validator.VALIDATORS["pattern"](validator, pattern, instance, schema)


_Validator = jsonschema.validators.extend(jsonschema.Draft7Validator, {"type": _type, "pattern": _pattern})
