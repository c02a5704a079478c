"""AWS::Lambda::*. moto keeps the functions; versions, aliases, permissions and concurrency behave as in AWS."""

import copy
import re

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import JsonRESTError

from .resource import Refused, Resource, require

# What HealthLake's alias has beside moto's: (account, region, function, qualifier) -> statements, and -> concurrency.
permissions = {}
provisioned = {}


class Function(Resource):
    TYPE = "AWS::Lambda::Function"

    def create(self):
        name = self.physical_resource_id = self.name("FunctionName")
        self._check(self.properties)
        functions = _backend(self)
        require(name not in [f.function_name for f in functions.list_functions()], f"function {name} exists already")
        self.function = functions.create_function({**copy.deepcopy(self.properties), "FunctionName": name, "Tags": {}})
        self.function.last_version = 0
        self._set(self.properties)

    def update(self, properties):
        self._check(properties)
        # A published version shares what is not replaced, so everything that changes is replaced.
        self.function.code = dict(properties["Code"])
        self.function.update_function_code(dict(properties["Code"]))
        self._set(properties)
        self.function.code_or_config_updated = True

    def _set(self, p):
        f = self.function
        f.role, f.run_time, f.handler = p["Role"], p["Runtime"], p["Handler"]
        f.description, f.timeout = p.get("Description", ""), int(p.get("Timeout", 3))
        f.memory_size = int(p.get("MemorySize", 128))
        f.architectures = p.get("Architectures", ["x86_64"])
        f.environment_vars = dict(p.get("Environment", {}).get("Variables", {}))
        f.reserved_concurrency = p.get("ReservedConcurrentExecutions")
        f.tracing_config = p.get("TracingConfig") or {"Mode": "PassThrough"}
        f.logs_group_name = p.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{f.function_name}")
        f.tags = self.tags(p)

    def remove(self):
        _backend(self).delete_function(self.physical_resource_id)
        for table in (permissions, provisioned):
            for key in [k for k in table if k[:3] == (self.account, self.region, self.physical_resource_id)]:
                del table[key]

    def attributes(self):
        return {"Arn": self.function.function_arn}

    @staticmethod
    def _check(properties):
        runtime = properties.get("Runtime", "")
        require(runtime.startswith("provided.al"), f"Runtime {runtime!r} does not run a Go binary")
        require(properties.get("Handler"), "Handler is missing; a zip package needs one")
        require(properties["Code"].keys() == {"S3Bucket", "S3Key"}, "Code is not an object in S3")
        for name in properties.get("Environment", {}).get("Variables", {}):
            require(not name.startswith("AWS_LAMBDA_") and name != "AWS_REGION", f"environment variable {name} is reserved")


class Version(Resource):
    TYPE = "AWS::Lambda::Version"

    def create(self):
        # moto numbers a version by how many there are, and so gives a number twice after one was deleted.
        storage = _backend(self)._lambdas
        latest = storage.get_function_by_name_or_arn_forbid_qualifier(self.properties["FunctionName"])
        changed = latest.last_version == 0 or latest.code_or_config_updated
        require(changed, f"A version for this Lambda function exists ( {latest.last_version} )")
        latest.last_version += 1
        latest.code_or_config_updated = False
        version = copy.copy(latest)
        version.set_version(latest.last_version)
        storage._functions[latest.function_name]["versions"].append(version)
        storage._arns[version.function_arn] = version
        self.function_name, self.version = latest.function_name, str(latest.last_version)
        self.physical_resource_id = version.function_arn

    def remove(self):
        functions = _backend(self)
        aliases = [a.name for a in functions.list_aliases(self.function_name) if a.function_version == self.version]
        require(not aliases, f"version {self.version} cannot be deleted: alias {', '.join(aliases)} points to it")
        functions.delete_function(self.function_name, self.version)

    def attributes(self):
        return {"Version": self.version, "FunctionArn": self.physical_resource_id}


class Alias(Resource):
    TYPE = "AWS::Lambda::Alias"

    def create(self):
        self.function_name = self.properties["FunctionName"].split(":")[-1]
        self.physical_resource_id = self._put(_backend(self).create_alias, self.properties).arn

    def update(self, properties):
        self._put(_backend(self).update_alias, properties)

    def remove(self):
        _backend(self).delete_alias(self.properties["Name"], self.function_name)
        permissions.pop(self._key(), None)
        provisioned.pop(self._key(), None)

    def attributes(self):
        return {"AliasArn": self.physical_resource_id}

    def _key(self):
        return self.account, self.region, self.function_name, self.properties["Name"]

    def _put(self, put, p):
        function = _backend(self).get_function(self.function_name, p["FunctionVersion"])
        wanted = p.get("ProvisionedConcurrencyConfig", {}).get("ProvisionedConcurrentExecutions")
        reserved = function.reserved_concurrency
        fits = wanted is None or reserved is None or int(wanted) <= int(reserved)
        require(fits, "provisioned concurrency exceeds the reserved concurrency")
        alias = put(p["Name"], self.function_name, p["FunctionVersion"], p.get("Description", ""), None)
        provisioned.pop(self._key(), None)
        if wanted is not None:
            provisioned[self._key()] = int(wanted)
        return alias


class Permission(Resource):
    TYPE = "AWS::Lambda::Permission"

    def create(self):
        p = self.properties
        function, qualifier = split_arn(p["FunctionName"])
        target = _backend(self).get_function(function, qualifier)
        self.physical_resource_id = self.name()
        self.statement = {
            "Sid": self.physical_resource_id,
            "Effect": "Allow",
            "Principal": {"Service" if p["Principal"].endswith(".amazonaws.com") else "AWS": p["Principal"]},
            "Action": p["Action"],
            "Resource": re.sub(r":\d+$", "", target.function_arn) + (f":{qualifier}" if qualifier else ""),
        }
        conditions = {}
        if "SourceAccount" in p:
            conditions["StringEquals"] = {"AWS:SourceAccount": p["SourceAccount"]}
        if "SourceArn" in p:
            conditions["ArnLike"] = {"AWS:SourceArn": p["SourceArn"]}
        if conditions:
            self.statement["Condition"] = conditions
        self.key = self.account, self.region, target.function_name, qualifier
        permissions.setdefault(self.key, []).append(self.statement)

    def remove(self):
        if self.statement in permissions.get(self.key, []):
            permissions[self.key].remove(self.statement)


class ScalableTarget(Resource):
    TYPE = "AWS::ApplicationAutoScaling::ScalableTarget"

    def create(self):
        self.physical_resource_id = self.name()
        self.update(self.properties)

    def update(self, p):
        find(self.region, *p["ResourceId"].split(":")[1:])
        low, high, role = int(p["MinCapacity"]), int(p["MaxCapacity"]), p.get("RoleARN")
        scaling = applicationautoscaling_backends[self.account][self.region]
        name, dimension = p["ResourceId"], p["ScalableDimension"]
        scaling.register_scalable_target(p["ServiceNamespace"], name, dimension, low, high, role, None)


def split_arn(name):
    """The function's name and the qualifier, or None, of a function's name or ARN with or without a qualifier."""
    parts = name.split(":function:")[-1].split(":")
    return parts[0], parts[1] if len(parts) > 1 else None


def find(region, name, qualifier):
    """The version of moto's that a function's name and qualifier stand for."""
    try:
        return lambda_backends[DEFAULT_ACCOUNT_ID][region].get_function(name, qualifier)
    except JsonRESTError as error:
        arn = f"arn:aws:lambda:{region}:{DEFAULT_ACCOUNT_ID}:function:{name}" + (f":{qualifier}" if qualifier else "")
        raise Refused("ResourceNotFoundException", f"Function not found: {arn}", "404 Not Found") from error


def _backend(resource):
    return lambda_backends[resource.account][resource.region]
