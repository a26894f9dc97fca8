"""From the bytes of a record to a `Prediction` or a `Label`, or to one reason why not.

The order of the checks is the order of their cost: size, depth, JSON, fields. jiter is the parser because it reads the
NaN and Infinity tokens that Python services write and can refuse duplicate keys; msgspec and orjson do neither.

Of several mistakes one is told: the first of size, depth, JSON (of these the one that stands first in the text), an
unknown `schema_version`, the fields in the contract's order, unknown fields.
"""

from __future__ import annotations

import re
from array import array
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, TypeVar

import jiter
from pydantic import ValidationError

from driftline.schemas.errors import DecodeError, Reason, reworded
from driftline.schemas.events import Event
from driftline.schemas.fields import SHOWN, refuse

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 8
MAX_FIELDS: Final = 64
"""No version of an event will have more; pydantic takes 2 us to complain of each."""

# A string that is never closed runs to the end: the text is not JSON then, and the match stays linear in its length.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = bytes.maketrans(b"[{]}", bytes([1, 1, 255, 255]))  # 255 is -1 as a signed byte

REASONS: Final[dict[str, Reason]] = {
    "missing": Reason.MISSING_FIELD,
    "extra_forbidden": Reason.UNKNOWN_FIELD,
    "string_type": Reason.WRONG_TYPE,
    "string_too_short": Reason.EMPTY_NAME,
    "string_too_long": Reason.NAME_TOO_LONG,
    "dict_type": Reason.WRONG_TYPE,
    "list_type": Reason.WRONG_TYPE,
    "float_type": Reason.WRONG_TYPE,
    "finite_number": Reason.NON_FINITE,
    "greater_than_equal": Reason.OUT_OF_RANGE,
    "less_than_equal": Reason.OUT_OF_RANGE,
    **{refuse(reason, "").type: reason for reason in Reason},
}
"""The reason behind each type of error: of the constraints of pydantic that events use, and of our own validators."""

E = TypeVar("E", bound=Event)


def decode(raw: bytes | None, into: type[E]) -> E:
    """Read one record.

    Parameters
    ----------
    raw
        The record's value: JSON in UTF-8, at most 1 MB, nested at most 8 deep. None is a Kafka tombstone.
    into
        `Prediction` or `Label`: the topic tells which.

    Raises
    ------
    DecodeError
        And nothing else, whatever the bytes.

    Examples
    --------
    >>> from driftline.schemas.events import Label
    >>> decode(b'{"model_id":"m","prediction_id":"p","timestamp":0,"label":1}', Label).label
    1
    >>> decode(b'{"model_id":"m","prediction_id":"p","timestamp":0,"label":NaN}', Label)
    Traceback (most recent call last):
    driftline.schemas.errors.DecodeError: non_finite: label: must be a finite number

    """
    return validate(parse(raw), into)


def validate(fields: dict[str, Any], into: type[E]) -> E:
    """Check what `parse` has returned.

    Raises
    ------
    DecodeError
        With the first of its mistakes.

    """
    if len(fields) > MAX_FIELDS:
        fields = _with_one_unknown(fields, into)
    try:
        # What `model_validate` calls, without its 0.4 us for options that are not used here.
        event: E = into.__pydantic_validator__.validate_python(fields)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False, include_context=False), into.__name__) from None
    return event


def parse(raw: bytes | None, most_bytes: int = MAX_BYTES, most_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Read the JSON object that a record must be, whatever its fields.

    Raises
    ------
    DecodeError
        If it is none, or larger or deeper than it may be.

    """
    if raw is None:
        raise DecodeError(Reason.INVALID_JSON, "the record has no value (a tombstone)")
    if len(raw) > most_bytes:
        raise DecodeError(Reason.TOO_LARGE, f"more than {most_bytes} bytes")
    if raw.count(b"{") + raw.count(b"[") > most_depth and depth(raw) > most_depth:
        raise DecodeError(Reason.TOO_DEEP, f"nested deeper than {most_depth}")
    try:
        parsed = jiter.from_json(raw, cache_mode="keys", catch_duplicate_keys=True)
    except ValueError as error:
        raise _syntax_error(str(error)) from None
    if not isinstance(parsed, dict):
        raise DecodeError(Reason.NOT_AN_OBJECT, "the record must be a JSON object")
    return parsed


def _with_one_unknown(fields: dict[str, Any], into: type[E]) -> dict[str, Any]:
    """Leave out all fields but those that there are and the first that there is not."""
    known = {name: value for name, value in fields.items() if name in into.model_fields}
    unknown = next(name for name in fields if name not in into.model_fields)
    return {**known, unknown: None}


def depth(raw: bytes) -> int:
    """Return how deep the brackets of a JSON text nest, those inside strings left out.

    Examples
    --------
    >>> depth(b'{"a": [1, {"b": "]]}"}]}')
    3

    """
    brackets = _STRING.sub(b"", raw).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(array("b", brackets)), default=0)


def _syntax_error(message: str) -> DecodeError:
    # jiter tells its errors apart in words only; tests hold these words to the installed version.
    if message.startswith("Detected duplicate key"):
        return DecodeError(Reason.DUPLICATE_KEY, "an object has a key twice")
    if message.startswith("number out of range"):
        return DecodeError(Reason.OUT_OF_RANGE, "a number has too many digits")
    return DecodeError(Reason.INVALID_JSON, message)


def _reason_of(error: ErrorDetails) -> Reason:
    # A type that a later pydantic may add to the constraints would be of this kind.
    return REASONS.get(error["type"], Reason.WRONG_TYPE)


def _refusal(errors: list[ErrorDetails], event: str) -> DecodeError:
    # An unknown version explains every other complaint about the record, so it is said first.
    first = next((e for e in errors if _reason_of(e) is Reason.UNKNOWN_SCHEMA_VERSION), errors[0])
    reason = _reason_of(first)
    field, *entry = (f"{part}"[:SHOWN] for part in first["loc"])
    if reason is Reason.UNKNOWN_FIELD:
        hint = "; a model's inputs belong into `features`" if event.startswith("Prediction") else ""
        return DecodeError(reason, f"{field!a} is no field of a {event}{hint}")
    if first["type"] == "float_type" and type(first["input"]) is int:  # too long to be tried as a float
        return DecodeError(Reason.OUT_OF_RANGE, f"{field}: the number is too large")
    where = f"{field}[{entry[0]!a}]" if entry else field
    return DecodeError(reason, f"{where}: {reworded(first['msg'])}")
