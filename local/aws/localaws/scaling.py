"""AWS::ApplicationAutoScaling::*, for the provisioned concurrency of a function's alias."""

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.awslambda.models import lambda_backends

from .resource import Rejected, Resource, require

_TARGET = ("ResourceId", "ScalableDimension", "ServiceNamespace")


class ScalableTarget(Resource):
    TYPE = "AWS::ApplicationAutoScaling::ScalableTarget"
    REQUIRED = frozenset({*_TARGET, "MaxCapacity", "MinCapacity"})
    OPTIONAL = frozenset({"RoleARN"})
    CREATE_ONLY = frozenset(_TARGET)

    def create(self):
        p = self.properties
        kind, function, alias = (p["ResourceId"].split(":") + ["", ""])[:3]
        require(kind == "function" and alias, f"ResourceId is not function:<name>:<alias>: {p['ResourceId']}")
        try:
            lambda_backends[self.account][self.region].get_alias(alias, function)
        except Exception as error:
            raise Rejected(f"ResourceId names no alias: {p['ResourceId']}") from error
        self.update(p)
        self.physical_resource_id = "|".join(p[k] for k in _TARGET)

    def update(self, properties):
        p = properties
        low, high = int(p["MinCapacity"]), int(p["MaxCapacity"])
        require(0 < low <= high, f"MinCapacity is {low}, MaxCapacity {high}")
        _backend(self).register_scalable_target(
            p["ServiceNamespace"], p["ResourceId"], p["ScalableDimension"], low, high, p.get("RoleARN"), None
        )

    def remove(self):
        p = self.properties
        _backend(self).deregister_scalable_target(p["ServiceNamespace"], p["ResourceId"], p["ScalableDimension"])

    def attributes(self):
        return {"Id": self.physical_resource_id}


class ScalingPolicy(Resource):
    TYPE = "AWS::ApplicationAutoScaling::ScalingPolicy"
    REQUIRED = frozenset({"PolicyName", "PolicyType"})
    OPTIONAL = frozenset({*_TARGET, "ScalingTargetId", "TargetTrackingScalingPolicyConfiguration"})
    CREATE_ONLY = frozenset({*_TARGET, "PolicyName", "ScalingTargetId"})

    def create(self):
        p = self.properties
        ids = p["ScalingTargetId"].split("|") if "ScalingTargetId" in p else [p.get(k) for k in _TARGET]
        require(len(ids) == 3 and all(ids), "neither ScalingTargetId nor " + ", ".join(_TARGET))
        self.resource_id, self.dimension, self.namespace = ids
        targets = _backend(self).describe_scalable_targets(self.namespace, [self.resource_id], self.dimension)
        require(targets, f"no scalable target {self.resource_id}")
        self.update(p)

    def update(self, properties):
        p = properties
        require(p["PolicyType"] == "TargetTrackingScaling", "PolicyType is not TargetTrackingScaling")
        tracking = p.get("TargetTrackingScalingPolicyConfiguration", {})
        metric = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
        require(metric == "LambdaProvisionedConcurrencyUtilization", f"metric {metric!r} is not one of Lambda's")
        value = float(tracking.get("TargetValue", 0))
        require(0 < value <= 1, f"TargetValue is {value}; the utilization lies between 0 and 1")
        policy = _backend(self).put_scaling_policy(
            p["PolicyName"], self.namespace, self.resource_id, self.dimension, tracking, p["PolicyType"]
        )
        self.physical_resource_id = policy.policy_arn

    def remove(self):
        _backend(self).delete_scaling_policy(
            self.properties["PolicyName"], self.namespace, self.resource_id, self.dimension
        )

    def attributes(self):
        return {"Arn": self.physical_resource_id}


def _backend(resource):
    return applicationautoscaling_backends[resource.account][resource.region]
