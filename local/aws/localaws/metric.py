"""The data points that a metric filter makes of log events.

CloudWatch Logs user guide, "Filter pattern syntax for metric filters", section "Configuring metric values for a metric
filter"; CloudFormation template reference, "AWS::Logs::MetricFilter Dimension".
"""

import math
import threading
from datetime import datetime, timezone

from moto.cloudwatch.models import MetricDatum, cloudwatch_backends

from . import pattern

# Two requests at once must not both see a minute without data.
_lock = threading.Lock()


class _Datum(MetricDatum):
    """A data point that knows which filter made it, and whether for want of a match."""

    def __init__(self, source, value, dimensions, milliseconds, is_default=False):
        transformation = source["metricTransformations"][0]
        # moto's clock has no time zone.
        time = datetime.fromtimestamp(milliseconds / 1000, timezone.utc).replace(tzinfo=None)
        super().__init__(
            transformation["metricNamespace"],
            transformation["metricName"],
            value,
            dimensions,
            time,
            transformation.get("unit", "None"),
        )
        self.source = source["logGroupName"], source["filterName"]
        self.minute = _minute(milliseconds)
        self.is_default = is_default


def publish(account, region, source, events):
    """Publishes what a metric filter makes of new log events, which are pairs of an event and whether it matches.

    The default value stands for a minute in which events came and none matched. That minute is the events' own, since
    a data point has the time of its event.
    """
    data = cloudwatch_backends[account][region].metric_data
    default = source["metricTransformations"][0].get("defaultValue")
    with _lock:
        if default is not None:
            _publish_defaults(data, source, float(default), events)
        for event, matches in events:
            if matches:
                data.extend(_data(source, event))


def _publish_defaults(data, source, value, events):
    matched = {_minute(event["timestamp"]) for event, matches in events if matches}
    for datum in [d for d in data if _is_from(d, source) and d.is_default and d.minute in matched]:
        data.remove(datum)
    covered = matched | {d.minute for d in data if _is_from(d, source)}
    for event, _ in events:
        minute = _minute(event["timestamp"])
        if minute not in covered:
            covered.add(minute)
            data.append(_Datum(source, value, [], event["timestamp"], is_default=True))


def number(text):
    """The number that a metric can have, or None."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _data(source, event):
    """The data point of an event that matches: none if the value is a field that is not there or is no number.

    A dimension whose field is not there is left out: the template reference has it "only be published for a metric if
    the value is found in the log event".
    """
    transformation = source["metricTransformations"][0]
    content = pattern.read(event["message"]) or {}
    value = transformation["metricValue"]
    if pattern.is_selector(value):
        value = pattern.field(content, value)
        value = None if isinstance(value, str) else value
    value = number(value)
    if value is None:
        return []
    found = {k: pattern.field(content, v) for k, v in (transformation.get("dimensions") or {}).items()}
    dimensions = [{"Name": k, "Value": str(v)} for k, v in found.items() if v is not None]
    return [_Datum(source, value, dimensions, event["timestamp"])]


def _is_from(datum, source):
    return isinstance(datum, _Datum) and datum.source == (source["logGroupName"], source["filterName"])


def _minute(milliseconds):
    return milliseconds // 60000
