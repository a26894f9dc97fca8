"""Silence: of a model that had predictions nothing comes any more, or no labels though it predicts.

How long a feed may pause is told by its own pauses, unless the configuration says it: what has happened twice may
happen again. A pause at night is no silence from the third night on, and before `reference.min_span` is over for the
second time it is for information alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.models.drift.finding import Finding, Level, Span, Subject
from driftline.models.drift.trail import Mark
from driftline.models.kernels import feeds
from driftline.models.watch import wording
from driftline.schemas.alerts import Effect, Kind, Target
from driftline.schemas.state import Feed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.join.label_join import LabelJoin
    from driftline.models.kernels.types import Record
    from driftline.schemas.config import ModelConfig

_METRICS: Final = ("predictions", "labels")
_SUBJECTS: Final = tuple(Subject(Kind.SILENCE, Target(metric=metric)) for metric in _METRICS)
_MEASURE: Final = "seconds"
_SPANS: Final = 2  # what comes once a span has come twice then


class Silence:
    """The feeds of one model.

    Parameters
    ----------
    join
        Which has seen when its records came.
    config
        How long feeds may pause, and how long what is normal takes to be known.

    """

    def __init__(self, join: LabelJoin, config: ModelConfig) -> None:
        self._join = join
        self._min_span = config.reference.min_span
        for topic, allowed in enumerate((config.silence.predictions, config.silence.labels)):
            self._feed(topic)["allowed"] = feeds.LEARNED if allowed is None else allowed

    def _feed(self, topic: int) -> Record:
        return self._join.feeds[topic]

    def due(self, judged: Sequence[int], now: int, delay: int) -> list[int]:
        """Return the topics, of these, of whose feeds something is to be told at a moment.

        Parameters
        ----------
        judged
            The topics of feeds that may be silent.
        now
            In epoch milliseconds, of event time.
        delay
            How long labels mostly take, in milliseconds.

        """
        if feeds.deadline(self._join.feeds, feeds.LABELS) <= now:
            self._feed(feeds.LABELS)["delay"] = delay
        return [topic for topic in judged if feeds.deadline(self._join.feeds, topic) <= now]

    def forgive(self) -> list[int]:
        """Return the topics whose feeds were said to be silent, and may be so by now."""
        forgiven = [topic for topic in range(len(_METRICS)) if self._feed(topic)["told"] and not self._may_tell(topic)]
        for topic in forgiven:
            self._feed(topic)["told"] = 0
        return forgiven

    def _may_tell(self, topic: int) -> bool:
        return int(self._feed(topic)["allowed"]) != 0

    def wait(self, due: Sequence[int], until: int) -> None:
        """Tell nothing of these feeds before a moment, nor count that as told."""
        for topic in due:
            self._feed(topic)["until"] = until

    def findings(self, due: Sequence[int], now: int) -> list[Finding]:
        """Return what is to be told of feeds: once, and once more when it has lasted.

        What is for information is told again when it is more.
        """
        return [self._finding(topic, now) for topic in due if self._may_tell(topic)]

    def _finding(self, topic: int, now: int) -> Finding:
        feed, allowed = self._feed(topic), feeds.patience(self._feed(topic))
        is_learned, covered = int(feed["allowed"]) == feeds.LEARNED, int(feed["begun"]) + _SPANS * self._min_span
        is_early = is_learned and now < covered
        if is_early:
            feed["told"], feed["until"] = 1, covered
        else:
            feed["told"] = 2 if feed["told"] or now - int(feed["heard"]) >= feeds.TIMES * allowed else 1
        pause = now - int(feed["heard"])
        # In seconds as many times as long may be a bit more.
        seconds = max(pause / 1000, feeds.TIMES * (allowed / 1000)) if pause >= feeds.TIMES * allowed else pause / 1000
        usual = float(feed["longest"][1]) / 1000
        effect = Effect(measure=_MEASURE, value=seconds, before=usual, after=pause / 1000)
        last = Mark(int(feed["count"]), int(feed["heard"]), *(offset - 1 for offset in self._join.next_offsets))
        return Finding(
            _SUBJECTS[topic],
            "",
            "pause",
            effect.value,
            allowed / 1000,
            effect,
            allowed / 1000,
            Span(last, last),
            wording.silent(_METRICS[topic], effect, None if is_learned else allowed / 1000),
            early=is_early,
        )

    def level_of(self, subject: Subject) -> Level | None:
        """Return how a feed stands, if that is the subject: nobody knows how long it will pause, as long as it does."""
        if subject not in _SUBJECTS:
            return None
        feed = self._feed(_SUBJECTS.index(subject))
        usual = float(feed["longest"][1]) / 1000
        return Level(None if feed["told"] else Effect(measure=_MEASURE, value=0.0, before=usual, after=0.0))

    @staticmethod
    def subject(topic: int) -> Subject:
        """Return what a feed is called."""
        return _SUBJECTS[topic]

    def report(self) -> dict[str, Feed]:
        """Return the feeds for the state document."""
        return {metric: self._report(topic) for topic, metric in enumerate(_METRICS)}

    def _report(self, topic: int) -> Feed:
        feed = self._feed(topic)
        allowed = feeds.patience(feed)
        is_known = int(feed["count"]) >= feeds.FEWEST if int(feed["allowed"]) == feeds.LEARNED else allowed > 0
        return Feed(
            last=int(feed["heard"]) if feed["count"] else None,
            allowed_seconds=allowed / 1000 if is_known else None,
            is_silent=bool(feed["told"]),
        )
