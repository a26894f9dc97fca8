"""How the false alarms that a model may give are shared among the streams that are watched of it.

A model gives at most one in `events_between_false_alarms` events, all of its streams together. Each stream takes one
value of an event at most, so it suffices that the shares add up to 1: a stream with a share s may give one false alarm
in events / s of its values. Versions share with none: an event is of one of them.

They add up to 0.54. The rest is for what is known of a stream by its reference alone, such as how much its values
depend on each other: with all of it in use a family of streams may come to a little more than was promised
(`python -m benchmarks.detection`). Half of what is used is for losses.
"""

from __future__ import annotations

from typing import Final

from driftline.models.drift.stream import NEVER

LOSS: Final = 0.24
RESIDUAL: Final = 0.02
EXCESS: Final = 0.02
FEATURES: Final = 0.08
"""Of all features together, by their values."""
SCORE: Final = 0.03
QUALITY: Final = 0.04
"""Of all features together, by what is wrong with their values."""
REPEATS: Final = 0.01
LABELS: Final = 0.05
SLICES: Final = 0.025
"""Of all slices together, by their losses."""
FAIRNESS: Final = 0.025
"""Of all gaps together."""


def between(events: int, share: float, *, among: int = 1, is_watched: bool = True) -> float:
    """Return how many values of a stream there must be, on average, to a false alarm.

    Parameters
    ----------
    events
        Events of the model to one false alarm.
    share, among
        What a group of streams has of that, and how many there are in it.
    is_watched
        Whether detectors are on the stream at all.

    Examples
    --------
    >>> between(1_000_000, FEATURES, among=20)
    250000000.0

    """
    return events * max(among, 1) / share if is_watched else NEVER
