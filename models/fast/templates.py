"""What a JSON record is like but for its values: learned from one that the contract has taken.

A service writes all its records alike: the same keys in the same order, with the same spaces. So one of them tells
where the values of the next ones will stand, and `driftline.models.kernels.templates` compares what is between.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # it is there, and not in the types
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.models.kernels.templates import (
    ANY,
    CATEGORY,
    FEATURE,
    ID,
    LATENCY,
    MODEL,
    NUMBER,
    PROBABILITY,
    SCORE,
    SEGMENTS,
    TIME,
    VALUE,
    VERSION,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_BYTES: Final = 65_536
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_SLOTS: Final = {
    "model_id": MODEL,
    "model_version": VERSION,
    "prediction_id": ID,
    "timestamp": TIME,
    "prediction": VALUE,
    "label": VALUE,
    "score": SCORE,
    "latency_ms": LATENCY,
    "segments": SEGMENTS,
}
MOST_PROBABILITIES: Final = 64  # of a record
_FEATURES: Final = frozenset({FEATURE, CATEGORY, ANY})
_ENTRIES: Final = frozenset({"features", "probabilities"})
_NUMBERS: Final = "-0123456789n"  # what one begins with, or null
_FIXED: Final = frozenset({"schema_version"})
_decode: Final = json.JSONDecoder().raw_decode


class Slot(NamedTuple):
    """A value: the text before it, what it is, its own text, and the feature's name if it is one."""

    before: str
    what: int
    text: str
    name: str


class Template(NamedTuple):
    """The slots of a record, and the text after the last of them."""

    slots: tuple[Slot, ...]
    after: str

    @property
    def key(self) -> tuple[tuple[str, int], ...]:
        """What two records have in common that are of one template."""
        return (*((slot.before, slot.what) for slot in self.slots), (self.after, -1))

    @property
    def of_numbers(self) -> bool:
        """Whether what is predicted, or the label, is read as a number."""
        return any(slot.what == NUMBER for slot in self.slots)

    @property
    def features(self) -> list[tuple[str, int]]:
        """The names of the features, in the order in which they stand, and what they are."""
        return [(slot.name, slot.what) for slot in self.slots if slot.what in _FEATURES]

    @property
    def probabilities(self) -> tuple[str, ...]:
        """The names of the classes that have a probability, in the order in which they stand."""
        return tuple(slot.name for slot in self.slots if slot.what == PROBABILITY)


def template_of(
    value: bytes, features: Mapping[str, int] = MappingProxyType({}), *, of_numbers: bool = False
) -> Template | None:
    """Return what a record is like that the contract has taken; None if it is nothing that is read into columns.

    `features` says which of them are what; others are taken for numbers. `of_numbers` is whether its model predicts a
    number, which then is read as one.

    Examples
    --------
    >>> template = template_of(b'{"model_id":"m","prediction_id":"p","timestamp":0,"label":1}')
    >>> [slot.before for slot in template.slots], template.after
    (['{"model_id":', ',"prediction_id":"', '","timestamp":', ',"label":'], '}')

    """
    if len(value) > _MOST_BYTES or not value.isascii():
        return None
    text = value.decode()
    slots: list[Slot] = []
    at = 0
    for name, start, end in _members(text, 0):
        what = _SLOTS.get(name)
        if what is not None:
            if what == ID:
                start, end = start + 1, end - 1  # noqa: PLW2901 - without its quotes
            elif what == VALUE and of_numbers:
                what = NUMBER
            slots.append(Slot(text[at:start], what, text[start:end], ""))
            at = end
        elif name in _ENTRIES and text[start] == "{":
            for entry, first, last in _members(text, start):
                what = features.get(entry, FEATURE) if name == "features" else PROBABILITY
                if what == FEATURE and text[first] not in _NUMBERS:
                    return None
                slots.append(Slot(text[at:first], what, text[first:last], entry))
                at = last
        elif name not in _FIXED and text[start:end] != "null":
            return None
    template = Template(tuple(slots), text[at:])
    return template if len(template.probabilities) <= MOST_PROBABILITIES else None


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield the keys of an object that begins at or behind a place, and where the value of each begins and ends."""
    at = _after_space(text, _after_space(text, at) + 1)
    while text[at] != "}":
        name, at = scanstring(text, at + 1)
        start = _after_space(text, _after_space(text, at) + 1)
        _, at = _decode(text, start)
        yield name, start, at
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()
