"""What every watched stream has: its recent values, its marks, how it stands, and what is due at which value.

`driftline.models.drift.stream` says what a stream is, and does what is rare. By what its values are it is one of
`ranked`, `shares`, `residuals` and `frequencies`, which have the detectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels import centre, e_sr, hourly_means, hours, measure, standing, trail
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.e_frequency import CELLS, E_FREQUENCY
from driftline.models.kernels.e_sr import E_SR
from driftline.models.kernels.lines import lined
from driftline.models.kernels.measure import after, better, bounds

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record

RECENT = 512
"""Values by which the size of a change is measured. The n-th stands in place n - 1, modulo this."""

CLOCK = 32
"""Values of a stream that its detectors take at a time: they decide at the last of these only. Of bits it is fewer."""

LOOK_EVERY = CLOCK
LEVEL_EVERY = 256  # a multiple of the former, and that one of trail.FINEST
BLOCK = 16
"""Values of a block, by which the place of a change is told; of bits it is fewer. CLOCK is a multiple."""

PLACED = 2048
"""Values of the blocks that are kept."""

BITS = 2
"""Categories, of which a stream of zeros and ones is."""

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
        ("early", "i8"),
    ],
    align=True,
)


def _layout(
    evidence: tuple[np.dtype[np.void], int],
    tally: np.dtype[np.void],
    plain: np.dtype[np.void],
    recent: tuple[object, ...],
    *own: tuple[object, ...],
) -> np.dtype[np.void]:
    """Return the layout of a stream's record: its detectors, these panes, this measure, and what it alone has.

    It begins with what each value touches, and goes on with what each eighth one does.

    `learned` counts values of the reference, from which the detectors have learned what is normal. `held` counts
    changes that may be of the hour of the day, `detections` the others. `regime` is where the newest change was; `seen`
    is what the evidence was when it was seen, `enough` what it had to be, `calm` how many values before there was last
    none, and `variance` that of the values, as their sums have it. It is `weekly` if what its values were like is kept
    for a week. `trail` is the index of its marks.
    """
    fields = [
        ("count", "i8"),
        ("trail", "i8"),
        recent,
        ("suspicion", SUSPICION),
        ("standing", tally),
        ("min_effect", "f8"),
        ("learned", "i8"),
        ("detections", "i8"),
        ("held", "i8"),
        ("regime", "i8"),
        ("seen", "f8"),
        ("enough", "f8"),
        ("calm", "i8"),
        ("variance", "f8"),
        ("weekly", "i8"),
        ("level", LEVEL),
        ("measure", plain),
        ("evidence", *evidence),
        *own,
    ]
    return lined(fields)


def _ranked(statistics: int, tally: np.dtype[np.void], *own: tuple[object, ...]) -> np.dtype[np.void]:
    return _layout(
        (E_SR, statistics),
        tally,
        measure.RANKED,
        ("recent", "f8", RECENT),
        ("tallies", "u2", (RECENT // LEVEL_EVERY, measure.BINS)),
        ("blocks", "u4", PLACED // BLOCK),
        ("season", "i8"),
        *own,
    )


# What is counted of a pane of 512 values, and of a block of 16, has no need of more bits than it is given here.
PSI = _ranked(3, standing.layout(measure.BINS, "u2"))
RANKED = _ranked(1, standing.layout(measure.MOMENTS, "f8"), ("hours", hourly_means.HOURLY_MEANS))
SHARE = _layout(
    (E_SR, 1),
    standing.layout(measure.MOMENTS, "u2"),
    measure.PLAIN,
    ("recent", "u4", RECENT // CLOCK),
    ("blocks", "u1", PLACED // trail.FINEST),
    ("hours", hours.layout(BITS)),
)
RESIDUAL = _layout(
    (E_SR, 1),
    standing.layout(measure.MOMENTS, "f8"),
    measure.PLAIN,
    ("recent", "f8", RECENT),
    ("blocks", "f8", PLACED // BLOCK),
    ("hours", hourly_means.HOURLY_MEANS),
)

FREQUENCY = _layout(
    (E_FREQUENCY, 1),
    standing.layout(measure.BINS, "u2"),
    measure.BINNED,
    ("recent", "u1", RECENT),
    ("blocks", "u1", (PLACED // CLOCK, CELLS)),
    ("hours", hours.layout(CELLS)),
)

LAYOUTS = (PSI, SHARE, RESIDUAL, RANKED, FREQUENCY)
"""By number of the bank that holds such records."""

BANKS = (0, 1, 2, 3, 3, 4)
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
    is_noted = stream.weekly and stream.count % LEVEL_EVERY == 0
    return LOOK if stream.standing.lasting.found or is_noted else QUIET


@kernel
def recent(stream: Record, most: int) -> Doubles:
    """Return the last values, `most` of them or as many as there are, oldest first."""
    n = min(most, RECENT, stream.count)
    values = np.empty(n)
    for place in range(n):
        values[place] = stream.recent[(stream.count - n + place) % RECENT]
    return values


@kernel
def begin_anew(stream: Record, fired: int) -> None:
    """Keep what a detector has seen, and have it begin anew, with those that have seen something of the same change."""
    found = stream.evidence[fired]
    stream.seen = found.total
    stream.enough = found.threshold
    stream.calm = found.taken - found.calm
    stream.variance = centre.variance_of_sums(found.centre)
    for place in range(len(stream.evidence)):
        if place == fired or e_sr.has_begun(stream.evidence[place]):
            e_sr.begin_anew(stream.evidence[place])


@kernel
def restart(stream: Record) -> None:
    """Forget how the stream stood, where what it is measured by is another."""
    standing.restart(stream.standing, stream.count, 0)
    stream.standing.spread = 0.0
    stream.level.known = 0
    stream.regime = stream.count
    stream.suspicion.open = 0


@kernel
def settle(stream: Record, summed: Doubles, n: int, middle: float, spread: float) -> None:
    """Note where the stream stands, by the tally and the median of its last `n` values.

    Values that depend on each other say less: `spread` of them say as much as one by itself.
    """
    stream.measure.spread = spread
    if stream.standing.spread == 0.0:
        stream.standing.spread = spread  # later changes that no detector is to see would add to it
    if n == RECENT and stream.count % RECENT == 0:
        standing.update(stream.standing, stream.measure, stream.min_effect, middle, n, summed, stream.count)
    stream.level.value = standing.farthest(stream.standing, stream.measure, summed)
    stream.level.after = after(stream.measure, middle, summed)
    stream.level.known = 1


@kernel
def size(stream: Record, summed: Doubles, middle: float, errors: float) -> tuple[float, float]:
    """Return how far values are from the reference, less so many errors, and what stands beside its `before`.

    A loss that is smaller than in the reference is so far below it: then that is negative.
    """
    at_least, _ = bounds(stream.measure, summed, errors)
    if at_least == 0.0:
        at_least -= better(stream.measure, summed, errors)
    return at_least, after(stream.measure, middle, summed)
