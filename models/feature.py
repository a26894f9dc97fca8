"""One feature of one version: its quality and its drift, against the version's first events."""

from __future__ import annotations

from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from driftline.models.finding import Subject
from driftline.models.measure import ShareGrowth
from driftline.models.quality import Problem, read_category, read_number
from driftline.models.rank import RankPsi, restore_measure
from driftline.models.stream import RECENT, Stream
from driftline.models.thinned import Thinned
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import FeatureConfig, FeatureKind

if TYPE_CHECKING:
    from driftline.models.finding import Finding
    from driftline.models.measure import Measure
    from driftline.schemas.alerts import Effect
    from driftline.schemas.config import ModelConfig

_MOST_CATEGORIES: Final = 1000
_FEWEST_NUMBERS: Final = 50  # of the reference, below which ranks say nothing


class Feature:
    """Watches one feature.

    Until `freeze` values only teach what is normal; from there on they are compared with it.
    """

    def __init__(self, name: str, kind: FeatureKind, version: str, config: ModelConfig) -> None:
        self.name = name
        self.kind = kind
        self._version = version
        self._config = config
        self._limits = config.features.get(name) or FeatureConfig()
        self._problems = [0] * len(Problem)
        self._recent_problems: deque[int] = deque(maxlen=RECENT)
        self._sample = Thinned()
        self._categories: dict[str, None] = {}
        self._frozen = False
        self._quality: Stream | None = None
        self._drift: Stream | None = None

    def update(self, value: object, at: int, offset: int, label_offset: int) -> list[Finding]:
        """Take the value of one prediction (or `Absent`), and where it stood."""
        if self.kind is FeatureKind.NUMERIC:
            problem, number = read_number(value, self._limits)
        else:
            problem, number = self._read_category(value), None
        self._problems[problem] += 1
        if not self._frozen:
            if number is not None:
                self._sample.update(number)
            return []
        findings = []
        if self._quality is not None:
            self._recent_problems.append(problem)
            findings.append(self._quality.update(float(problem is not Problem.FINE), at, offset, label_offset))
        if self._drift is not None and number is not None:
            findings.append(self._drift.update(number, at, offset, label_offset))
        return [finding for finding in findings if finding is not None]

    def _read_category(self, value: object) -> Problem:
        problem, category = read_category(value)
        if category is None or category in self._categories:
            return problem
        if self._frozen:
            return Problem.UNSEEN if len(self._categories) < _MOST_CATEGORIES else problem
        if len(self._categories) < _MOST_CATEGORIES:
            self._categories[category] = None
        return problem

    def freeze(self) -> None:
        """End the reference."""
        self._frozen = True
        total = sum(self._problems)
        bad = (total - self._problems[Problem.FINE]) / total if total else 0.0
        if self._config.detectors.quality:
            self._quality = self._quality_stream(ShareGrowth("bad_share", bad))
        if self._config.detectors.numeric and len(self._sample.values) >= _FEWEST_NUMBERS:
            self._drift = self._drift_stream(RankPsi(self._sample.values))
        self._sample = Thinned()

    def _quality_stream(self, measure: Measure) -> Stream:
        return Stream(
            Subject(Kind.DATA_QUALITY, Target(feature=self.name)),
            self._version,
            measure,
            detector="adwin:bad",
            min_effect=self._config.alerts.min_effect.bad_share,
            delta=self._config.detectors.adwin.delta,
            describe=self._describe_quality,
        )

    def _drift_stream(self, measure: Measure) -> Stream:
        return Stream(
            Subject(Kind.DATA_DRIFT, Target(feature=self.name)),
            self._version,
            measure,
            detector="adwin:rank",
            min_effect=self._config.alerts.min_effect.psi,
            delta=self._config.detectors.adwin.delta,
            describe=partial(describe_shift, f"feature {self.name}"),
        )

    def _describe_quality(self, effect: Effect) -> str:
        bad = Counter(problem for problem in self._recent_problems if problem)
        what = Problem(bad.most_common(1)[0][0]).name.lower().replace("_", " ") if bad else "bad"
        return f"feature {self.name} is {what} in {effect.after:.1%} of recent predictions, {effect.before:.1%} before"

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
            "categories": list(self._categories),
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
        feature._categories = dict.fromkeys(snapshot["categories"])
        feature._frozen = snapshot["frozen"]
        if snapshot["quality"] is not None:
            feature._quality = feature._quality_stream(restore_measure(snapshot["quality"]["measure"]))
            feature._quality.restore(snapshot["quality"])
        if snapshot["drift"] is not None:
            feature._drift = feature._drift_stream(restore_measure(snapshot["drift"]["measure"]))
            feature._drift.restore(snapshot["drift"])
        return feature


def describe_shift(what: str, effect: Effect) -> str:
    """Say how a distribution moved."""
    return (
        f"{what} is distributed differently: median {effect.after:.4g} recently, {effect.before:.4g} in the reference "
        f"(PSI at least {effect.value:.2f})"
    )
