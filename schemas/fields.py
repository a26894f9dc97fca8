"""The types of single fields: names, numbers, labels and times, with the limits of the contract.

What pydantic can say in constraints is said so: they run in Rust, and the JSON Schema comes with them. A function that
refuses raises a `PydanticCustomError` that carries its `Reason`; `decoding` knows the reasons of the constraints.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from driftline.schemas.errors import Reason

MAX_NAME: Final = 256
"""Characters of an id, a version, a feature's, attribute's or class's name."""

MAX_STRING: Final = 4096
"""Characters of any other string."""

MAX_INTEGER: Final = 2**53
"""Integers beyond this are not exact as JSON numbers in most languages."""

MAX_NUMBER: Final = 1e100
"""Nothing that is measured comes near, and the square of any number below is finite."""

SHOWN: Final = 40
"""Characters of a name that the sender chose, in the sentence that refuses its record."""

MAX_EPOCH_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last instant RFC 3339 can write
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - offsets are subtracted by hand, which halves the cost
_DATE_AND_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-9]{2}"
_OFFSET: Final = r"[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]"
_MAX_TIME: Final = 64  # characters; 900,000 digits of a second are nobody's
_RFC3339: Final = re.compile(rf"({_DATE_AND_TIME})(?:\.([0-9]+))?({_OFFSET})?")

Scalar: TypeAlias = str | bool | int | float


def refuse(reason: Reason, detail: str) -> PydanticCustomError:
    """Return the error that a validator raises to refuse a record for `reason`."""
    # Prefixed, because pydantic's own string_too_long is of a name.
    return PydanticCustomError(f"refused_{reason.value}", "{detail}", {"detail": detail})


def plain(value: object) -> object:
    """Return what a numpy scalar holds, and anything else as it is; numpy itself is not needed for it."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else value


def parse_scalar(value: object) -> Scalar:
    """Check a label or a predicted value: a string, a boolean, or a finite number; numpy's are taken too.

    Examples
    --------
    >>> parse_scalar(True), parse_scalar(-1.5), parse_scalar("fraud")
    (True, -1.5, 'fraud')

    """
    if isinstance(value, str):
        if len(value) > MAX_STRING:
            raise refuse(Reason.STRING_TOO_LONG, f"must have at most {MAX_STRING} characters")
        return value
    if isinstance(value, int):  # a boolean is one too
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise refuse(Reason.OUT_OF_RANGE, "an integer beyond 2^53 cannot be held exactly; send it as a string")
        return value
    if isinstance(value, float):
        if -MAX_NUMBER <= value <= MAX_NUMBER:
            return value
        if math.isfinite(value):
            raise refuse(Reason.OUT_OF_RANGE, f"must be at most {MAX_NUMBER:g} from 0")
        raise refuse(Reason.NON_FINITE, "must be a finite number")
    if (unwrapped := plain(value)) is not value:
        return parse_scalar(unwrapped)
    raise refuse(Reason.WRONG_TYPE, "must be a string, a number or a boolean")


def parse_timestamp(value: object) -> int:
    """Read an RFC 3339 string with an offset, or integer epoch milliseconds, as epoch milliseconds.

    Digits after the millisecond are dropped. A leap second is refused, as POSIX time has no number for it.

    Examples
    --------
    >>> parse_timestamp("2026-11-23T04:00:00.250Z")
    1795406400250
    >>> parse_timestamp("2026-11-23T05:00:00+01:00") == parse_timestamp(1795406400000)
    True

    """
    if isinstance(value, int) and not isinstance(value, bool):
        milliseconds = value
    elif isinstance(value, str):
        milliseconds = _parse_rfc3339(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise refuse(Reason.NON_FINITE, "must be a finite number")
    elif (unwrapped := plain(value)) is not value:
        return parse_timestamp(unwrapped)
    else:
        raise refuse(Reason.WRONG_TYPE, "must be an RFC 3339 string or integer epoch milliseconds")
    if not 0 <= milliseconds <= MAX_EPOCH_MS:
        raise refuse(Reason.OUT_OF_RANGE, "must be between 1970 and 9999; an integer counts milliseconds")
    return milliseconds


def _parse_rfc3339(text: str) -> int:
    match = _RFC3339.fullmatch(text) if len(text) <= _MAX_TIME else None
    if match is None:
        raise refuse(Reason.INVALID_TIMESTAMP, "must be RFC 3339, such as 2026-11-23T04:00:00.000Z")
    date_and_time, fraction, offset = match.groups()
    if offset is None:
        raise refuse(Reason.NAIVE_TIMESTAMP, "needs an offset: Z or +01:00")
    try:
        since_epoch = datetime.fromisoformat(date_and_time) - _EPOCH
    except ValueError:
        raise refuse(Reason.INVALID_TIMESTAMP, "is not a moment of the calendar") from None
    milliseconds = since_epoch.days * 86_400_000 + since_epoch.seconds * 1000
    if fraction is not None:
        milliseconds += int(fraction[:3].ljust(3, "0"))
    if offset not in "Zz":
        ahead = int(offset[1:3]) * 3_600_000 + int(offset[4:]) * 60_000
        milliseconds -= ahead if offset[0] == "+" else -ahead
    return milliseconds


def format_timestamp(milliseconds: int) -> str:
    """Write epoch milliseconds as RFC 3339 in UTC.

    Examples
    --------
    >>> format_timestamp(1795406400250)
    '2026-11-23T04:00:00.250Z'

    """
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


_VALUE_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string", "maxLength": MAX_STRING},
        {
            "type": "number",
            "minimum": -MAX_NUMBER,
            "maximum": MAX_NUMBER,
            "description": "An integer at most 2^53 from 0.",
        },
        {"type": "boolean"},
    ],
}
_TIMESTAMP_SCHEMA: Final[dict[str, Any]] = {
    "description": "RFC 3339 with an offset, or integer epoch milliseconds.",
    "anyOf": [
        {
            "type": "string",
            "format": "date-time",
            "maxLength": _MAX_TIME,
            "pattern": rf"^{_DATE_AND_TIME}(?:\.[0-9]+)?(?:{_OFFSET})$",
        },
        {"type": "integer", "minimum": 0, "maximum": MAX_EPOCH_MS},
    ],
}

Name = Annotated[str, Field(strict=True, min_length=1, max_length=MAX_NAME)]
Probability = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
NonNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=MAX_NUMBER)]
Value = Annotated[str | bool | int | float, PlainValidator(parse_scalar), WithJsonSchema(_VALUE_SCHEMA)]
EventTime = Annotated[int, PlainValidator(parse_timestamp), WithJsonSchema(_TIMESTAMP_SCHEMA)]
"""Epoch milliseconds inside, and on the wire of the events that services send."""

Instant = Annotated[
    int,
    PlainValidator(parse_timestamp),
    PlainSerializer(format_timestamp, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Epoch milliseconds inside; RFC 3339 in UTC in what Driftline publishes, because people read that."""
