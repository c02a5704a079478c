"""AWS::Lambda::*. moto keeps the functions; versions, aliases, permissions and concurrency behave as in AWS."""

import copy
import re

from moto.awslambda.models import lambda_backends
from moto.moto_api._internal import mock_random

from .resource import Resource, require, require_match

# What HealthLake's alias has beside moto's: (account, region, function, qualifier) -> statements, and -> concurrency.
permissions = {}
provisioned = {}

# Those that can still be created and that a Go binary needs.
_RUNTIMES = ("provided.al2023", "provided.al2")


class Function(Resource):
    TYPE = "AWS::Lambda::Function"
    REQUIRED = frozenset({"Code", "Role"})
    OPTIONAL = frozenset(
        {
            "Architectures",
            "Description",
            "Environment",
            "FunctionName",
            "Handler",
            "LoggingConfig",
            "MemorySize",
            "ReservedConcurrentExecutions",
            "Runtime",
            "Tags",
            "Timeout",
            "TracingConfig",
        }
    )
    CREATE_ONLY = frozenset({"FunctionName"})

    def create(self):
        name = self.properties.get("FunctionName") or self.generated_name()[:64]
        require_match(r"[a-zA-Z0-9\-_]{1,64}", name, "FunctionName")
        _check_configuration(self.properties)
        functions = _backend(self)
        require(name not in [f.function_name for f in functions.list_functions()], f"function {name} exists already")
        spec = {**copy.deepcopy(self.properties), "FunctionName": name, "Tags": self.tags(self.properties)}
        self.function = functions.create_function(spec)
        self.function.last_version = 0
        self._set_log_group(self.properties)
        self.physical_resource_id = name

    def update(self, properties):
        _check_configuration(properties)
        f = self.function
        # A published version shares what is not replaced, so everything that changes is replaced.
        f.code = dict(properties["Code"])
        f.update_function_code(dict(properties["Code"]))
        f.role = properties["Role"]
        f.run_time = properties.get("Runtime")
        f.handler = properties.get("Handler")
        f.description = properties.get("Description", "")
        f.memory_size = properties.get("MemorySize", 128)
        f.timeout = properties.get("Timeout", 3)
        f.architectures = properties.get("Architectures", ["x86_64"])
        f.environment_vars = dict(properties.get("Environment", {}).get("Variables", {}))
        f.reserved_concurrency = properties.get("ReservedConcurrentExecutions")
        f.tracing_config = properties.get("TracingConfig") or {"Mode": "PassThrough"}
        f.tags = self.tags(properties)
        self._set_log_group(properties)
        f.code_or_config_updated = True

    def _set_log_group(self, properties):
        default = f"/aws/lambda/{self.function.function_name}"
        self.function.logs_group_name = properties.get("LoggingConfig", {}).get("LogGroup", default)

    def remove(self):
        _backend(self).delete_function(self.physical_resource_id)
        for table in (permissions, provisioned):
            for key in [k for k in table if k[:3] == (self.account, self.region, self.physical_resource_id)]:
                del table[key]

    def attributes(self):
        return {"Arn": self.function.function_arn}


class Version(Resource):
    TYPE = "AWS::Lambda::Version"
    REQUIRED = frozenset({"FunctionName"})
    OPTIONAL = frozenset({"CodeSha256", "Description"})
    CREATE_ONLY = REQUIRED | OPTIONAL

    def create(self):
        # moto numbers a version by how many there are, and so gives a number twice after one was deleted.
        storage = _backend(self)._lambdas
        latest = storage.get_function_by_name_or_arn_forbid_qualifier(self.properties["FunctionName"])
        changed = latest.last_version == 0 or latest.code_or_config_updated
        require(changed, f"A version for this Lambda function exists ( {latest.last_version} )")
        expected = self.properties.get("CodeSha256", latest.code_sha_256)
        require(expected == latest.code_sha_256, "CodeSha256 is not that of the function's code")
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
    REQUIRED = frozenset({"FunctionName", "FunctionVersion", "Name"})
    OPTIONAL = frozenset({"Description", "ProvisionedConcurrencyConfig"})
    CREATE_ONLY = frozenset({"FunctionName", "Name"})

    def create(self):
        p = self.properties
        require_match(r"(?!^[0-9]+$)[a-zA-Z0-9\-_]{1,128}", p["Name"], "Name")
        self.function_name = p["FunctionName"].split(":")[-1]
        function = _backend(self).get_function(self.function_name, p["FunctionVersion"])
        self._check_concurrency(p, function)
        alias = _backend(self).create_alias(
            p["Name"], self.function_name, p["FunctionVersion"], p.get("Description", ""), None
        )
        self.physical_resource_id = alias.arn
        self._provision(p)

    def update(self, properties):
        function = _backend(self).get_function(self.function_name, properties["FunctionVersion"])
        self._check_concurrency(properties, function)
        _backend(self).update_alias(
            properties["Name"],
            self.function_name,
            properties["FunctionVersion"],
            properties.get("Description", ""),
            None,
        )
        self._provision(properties)

    def remove(self):
        _backend(self).delete_alias(self.properties["Name"], self.function_name)
        permissions.pop(self._key(), None)
        provisioned.pop(self._key(), None)

    def attributes(self):
        return {"AliasArn": self.physical_resource_id}

    def _key(self):
        return self.account, self.region, self.function_name, self.properties["Name"]

    def _provision(self, properties):
        provisioned.pop(self._key(), None)
        if "ProvisionedConcurrencyConfig" in properties:
            config = properties["ProvisionedConcurrencyConfig"]
            provisioned[self._key()] = int(config["ProvisionedConcurrentExecutions"])

    @staticmethod
    def _check_concurrency(properties, function):
        if "ProvisionedConcurrencyConfig" not in properties:
            return
        wanted = int(properties["ProvisionedConcurrencyConfig"]["ProvisionedConcurrentExecutions"])
        require(wanted >= 1, f"ProvisionedConcurrentExecutions is {wanted}, not 1 or more")
        require(properties["FunctionVersion"] != "$LATEST", "provisioned concurrency needs a published version")
        reserved = function.reserved_concurrency
        require(reserved is None or wanted <= int(reserved), "provisioned concurrency exceeds the reserved concurrency")


class Permission(Resource):
    TYPE = "AWS::Lambda::Permission"
    REQUIRED = frozenset({"Action", "FunctionName", "Principal"})
    OPTIONAL = frozenset({"SourceAccount", "SourceArn"})
    CREATE_ONLY = REQUIRED | OPTIONAL

    def create(self):
        p = self.properties
        require_match(r"lambda:[*]|lambda:[a-zA-Z]+|[*]", p["Action"], "Action")
        function, qualifier = split_arn(p["FunctionName"])
        target = _backend(self).get_function(function, qualifier)
        resource = re.sub(r":\d+$", "", target.function_arn) + (f":{qualifier}" if qualifier else "")
        conditions = {}
        if "SourceAccount" in p:
            conditions["StringEquals"] = {"AWS:SourceAccount": p["SourceAccount"]}
        if "SourceArn" in p:
            conditions["ArnLike"] = {"AWS:SourceArn": p["SourceArn"]}
        kind = "Service" if p["Principal"].endswith(".amazonaws.com") else "AWS"
        self.physical_resource_id = f"{self.logical_resource_id}-{mock_random.get_random_hex(12)}"
        self.statement = {
            "Sid": self.physical_resource_id,
            "Effect": "Allow",
            "Principal": {kind: p["Principal"]},
            "Action": p["Action"],
            "Resource": resource,
        }
        if conditions:
            self.statement["Condition"] = conditions
        self.key = self.account, self.region, target.function_name, qualifier
        permissions.setdefault(self.key, []).append(self.statement)

    def remove(self):
        if self.statement in permissions.get(self.key, []):
            permissions[self.key].remove(self.statement)


def split_arn(name):
    """The function's name and the qualifier, or None, of a function's name or ARN with or without a qualifier."""
    parts = name.split(":function:")[-1].split(":")
    return parts[0], parts[1] if len(parts) > 1 else None


def _backend(resource):
    return lambda_backends[resource.account][resource.region]


def _check_configuration(properties):
    runtime = properties.get("Runtime")
    require(runtime in _RUNTIMES, f"Runtime {runtime!r} is none of {', '.join(_RUNTIMES)}")
    require(properties.get("Handler"), "Handler is missing; a zip package needs one")
    require(properties["Code"].keys() == {"S3Bucket", "S3Key"}, "Code is not an object in S3")
    memory, timeout = int(properties.get("MemorySize", 128)), int(properties.get("Timeout", 3))
    require(128 <= memory <= 10240, f"MemorySize is {memory}, not 128 to 10240")
    require(1 <= timeout <= 900, f"Timeout is {timeout}, not 1 to 900")
    require(
        properties.get("Architectures", ["x86_64"]) in (["x86_64"], ["arm64"]), "Architectures is not x86_64 or arm64"
    )
    for name, value in properties.get("Environment", {}).get("Variables", {}).items():
        require_match(r"[a-zA-Z][a-zA-Z0-9_]+", name, "name of an environment variable")
        require(not name.startswith("AWS_LAMBDA_") and name != "AWS_REGION", f"environment variable {name} is reserved")
        require(isinstance(value, str), f"environment variable {name} is not a string")
