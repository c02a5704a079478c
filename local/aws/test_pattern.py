"""Filter patterns for JSON log events. Run: python3 -m unittest discover -s local/aws"""

import json
import time

from botocore.exceptions import ClientError

from started import Started

# Of the CloudWatch Logs user guide, "Filter pattern syntax", both of its examples in one.
EVENT = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "ThisFlag": True,
    "OtherFlag": False,
    "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"],
    "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
    "latency": 55.5,
    "errorCode": 400,
    "account": "400",
    "odd": 'a "b" \\ *c',
    "literal": "Ev*ent",
}
MATCHING = (
    '{ $.eventType = "UpdateTrail" }',
    "{$.eventType=UpdateTrail}",
    "{ $.eventType != CreateTrail }",
    "{ $.sourceIPAddress != 123.123.* }",
    "{ $.sourceIPAddress = 111.111.* }",
    '{ $.eventType = "*Trail" }',
    '{ $.eventType = "*dateTr*" }',
    '{ $.arrayKey[0] = "value" }',
    "{ $.objectList[1].id = 2 }",
    "{ $.coordinates[1][2] = 6 }",
    "{ $.SomeObject IS NULL }",
    "{ $.SomeOtherObject NOT EXISTS }",
    "{ $.user.name NOT EXISTS }",
    "{ $.actions[3] NOT EXISTS }",
    "{ $.ThisFlag IS TRUE }",
    "{ $.OtherFlag IS FALSE }",
    '{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }',
    '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }',
    "{ $.latency > 55 && $.latency >= 55.5 && $.latency <= 555e-1 && $.latency < +56 && $.latency > -1 }",
    "{ $.latency = * }",
    "{ $.errorCode = 400 && $.errorCode = 4e2 && $.errorCode = 4* && $.errorCode != 500 }",
    "{ $.account = 400 }",
    r'{ $.odd = "a \"b\" \\ *c" }',
    '{ $.literal = "Ev*ent" }',
)
NOT_MATCHING = (
    '{ $.eventType = "updateTrail" }',
    '{ $.eventType = "Update" }',
    '{ $.eventType = "Up*Trail" }',
    "{ $.eventType != UpdateTrail }",
    '{ $.eventType != "Update*" }',
    "{ $.eventType > 1 }",
    "{ $.sourceIPAddress = 111x111.* }",
    "{ $.arrayKey[2] = * }",
    "{ $.eventType[0] = * }",
    "{ $.arrayKey.value = * }",
    "{ $.SomeOtherObject IS NULL }",
    "{ $.eventType IS NULL }",
    "{ $.SomeObject NOT EXISTS }",
    "{ $.ThisFlag IS FALSE }",
    "{ $.OtherFlag IS TRUE }",
    "{ $.errorCode IS TRUE }",
    '{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }',
    '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch }',
    "{ $.users = 1 }",
    "{ $.users != 1 }",
    "{ $.user != 1 }",
    "{ $.missing != 1 }",
    '{ $.missing != "x" }',
    "{ $.missing < 1 }",
    "{ $.SomeObject != 1 }",
    "{ $.ThisFlag != 1 }",
    "{ $.ThisFlag > 0 }",
    '{ $.errorCode = "400" }',
    '{ $.errorCode != "500" }',
    "{ $.latency > 55.5 }",
    "{ $.latency < 55.5 }",
)
MALFORMED = (
    "{ $.a = 1",
    "{ }",
    "{ a = 1 }",
    "{ $.a }",
    "{ $.a = }",
    "{ $.a == 1 }",
    "{ $.a = 1 && }",
    "{ $.a = 1 $.b = 2 }",
    "{ ($.a = 1 }",
    "{ $.a = 1) }",
    '{ $.a = "x }',
    "{ $.a > x }",
    '{ $.a > "1" }',
    "{ $.a IS MISSING }",
    "{ $.a NOT NULL }",
    "{ $.a = $.b }",
    "{ $.a = x@y }",
    "{ $.a = %x% }",
    "{ $ = 1 }",
)


class Pattern(Started):
    def setUp(self):
        self.logs = self.client("logs")

    def group(self, name, *messages):
        self.logs.create_log_group(logGroupName=name)
        self.logs.create_log_stream(logGroupName=name, logStreamName="stream")
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": m} for m in messages]
        self.logs.put_log_events(logGroupName=name, logStreamName="stream", logEvents=events)

    def found_in(self, pattern, *messages):
        return self.logs.test_metric_filter(filterPattern=pattern, logEventMessages=list(messages))["matches"]

    def test_the_guides_examples_and_what_lies_beside_them(self):
        for expected, patterns in ((1, MATCHING), (0, NOT_MATCHING)):
            for pattern in patterns:
                with self.subTest(pattern):
                    self.assertEqual(expected, len(self.found_in(pattern, json.dumps(EVENT))))

    def test_what_is_tested_comes_back_with_its_number(self):
        found = self.found_in("{ $.a NOT EXISTS }", "a line", '["a"]', '{"b": 1}', '{"a": 1}', '{"a"', "{}")
        self.assertEqual([(2, '{"b": 1}'), (5, "{}")], [(f["eventNumber"], f["eventMessage"]) for f in found])
        self.assertEqual({}, found[0]["extractedValues"])

    def test_a_search_finds_what_matches(self):
        self.group("searched", '{"a": 1}', '{"a": 2}', "a = 2 in text", '{"a": 2, "b": 1}')

        def found(pattern):
            events = self.logs.filter_log_events(logGroupName="searched", filterPattern=pattern)["events"]
            return [e["message"] for e in events]

        self.assertEqual(['{"a": 2}', '{"a": 2, "b": 1}'], found("{ $.a = 2 }"))
        # As `aws logs tail` asks.
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName="searched", interleaved=True, startTime=1, filterPattern="{ $.b = 1 }"
        )
        self.assertEqual(['{"a": 2, "b": 1}'], [e["message"] for page in pages for e in page["events"]])
        self.assertEqual(["a = 2 in text"], found('"in text"'))
        self.assertEqual(4, len(found("")))
        self.assertEqual(4, len(self.logs.filter_log_events(logGroupName="searched")["events"]))

    def test_malformed_patterns_are_refused(self):
        self.logs.create_log_group(logGroupName="empty")
        transformation = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
        for pattern in (*MALFORMED, "[ip, user]", "%x%", "?one ?other"):
            for call in (
                lambda p: self.logs.test_metric_filter(filterPattern=p, logEventMessages=["{}"]),
                lambda p: self.logs.filter_log_events(logGroupName="empty", filterPattern=p),
                lambda p: self.logs.put_metric_filter(
                    logGroupName="empty", filterName="f", filterPattern=p, metricTransformations=[transformation]
                ),
            ):
                with self.subTest(pattern), self.assertRaises(ClientError) as refusal:
                    call(pattern)
                self.assertEqual("InvalidParameterException", refusal.exception.response["Error"]["Code"])
        self.assertEqual([], self.logs.describe_metric_filters(logGroupName="empty")["metricFilters"])
