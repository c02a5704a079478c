"""CloudWatch Logs: filter patterns for JSON events, and metric filters. moto stores both and acts on neither."""

import json

from moto.logs import models
from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
from moto.logs.responses import LogsResponse
from moto.logs.utils import EventMessageFilter, UnsupportedFilterPattern

from . import metric, pattern


def install():
    backend, group = models.LogsBackend, models.LogGroup
    backend.put_metric_filter = _checking_metric_filters(backend.put_metric_filter)
    backend.filter_log_events = _checking_patterns(backend.filter_log_events)
    group.put_log_events = _publishing(group.put_log_events)
    models.EventMessageFilter = _Filter
    LogsResponse.test_metric_filter = _test_metric_filter


class _Filter(EventMessageFilter):
    """moto's own for terms; its own lets a JSON pattern match every event."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text or ""

    def matches(self, message):
        return pattern.matches(self.text, message) if pattern.is_json(self.text) else super().matches(message)


def _check_pattern(text):
    """Refuses a malformed JSON pattern, and a pattern of another kind that moto would let match every event."""
    if not text:
        return
    if not pattern.is_json(text):
        if isinstance(EventMessageFilter(text).filter_type, UnsupportedFilterPattern):
            raise InvalidParameterException(f"the local AWS does not know filter patterns of this kind: {text}")
        return
    try:
        pattern.parse(text)
    except pattern.Malformed as error:
        raise InvalidParameterException(f"Invalid filter pattern: {error}") from error


def _checking_patterns(filter_log_events):
    """Where no event is there to be matched, nothing else would find that the pattern is malformed."""

    def checked(
        self, log_group_name, log_stream_names, start_time, end_time, limit, next_token, filter_pattern, interleaved
    ):
        _check_pattern(filter_pattern)
        return filter_log_events(
            self, log_group_name, log_stream_names, start_time, end_time, limit, next_token, filter_pattern, interleaved
        )

    return checked


def _checking_metric_filters(put_metric_filter):
    """PutMetricFilter "creates or updates" (CloudWatch Logs API reference); moto would have a name twice."""

    def checked(self, filter_name, filter_pattern, log_group_name, metric_transformations):
        if log_group_name not in self.groups:
            raise ResourceNotFoundException()
        _check_pattern(filter_pattern)
        _check_transformation(metric_transformations)
        self.delete_metric_filter(filter_name, log_group_name)
        put_metric_filter(self, filter_name, filter_pattern, log_group_name, metric_transformations)

    return checked


def _check_transformation(transformations):
    """CloudWatch Logs API reference, "MetricTransformation"; user guide, "Creating metrics from log events using
    filters", for what excludes what."""
    if len(transformations) != 1:
        raise InvalidParameterException("metricTransformations has not exactly one")
    transformation = transformations[0]
    for name in ("metricName", "metricNamespace", "metricValue"):
        if not transformation.get(name):
            raise InvalidParameterException(f"metricTransformations lacks {name}")
    value, dimensions = transformation["metricValue"], transformation.get("dimensions") or {}
    if not pattern.is_selector(value) and metric.number(value) is None:
        raise InvalidParameterException(f"metricValue is neither a number nor a field: {value}")
    if dimensions and "defaultValue" in transformation:
        raise InvalidParameterException("a default value excludes dimensions")
    if len(dimensions) > 3:
        raise InvalidParameterException(f"{len(dimensions)} dimensions, not 3 at most")
    for selector in dimensions.values():
        if not pattern.is_selector(selector):
            raise InvalidParameterException(f"a dimension's value is not a field: {selector}")


def _publishing(put_log_events):
    def put(self, log_stream_name, log_events):
        answer = put_log_events(self, log_stream_name, log_events)
        backend = models.logs_backends[self.account_id][self.region]
        for one in backend.filters.get_matching_filters(log_group_name=self.name):
            matching = _Filter(one["filterPattern"])
            marked = [(event, matching.matches(event["message"])) for event in log_events]
            metric.publish(self.account_id, self.region, one, marked)
        return answer

    return put


def _test_metric_filter(self):
    """TestMetricFilter. The API reference's examples count from 0; the user guide has values extracted for
    space-delimited patterns only."""
    text, messages = self._get_param("filterPattern"), self._get_param("logEventMessages")
    _check_pattern(text)
    matching = _Filter(text)
    found = [
        {"eventNumber": number, "eventMessage": message, "extractedValues": {}}
        for number, message in enumerate(messages)
        if matching.matches(message)
    ]
    return json.dumps({"matches": found})
