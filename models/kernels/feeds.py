"""Feeds: when the predictions and the labels of a model came last, and from when on that is too long ago.

Time is that of the partition: what a model sends with old timestamps is no silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from driftline.models.kernels.types import Integers, Record, Records

FEED: Final = np.dtype(
    [
        ("count", "i8"),
        ("begun", "i8"),
        ("heard", "i8"),
        ("longest", "i8", 2),
        ("resumed", "i8"),
        ("delay", "i8"),
        ("allowed", "i8"),
        ("told", "i8"),
        ("until", "i8"),
    ],
    align=True,
)
"""The records of one topic that a model has had, the first and the last of them, and the two longest pauses between.

Those that come at one time, as from a job at night, `count` as one.

`allowed` is how long a pause may be, `LEARNED` where that is to be told by those there were, and 0 if any may be. It is
`told` 0 times, once, or twice that the feed is silent, and not before `until`. `resumed` is when predictions last came
again after a pause that would be too long for labels, and `delay` how long after that no label need come.
"""

PREDICTIONS, LABELS = range(2)
"""Feeds, by topic."""

LEARNED: Final = -1
NEVER: Final = 2**62

FEWEST: Final = 100
"""Times at which records came, that are to tell how long pauses are."""

SHORTEST: Final = 600_000
"""Milliseconds that any feed may pause, if nothing else is said."""

TIMES: Final = 3
"""What has happened twice may happen again, and take so many times as long; what lasts as many times longer than it may
is worth a second word."""


@kernel
def hear(feeds: Records, topic: int, now: int) -> bool:
    """Take a record of one topic; return whether its feed was said to be silent."""
    feed = feeds[topic]
    pause = now - feed.heard
    if feed.count == 0:
        feed.begun = now
    elif pause > feed.longest[0]:
        feed.longest[1] = feed.longest[0]
        feed.longest[0] = pause
    elif pause > feed.longest[1]:
        feed.longest[1] = pause
    if topic == PREDICTIONS and feed.count > 0 and pause > patience(feeds[LABELS]):
        feeds[LABELS].resumed = now
    feed.count += feed.count == 0 or pause > 0
    feed.heard = max(feed.heard, now)
    if feed.told == 0:
        return False
    feed.told = 0
    feed.until = 0
    return True


@kernel
def patience(feed: Record) -> int:
    """Return how long a feed may pause, in milliseconds."""
    if feed.allowed != LEARNED:
        return int(feed.allowed)
    return int(max(TIMES * feed.longest[1], SHORTEST))


@kernel
def deadline(feeds: Records, topic: int) -> int:
    """Return from when on it is to be told that a feed is silent, again if it was told once."""
    feed = feeds[topic]
    if feed.allowed == 0:
        return 0 if feed.told else NEVER  # it was said to be, and may be by now
    if feed.told > 1 or feed.count == 0 or (feed.allowed == LEARNED and feed.count < FEWEST):
        return NEVER
    since = feed.heard
    if topic == LABELS:
        asking = feeds[PREDICTIONS]
        # Of predictions that stop, labels do.
        if asking.told > 0 or asking.heard <= feed.heard:
            return NEVER
        since = max(since, feed.resumed + feed.delay)
    return int(max(since + patience(feed) * (TIMES if feed.told else 1), feed.until))


@kernel
def next_due(joins: Records, model: int, topic: int, over: Integers) -> int:
    """Return when the first feed of any model is silent; a record of it is to make that sooner, should it be.

    It is not that of a `model` of which a record of a `topic` is at hand, nor any of a topic that is `over`.
    """
    due = NEVER
    for nth in range(len(joins)):
        for each in range(2):
            if not over[each] and (nth != model or each != topic):
                due = min(due, deadline(joins[nth].feeds, each))
    return int(due)
