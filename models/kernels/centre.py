"""The centre of a statistic in [0, 1]: what it is on average, and what of it each value's past already tells.

An e-detector needs numbers that are 0 on average while nothing changes, whatever came before. So from a statistic its
mean so far is taken, and of what is left the share that the value before it explains (an autoregression of first
order). Dependence that goes further leaves sums of what remains more variable than independent values would be; by how
much is told by sums over 128 values (Newey and West, 1987, call it the long-run variance), and evidence pays for it.

All of this goes on to be learned while it is used: a reference is only estimated, and one that grows errs less and
less. A change re-bases it: the mean begins again, with the values after the change.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record

SPAN: Final = 128
"""Values of which a sum tells the long-run variance."""

CENTRE: Final = np.dtype(
    [
        ("count", "i8"),
        ("total", "f8"),
        ("previous", "f8"),
        ("lagged", "f8"),
        ("squares", "f8"),
        ("filled", "i8"),
        ("sum", "f8"),
        ("spans", "i8"),
        ("span_squares", "f8"),
        ("rest_squares", "f8"),
        ("rests", "i8"),
        ("paused", "i8"),
    ],
    align=True,
)
"""96 bytes. Zeros are a centre that knows nothing.

`count` and `total` are of the values since the last re-basing; `previous` is the last value less the mean, and
`lagged` and `squares` are sums of such differences, each times the one before it, and times itself. What is left of a
value, its rest, adds up in `sum` over a span of which `filled` values are there; `spans` have ended, and the squares
of their sums are in `span_squares`. `rest_squares` is that of all `rests`. It is `paused` after a change, until the new
mean is known.
"""

_KNOWN: Final = 100  # values before a mean is one
_RELATED: Final = 512  # values before it is told how they are related
_MOST_RELATED: Final = 0.99
_FEWEST_SPANS: Final = 8
_REBASED: Final = 128  # values after which a new mean is known
_FEWEST: Final = 8  # and of both ends of [0, 1] there must be as much in them: a share of ones is not known before
_LONG_ENOUGH: Final = 65_536  # values after which it is known even so


@kernel
def mean(centre: Record) -> float:
    """Return the mean so far; half a value more keeps that of zeros alone from being 0."""
    return float((centre.total + 0.5) / (centre.count + 1.0))


@kernel
def is_ready(centre: Record) -> bool:
    """Return whether enough is known for evidence to be gathered."""
    return bool(centre.count >= _KNOWN and not centre.paused)


@kernel
def _varies(centre: Record) -> bool:
    """Return whether there have been enough of both ends of [0, 1], so that it can be told how values vary."""
    return may_fall(centre) and may_rise(centre)


@kernel
def may_fall(centre: Record) -> bool:
    """Return whether there has been enough for a mean to fall from: of zeros alone it falls for ever."""
    return bool(centre.total >= _FEWEST)


@kernel
def may_rise(centre: Record) -> bool:
    """Return the same of a mean that may rise."""
    return bool(centre.count - centre.total >= _FEWEST)


@kernel
def relation(centre: Record) -> float:
    """Return by how much of its predecessor's difference from the mean a value is expected to differ."""
    if centre.squares <= 0.0 or centre.rests < _RELATED or not _varies(centre):
        return 0.0
    return float(min(max(centre.lagged / centre.squares, -_MOST_RELATED), _MOST_RELATED))


@kernel
def variance(centre: Record) -> float:
    """Return that of what is left of a value; while next to nothing is known, that of zeros and ones of this mean."""
    if centre.rests == 0 or not _varies(centre):
        middle = mean(centre)
        return float(middle * (1.0 - middle))
    return float(centre.rest_squares / centre.rests)


@kernel
def inflation(centre: Record) -> float:
    """Return how many times more variable sums are than those of independent values, 1 at least.

    One standard error less, as far as that is above 1: of few spans it is hardly known.
    """
    if centre.spans < _FEWEST_SPANS or centre.rest_squares <= 0.0 or not _varies(centre):
        return 1.0
    of_span = centre.span_squares / (SPAN * centre.spans)
    ratio = of_span / variance(centre) * (1.0 - math.sqrt(2.0 / centre.spans))
    return float(max(ratio, 1.0))


@kernel
def variance_of_sums(centre: Record) -> float:
    """Return that of the sum of values, for each of them."""
    return variance(centre) * inflation(centre)


@kernel
def spread(centre: Record) -> float:
    """Return how many values say as much as one that is independent of the others: for the error of a mean."""
    related = relation(centre)
    return float(max((1.0 + related) / (1.0 - related), 1.0) * inflation(centre))


@kernel
def take(centre: Record, values: Doubles, n: int, rests: Doubles) -> None:
    """Take `n` values in [0, 1], and write what is left of each by what was known before them."""
    middle, related = mean(centre), relation(centre)
    is_known = centre.count >= _KNOWN
    previous, total, lagged, squares = centre.previous, 0.0, 0.0, 0.0
    for place in range(n):
        value = values[place]
        off = value - middle
        rests[place] = off - related * previous
        lagged += off * previous
        squares += off * off
        previous = off
        total += value
    centre.previous = previous
    centre.total += total
    centre.count += n
    if is_known:
        centre.lagged += lagged
        centre.squares += squares
        if not centre.paused:
            _span(centre, rests, n)
    if centre.paused and centre.count >= (_REBASED if _varies(centre) else _LONG_ENOUGH):
        centre.paused = 0


@kernel
def _span(centre: Record, rests: Doubles, n: int) -> None:
    squares = 0.0
    for place in range(n):
        rest = rests[place]
        squares += rest * rest
        centre.sum += rest
        centre.filled += 1
        if centre.filled == SPAN:
            centre.span_squares += centre.sum * centre.sum
            centre.spans += 1
            centre.sum = 0.0
            centre.filled = 0
    centre.rest_squares += squares
    centre.rests += n


@kernel
def rebase(centre: Record) -> None:
    """Forget the mean, after a change; what is known of dependence stays."""
    centre.count = 0
    centre.total = 0.0
    centre.previous = 0.0
    centre.paused = 1


@kernel
def forget(centre: Record) -> None:
    """Know nothing."""
    rebase(centre)
    centre.lagged = 0.0
    centre.squares = 0.0
    centre.filled = 0
    centre.sum = 0.0
    centre.spans = 0
    centre.span_squares = 0.0
    centre.rest_squares = 0.0
    centre.rests = 0
