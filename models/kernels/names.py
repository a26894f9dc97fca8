"""Texts by hash: what each stands for as it is written, of those that were noted before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.ids import NONE

if TYPE_CHECKING:
    from driftline.models.kernels.types import Bytes, Indices, Record, Records, Word

NAME = np.dtype([("hash", "u8"), ("owner", "i8"), ("start", "i4"), ("length", "i4"), ("value", "i4")], align=True)
"""A text as it stands in a record, whose it is, and what it stands for."""


class Names(NamedTuple):
    """Texts by hash; there are more places than texts, a power of two."""

    names: Records
    places: Indices
    texts: Bytes
    seed: Word


@kernel
def name_of(names: Names, owner: int, what: int, text: Bytes, at: int, end: int) -> int:
    """Return what a text stands for that belongs to an owner, as one of 16 kinds; `NONE` if it is not known."""
    place = find(names, owner, what, text, at, end)
    return names.names[names.places[place]].value if names.places[place] != NONE else NONE


@kernel
def find(names: Names, owner: int, what: int, text: Bytes, at: int, end: int) -> int:
    """Return the place of a text, or the free one that it is to have."""
    digest: Word = np.uint64(0xCBF29CE484222325) ^ names.seed  # FNV-1a, 64 bits
    for letter in text[at:end]:
        digest = (digest ^ np.uint64(letter)) * np.uint64(0x100000001B3)
    digest = (digest ^ np.uint64(16 * (owner + 1) + what)) * np.uint64(0x9E3779B97F4A7C15)
    mask = len(names.places) - 1
    place: Word = np.int64(digest >> np.uint64(32)) & mask
    while names.places[place] != NONE:
        name: Record = names.names[names.places[place]]
        is_alike = name.hash == digest and name.length == end - at and name.owner == 16 * (owner + 1) + what
        if is_alike and stands(names.texts, name.start, name.length, text, at, end):
            return place
        place = (place + 1) & mask
    return place


@kernel
def scatter(names: Names, count: int) -> None:
    """Find places for the first names when there are more of those than there were; all are free."""
    mask = len(names.places) - 1
    for index in range(count):
        place = np.int64(names.names[index].hash >> np.uint64(32)) & mask
        while names.places[place] != NONE:
            place = (place + 1) & mask
        names.places[place] = index


@kernel
def put(names: Names, owner: int, what: int, text: Bytes, index: int) -> None:
    """Add a text that is not there, as the name of this index; its text must be in `texts` already."""
    place = find(names, owner, what, text, 0, len(text))
    digest: Word = np.uint64(0xCBF29CE484222325) ^ names.seed
    for at in range(len(text)):
        digest = (digest ^ np.uint64(text[at])) * np.uint64(0x100000001B3)
    name = names.names[index]
    name.owner = 16 * (owner + 1) + what
    name.hash = (digest ^ np.uint64(name.owner)) * np.uint64(0x9E3779B97F4A7C15)
    names.places[place] = index


@kernel
def stands(texts: Bytes, start: int, length: int, text: Bytes, at: int, end: int) -> bool:
    """Return whether a text of those that were noted stands at a place of another one."""
    if at + length > end:
        return False
    for place in range(length):
        if text[at + place] != texts[start + place]:
            return False
    return True
