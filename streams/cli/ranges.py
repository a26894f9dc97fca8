"""The options of ``driftline replay`` that say which records of Kafka are to be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from driftline.schemas.alerts import OffsetRange
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.fields import parse_timestamp
from driftline.schemas.topics import INPUTS
from driftline.streams.replay_offsets import TimeRange

if TYPE_CHECKING:
    from collections.abc import Sequence

_MILLISECONDS: Final = re.compile(r"[0-9]{1,18}")
_OFFSETS: Final = re.compile(r"([^:]+):([0-9]{1,10}):([0-9]{1,18})-([0-9]{1,18})")


def range_of(since: str | None, until: str | None, offsets: Sequence[str]) -> TimeRange | list[OffsetRange] | None:
    """Return the range that ``--from``, ``--to`` and ``--offsets`` ask for; None if none of them is given.

    Raises
    ------
    ConfigurationError
        If one cannot be read, or they do not go together.

    Examples
    --------
    >>> range_of("2026-11-27T00:00:00Z", None, [])
    TimeRange(since=1795737600000, until=None)
    >>> range_of(None, None, ["driftline.labels:3:17-90"])
    [OffsetRange(topic='driftline.labels', partition=3, start=17, end=90)]

    """
    if offsets and (since, until) != (None, None):
        raise ConfigurationError("--offsets says where to begin and to end: give it, or --from and --to")
    if offsets:
        return _offset_ranges(offsets)
    if (since, until) == (None, None):
        return None
    asked = TimeRange(
        *(None if text is None else _moment(text, of) for text, of in ((since, "--from"), (until, "--to")))
    )
    if asked.since is not None and asked.until is not None and asked.since >= asked.until:
        raise ConfigurationError("--from must be before --to, which is not read any more")
    return asked


def _moment(text: str, option: str) -> int:
    try:
        return parse_timestamp(int(text) if _MILLISECONDS.fullmatch(text) else text)
    except PydanticCustomError as error:
        raise ConfigurationError(f"{option} is {text!r}: {error.message()}") from None


def _offset_ranges(texts: Sequence[str]) -> list[OffsetRange]:
    ranges = [_offset_range(text) for text in texts]
    places = [(each.topic, each.partition) for each in ranges]
    for topic, partition in places:
        if places.count((topic, partition)) > 1:
            raise ConfigurationError(f"--offsets names {topic}, partition {partition}, more than once")
    return ranges


def _offset_range(text: str) -> OffsetRange:
    match = _OFFSETS.fullmatch(text)
    if match is None:
        shape = f"topic:partition:start-end, such as {INPUTS[0]}:0:120-4711, which ends with 4710"
        raise ConfigurationError(f"--offsets is {text!r}: must be {shape}")
    topic, (partition, start, end) = match[1], map(int, match.groups()[1:])
    if topic not in INPUTS:
        raise ConfigurationError(f"--offsets is {text!r}: the topic must be {' or '.join(INPUTS)}")
    try:
        return OffsetRange(topic=topic, partition=partition, start=start, end=end)
    except ValidationError:
        raise ConfigurationError(f"--offsets is {text!r}: it ends before it starts") from None
