"""One feature of one version: its quality and its drift, against the version's first events."""

from __future__ import annotations

from collections import Counter, deque
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from driftline.models.drift.finding import Subject
from driftline.models.drift.measure import ShareGrowth
from driftline.models.drift.rank import RankPsi
from driftline.models.drift.stream import RANK_DETECTORS, RECENT, Stream, location, restore_stream
from driftline.models.drift.thinned import Thinned
from driftline.models.watch import wording
from driftline.models.watch.quality import Problem, read_category, read_number
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import FeatureConfig, FeatureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.drift.finding import Finding
    from driftline.models.drift.measure import Measure
    from driftline.schemas.alerts import Effect
    from driftline.schemas.config import ModelConfig

_MOST_CATEGORIES: Final = 1000
_LONGEST_CATEGORY: Final = 64  # characters; of a longer one a hash is kept
_FEWEST_NUMBERS: Final = 50  # of the reference, below which ranks say nothing
_QUALITY_DETECTORS: Final = {"adwin:bad": location}


class Feature:
    """Watches one feature.

    Until `freeze` values only teach what is normal; from there on they are compared with it.

    Parameters
    ----------
    missed
        How many predictions of the version came before the first that had the feature.

    """

    def __init__(self, name: str, kind: FeatureKind, version: str, config: ModelConfig, *, missed: int = 0) -> None:
        self.name = name
        self.kind = kind
        self._version = version
        self._config = config
        self._limits = config.features.get(name) or FeatureConfig()
        self._problems = [0] * len(Problem)
        self._problems[Problem.MISSING] = missed
        self._recent_problems: deque[int] = deque(maxlen=RECENT)
        self._sample = Thinned()
        self._categories: dict[str, int] = {}  # how often each was in the reference
        self._frozen = False
        self._quality: Stream | None = None
        self._drift: Stream | None = None

    def update(self, value: object, at: int, offset: int, label_offset: int) -> Sequence[Finding]:
        """Take the value of one prediction (or `Absent`), and where it stood."""
        if self.kind is FeatureKind.NUMERIC:
            problem, number = read_number(value, self._limits)
        else:
            problem, number = self._read_category(value), None
        self._problems[problem] += 1
        if not self._frozen:
            if number is not None:
                self._sample.update(number)
            return ()
        worse = shifted = None
        if self._quality is not None:
            self._recent_problems.append(problem)
            worse = self._quality.update(1.0 if problem else 0.0, at, offset, label_offset)
        if self._drift is not None and number is not None:
            shifted = self._drift.update(number, at, offset, label_offset)
        if worse is None and shifted is None:
            return ()
        return [found for found in (worse, shifted) if found is not None]

    def _read_category(self, value: object) -> Problem:
        problem, category = read_category(value)
        if category is None:
            return problem
        if len(category) > _LONGEST_CATEGORY:
            category = blake2b(category.encode(), digest_size=16).hexdigest()
        if self._frozen:
            return Problem.UNSEEN if self._knows_all and category not in self._categories else problem
        if category in self._categories or self._knows_all:
            self._categories[category] = self._categories.get(category, 0) + 1
        return problem

    @property
    def _knows_all(self) -> bool:
        """Whether every category of the reference is remembered."""
        return len(self._categories) < _MOST_CATEGORIES

    def freeze(self) -> None:
        """End the reference. A feature that had no value in it has nothing to be compared with."""
        self._frozen = True
        total = sum(self._problems)
        if total > self._problems[Problem.MISSING]:
            if self._config.detectors.quality:
                bad = (total - self._problems[Problem.FINE] + self._expected_unseen()) / total
                self._quality = self._quality_stream(ShareGrowth("bad_share", bad, total))
            if self._config.detectors.numeric and len(self._sample.values) >= _FEWEST_NUMBERS:
                self._drift = self._drift_stream(RankPsi.of(self._sample.values))
        self._sample = Thinned()

    def _expected_unseen(self) -> int:
        """Return how many of as many further values would be categories that the reference does not have.

        As many as it has just once (Good, "The population frequencies of species", 1953).
        """
        return sum(1 for times in self._categories.values() if times == 1) if self._knows_all else 0

    def _quality_stream(self, measure: Measure) -> Stream:
        return Stream(
            Subject(Kind.DATA_QUALITY, Target(feature=self.name)),
            self._version,
            measure,
            detectors=_QUALITY_DETECTORS,
            min_effect=self._config.alerts.min_effect.bad_share,
            delta=self._config.detectors.adwin.delta,
            describe=self._describe_quality,
        )

    def _drift_stream(self, measure: Measure) -> Stream:
        return Stream(
            Subject(Kind.DATA_DRIFT, Target(feature=self.name)),
            self._version,
            measure,
            detectors=RANK_DETECTORS,
            min_effect=self._config.alerts.min_effect.psi,
            delta=self._config.detectors.adwin.delta,
            describe=partial(wording.shifted, f"feature {self.name}"),
        )

    def _describe_quality(self, effect: Effect) -> str:
        bad = Counter(problem for problem in self._recent_problems if problem)
        return wording.bad_values(self.name, Problem(bad.most_common(1)[0][0]) if bad else None, effect)

    def streams(self) -> list[Stream]:
        """Return what is watched."""
        return [stream for stream in (self._quality, self._drift) if stream is not None]

    def report(self) -> dict[str, Any]:
        """Return the feature's part of the state document."""
        counts = {problem.name.lower(): self._problems[problem] for problem in Problem if problem}
        return {"kind": self.kind.value, "count": sum(self._problems), **counts}

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind.value,
            "problems": list(self._problems),
            "recent": list(self._recent_problems),
            "sample": self._sample.snapshot(),
            "categories": dict(self._categories),
            "frozen": self._frozen,
            "quality": None if self._quality is None else self._quality.snapshot(),
            "drift": None if self._drift is None else self._drift.snapshot(),
        }

    @classmethod
    def restore(cls, name: str, version: str, config: ModelConfig, snapshot: dict[str, Any]) -> Feature:
        """Rebuild what `snapshot` returned."""
        feature = cls(name, FeatureKind(snapshot["kind"]), version, config)
        feature._problems = list(snapshot["problems"])
        feature._recent_problems.extend(snapshot["recent"])
        feature._sample = Thinned.restore(snapshot["sample"])
        feature._categories = dict(snapshot["categories"])
        feature._frozen = snapshot["frozen"]
        feature._quality = restore_stream(feature._quality_stream, snapshot["quality"])
        feature._drift = restore_stream(feature._drift_stream, snapshot["drift"])
        return feature
