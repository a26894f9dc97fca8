"""What every watched stream has: its recent values, its marks, how it stands, and what is due at which value.

`driftline.models.drift.stream` says what a stream is, and does what is rare. By what its values are it is one of
`ranked`, `shares` and `residuals`, which have the detectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels import adwin, measure, standing, trail, windows
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.lines import lined
from driftline.models.kernels.measure import after, bounds

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record

RECENT = 512
"""Values by which the size of a change is measured. The n-th stands in place n - 1, modulo this."""

CLOCK = windows.CLOCK
"""Values of a stream that its detectors take at a time: they decide at the last of these only."""

LOOK_EVERY = CLOCK
LEVEL_EVERY = 256  # a multiple of the former, and that one of trail.FINEST
BLOCK = 16  # values; CLOCK is a multiple
BLOCKS = 128

LOCATION, SPREAD, BEYOND = range(3)
"""What a detector is fed: see `driftline.models.drift.stream`."""

QUIET = -1
"""What `update` returns where nothing is to be done about a value."""

LOOK = 0
"""That a change is being sized, or that something has lasted."""

FIRED = 1
"""That a detector has seen a change: this plus its number."""

LEVEL = np.dtype([("known", "i8"), ("value", "f8"), ("after", "f8")], align=True)
SUSPICION = np.dtype(
    [
        ("open", "i8"),
        ("detector", "i8"),
        ("statistic", "f8"),
        ("threshold", "f8"),
        ("earliest", "i8"),
        ("best", "i8"),
        ("latest", "i8"),
    ],
    align=True,
)


def _layout(
    tally: np.dtype[np.void], plain: np.dtype[np.void], recent: tuple[object, ...], *own: tuple[object, ...]
) -> np.dtype[np.void]:
    """Return the layout of a stream's record, of these panes and this measure, and with what it alone has.

    It begins with what each value touches, and goes on with what each eighth one does.

    `regime` is where its newest change was, `afresh` where its detectors began anew after it, and `cut` how many values
    the window held then of the one that saw it. `trail` is the index of its marks.
    """
    fields = [
        ("count", "i8"),
        ("trail", "i8"),
        recent,
        ("suspicion", SUSPICION),
        ("standing", tally),
        ("min_effect", "f8"),
        ("delta", "f8"),
        ("detections", "i8"),
        ("regime", "i8"),
        ("afresh", "i8"),
        ("cut", "i8"),
        ("level", LEVEL),
        ("measure", plain),
        *own,
    ]
    return lined(fields)


def _ranked(numbers: int, tally: np.dtype[np.void]) -> np.dtype[np.void]:
    return _layout(
        tally,
        measure.RANKED,
        ("recent", "f8", RECENT),
        ("shape", windows.SHAPE),
        ("numbers", windows.NUMBERS, (numbers,)),
        ("bits", windows.BITS),
        ("tallies", "u2", (RECENT // LEVEL_EVERY, measure.BINS)),
        ("blocks", "u4", BLOCKS),
    )


# What is counted of a pane of 512 values, and of a block of 16, has no need of more bits than it is given here.
PSI = _ranked(2, standing.layout(measure.BINS, "u2"))
RANKED = _ranked(1, standing.layout(measure.MOMENTS, "f8"))
SHARE = _layout(
    standing.layout(measure.MOMENTS, "u2"),
    measure.PLAIN,
    ("recent", "u4", RECENT // CLOCK),
    ("shape", windows.SHAPE),
    ("bits", windows.BITS),
    ("blocks", "u1", BLOCKS),
)
RESIDUAL = _layout(
    standing.layout(measure.MOMENTS, "f8"),
    measure.PLAIN,
    ("recent", "f8", RECENT),
    ("adwin", adwin.ADWIN),
    ("blocks", "f8", BLOCKS),
)

LAYOUTS = (PSI, SHARE, RESIDUAL, RANKED)
"""By number of the bank that holds such records."""

BANKS = (0, 1, 2, 3, 3)
"""By kind of measure, the number of its bank."""


@inlined
def is_marked(count: int) -> bool:
    """Return whether more is due at a value than to keep it: at the first one, and at every eighth."""
    return count % trail.FINEST == 0 or count == 1


@kernel
def said(stream: Record) -> int:
    """Return what is to be said of a value at which no detector fires, once it is settled how the stream stands."""
    if stream.suspicion.open:
        return LOOK if stream.count % LOOK_EVERY == 0 else QUIET
    return LOOK if stream.standing.lasting.found else QUIET


@kernel
def recent(stream: Record, most: int) -> Doubles:
    """Return the last values, `most` of them or as many as there are, oldest first."""
    n = min(most, RECENT, stream.count)
    values = np.empty(n)
    for place in range(n):
        values[place] = stream.recent[(stream.count - n + place) % RECENT]
    return values


@kernel
def settle(stream: Record, summed: Doubles, n: int, middle: float) -> None:
    """Note where the stream stands, by the tally and the median of its last `n` values."""
    if n == RECENT and stream.count % RECENT == 0:
        standing.update(stream.standing, stream.measure, stream.min_effect, middle, n, summed, stream.count)
    stream.level.value = standing.farthest(stream.standing, stream.measure, summed)
    stream.level.after = after(stream.measure, middle, summed)
    stream.level.known = 1


@kernel
def size(stream: Record, summed: Doubles, middle: float) -> tuple[float, float]:
    """Return how far values are from the reference, at least, and what stands beside its `before`."""
    at_least, _ = bounds(stream.measure, summed)
    return at_least, after(stream.measure, middle, summed)
