"""Metrics that metric filters make of log lines. Run: python3 -m unittest discover -s local/aws"""

import json
import time
from datetime import datetime, timezone

from botocore.exceptions import ClientError

from started import Started

PATTERN = '{ $.msg = "checkToken" }'


class Metric(Started):
    def setUp(self):
        self.logs, self.cloudwatch = self.client("logs"), self.client("cloudwatch")
        self.name = self._testMethodName
        # The middle of a minute, long enough ago for the tests to look back at it.
        self.then = (int(time.time()) // 60 - 10) * 60000 + 30000
        self.logs.create_log_group(logGroupName=self.name)
        self.logs.create_log_stream(logGroupName=self.name, logStreamName="stream")

    def filter(self, name="filter", pattern=PATTERN, **transformation):
        transformation = {"metricName": "m", "metricNamespace": self.name, "metricValue": "1", **transformation}
        self.logs.put_metric_filter(
            logGroupName=self.name, filterName=name, filterPattern=pattern, metricTransformations=[transformation]
        )

    def put(self, *lines, minute=0):
        events = [
            {"timestamp": self.then + minute * 60000, "message": x if isinstance(x, str) else json.dumps(x)}
            for x in lines
        ]
        self.logs.put_log_events(logGroupName=self.name, logStreamName="stream", logEvents=events)

    def points(self, dimensions=(), minutes=10):
        answer = self.cloudwatch.get_metric_statistics(
            Namespace=self.name,
            MetricName="m",
            Dimensions=[{"Name": k, "Value": v} for k, v in dimensions],
            StartTime=datetime.fromtimestamp(self.then / 1000 - 60, timezone.utc),
            EndTime=datetime.fromtimestamp(self.then / 1000 + minutes * 60, timezone.utc),
            Period=60,
            Statistics=["Sum", "SampleCount"],
        )
        return sorted(answer["Datapoints"], key=lambda p: p["Timestamp"])

    def sums(self, dimensions=()):
        return [(p["Sum"], p["SampleCount"]) for p in self.points(dimensions)]

    def test_lines_are_counted_at_their_own_time(self):
        self.put({"msg": "checkToken"})
        self.filter(unit="Count")
        self.put({"msg": "checkToken"}, "no JSON", {"msg": "other"}, {"msg": "checkToken"})
        self.put({"msg": "checkToken"}, minute=3)
        points = self.points()
        self.assertEqual([(2.0, "Count"), (1.0, "Count")], [(p["Sum"], p["Unit"]) for p in points])
        self.assertEqual([0, 180], [p["Timestamp"].timestamp() - self.then / 1000 for p in points])
        listed = self.cloudwatch.list_metrics(Namespace=self.name)["Metrics"]
        self.assertEqual({"m"}, {m["MetricName"] for m in listed})
        query = {"Metric": {"Namespace": self.name, "MetricName": "m"}, "Period": 600, "Stat": "Sum"}
        data = self.cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "q", "MetricStat": query}],
            StartTime=datetime.fromtimestamp(self.then / 1000 - 60, timezone.utc),
            EndTime=datetime.fromtimestamp(self.then / 1000 + 300, timezone.utc),
        )["MetricDataResults"][0]
        self.assertEqual([3.0], data["Values"])

    def test_a_field_is_the_value_if_it_is_a_number(self):
        self.filter(metricValue="$.time.idp_ms")
        self.put(*({"msg": "checkToken", "time": {"idp_ms": v}} for v in (1.5, 2, "3", None, True, [4])))
        self.put({"msg": "checkToken"})
        self.assertEqual([(3.5, 2.0)], self.sums())

    def test_fields_are_dimensions(self):
        self.filter(dimensions={"Reason": "$.reason", "Code": "$.code"})
        self.put({"msg": "checkToken", "reason": "expired", "code": 1}, {"msg": "checkToken", "reason": "expired"})
        self.put({"msg": "checkToken", "reason": "audience"}, {"msg": "checkToken"})
        listed = self.cloudwatch.list_metrics(Namespace=self.name)["Metrics"]
        dimensions = [tuple((d["Name"], d["Value"]) for d in m["Dimensions"]) for m in listed]
        expired, audience = ("Reason", "expired"), ("Reason", "audience")
        self.assertEqual(sorted([(expired, ("Code", "1")), (expired,), (audience,), ()]), sorted(dimensions))
        self.assertEqual([(2.0, 2.0)], self.sums([expired]))
        self.assertEqual([(1.0, 1.0)], self.sums([audience]))

    def test_the_default_is_for_minutes_without_a_match(self):
        self.filter(defaultValue=7)
        self.put("one", "two")
        self.put("three")
        self.assertEqual([(7.0, 1.0)], self.sums())
        self.put({"msg": "checkToken"})
        self.put("four")
        self.assertEqual([(1.0, 1.0)], self.sums())
        self.put("five", minute=2)
        self.assertEqual([(1.0, 1.0), (7.0, 1.0)], self.sums())

    def test_without_a_default_there_is_none(self):
        self.filter()
        self.put("one")
        self.assertEqual([], self.sums())

    def test_a_filter_is_put_again_and_goes(self):
        self.filter()
        self.filter(pattern="{ $.a = 1 }", metricValue="5")
        self.put({"msg": "checkToken"}, {"a": 1})
        self.assertEqual([(5.0, 1.0)], self.sums())
        self.logs.delete_metric_filter(logGroupName=self.name, filterName="filter")
        self.put({"a": 1})
        self.assertEqual([(5.0, 1.0)], self.sums())

    def test_other_groups_are_not_its_concern(self):
        self.filter()
        other = {"logGroupName": self.name + "-other", "logStreamName": "stream"}
        self.logs.create_log_group(logGroupName=other["logGroupName"])
        self.logs.create_log_stream(**other)
        self.logs.put_log_events(**other, logEvents=[{"timestamp": self.then, "message": '{"msg": "checkToken"}'}])
        self.assertEqual([], self.sums())

    def test_what_is_refused(self):
        for transformation, because in (
            ({"metricValue": "one"}, "neither a number nor a field"),
            ({"metricValue": "nan"}, "neither a number nor a field"),
            ({"dimensions": {"A": "a"}}, "dimension's value is not a field"),
            ({"dimensions": {n: f"$.{n}" for n in "abcd"}}, "4 dimensions"),
            ({"dimensions": {"A": "$.a"}, "defaultValue": 0}, "a default value excludes dimensions"),
        ):
            with self.subTest(because), self.assertRaisesRegex(ClientError, "InvalidParameterException.*" + because):
                self.filter(**transformation)
        with self.assertRaisesRegex(ClientError, "ResourceNotFoundException"):
            self.logs.put_metric_filter(
                logGroupName="nowhere",
                filterName="f",
                filterPattern=PATTERN,
                metricTransformations=[{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
            )

    def deploy(self, kind, pattern):
        resource = {
            "Type": "AWS::Logs::MetricFilter",
            "Properties": {
                "FilterPattern": pattern,
                "LogGroupName": self.name,
                "MetricTransformations": [
                    {
                        "MetricName": "m",
                        "MetricNamespace": self.name,
                        "MetricValue": "1",
                        "Unit": "Count",
                        "Dimensions": [{"Key": "Reason", "Value": "$.reason"}],
                    }
                ],
            },
        }
        body = json.dumps({"Resources": {"Filter": resource}})
        cloudformation = self.client("cloudformation")
        change_set = cloudformation.create_change_set(
            StackName="metric", ChangeSetName="deploy", ChangeSetType=kind, TemplateBody=body
        )
        cloudformation.execute_change_set(ChangeSetName=change_set["Id"])

    def test_a_deployed_filter_works_and_is_checked(self):
        self.deploy("CREATE", PATTERN)
        self.put({"msg": "checkToken", "reason": "expired"})
        self.assertEqual([(1.0, 1.0)], self.sums([("Reason", "expired")]))
        described = self.logs.describe_metric_filters(logGroupName=self.name)["metricFilters"]
        self.assertEqual({"Reason": "$.reason"}, described[0]["metricTransformations"][0]["dimensions"])
        self.deploy("UPDATE", "{ $.msg = }")
        status = self.client("cloudformation").describe_stacks(StackName="metric")["Stacks"][0]["StackStatus"]
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", status)
        self.deploy("UPDATE", "{ $.msg = other }")
        self.put({"msg": "checkToken", "reason": "expired"}, {"msg": "other", "reason": "audience"})
        self.assertEqual([(1.0, 1.0)], self.sums([("Reason", "expired")]))
        self.assertEqual([(1.0, 1.0)], self.sums([("Reason", "audience")]))
