"""One value of a watched stream: into its detectors, its recent values and its marks, and how it stands with it.

`driftline.models.drift.stream` says what a stream is, and does what is rare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels import adwin, measure, standing, trail
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.measure import after, bounds, tally, unit

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record, Records

RECENT = 512
"""Values by which the size of a change is measured."""

LOOK_EVERY = 32
LEVEL_EVERY = 256  # a multiple of the former, and that one of trail.FINEST
BLOCK = 16  # values; a multiple of trail.FINEST
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


def _detector(block: str) -> np.dtype[np.void]:
    fields = [("adwin", adwin.ADWIN), ("blocks", block, BLOCKS), ("open_block", "f8")]
    return np.dtype(fields, align=True)


def layout(*, detectors: int, ranks: bool, sums: int, recent: str, block: str) -> np.dtype[np.void]:
    """Return the layout of a stream's record.

    Parameters
    ----------
    detectors
        Of them the i-th is fed what has the number i: `LOCATION`, `SPREAD`, `BEYOND`.
    ranks
        Whether values are ranked among those of the reference.
    sums
        What the measure sums up of many values.
    recent, block
        The types of a recent value and of a block's sum: small ones where they hold all that there can be, exactly.

    """
    fields = [
        ("measure", measure.layout(ranks=ranks)),
        ("min_effect", "f8"),
        ("delta", "f8"),
        ("count", "i8"),
        ("detections", "i8"),
        ("regime", "i8"),
        ("afresh", "i8"),
        ("level", LEVEL),
        ("suspicion", SUSPICION),
        ("detectors", _detector(block), (detectors,)),
        ("standing", standing.layout(sums)),
        ("trail", trail.TRAIL),
        ("recent", recent, RECENT),
    ]
    return np.dtype(fields, align=True)


# A sum of 16 ranks is a number of 1/512ths, and one of 16 spreads of 1/256ths: a float32 holds both exactly.
PSI = layout(detectors=3, ranks=True, sums=measure.BINS, recent="f8", block="f4")
RANKED = layout(detectors=1, ranks=True, sums=measure.MOMENTS, recent="f8", block="f4")
SHARE = layout(detectors=1, ranks=False, sums=measure.MOMENTS, recent="u1", block="u1")
RESIDUAL = layout(detectors=1, ranks=False, sums=measure.MOMENTS, recent="f8", block="f8")

LAYOUTS = (PSI, SHARE, RESIDUAL, RANKED)
"""By number of the bank that holds such records."""

BANKS = (0, 1, 2, 3, 3)
"""By kind of measure, the number of its bank."""


@kernel
def update(stream: Record, value: float, at: int, prediction_offset: int, label_offset: int) -> int:
    """Take one finite value and where it stood; return `QUIET`, `LOOK`, or `FIRED` plus the number of a detector."""
    stream.count += 1
    count = stream.count
    stream.recent[count % RECENT] = value
    mapped = unit(stream.measure, value)
    fired = QUIET
    for place in range(len(stream.detectors)):
        detector = stream.detectors[place]
        fed = mapped
        if place == SPREAD:
            fed = abs(2.0 * mapped - 1.0)
        elif place == BEYOND:
            fed = 0.0 if 0.0 < mapped < 1.0 else 1.0
        detector.open_block += fed
        if adwin.update(detector.adwin, fed, stream.delta):
            fired = place
    if count % trail.FINEST != 0 and fired == QUIET and count > 1:
        return QUIET
    trail.note(stream.trail, count, at, prediction_offset, label_offset)
    if count % BLOCK == 0:
        for place in range(len(stream.detectors)):
            detector = stream.detectors[place]
            detector.blocks[count // BLOCK % BLOCKS] = detector.open_block
            detector.open_block = 0.0
    if fired != QUIET:
        return FIRED + fired
    stream.standing.lasting.found = 0
    if count % LEVEL_EVERY == 0:
        settle(stream)
    if stream.suspicion.open:
        return LOOK if count % LOOK_EVERY == 0 else QUIET
    return LOOK if stream.standing.lasting.found else QUIET


@kernel
def update_at(streams: Records, index: int, value: float, at: int, prediction_offset: int, label_offset: int) -> int:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(streams[index], value, at, prediction_offset, label_offset)


@kernel
def recent(stream: Record, most: int) -> Doubles:
    """Return the last values, `most` of them or as many as there are, oldest first."""
    n = min(most, RECENT, stream.count)
    values = np.empty(n)
    for place in range(n):
        values[place] = stream.recent[(stream.count - n + 1 + place) % RECENT]
    return values


@kernel
def settle(stream: Record) -> None:
    """Measure where the stream stands, once enough values have come since the newest change."""
    since = stream.count - stream.regime
    if since < LEVEL_EVERY:
        return
    values = recent(stream, since)
    n = len(values)
    summed = np.empty(stream.standing.panes.shape[1])
    tally(stream.measure, values, n, summed)
    if n == RECENT and stream.count % RECENT == 0:
        standing.update(stream.standing, stream.measure, stream.min_effect, values, n, summed, stream.count)
    _set_level(stream, values, n, standing.farthest(stream.standing, stream.measure, summed))


@kernel
def _set_level(stream: Record, values: Doubles, n: int, summed: Doubles) -> None:
    at_least, _ = bounds(stream.measure, summed)
    stream.level.known = 1
    stream.level.value = at_least
    stream.level.after = after(stream.measure, values, n, summed)


@kernel
def effect(stream: Record, most: int) -> tuple[float, float]:
    """Return how far the last values are from the reference, at least, and what stands beside its `before`."""
    values = recent(stream, most)
    n = len(values)
    summed = np.empty(stream.standing.panes.shape[1])
    tally(stream.measure, values, n, summed)
    at_least, _ = bounds(stream.measure, summed)
    return at_least, after(stream.measure, values, n, summed)
