"""CloudWatch Logs filter patterns for JSON log events, such as { ($.msg = "checkToken") && ($.total_ms > 800) }.

CloudWatch Logs user guide, "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live
Tail", section on JSON log events. What it says and is easily got wrong:

- && binds tighter than ||;
- an asterisk is a wildcard at the beginning and at the end of a string only: Ev*ent matches nothing but Ev*ent;
- a comparison, != included, needs a string or a number in the event: with an array or an object it does not match.

What it does not say is decided on the strict side: a field that is missing, null or a boolean matches no comparison
either; a quoted value compares with strings only, and a bare one, unless it is a number, with the text of either.
"""

import json
import operator
import re
from functools import lru_cache

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<punctuation>&&|\|\||[()]|!=|>=|<=|[=<>])
    | (?P<selector>\$(?:\.[A-Za-z0-9_-]+(?:\[[0-9]+\])*)+)
    | (?P<quoted>"(?:[^"\\]|\\["\\])*")
    | (?P<bare>[A-Za-z0-9_.*+-]+)
    )""",
    re.VERBOSE,
)
_ORDER = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[([0-9]+)\]")
_MISSING = object()


class Malformed(Exception):
    """The pattern is not one that CloudWatch Logs, or this module, knows."""


def is_json(pattern):
    """Whether the pattern is for JSON events."""
    return pattern.strip().startswith("{")


def is_selector(text):
    """Whether the text names a field of a JSON event."""
    match = _TOKEN.fullmatch(text)
    return bool(match and match["selector"])


def matches(pattern, message):
    """Whether a log event's message matches the pattern, which is for JSON events."""
    condition = parse(pattern)
    event = read(message)
    return event is not None and condition(event)


def read(message):
    """The event as a dictionary, or None if it is no JSON object."""
    try:
        event = json.loads(message)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def field(event, selector):
    """The value that a selector names as the text or the number that it is, or None."""
    value = _select(event, selector)
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


@lru_cache(maxsize=256)
def parse(pattern):
    """The pattern as a function of an event. Raises Malformed."""
    text = pattern.strip()
    if not (text.startswith("{") and text.endswith("}")):
        raise Malformed("it does not begin with { and end with }")
    tokens = _tokens(text[1:-1])
    condition = _any(tokens)
    if tokens:
        raise Malformed(f"{tokens[0][1]} is not expected there")
    return condition


def _tokens(text):
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise Malformed(f"not understood: {text[position:end].strip()}")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


def _any(tokens):
    conditions = [_all(tokens)]
    while tokens and tokens[0][1] == "||":
        tokens.pop(0)
        conditions.append(_all(tokens))
    return lambda event: any(c(event) for c in conditions)


def _all(tokens):
    conditions = [_one(tokens)]
    while tokens and tokens[0][1] == "&&":
        tokens.pop(0)
        conditions.append(_one(tokens))
    return lambda event: all(c(event) for c in conditions)


def _one(tokens):
    kind, text = _next(tokens)
    if text == "(":
        condition = _any(tokens)
        if _next(tokens)[1] != ")":
            raise Malformed("a parenthesis is not closed")
        return condition
    if kind != "selector":
        raise Malformed(f"{text} is not a field such as $.name")
    sign = _next(tokens)[1]
    if sign in ("IS", "NOT"):
        return _state(text, f"{sign} {_next(tokens)[1]}")
    return _comparison(text, sign, *_next(tokens))


def _next(tokens):
    if not tokens:
        raise Malformed("it ends too early")
    return tokens.pop(0)


def _state(selector, words):
    states = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False, "NOT EXISTS": _MISSING}
    if words not in states:
        raise Malformed(f"{words} is none of {', '.join(states)}")
    return lambda event: _select(event, selector) is states[words]


def _comparison(selector, sign, kind, literal):
    if kind not in ("quoted", "bare"):
        raise Malformed(f"{literal} is not a value")
    is_number = kind == "bare" and _NUMBER.fullmatch(literal)
    if sign in _ORDER:
        if not is_number:
            raise Malformed(f"{literal} is not a number, which {sign} needs")
        return lambda event: _is_number(value := _select(event, selector)) and _ORDER[sign](value, float(literal))
    if sign not in ("=", "!="):
        raise Malformed(f"{sign} is not an operator")
    equal = _equality(kind == "quoted", is_number, literal)

    def compare(event):
        value = field(event, selector)
        if value is None or (kind == "quoted" and not isinstance(value, str)):
            return False
        return equal(value) == (sign == "=")

    return compare


def _equality(is_quoted, is_number, literal):
    text = re.sub(r"\\(.)", r"\1", literal[1:-1]) if is_quoted else literal
    like = _wildcard(text)

    def equal(value):
        if is_number and _is_number(value):
            return value == float(text)
        return bool(like.fullmatch(value if isinstance(value, str) else json.dumps(value)))

    return equal


def _wildcard(text):
    inner = text[1:] if text.startswith("*") else text
    before = ".*" if text.startswith("*") else ""
    after = ".*" if inner.endswith("*") else ""
    return re.compile(before + re.escape(inner[:-1] if after else inner) + after, re.DOTALL)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _select(event, selector):
    value = event
    for name, index in _STEP.findall(selector):
        if name and isinstance(value, dict):
            value = value.get(name, _MISSING)
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return _MISSING
    return value
