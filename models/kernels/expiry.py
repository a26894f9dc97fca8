"""Entries of the join in the order in which they expire, of which any can be taken out.

Time mostly goes forward: what expires no sooner than all before it stands in a row, a list with links both ways. What
comes out of order is in a pairing heap (M. L. Fredman, R. Sedgewick, D. D. Sleator and R. E. Tarjan, "The pairing heap:
a new form of self-adjusting heap", Algorithmica 1, 1986), whose links are the same: the first child of an entry, the
next of its siblings, and before it its sibling or its parent. All that stands in the entries, so a queue needs no
memory of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.ids import NONE, comes_before

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record, Records

NEVER = 2**62
"""After every moment that there is."""


@kernel
def push(entries: Records, join: Record, group: int, index: int) -> None:
    """Add an entry to a queue of a model."""
    entry, last = entries[index], join.last[group]
    if last == NONE or not _expires_first(entries, index, last):
        entry.in_row = 1
        entry.child = NONE
        entry.next = NONE
        entry.previous = last
        if last == NONE:
            join.first[group] = index
        else:
            entries[last].next = index
        join.last[group] = index
    else:
        entry.in_row = 0
        entry.child = NONE
        entry.next = NONE
        entry.previous = NONE
        join.root[group] = _meld(entries, join.root[group], index)


@kernel
def remove(entries: Records, join: Record, group: int, index: int) -> None:
    """Take an entry out of its queue."""
    entry = entries[index]
    before, after = entry.previous, entry.next
    if entry.in_row:
        if before == NONE:
            join.first[group] = after
        else:
            entries[before].next = after
        if after == NONE:
            join.last[group] = before
        else:
            entries[after].previous = before
        return
    children = _meld_all(entries, entry.child)
    if index == join.root[group]:
        join.root[group] = children
        return
    if entries[before].child == index:
        entries[before].child = after
    else:
        entries[before].next = after
    if after != NONE:
        entries[after].previous = before
    join.root[group] = _meld(entries, join.root[group], children)


@kernel
def earliest(entries: Records, join: Record, group: int) -> int:
    """Return the entry that expires first, the smaller id if two do; `NONE` if there is no entry."""
    first, root = join.first[group], join.root[group]
    if first == NONE or (root != NONE and _expires_first(entries, root, first)):
        return root
    return first


@kernel
def moment(entries: Records, join: Record, group: int) -> int:
    """Return when the first entry expires, `NEVER` if there is none."""
    index = earliest(entries, join, group)
    return NEVER if index == NONE else entries[index].expires


@kernel
def _expires_first(entries: Records, index: int, other: int) -> bool:
    entry, another = entries[index], entries[other]
    return entry.expires < another.expires or (entry.expires == another.expires and comes_before(entry, another))


@kernel
def _meld(entries: Records, heap: int, other: int) -> int:
    """Return the root of two heaps made one."""
    if heap == NONE:
        return other
    if other == NONE:
        return heap
    if _expires_first(entries, other, heap):
        heap, other = other, heap
    child = entries[heap].child
    entries[other].next = child
    entries[other].previous = heap
    if child != NONE:
        entries[child].previous = other
    entries[heap].child = other
    return heap


@kernel
def _meld_all(entries: Records, child: int) -> int:
    """Return the root of siblings made one heap: in pairs from the first, and the pairs from the last."""
    pairs = NONE
    while child != NONE:
        second = entries[child].next
        rest = NONE if second == NONE else entries[second].next
        pair = _meld(entries, _alone(entries, child), _alone(entries, second))
        entries[pair].next = pairs
        pairs, child = pair, rest
    root = NONE
    while pairs != NONE:
        rest = entries[pairs].next
        root = _meld(entries, root, _alone(entries, pairs))
        pairs = rest
    return root


@kernel
def _alone(entries: Records, index: int) -> int:
    if index != NONE:
        entries[index].next = NONE
        entries[index].previous = NONE
    return index
