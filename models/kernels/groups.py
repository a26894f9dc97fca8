"""How the groups of an attribute fare: of which pairs that count, how many were treated in the way that is compared.

`driftline.models.watch.fairness` says what is made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import inlined

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record

NONE: Final = -1

MOST_GROUPS: Final = 16
BLOCK: Final = 64
"""Pairs of a group that are compared at a time with those of the others that came meanwhile."""

TRUE_POSITIVE_RATE, FALSE_POSITIVE_RATE, SELECTION_RATE, ERROR_RATE = range(4)

GROUPS = np.dtype(
    [
        ("metric", "i8"),
        ("place", "i8"),
        ("count", "i8"),
        ("key", "i4", MOST_GROUPS),
        ("pairs", "i8", MOST_GROUPS),
        ("ones", "i8", MOST_GROUPS),
    ],
    align=True,
)
"""The groups of an attribute, which stands at a `place` among the counters of a pair.

Of each there is by which key it comes, how many of its pairs count, and of how many of these the rate is.
"""


@inlined
def update(groups: Record, key: int, truth: int, answer: int, loss: float) -> int:
    """Count a pair, of a class of two, or for its loss; return which group has had a block of them, or `NONE`."""
    if groups.metric == TRUE_POSITIVE_RATE and truth != 1:
        return NONE
    if groups.metric == FALSE_POSITIVE_RATE and truth != 0:
        return NONE
    is_one = loss != 0.0 if groups.metric == ERROR_RATE else answer == 1
    for group in range(groups.count):
        if groups.key[group] == key:
            groups.pairs[group] += 1
            groups.ones[group] += is_one
            return group if groups.pairs[group] % BLOCK == 0 else NONE
    return NONE
