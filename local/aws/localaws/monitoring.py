"""AWS::Logs::LogGroup and ::MetricFilter, AWS::CloudWatch::Alarm and ::Dashboard, AWS::SNS::Topic and its policy and
subscriptions, on moto's services."""

import json

from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat, cloudwatch_backends
from moto.logs.models import logs_backends
from moto.moto_api._internal import mock_random
from moto.sns.models import sns_backends

from .resource import Rejected, Resource, require, require_match, tag_map

_RETENTION = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
_COMPARISONS = (
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)


class LogGroup(Resource):
    TYPE = "AWS::Logs::LogGroup"
    OPTIONAL = frozenset({"KmsKeyId", "LogGroupName", "RetentionInDays", "Tags"})
    CREATE_ONLY = frozenset({"LogGroupName"})

    def create(self):
        p = self.properties
        name = p.get("LogGroupName") or self.generated_name()
        require_match(r"[.\-_/#A-Za-z0-9]{1,512}", name, "LogGroupName")
        require(name not in _logs(self).groups, f"log group {name} exists already")
        self.group = _logs(self).create_log_group(name, tag_map(p), kmsKeyId=p.get("KmsKeyId"))
        self.physical_resource_id = name
        self.update(p)

    def update(self, properties):
        days = properties.get("RetentionInDays")
        require(days is None or int(days) in _RETENTION, f"RetentionInDays {days} is none of CloudWatch's")
        self.group.retention_in_days = days and int(days)

    def remove(self):
        if self.physical_resource_id in _logs(self).groups:
            _logs(self).delete_log_group(self.physical_resource_id)

    def attributes(self):
        return {"Arn": self.group.arn}


class MetricFilter(Resource):
    TYPE = "AWS::Logs::MetricFilter"
    REQUIRED = frozenset({"FilterPattern", "LogGroupName", "MetricTransformations"})
    OPTIONAL = frozenset({"FilterName"})
    CREATE_ONLY = frozenset({"FilterName", "LogGroupName"})

    def create(self):
        self.physical_resource_id = self.properties.get("FilterName") or self.generated_name()
        self.update(self.properties)

    def update(self, properties):
        wire = [{k[0].lower() + k[1:]: v for k, v in t.items()} for t in properties["MetricTransformations"]]
        for transformation in wire:
            if "dimensions" in transformation:  # a list in CloudFormation, a map in the service
                transformation["dimensions"] = {d["Key"]: d["Value"] for d in transformation["dimensions"]}
        group = properties["LogGroupName"]
        _logs(self).put_metric_filter(self.physical_resource_id, properties["FilterPattern"], group, wire)

    def remove(self):
        _logs(self).delete_metric_filter(self.physical_resource_id, self.properties["LogGroupName"])


class QueryDefinition(Resource):
    """A saved query, which nothing here runs."""

    TYPE = "AWS::Logs::QueryDefinition"
    REQUIRED = frozenset({"Name", "QueryString"})
    OPTIONAL = frozenset({"LogGroupNames"})

    def create(self):
        self.physical_resource_id = mock_random.get_random_hex(32)

    def update(self, properties):
        pass

    def remove(self):
        pass


class Alarm(Resource):
    TYPE = "AWS::CloudWatch::Alarm"
    REQUIRED = frozenset({"ComparisonOperator", "EvaluationPeriods"})
    OPTIONAL = frozenset(
        {
            "ActionsEnabled",
            "AlarmActions",
            "AlarmDescription",
            "AlarmName",
            "DatapointsToAlarm",
            "Dimensions",
            "ExtendedStatistic",
            "InsufficientDataActions",
            "MetricName",
            "Metrics",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Tags",
            "Threshold",
            "TreatMissingData",
            "Unit",
        }
    )
    CREATE_ONLY = frozenset({"AlarmName"})

    def create(self):
        self.physical_resource_id = self.properties.get("AlarmName") or self.generated_name()
        require(self.physical_resource_id not in _alarms(self).alarms, "an alarm of this name exists already")
        self.update(self.properties)

    def update(self, properties):
        p = properties
        require(p["ComparisonOperator"] in _COMPARISONS, f"ComparisonOperator {p['ComparisonOperator']!r}")
        require("Threshold" in p, "Threshold is missing")
        require(("MetricName" in p) != ("Metrics" in p), "neither or both of MetricName and Metrics")
        if "MetricName" in p:
            require(p.get("Namespace") and p.get("Period"), "Namespace or Period is missing")
            require(("Statistic" in p) != ("ExtendedStatistic" in p), "not one of Statistic and ExtendedStatistic")
        periods, points = int(p["EvaluationPeriods"]), int(p.get("DatapointsToAlarm", 1))
        require(1 <= points <= periods, f"DatapointsToAlarm is {points}, EvaluationPeriods {periods}")
        alarm = _alarms(self).put_metric_alarm(
            name=self.physical_resource_id,
            namespace=p.get("Namespace"),
            metric_name=p.get("MetricName"),
            metric_data_queries=[_query(m) for m in p.get("Metrics", [])] or None,
            comparison_operator=p["ComparisonOperator"],
            evaluation_periods=periods,
            datapoints_to_alarm=p.get("DatapointsToAlarm"),
            period=p.get("Period"),
            threshold=p["Threshold"],
            statistic=p.get("Statistic"),
            extended_statistic=p.get("ExtendedStatistic"),
            description=p.get("AlarmDescription"),
            dimensions=p.get("Dimensions", []),
            alarm_actions=p.get("AlarmActions", []),
            ok_actions=p.get("OKActions", []),
            insufficient_data_actions=p.get("InsufficientDataActions", []),
            actions_enabled=p.get("ActionsEnabled", True),
            treat_missing_data=p.get("TreatMissingData"),
            unit=p.get("Unit"),
            tags=p.get("Tags", []),
        )
        self.arn = alarm.alarm_arn

    def remove(self):
        _alarms(self).delete_alarms([self.physical_resource_id])

    def attributes(self):
        return {"Arn": self.arn}


class Dashboard(Resource):
    TYPE = "AWS::CloudWatch::Dashboard"
    REQUIRED = frozenset({"DashboardBody"})
    OPTIONAL = frozenset({"DashboardName"})
    CREATE_ONLY = frozenset({"DashboardName"})

    def create(self):
        self.physical_resource_id = self.properties.get("DashboardName") or self.generated_name()
        require_match(r"[A-Za-z0-9_-]{1,255}", self.physical_resource_id, "DashboardName")
        require(self.physical_resource_id not in _alarms(self).dashboards, "a dashboard of this name exists already")
        self.update(self.properties)

    def update(self, properties):
        try:
            body = json.loads(properties["DashboardBody"])
        except ValueError as error:
            raise Rejected(f"DashboardBody is no JSON: {error}") from error
        require(isinstance(body, dict) and isinstance(body.get("widgets"), list), "DashboardBody has no widgets")
        _alarms(self).put_dashboard(self.physical_resource_id, properties["DashboardBody"])

    def remove(self):
        _alarms(self).delete_dashboards([self.physical_resource_id])


class Topic(Resource):
    TYPE = "AWS::SNS::Topic"
    OPTIONAL = frozenset({"DisplayName", "KmsMasterKeyId", "Tags", "TopicName"})
    CREATE_ONLY = frozenset({"TopicName"})

    def create(self):
        self.name = self.properties.get("TopicName") or self.generated_name()
        self.topic = _sns(self).create_topic(self.name, {}, tag_map(self.properties))
        self.physical_resource_id = self.topic.arn
        self.update(self.properties)

    def update(self, properties):
        self.topic.display_name = properties.get("DisplayName", "")
        self.topic.kms_master_key_id = properties.get("KmsMasterKeyId", "")

    def remove(self):
        _sns(self).delete_topic(self.physical_resource_id)

    def attributes(self):
        return {"TopicArn": self.physical_resource_id, "TopicName": self.name}


class TopicPolicy(Resource):
    TYPE = "AWS::SNS::TopicPolicy"
    REQUIRED = frozenset({"PolicyDocument", "Topics"})

    def create(self):
        self.physical_resource_id = self.generated_name()
        self.update(self.properties)

    def update(self, properties):
        require(properties["PolicyDocument"].get("Statement"), "PolicyDocument has no Statement")
        for arn in properties["Topics"]:
            _sns(self).get_topic(arn).policy = json.dumps(properties["PolicyDocument"])

    def remove(self):
        pass


class Subscription(Resource):
    TYPE = "AWS::SNS::Subscription"
    REQUIRED = frozenset({"Endpoint", "Protocol", "TopicArn"})
    CREATE_ONLY = REQUIRED

    def create(self):
        p = self.properties
        require(p["Protocol"] != "email" or "@" in p["Endpoint"], f"Endpoint {p['Endpoint']!r} is no e-mail address")
        self.physical_resource_id = _sns(self).subscribe(p["TopicArn"], p["Endpoint"], p["Protocol"]).arn

    def update(self, properties):
        pass

    def remove(self):
        _sns(self).unsubscribe(self.physical_resource_id)


def _query(query):
    stat = query.get("MetricStat")
    require((stat is None) != ("Expression" not in query), f"query {query.get('Id')}: not one of metric and expression")
    if stat is not None:
        metric = stat["Metric"]
        dimensions = [Dimension(name=d["Name"], value=d["Value"]) for d in metric.get("Dimensions", [])]
        stat = MetricStat(
            metric=Metric(metric_name=metric["MetricName"], namespace=metric["Namespace"], dimensions=dimensions),
            period=stat["Period"],
            stat=stat["Stat"],
            unit=stat.get("Unit"),
        )
    return MetricDataQuery(
        query_id=query["Id"],
        label=query.get("Label"),
        period=query.get("Period"),
        return_data=query.get("ReturnData", True),
        expression=query.get("Expression"),
        metric_stat=stat,
    )


def _logs(resource):
    return logs_backends[resource.account][resource.region]


def _alarms(resource):
    return cloudwatch_backends[resource.account][resource.region]


def _sns(resource):
    return sns_backends[resource.account][resource.region]
