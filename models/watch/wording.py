"""The words of alerts: each function says half a sentence that goes on after "Model fraud, version 7: "."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.models.watch.quality import Problem
from driftline.schemas.alerts import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.drift.finding import Subject
    from driftline.schemas.alerts import Effect, Target
    from driftline.schemas.config import FairnessMetric

_PROBLEMS = {
    Problem.MISSING: "missing",
    Problem.WRONG_TYPE: "of the wrong type",
    Problem.NON_FINITE: "not a finite number",
    Problem.OUT_OF_RANGE: "out of range",
    Problem.UNSEEN: "a category that the reference does not have",
}
_MOST_NAMED = 3
_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))
_METRICS = {
    "accuracy": "accuracy",
    "mae": "the mean absolute error",
    "calibration": "calibration",
    "score": "the distribution of the score",
    "prediction": "the distribution of what is predicted",
    "label": "the distribution of the labels",
    "bad_records": "the share of records that cannot be used",
    "repeated_predictions": "the share of predictions whose id was there before",
    "lost_records": "the loss of records",
    "lost_state": "the loss of the state",
    "predictions": "predictions",
    "labels": "labels",
}

_SERVED = "Look at the version that is served, and at the features that are least like the reference"
_LOOK_AT = {
    "accuracy": "Look at what the predictions are wrong about, in the slices of the state, and at how labels are made",
    "mae": "Look at which predictions are far off, in the slices of the state, and at how labels are made",
    "calibration": "Look at how labels are made, and at what the model does not know of",
    "score": _SERVED,
    "prediction": _SERVED,
    "label": "Look at how labels are made, and at what the model is asked about",
    "bad_records": "Look at what was deployed where these records come from",
    "repeated_predictions": "Look at who sends the same predictions again, and at how ids are made",
    "predictions": "Look at the service that sends them",
    "labels": "Look at the job that sends them",
}


def name(subject: Subject) -> str:
    """Name what is watched.

    Examples
    --------
    >>> from driftline.models.drift.finding import Subject
    >>> from driftline.schemas.alerts import Target
    >>> name(Subject(Kind.DATA_QUALITY, Target(feature="age")))
    'the quality of feature age'
    >>> name(Subject(Kind.FAIRNESS, Target(segment="sex=f"), "error_rate_gap"))
    'the error rate gap of segment sex=f'

    """
    target = subject.target
    if target.feature is not None:
        quality = "the quality of " if subject.kind is Kind.DATA_QUALITY else ""
        return f"{quality}feature {target.feature}"
    if subject.measure:
        return f"the {subject.measure.replace('_', ' ')} of {target.as_text()}"
    return _METRICS.get(target.metric or "", target.as_text())


def look_at(subject: Subject, suspect: Subject | None = None) -> str:
    """Say what to look at first where something has changed: a suspect that changed with it, or what it comes from.

    Examples
    --------
    >>> from driftline.models.drift.finding import Subject
    >>> from driftline.schemas.alerts import Target
    >>> look_at(Subject(Kind.PERFORMANCE, Target(segment="region=eu")))
    'Look at what is different about segment region=eu'
    >>> look_at(Subject(Kind.PERFORMANCE, Target(metric="mae")), Subject(Kind.DATA_DRIFT, Target(feature="age")))
    'Look first at where feature age comes from, which changed with it'

    """
    target = subject.target
    if suspect is not None:
        return f"Look first at where {suspect.target.as_text()} comes from, which changed with it"
    if target.feature is not None:
        return f"Look at where {target.as_text()} comes from"
    if subject.kind is not Kind.PREDICTION_DRIFT and (target.segment is not None or target.class_ is not None):
        return f"Look at what is different about {target.as_text()}"
    return _LOOK_AT.get(target.metric or "", "")


def shifted(what: str, effect: Effect) -> str:
    """Say how a distribution has moved.

    Examples
    --------
    >>> from driftline.schemas.alerts import Effect
    >>> shifted("feature amount", Effect(measure="psi", value=2.5, before=19.9, after=1990.0))
    'feature amount is distributed differently: its median is 1990, against 19.9 in the reference (PSI at least 2.50)'

    """
    return (
        f"{what} is distributed differently: its median is {effect.after:.4g}, against {effect.before:.4g} in the "
        f"reference (PSI at least {effect.value:.2f})"
    )


def categories_shifted(what: str, categories: Sequence[str | None], effect: Effect) -> str:
    """Say which category, or which of several, there is more or less of now; None stands for all that have no name.

    Examples
    --------
    >>> from driftline.schemas.alerts import Effect
    >>> categories_shifted("feature land", ["AT"], Effect(measure="psi", value=0.85, before=0.2, after=0.7))
    'feature land is distributed differently: "AT" is 70.0% of it, against 20.0% in the reference (PSI at least 0.85)'

    """
    who = " or ".join("any other" if category is None else f'"{category}"' for category in categories[:_MOST_NAMED])
    return (
        f"{what} is distributed differently: {who} is {effect.after:.1%} of it, against {effect.before:.1%} in the "
        f"reference (PSI at least {effect.value:.2f})"
    )


def bad_values(feature: str, problem: Problem | None, effect: Effect) -> str:
    """Say how often a feature's values are bad, and mostly in what way."""
    how = "bad" if problem is None else _PROBLEMS[problem]
    return (
        f"feature {feature} is {how} in {effect.after:.1%} of recent predictions, "
        f"against {effect.before:.1%} bad values in the reference"
    )


def vanished(feature: str, instead: Sequence[str], effect: Effect) -> str:
    """Say that a feature has no values any more, and which came up meanwhile, under another name perhaps.

    Examples
    --------
    >>> from driftline.schemas.alerts import Effect
    >>> vanished("amount", ["amt"], Effect(measure="bad_share", value=0.5, before=0.01, after=1.0))
    'feature amount has vanished: no recent prediction has it, against 1.0% bad values in the reference; feature amt, which the reference does not have, came at the same time'

    """  # noqa: E501 - what it returns
    which = f"feature{'s' * (len(instead) > 1)} {' and '.join(instead[:_MOST_NAMED])}"
    renamed = f"; {which}, which the reference does not have, came at the same time" if instead else ""
    return (
        f"feature {feature} has vanished: no recent prediction has it, against {effect.before:.1%} bad values in the "
        f"reference{renamed}"
    )


def constant(feature: str, value: float, effect: Effect) -> str:
    """Say that a feature has one value only.

    Examples
    --------
    >>> from driftline.schemas.alerts import Effect
    >>> constant("amount", 7.0, Effect(measure="psi", value=2.5, before=19.9, after=7.0))
    'feature amount is always 7 now: in the reference it varies about a median of 19.9 (PSI at least 2.50)'

    """
    return (
        f"feature {feature} is always {value:.4g} now: in the reference it varies about a median of "
        f"{effect.before:.4g} (PSI at least {effect.value:.2f})"
    )


def constant_category(feature: str, category: str, before: float, effect: Effect) -> str:
    """Say that a feature has one category only.

    Examples
    --------
    >>> from driftline.schemas.alerts import Effect
    >>> constant_category("land", "AT", 0.2, Effect(measure="psi", value=0.85, before=0.5, after=0.0))
    'feature land is always "AT" now: 20.0% of the reference is that (PSI at least 0.85)'

    """
    return (
        f'feature {feature} is always "{category}" now: {before:.1%} of the reference is that '
        f"(PSI at least {effect.value:.2f})"
    )


def more_errors(effect: Effect, of: Target | None = None) -> str:
    """Say how often predictions are wrong, of all pairs or of a slice.

    Examples
    --------
    >>> from driftline.schemas.alerts import Effect, Target
    >>> more_errors(Effect(measure="error_rate", value=0.2, before=0.1, after=0.35), Target(segment="region=eu"))
    'predictions are wrong in 35.0% of recent pairs of segment region=eu, against 10.0% in the reference'

    """
    return (
        f"predictions are wrong in {effect.after:.1%} of recent pairs{_of(of)}, against {effect.before:.1%} in the "
        "reference"
    )


def larger_errors(effect: Effect, of: Target | None = None) -> str:
    """Say how far predictions are off, of all pairs or of a slice."""
    return (
        f"the mean absolute error is {effect.after:.4g} over recent pairs{_of(of)}, against {effect.before:.4g} in the "
        "reference"
    )


def treated_otherwise(metric: FairnessMetric, group: Target, effect: Effect) -> str:
    """Say how a group fares beside all others.

    Examples
    --------
    >>> from driftline.schemas.alerts import Effect, Target
    >>> from driftline.schemas.config import FairnessMetric
    >>> effect = Effect(measure="error_rate_gap", value=0.21, interval=(0.16, 0.26), before=0.1, after=0.31)
    >>> treated_otherwise(FairnessMetric.ERROR_RATE, Target(segment="sex=f"), effect)
    'the error rate of segment sex=f is 31.0%, against 10.0% of all others: a gap of 21.0 points (16.0 to 26.0)'

    """
    name, (least, most) = metric.value.replace("_", " "), effect.interval or (effect.value, effect.value)
    return (
        f"the {name} of {group.as_text()} is {effect.after:.1%}, against {effect.before:.1%} of all others: a gap of "
        f"{effect.value * 100:.1f} points ({least * 100:.1f} to {most * 100:.1f})"
    )


def _of(which: Target | None) -> str:
    return "" if which is None else f" of {which.as_text()}"


def positives_differ(effect: Effect) -> str:
    """Say that the positive class is more or less frequent than the score promises."""
    return (
        f"labels no longer follow the score: they are positive {_percent(effect)} than the reference expects of such "
        "scores"
    )


def hits_differ(effect: Effect) -> str:
    """Say that predictions are right more or less often than their probabilities promise."""
    return (
        f"labels no longer follow the probabilities: predictions are right {_percent(effect)} than the reference "
        "expects of such probabilities"
    )


def score_tells_less(effect: Effect) -> str:
    """Say that the score separates labels otherwise than it did."""
    less = "less" if (effect.after or 0.0) > 0 else "more"
    return (
        f"labels no longer follow the score: it says {less} about them than in the reference "
        f"(its squared error is off by {effect.after:+.3f})"
    )


def truth_differs(effect: Effect) -> str:
    """Say that the true values lie elsewhere than the predictions promise."""
    after = effect.after or 0.0
    return (
        f"true values no longer follow the predictions: they are typically {abs(after):.4g} "
        f"{'higher' if after > 0 else 'lower'} than the reference expects of such predictions"
    )


def lost_records(lost: Sequence[tuple[str, int, int]]) -> str:
    """Say which records were lost: topic, and the offsets from and up to."""
    ranges = " and ".join(f"{start} to {end - 1} of {topic}" for topic, start, end in lost)
    return f"the records {ranges} had been deleted before they were read, and what is counted is without them"


def lost_state() -> str:
    """Say that the state had to be rebuilt."""
    return (
        "its state was not in Redis any more and is rebuilt from the oldest records that Kafka has; alerts of what is "
        "read again may come again under other ids"
    )


def bad_records(share: float) -> str:
    """Say how many records cannot be used."""
    return f"{share:.1%} of recent records cannot be used; the dead-letter topic holds them with the reasons"


def repeated(effect: Effect) -> str:
    """Say how many predictions come with an id that was there before.

    Examples
    --------
    >>> from driftline.schemas.alerts import Effect
    >>> repeated(Effect(measure="bad_share", value=0.2, before=0.001, after=0.3))
    '30.0% of recent predictions have an id that was there before, against 0.1% in the reference: they are not counted'

    """
    return (
        f"{effect.after:.1%} of recent predictions have an id that was there before, against {effect.before:.1%} in "
        "the reference: they are not counted"
    )


def silent(metric: str, effect: Effect, allowed: float | None) -> str:
    """Say for how many seconds nothing has come, and how many are allowed, or how long pauses were.

    Examples
    --------
    >>> from driftline.schemas.alerts import Effect
    >>> silent("labels", Effect(measure="seconds", value=5400.0, before=90.0, after=5400.0), None)
    'no labels have come for 90 minutes; the longest pause but one was of 90 seconds'

    """
    usual = f"the longest pause but one was of {_time(effect.before or 0.0)}"
    if allowed is not None:
        usual = f"silence.{metric} allows a pause of {_time(allowed)}"
    return f"no {metric} have come for {_time(effect.value)}; {usual}"


def _time(seconds: float) -> str:
    unit, name = next(each for each in _UNITS if seconds >= 2 * each[0] or each[0] == 1)
    return f"{seconds / unit:.3g} {name}"


def _percent(effect: Effect) -> str:
    after = effect.after or 0.0
    return f"{abs(after) * 100:.0f} points {'more' if after > 0 else 'less'} often"
