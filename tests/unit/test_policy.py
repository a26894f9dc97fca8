"""When a finding becomes an alert, and when an incident is over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.drift.finding import LEVEL, Finding, Level, Span, Subject
from driftline.models.drift.trail import Mark
from driftline.models.policy.alerts import REVIEW_EVERY, AlertPolicy
from driftline.models.policy.incident import Place
from driftline.schemas.alerts import AlertState, Effect, Kind, Severity, Target
from driftline.schemas.config import AlertsConfig, parse_configuration
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.restoring import as_stored

if TYPE_CHECKING:
    from driftline.schemas.alerts import Alert

AMOUNT: Final = Subject(Kind.DATA_DRIFT, Target(feature="amount"))
QUALITY: Final = Subject(Kind.DATA_QUALITY, Target(feature="amount"))
ERRORS: Final = Subject(Kind.PERFORMANCE, Target(metric="accuracy"))
SCORE: Final = Subject(Kind.PREDICTION_DRIFT, Target(metric="score"))
CALIBRATION: Final = Subject(Kind.CONCEPT_DRIFT, Target(metric="calibration"))
BAD: Final = Subject(Kind.DATA_QUALITY, Target(metric="bad_records"))
OF_POSITIVES: Final = Subject(Kind.FAIRNESS, Target(segment="sex=f"), "true_positive_rate_gap")
OF_ERRORS: Final = Subject(Kind.FAIRNESS, Target(segment="sex=f"), "error_rate_gap")
GATE: Final = 0.1
COOLDOWN: Final = 60_000
RESOLVE_AFTER: Final = 1000
START: Final = 1_795_406_400_000


def finding(  # noqa: PLR0913 - what tests vary
    value: float = 0.2,
    subject: Subject = AMOUNT,
    version: str = "1",
    detector: str = "e_sr:rank",
    start: int = 5,
    *,
    early: bool = False,
    began: int = 100,
    summary: str = "feature amount is different",
) -> Finding:
    effect = Effect(measure=subject.measure or "psi", value=value, before=1.0, after=2.0)
    at = START + began
    span = Span(Mark(start + 5, at, start, 3), Mark(start + 15, at + 100, start + 10, 4))
    return Finding(subject, version, detector, 0.5, 0.3, effect, GATE, span, summary, early)


def replace_at(mark: Mark, at: int) -> Mark:
    return mark._replace(at=at)


def place(at: int = 0, trigger: str = "driftline.predictions-0-17") -> Place:
    return Place(START + at, 0, {PREDICTIONS: 100, LABELS: 90}, trigger)


def new(**config: Any) -> AlertPolicy:  # noqa: ANN401 - fields of a configuration
    return AlertPolicy("fraud", AlertsConfig(**{"cooldown": "60s", "resolve_after": RESOLVE_AFTER, **config}))


def level(value: float | None, others: int = 0) -> Level:
    return Level(None if value is None else Effect(measure="psi", value=value, before=1.0, after=1.1), others)


class Stands:
    """How every subject stands: the level of each version, None of one that is not watched."""

    def __init__(self, **versions: Level | None) -> None:
        self.versions = versions

    def level_of(self, subject: Subject, version: str) -> Level | None:
        del subject
        return self.versions.get(f"v{version}")


SERVED: Final = Stands(v=level(0.0), v1=level(0.0), v2=level(0.0))


def decide(
    policy: AlertPolicy, *findings: Finding, at: int = 0, trigger: str = "t-0-1", stands: Stands = SERVED
) -> list[Alert]:
    return policy.decide(findings, stands, place(at, trigger)).alerts


def test_a_finding_below_its_gate_is_no_alert() -> None:
    policy = new()
    assert decide(policy, finding(GATE - 1e-9)) == []
    assert policy.is_calm
    (alert,) = decide(policy, finding(GATE))
    assert alert.state is AlertState.FIRING
    assert not policy.is_calm


def test_what_a_change_has_come_to_and_is_below_its_gate_is_for_information() -> None:
    policy = new()
    assert decide(policy, replace(finding(0.0), last=True)) == []
    (alert,) = decide(policy, replace(finding(GATE / 2), last=True))
    assert (alert.state, alert.severity) == (AlertState.FIRING, Severity.INFO)
    assert alert.message.endswith("; for information, as it is less than the 0.1 from which on it would matter.")
    (alert,) = decide(policy, finding(GATE, start=90), at=1)
    assert (alert.state, alert.severity) == (AlertState.FIRING, Severity.WARNING)
    assert "for information" not in alert.message


def test_what_is_better_is_for_information_as_long_as_it_is() -> None:
    policy = new()
    (alert,) = decide(policy, replace(finding(0.9, ERRORS), better=True))
    assert alert.severity is Severity.INFO
    assert alert.message.endswith("; for information, as it is for the better.")
    stands = Stands(v1=level(0.0)._replace(better=GATE))
    assert review_all(policy, stands, 3 * RESOLVE_AFTER) == []
    (alert,) = review_all(policy, Stands(v1=level(0.0)), 6 * RESOLVE_AFTER, since=3 * RESOLVE_AFTER)
    assert alert.state is AlertState.RESOLVED


def test_what_is_for_information_keeps_no_page_open() -> None:
    policy = new()
    decide(policy, finding(0.9, ERRORS))
    decide(policy, replace(finding(0.9, ERRORS, start=90), better=True), at=2)
    decide(policy, replace(finding(GATE / 2, CALIBRATION), last=True), at=3)
    stands = Stands(v1=level(0.0)._replace(better=0.9))
    (over,) = review_all(policy, stands, 2 * RESOLVE_AFTER)
    assert over.state is AlertState.RESOLVED


def test_what_is_better_and_then_worse_is_a_page() -> None:
    policy = new()
    decide(policy, replace(finding(0.9, ERRORS), better=True))
    (alert,) = decide(policy, finding(0.2, ERRORS, start=90), at=1)
    assert (alert.state, alert.severity) == (AlertState.FIRING, Severity.WARNING)


def review_all(policy: AlertPolicy, stands: Stands, records: int, since: int = 0) -> list[Alert]:
    """Return the alerts of all reviews up to a record."""
    reviews = range(since, records, REVIEW_EVERY)
    return [alert for record in reviews for alert in policy.review(stands, place(record), record)]


@pytest.mark.parametrize(
    ("value", "severity"), [(0.1, Severity.WARNING), (0.299, Severity.WARNING), (0.31, Severity.CRITICAL)]
)
def test_three_times_the_gate_is_critical(value: float, severity: Severity) -> None:
    (alert,) = decide(new(), finding(value, SCORE))
    assert alert.severity is severity


def test_a_feature_that_moves_is_critical_only_with_what_the_model_makes_of_it() -> None:
    policy = new()
    (alone,) = decide(policy, finding(9.0))
    assert alone.severity is Severity.WARNING
    (with_it,) = decide(policy, finding(0.31, SCORE), at=1)
    assert (with_it.incident_id, with_it.severity, with_it.target) == (
        alone.incident_id,
        Severity.CRITICAL,
        AMOUNT.target,
    )


@pytest.mark.parametrize("value", [0.2, 0.9])
@pytest.mark.parametrize("subject", [AMOUNT, SCORE])
def test_drift_that_is_early_is_for_information_however_large(subject: Subject, value: float) -> None:
    (alert,) = decide(new(), finding(value, subject, early=True))
    assert alert.severity is Severity.INFO
    assert alert.message.endswith("; for information, as the reference does not span reference.min_span yet.")


@pytest.mark.parametrize("subject", [QUALITY, ERRORS, CALIBRATION])
def test_what_is_wrong_or_worse_is_no_less_so_for_being_early(subject: Subject) -> None:
    (alert,) = decide(new(), finding(0.9, subject, early=True))
    assert alert.severity is Severity.CRITICAL
    assert "for information" not in alert.message


@pytest.mark.parametrize(
    ("value", "severity"), [(0.2, Severity.WARNING), (0.9, Severity.CRITICAL)], ids=["warning", "critical"]
)
def test_an_incident_that_was_for_information_fires_again_once_the_reference_is_covered(
    value: float, severity: Severity
) -> None:
    policy = new()
    (first,) = decide(policy, finding(value, SCORE, early=True))
    assert decide(policy, finding(value, SCORE, early=True), at=1) == []
    # It does not wait for the cooldown, nor for another change: that it lasts is enough.
    (second,) = decide(policy, finding(value, SCORE, detector=LEVEL), at=2)
    assert (second.incident_id, second.state, second.severity) == (first.incident_id, AlertState.FIRING, severity)
    assert "for information" not in second.message
    assert decide(policy, finding(value, SCORE, detector=LEVEL), at=3) == []


def test_an_alert_says_what_moved_how_much_since_when_and_in_which_records() -> None:
    (alert,) = decide(new(), finding())
    assert (alert.model_id, alert.model_version, alert.kind, alert.target) == ("fraud", "1", *AMOUNT[:2])
    assert (alert.detector, alert.statistic, alert.threshold) == ("e_sr:rank", 0.5, 0.3)
    assert alert.effect == Effect(measure="psi", value=0.2, before=1.0, after=2.0)
    assert (alert.change_point.earliest, alert.change_point.latest) == (START + 100, START + 200)
    assert alert.event_time == START
    (evidence,) = alert.evidence
    assert (evidence.kind, evidence.target, evidence.model_version, evidence.detector) == (
        *AMOUNT[:2],
        "1",
        "e_sr:rank",
    )
    assert (evidence.effect, evidence.change_point, evidence.event_time) == (alert.effect, alert.change_point, START)
    assert alert.message == (
        "Model fraud, version 1: feature amount is different; it began between 2026-11-23T04:00:00.100Z and "
        "2026-11-23T04:00:00.200Z. Look at where feature amount comes from."
    )


@pytest.mark.parametrize(
    ("subject", "ranges"),
    [
        (AMOUNT, {PREDICTIONS: (5, 100)}),
        (QUALITY, {PREDICTIONS: (5, 100)}),
        (SCORE, {PREDICTIONS: (5, 100)}),
        (ERRORS, {PREDICTIONS: (5, 100), LABELS: (3, 90)}),
        (CALIBRATION, {PREDICTIONS: (5, 100), LABELS: (3, 90)}),
        (BAD, {PREDICTIONS: (5, 100), LABELS: (3, 90)}),
    ],
    ids=lambda value: value.as_text() if isinstance(value, Subject) else "",
)
def test_an_alert_names_the_records_that_it_was_read_from(subject: Subject, ranges: dict[str, tuple[int, int]]) -> None:
    (alert,) = decide(new(), finding(subject=subject))
    assert {found.topic: (found.start, found.end) for found in alert.offsets} == ranges
    (from_the_start,) = decide(new(), finding(subject=subject, start=-1))
    assert from_the_start.offsets[0].start == 0


def test_records_of_a_topic_that_has_had_none_are_not_named() -> None:
    only = Place(START, 0, {PREDICTIONS: 100}, "t")
    (alert,) = new().decide([finding(subject=ERRORS)], SERVED, only).alerts
    assert [found.topic for found in alert.offsets] == [PREDICTIONS]


def test_there_is_one_incident_for_a_subject_however_often_it_is_found() -> None:
    policy = new()
    (first,) = decide(policy, finding(), finding(subject=QUALITY, value=0.05))
    assert decide(policy, finding(0.25), finding(0.15), at=COOLDOWN - 1) == []
    assert decide(policy, finding(0.29), at=COOLDOWN) == []  # it is known better, and the same
    (update,) = decide(policy, finding(0.15, start=50), at=COOLDOWN, trigger="another")
    assert (update.state, update.incident_id) == (AlertState.UPDATED, first.incident_id)
    assert len(policy.report()) == 1


def test_an_update_does_not_wait_for_the_cooldown_when_it_has_become_critical() -> None:
    policy = new()
    decide(policy, finding(0.2, SCORE))
    (worse,) = decide(policy, finding(0.5, SCORE), at=1)
    assert (worse.state, worse.severity) == (AlertState.UPDATED, Severity.CRITICAL)
    assert decide(policy, finding(0.9, SCORE), finding(0.2, SCORE), at=2) == []


def test_that_it_lasts_opens_an_incident_and_is_no_update_of_it() -> None:
    policy = new()
    (first,) = decide(policy, finding(subject=SCORE, detector=LEVEL))
    assert (first.state, first.detector) == (AlertState.FIRING, LEVEL)
    assert decide(policy, finding(subject=SCORE, detector=LEVEL), at=COOLDOWN) == []
    (changed,) = decide(policy, finding(subject=SCORE, detector="e_sr:rank"), at=COOLDOWN)
    assert changed.state is AlertState.UPDATED
    (worse,) = decide(policy, finding(0.5, SCORE, detector=LEVEL), at=COOLDOWN + 1)
    assert (worse.state, worse.severity) == (AlertState.UPDATED, Severity.CRITICAL)


def test_that_it_lasts_in_another_version_is_told_once() -> None:
    policy = new()
    decide(policy, finding(version="1"))
    assert decide(policy, finding(detector=LEVEL, version="2"), at=1) == []
    (other,) = decide(policy, finding(detector=LEVEL, version="2"), at=COOLDOWN)
    assert (other.state, other.model_version) == (AlertState.UPDATED, "2")
    for version in "12":
        assert decide(policy, finding(detector=LEVEL, version=version), at=2 * COOLDOWN) == []


def test_what_is_not_told_leaves_the_incident_as_it_was_told() -> None:
    policy = new()
    decide(policy, finding(0.2))
    decide(policy, finding(0.25, detector="b"), finding(0.15, version="2"), at=1)
    decide(policy, finding(0.25, QUALITY), at=2)
    (incident,) = policy.report()
    assert (incident.model_version, incident.effect.value) == ("1", 0.2)


def test_evidence_is_kept_of_each_detector_also_between_updates() -> None:
    policy = new()
    decide(policy, finding(detector="a"))
    assert decide(policy, finding(detector="b"), finding(GATE / 2, detector="c"), at=5) == []
    (update,) = decide(policy, finding(detector="a", start=50), at=COOLDOWN)
    assert [(evidence.detector, evidence.event_time) for evidence in update.evidence] == [
        ("a", START + COOLDOWN),
        ("b", START + 5),
    ]


def test_ids_are_distinct_and_the_same_in_every_run() -> None:
    runs = []
    for _ in range(2):
        policy = new()
        alerts = decide(policy, finding(), finding(subject=QUALITY, began=500), finding(subject=ERRORS, began=900))
        alerts += decide(policy, finding(0.9, QUALITY), at=1)
        runs.append([(alert.alert_id, alert.incident_id) for alert in alerts])
    assert runs[0] == runs[1]
    assert len({alert_id for alert_id, _ in runs[0]}) == 4
    assert len({incident_id for _, incident_id in runs[0]}) == 3
    for other in (decide(new(), finding(), trigger="t-0-2"), decide(new(), finding(version="2"))):
        assert other[0].incident_id not in {incident_id for _, incident_id in runs[0]}
    (of_nobody,) = AlertPolicy(None, AlertsConfig()).decide([finding(version="")], SERVED, place()).alerts
    assert (of_nobody.model_id, of_nobody.model_version) == (None, None)
    assert of_nobody.message.startswith("Records that name no known model: ")


def test_what_changes_at_the_same_time_is_one_incident_that_the_most_urgent_leads() -> None:
    policy = new()
    (alert,) = decide(
        policy,
        finding(5.0),
        finding(0.2, ERRORS, summary="predictions are wrong"),
        finding(0.2, SCORE, summary="the score is different"),
    )
    assert (alert.state, alert.kind, alert.target) == (AlertState.FIRING, *ERRORS[:2])
    assert [(each.kind, each.target) for each in alert.evidence] == [ERRORS[:2], SCORE[:2], AMOUNT[:2]]
    assert alert.message == (
        "Model fraud, version 1: predictions are wrong; it began between 2026-11-23T04:00:00.100Z and "
        "2026-11-23T04:00:00.200Z. At the same time: the score is different; feature amount is different. "
        "Look first at where feature amount comes from, which changed with it."
    )
    assert {found.topic for found in alert.offsets} == {PREDICTIONS, LABELS}
    (incident,) = policy.report()
    assert [(each.kind, each.target) for each in incident.related] == [AMOUNT[:2], SCORE[:2]]


def test_what_to_look_at_is_a_feature_that_matters_and_changed_in_the_same_version() -> None:
    for beside in (replace(finding(GATE / 2, QUALITY), last=True), replace(finding(0.9, QUALITY), better=True)):
        policy = new()
        (alert,) = decide(policy, finding(0.2, ERRORS), beside)
        assert ". Look at what the predictions are wrong about" in alert.message
        (alert,) = decide(policy, finding(0.9, QUALITY, version="2"), at=1)
        assert ". Look at what the predictions are wrong about" in alert.message
    (alert,) = decide(new(), finding(0.9, ERRORS), finding(0.2, QUALITY))
    assert alert.message.endswith("Look first at where feature amount comes from, which changed with it.")


def test_several_rates_of_a_group_are_told_each_by_itself() -> None:
    policy = new()
    (alert,) = decide(policy, finding(0.45, OF_POSITIVES, summary="women are found less often"))
    assert (alert.severity, alert.target) == (Severity.CRITICAL, OF_POSITIVES.target)
    milder = finding(0.15, OF_ERRORS, start=90, summary="women are told more errors")
    lasting = [replace(each, detector=LEVEL) for each in (finding(0.44, OF_POSITIVES), milder)]
    assert decide(policy, milder, *lasting, at=1) == []
    policy.restore(as_stored(policy.snapshot()))
    (update,) = policy.review(SERVED, place(COOLDOWN), 1)
    assert (update.state, update.severity) == (AlertState.UPDATED, Severity.CRITICAL)
    assert "women are found less often" in update.message
    assert "At the same time: women are told more errors" in update.message
    levels = {each.effect.measure: each.effect.value for each in update.evidence if each.detector == LEVEL}
    assert levels == {"true_positive_rate_gap": 0.44, "error_rate_gap": 0.15}
    (incident,) = policy.report()
    assert incident.related == []  # what alerts name both by is the one group
    stands = Stands(v1=level(0.0))
    over = review_all(policy, stands, 2 * RESOLVE_AFTER)[-1]
    assert "the true positive rate gap of segment sex=f and 1 more that changed with it" in over.message


@pytest.mark.parametrize(
    ("began", "is_one"), [(-100, True), (0, True), (300, True), (-101, False), (301, False), (-COOLDOWN, False)]
)
def test_what_changes_at_another_time_is_another_incident(began: int, *, is_one: bool) -> None:
    policy = new()
    decide(policy, finding())  # it began between 100 and 200
    alerts = decide(policy, finding(subject=QUALITY, began=began), at=1)
    assert len(policy.report()) == (1 if is_one else 2)
    assert [alert.state for alert in alerts] == ([] if is_one else [AlertState.FIRING])


def test_a_wide_interval_does_not_draw_in_what_is_placed_well_apart_from_it() -> None:
    policy = new()
    wide = finding()
    wide = replace(wide, span=Span(wide.span.earliest, replace_at(wide.span.latest, START + COOLDOWN)))
    decide(policy, wide)
    decide(policy, finding(subject=QUALITY, began=COOLDOWN + 101), at=1)
    assert len(policy.report()) == 2


def test_what_changes_in_another_version_is_another_incident() -> None:
    policy = new()
    decide(policy, finding(version="1"))
    (other,) = decide(policy, finding(subject=QUALITY, version="2"), at=1)
    assert other.state is AlertState.FIRING


def test_a_page_is_not_hidden_in_what_is_for_information() -> None:
    policy = new()
    (info,) = decide(policy, finding(early=True))
    (page,) = decide(policy, finding(subject=ERRORS), at=1)
    assert (page.state, page.severity) == (AlertState.FIRING, Severity.WARNING)
    assert page.incident_id != info.incident_id


def test_what_joins_is_told_after_the_cooldown_and_at_once_if_it_is_worse() -> None:
    policy = new()
    (first,) = decide(policy, finding())
    assert decide(policy, finding(subject=SCORE), at=1) == []
    (later,) = decide(policy, finding(subject=SCORE, detector=LEVEL), at=COOLDOWN)
    assert (later.incident_id, later.state, later.target) == (first.incident_id, AlertState.UPDATED, AMOUNT.target)
    assert decide(policy, finding(subject=SCORE, detector=LEVEL), at=2 * COOLDOWN) == []
    (worse,) = decide(policy, finding(0.9, ERRORS), at=2 * COOLDOWN + 1)
    assert (worse.incident_id, worse.severity) == (first.incident_id, Severity.CRITICAL)


def test_what_has_joined_is_told_though_nothing_more_is_found() -> None:
    policy = new()
    (first,) = decide(policy, finding())
    assert decide(policy, finding(subject=ERRORS), finding(start=50), at=1) == []
    assert policy.review(Stands(v1=level(0.9)), place(COOLDOWN - 1), 256) == []
    (told,) = policy.review(Stands(v1=level(0.9)), place(COOLDOWN), 512)
    assert (told.incident_id, told.state, told.severity) == (first.incident_id, AlertState.UPDATED, Severity.WARNING)
    assert {(each.kind, each.target) for each in told.evidence} == {AMOUNT[:2], ERRORS[:2]}
    assert policy.review(Stands(v1=level(0.9)), place(9 * COOLDOWN), 768) == []


def test_an_incident_goes_on_with_what_came_with_it_where_what_led_is_served_no_more() -> None:
    policy = new()
    (first,) = decide(policy, finding(subject=ERRORS), finding())
    assert decide(policy, finding(version="2", detector=LEVEL), at=1) == []
    stands = Stands(v1=level(0.9, others=RESOLVE_AFTER), v2=level(0.9))
    (told,) = policy.review(stands, place(COOLDOWN), 256)
    assert (told.incident_id, told.model_version, told.kind) == (first.incident_id, "2", AMOUNT.kind)
    (over,) = policy.review(Stands(v1=None, v2=None), place(COOLDOWN), 512)
    assert (over.incident_id, over.state) == (first.incident_id, AlertState.RESOLVED)


def test_what_comes_back_of_what_came_with_it_is_the_same_incident_too() -> None:
    policy = new()
    (first,) = decide(policy, finding(subject=ERRORS), finding())
    end(policy, at=10)
    again = new()
    again.restore(as_stored(policy.snapshot()))
    (back,) = decide(again, finding(detector="b"), at=20, trigger="later")
    assert (back.incident_id, back.kind, back.state) == (first.incident_id, AMOUNT.kind, AlertState.FIRING)
    (other,) = decide(again, finding(subject=ERRORS, began=5000), at=30, trigger="later still")
    assert other.incident_id != first.incident_id


def test_what_is_most_urgent_is_among_the_evidence_however_much_there_is() -> None:
    policy = new()
    decide(policy, *(finding(subject=Subject(Kind.DATA_DRIFT, Target(feature=f"f{n}"))) for n in range(40)))
    (worse,) = decide(policy, finding(0.9, ERRORS), at=1)
    assert len(worse.evidence) == 32
    assert ERRORS[:2] in {(each.kind, each.target) for each in worse.evidence}


def test_many_that_change_at_once_are_counted_and_what_is_said_of_them_is_bounded() -> None:
    policy = new()
    features = [Subject(Kind.DATA_DRIFT, Target(feature=f"f{n}")) for n in range(50)]
    (alert,) = decide(policy, *(finding(subject=each, summary=each.as_text()) for each in features))
    others = "data_drift feature f1; data_drift feature f2; data_drift feature f3; 46 more."
    assert alert.message.endswith(f"{others} Look at where feature f0 comes from.")
    assert len(alert.evidence) == 32
    (incident,) = policy.report()
    assert len(incident.related) == 49


def test_an_incident_is_over_when_all_that_came_with_it_is_back() -> None:
    class ByKind:
        def __init__(self, **kinds: float) -> None:
            self.kinds = kinds

        def level_of(self, subject: Subject, version: str) -> Level:
            del version
            return level(self.kinds.get(subject.kind, 0.0))

    policy = new()
    decide(policy, finding(), finding(subject=SCORE), finding(subject=ERRORS))
    for records in range(0, 3 * RESOLVE_AFTER, REVIEW_EVERY):
        assert policy.review(ByKind(data_drift=0.9), place(), records) == []
    assert policy.review(ByKind(), place(), 3000) == []
    (over,) = policy.review(ByKind(), place(), 3000 + RESOLVE_AFTER)
    assert over.message == (
        "Model fraud, version 1: accuracy and 2 more that changed with it have been back within their reference for "
        "1,000 records."
    )
    assert len(over.evidence) == 3


def test_findings_that_join_an_incident_are_handed_on_once() -> None:
    policy = new()
    first = policy.decide([finding(), finding(subject=ERRORS)], SERVED, place())
    assert [each.subject for _, each in first.noted] == [ERRORS, AMOUNT]
    later = policy.decide([finding(subject=CALIBRATION), finding()], SERVED, place(1))
    assert [each.subject for _, each in later.noted] == [CALIBRATION]
    assert {incident_id for incident_id, _ in later.noted} == {first.alerts[0].incident_id}
    assert policy.decide([finding(subject=CALIBRATION)], SERVED, place(2)).noted == []
    worse = policy.decide([finding(0.9, CALIBRATION)], SERVED, place(3))
    assert [each.effect.value for _, each in worse.noted] == [0.9]


def silence(start: int, end: int, **fields: Any) -> Any:  # noqa: ANN401 - as in a configuration
    return {"start": START + start, "end": START + end, **fields}


@pytest.mark.parametrize(("at", "told"), [(9, 1), (10, 0), (19, 0), (20, 1)])
def test_nothing_is_told_in_a_silence_but_what_still_stands_out_after_it(at: int, told: int) -> None:
    policy = new(silences=[silence(10, 20)])
    assert len(decide(policy, finding(detector=LEVEL), at=at)) == told
    assert policy.silenced == 1 - told
    assert policy.is_calm == (not told)


def test_what_has_joined_waits_for_the_end_of_a_silence() -> None:
    policy = new(silences=[silence(COOLDOWN, 2 * COOLDOWN, kinds=["performance"])])
    decide(policy, finding())
    assert decide(policy, finding(subject=ERRORS), at=1) == []
    assert policy.review(Stands(v1=level(0.9)), place(COOLDOWN), 256) == []
    (told,) = policy.review(Stands(v1=level(0.9)), place(2 * COOLDOWN), 512)
    assert ERRORS[:2] in {(each.kind, each.target) for each in told.evidence}


def test_a_silence_may_come_again_and_be_of_some_kinds_alone() -> None:
    policy = new(silences=[silence(10, 20, every="60s", kinds=["data_drift"])])
    assert decide(policy, finding(), at=60_000 * 7 + 15) == []
    assert len(decide(policy, finding(subject=ERRORS), at=60_000 * 7 + 15)) == 1
    again = new()
    again.restore(as_stored(policy.snapshot()))
    assert again.silenced == 1


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"start": 5, "end": 5}, "end must be after start"),
        ({"start": 5, "end": 70_000, "every": "60s"}, "every must not be shorter than the silence itself"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(fields: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigurationError, match=mistake):
        parse_configuration({"models": [{"model_id": "m", "alerts": {"silences": [fields]}}]})


def review(policy: AlertPolicy, stands: Stands, records: int, at: int = 0) -> list[Alert]:
    return policy.review(stands, place(at), records)


def test_an_incident_is_over_when_its_effect_has_been_small_for_long_enough() -> None:
    policy = new()
    (fired,) = decide(policy, finding())
    for records in range(0, RESOLVE_AFTER, REVIEW_EVERY):
        assert review(policy, SERVED, records) == []
    (over,) = review(policy, SERVED, RESOLVE_AFTER, at=7)
    assert (over.state, over.incident_id, over.event_time) == (AlertState.RESOLVED, fired.incident_id, START + 7)
    assert over.alert_id != fired.alert_id
    assert over.effect.value == 0.0  # what it is now
    assert (
        over.message == "Model fraud, version 1: feature amount has been back within its reference for 1,000 records."
    )
    assert policy.is_calm
    assert policy.report() == []


@pytest.mark.parametrize("value", [GATE / 2, GATE, None])
def test_an_incident_is_not_over_while_its_effect_is_not_small_or_not_known(value: float | None) -> None:
    policy, stands = new(), Stands(v1=level(value))
    decide(policy, finding())
    for records in range(0, 10 * RESOLVE_AFTER, REVIEW_EVERY):
        assert review(policy, stands, records) == []


def test_being_small_for_a_while_and_then_not_begins_anew() -> None:
    policy, stands = new(), Stands()
    decide(policy, finding())
    for records in range(0, 20 * RESOLVE_AFTER, REVIEW_EVERY):
        stands.versions["v1"] = level(GATE if records // REVIEW_EVERY % 3 == 0 else 0.0)
        assert review(policy, stands, records) == []


@pytest.mark.parametrize("later", [1, COOLDOWN])
def test_a_finding_while_it_is_small_begins_anew(later: int) -> None:
    policy = new()
    decide(policy, finding())
    assert review(policy, SERVED, 0) == []
    decide(policy, finding(), at=later)
    assert review(policy, SERVED, RESOLVE_AFTER) == []


def test_without_a_gate_no_effect_at_all_is_small() -> None:
    policy = new()
    free = finding()
    free = Finding(free.subject, "1", "d", 0.5, 0.3, free.effect, 0.0, free.span, "")
    decide(policy, free)
    for records in (0, RESOLVE_AFTER):
        ended = review(policy, SERVED, records)
    assert [alert.state for alert in ended] == [AlertState.RESOLVED]


def test_an_incident_of_a_version_that_is_no_longer_served_is_over() -> None:
    policy, stands = new(), Stands(v1=level(0.9, others=RESOLVE_AFTER - 1))
    decide(policy, finding())
    assert review(policy, stands, 100) == []
    stands.versions["v1"] = level(0.9, others=RESOLVE_AFTER)
    (over,) = review(policy, stands, 101)
    assert over.message == (
        "Model fraud, version 1: feature amount no longer matters, because the last 1,000 predictions were of other "
        "versions."
    )
    assert over.effect.value == 0.9


def test_an_incident_is_not_over_while_no_other_version_is_served() -> None:
    policy, stands = new(), Stands(v1=level(0.9))
    decide(policy, finding())
    for records in range(0, 10 * RESOLVE_AFTER, REVIEW_EVERY):
        assert review(policy, stands, records) == []  # the records may be labels that come all at once


def test_an_incident_of_a_version_that_is_no_longer_watched_is_over() -> None:
    policy = new()
    decide(policy, finding())
    (over,) = review(policy, Stands(), 1)
    assert over.message == ("Model fraud, version 1: feature amount is no longer watched.")


@pytest.mark.parametrize("stands", [Stands(), Stands(v1=level(0.9, others=RESOLVE_AFTER))])
def test_a_version_that_is_no_longer_served_opens_no_incident(stands: Stands) -> None:
    policy = new()
    assert decide(policy, finding(), stands=stands) == []
    assert policy.is_calm


GONE: Final = [None, level(0.9, others=RESOLVE_AFTER)]


@pytest.mark.parametrize("told", [1, COOLDOWN], ids=["noted", "told"])
@pytest.mark.parametrize("gone", GONE, ids=["unwatched", "idle"])
def test_an_incident_outlives_a_version_while_another_stands_out(gone: Level | None, told: int) -> None:
    policy = new()
    (fired,) = decide(policy, finding(0.2, version="1"))
    decide(policy, finding(0.25, version="2"), at=told)
    assert review(policy, Stands(v1=level(0.9), v2=gone), 0) == []
    (incident,) = policy.report()
    assert (incident.incident_id, incident.model_version, incident.effect.value) == (fired.incident_id, "1", 0.2)
    assert review(policy, Stands(v1=level(0.0), v2=gone), 300) == []
    (over,) = review(policy, Stands(v1=level(0.0), v2=gone), 300 + RESOLVE_AFTER)
    assert (over.incident_id, over.model_version, over.effect.value) == (fired.incident_id, "1", 0.0)


@pytest.mark.parametrize("gone", GONE, ids=["unwatched", "idle"])
def test_an_incident_outlives_the_version_that_opened_it(gone: Level | None) -> None:
    policy = new()
    decide(policy, finding(version="1"))
    assert decide(policy, finding(0.25, version="2"), at=1) == []
    for records in range(0, 10 * RESOLVE_AFTER, REVIEW_EVERY):
        assert review(policy, Stands(v1=gone, v2=level(0.9)), records) == []
    (incident,) = policy.report()
    assert (incident.model_version, incident.effect.value) == ("2", 0.25)
    (over,) = review(policy, Stands(v1=gone, v2=gone), 20 * RESOLVE_AFTER)
    assert over.model_version == "2"


def test_an_incident_is_over_when_nothing_more_comes_of_it_though_its_version_goes_on() -> None:
    policy, stands = new(), Stands()
    decide(policy, finding(subject=ERRORS))
    for events in range(0, 3 * RESOLVE_AFTER, REVIEW_EVERY):  # with values it goes on
        stands.versions["v1"] = Level(level(0.9).effect, 0, values=events, events=events)
        assert review(policy, stands, events) == []
    ended = []
    for events in range(3 * RESOLVE_AFTER, 8 * RESOLVE_AFTER, REVIEW_EVERY):
        stands.versions["v1"] = Level(level(0.9).effect, 0, values=2999, events=events)
        ended += review(policy, stands, events)
    assert [alert.state for alert in ended] == [AlertState.RESOLVED]


def test_an_incident_is_over_when_every_version_has_been_small_for_long_enough() -> None:
    policy = new()
    decide(policy, finding(version="1"), finding(version="2"))
    assert review(policy, Stands(v1=level(0.0), v2=level(0.9)), 0) == []
    assert review(policy, Stands(v1=level(0.0), v2=level(0.0)), RESOLVE_AFTER) == []
    assert review(policy, Stands(v1=level(0.0), v2=level(0.0)), 2 * RESOLVE_AFTER - 1) == []
    assert len(review(policy, Stands(v1=level(0.0), v2=level(0.0)), 2 * RESOLVE_AFTER)) == 1


def test_what_an_incident_holds_of_versions_is_bounded() -> None:
    policy = new()
    for n in range(50):
        watched = {f"v{k}": level(0.9) for k in range(max(n - 3, 0), n + 1)}
        decide(policy, finding(version=str(n)), at=n * COOLDOWN, stands=Stands(**watched))
        assert review(policy, Stands(**watched), n) == []
    (stored,) = policy.snapshot()["open"]
    assert len(stored["parts"]) == 4


def end(policy: AlertPolicy, at: int) -> Alert:
    (over,) = review(policy, Stands(), 1, at)
    return over


def test_what_comes_back_within_the_cooldown_is_the_same_incident() -> None:
    policy = new()
    (first,) = decide(policy, finding())
    end(policy, at=10)
    (again,) = decide(policy, finding(detector="b"), at=10 + COOLDOWN - 1, trigger="later")
    assert (again.state, again.incident_id) == (AlertState.FIRING, first.incident_id)
    assert again.alert_id != first.alert_id
    assert [evidence.detector for evidence in again.evidence] == ["b"]


def test_what_comes_back_of_one_version_is_not_of_the_other() -> None:
    policy = new()
    decide(policy, finding(version="2"))
    decide(policy, finding(version="1"), at=COOLDOWN)
    end(policy, at=COOLDOWN)
    decide(policy, finding(version="1"), at=COOLDOWN + 1)
    (other,) = decide(policy, finding(version="2", detector=LEVEL), at=2 * COOLDOWN + 1)
    assert (other.state, other.model_version) == (AlertState.UPDATED, "2")


def test_what_comes_back_later_is_another_incident() -> None:
    policy = new()
    (first,) = decide(policy, finding())
    end(policy, at=10)
    (again,) = decide(policy, finding(), at=10 + COOLDOWN, trigger="later")
    assert again.incident_id != first.incident_id


def test_what_is_remembered_of_ended_incidents_is_bounded() -> None:
    policy = new()
    for n in range(50):
        subject = Subject(Kind.DATA_DRIFT, Target(feature=f"f{n}"))
        at = n * 2 * COOLDOWN
        decide(policy, finding(subject=subject), at=at)
        end(policy, at + 1)
    assert len(policy.snapshot()["resolved"]) == 1


def test_a_restored_policy_continues_identically() -> None:
    def play(policy: AlertPolicy, *, restart: bool) -> list[Alert]:
        alerts = []
        for n in range(60):
            if restart:
                stored = as_stored(policy.snapshot())
                policy = new()
                policy.restore(stored)
            if n in {0, 3, 9, 22}:
                found = finding(0.2 + n / 10, detector=str(n), version=str(1 + n % 2))
                alerts += decide(policy, found, at=n * 9000, trigger=str(n))
            if n in {4, 23}:
                alerts += decide(policy, finding(subject=ERRORS, version=str(1 + n % 2)), at=n * 9000, trigger=str(n))
            stands = Stands(v1=level(0.9 if n < 12 else 0.0), v2=level(0.0, others=RESOLVE_AFTER * (n > 30)))
            alerts += review(policy, stands, n * REVIEW_EVERY, at=n * 9000)
        return alerts

    undisturbed = play(new(), restart=False)
    assert {alert.state for alert in undisturbed} == set(AlertState)
    assert play(new(), restart=True) == undisturbed


def test_a_restored_policy_knows_what_it_has_told() -> None:
    policy, again = new(), new()
    decide(policy, finding(version="1"))
    decide(policy, finding(version="2"), at=1)
    again.restore(as_stored(policy.snapshot()))
    (other,) = decide(again, finding(version="1", detector=LEVEL), at=COOLDOWN)
    assert other.model_version == "2"
    assert decide(again, finding(version="2", detector=LEVEL), at=2 * COOLDOWN) == []


def test_the_state_document_names_what_is_open() -> None:
    policy = new()
    decide(policy, finding(subject=SCORE), at=5)
    (incident,) = policy.report()
    assert (incident.opened, incident.updated, incident.target) == (START + 5, START + 5, SCORE.target)
    decide(policy, finding(0.9, SCORE), at=9)
    (incident,) = policy.report()
    assert (incident.opened, incident.updated, incident.state) == (START + 5, START + 9, AlertState.UPDATED)
