"""Durations of the configuration: written as ``90s``, ``15m``, ``6h`` or ``7d``, held in milliseconds."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_DURATION: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_UNITS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_LONGEST: Final = 36_500 * _UNITS["d"]


def parse_duration(value: object) -> int:
    """Read ``7d`` and the like as milliseconds.

    A number without a unit is refused: it might be seconds or milliseconds.

    Examples
    --------
    >>> parse_duration("15m")
    900000

    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a duration such as 90s, 15m, 6h or 7d")
    milliseconds = int(match[1]) * _UNITS[match[2]]
    if milliseconds > _LONGEST:
        raise ValueError("must be at most 36500d")
    return milliseconds


def format_duration(milliseconds: int) -> str:
    """Write milliseconds in the largest unit that holds them exactly.

    Examples
    --------
    >>> format_duration(900_000), format_duration(172_800_000), format_duration(1500)
    ('15m', '2d', '1500ms')

    """
    unit = next(unit for unit, size in _UNITS.items() if milliseconds % size == 0)
    return f"{milliseconds // _UNITS[unit]}{unit}"


def _parse_positive(value: object) -> int:
    milliseconds = parse_duration(value)
    if milliseconds == 0:
        raise ValueError("must be longer than 0s")
    return milliseconds


_AS_TEXT: Final = PlainSerializer(format_duration, return_type=str, when_used="json")
_SCHEMA: Final = WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,9}(ms|s|m|h|d)$"})

Duration = Annotated[int, BeforeValidator(parse_duration), _AS_TEXT, _SCHEMA]
"""Milliseconds inside; text in the file, in the JSON Schema's defaults, and when a configuration is written as JSON."""

PositiveDuration = Annotated[int, BeforeValidator(_parse_positive), _AS_TEXT, _SCHEMA]
"""A `Duration` that is not 0."""
