"""The share of records that cannot be used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from driftline.models.drift.finding import Subject
from driftline.models.drift.trail import Mark
from driftline.models.intake import Intake
from driftline.models.pipeline import Pipeline
from driftline.models.policy.bad_records import BadRecords
from driftline.models.record import FileRecord
from driftline.schemas.alerts import AlertState, Kind, Severity, Target
from driftline.schemas.config import parse_configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.models.drift.finding import Finding
    from driftline.models.record import Record
    from driftline.schemas.alerts import Alert

SUBJECT: Final = Subject(Kind.DATA_QUALITY, Target(metric="bad_records"))
START: Final = 1_795_406_400_000


def feed(bad: BadRecords, which: Iterable[bool], start: int = 0) -> list[tuple[int, Finding]]:
    found = []
    for n, is_bad in enumerate(which, start):
        finding = bad.update(is_bad=is_bad, mark=Mark(n, n, n, n))
        if finding is not None:
            found.append((n, finding))
    return found


def test_a_few_bad_records_are_no_share() -> None:
    bad = BadRecords(0.05)
    assert feed(bad, [True] * 19) == []
    assert len(feed(bad, [True], 19)) == 1
    assert bad.share == 1.0


def test_the_share_is_that_of_the_last_500_to_1000_records() -> None:
    bad = BadRecords(0.05)
    feed(bad, [True] * 500)
    feed(bad, [False] * 500, 500)
    assert bad.share == 0.5
    feed(bad, [False], 1000)
    assert bad.share == 0.0
    assert bad.total == 500


def test_a_finding_says_when_it_began() -> None:
    bad = BadRecords(0.05)
    feed(bad, (n == 7 for n in range(2000)))  # one long ago is another matter
    found = feed(bad, (n > 2400 and n % 10 == 0 for n in range(2000, 3000)), 2000)
    first, finding = found[0]
    assert first > 2500  # in another pane than the one that it began in
    assert (finding.span.earliest.at, finding.span.latest.at) == (2410, first)
    assert finding.effect.value >= 0.05
    assert "cannot be used" in finding.summary


def test_the_level_itself_is_too_high() -> None:
    assert [n for n, _ in feed(BadRecords(0.5), [False] * 20 + [True] * 20)] == [39]


def test_a_share_below_the_level_is_none() -> None:
    assert feed(BadRecords(0.05), (n % 25 == 24 for n in range(5000))) == []


def test_the_level_is_of_this_subject_alone() -> None:
    bad = BadRecords(0.05)
    feed(bad, [True, False])
    level = bad.level_of(SUBJECT)
    assert level is not None
    assert level.effect is not None
    assert (level.effect.value, level.others) == (0.5, 0)
    assert bad.level_of(Subject(Kind.DATA_QUALITY, Target(feature="bad_records"))) is None


def test_restored_counts_continue_identically() -> None:
    which = [n % 7 == 0 or n > 1200 for n in range(1600)]
    whole, first, second = BadRecords(0.2), BadRecords(0.2), BadRecords(0.2)
    found = feed(first, which[:1100])
    second.restore(as_stored(first.snapshot()))
    assert found + feed(second, which[1100:], 1100) == feed(whole, which)
    assert second.snapshot() == whole.snapshot()


# -- in a pipeline ----------------------------------------------------------------------------------------------------


class Partition:
    """A pipeline whose model m is known, fed with good and bad records."""

    def __init__(self) -> None:
        configuration = parse_configuration({"bad_records": {"alert_share": 0.2}})
        self.pipeline = Pipeline(configuration, partition=5)
        self.intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
        self.offset = 0

    def read(self, value: bytes, key: bytes | None = None) -> Record:
        self.offset += 1
        return self.intake.read(FileRecord(LABELS, self.offset, value, partition=5, key=key))

    def good(self, model_id: str = "m") -> Record:
        fields = {"model_id": model_id, "prediction_id": str(self.offset), "timestamp": START + self.offset, "label": 1}
        return self.read(json.dumps(fields).encode())

    def take(self, records: Iterable[Record]) -> list[Alert]:
        return self.pipeline.process(list(records), {}).alerts


def test_bad_records_that_name_a_known_model_are_its_own() -> None:
    for value, key in ((b'{"model_id": "m", ', None), (b"\xff", b"m"), (b'{"model_id": "m"}', b"other")):
        partition = Partition()
        assert partition.take(partition.good() for _ in range(100)) == []
        (alert,) = partition.take(partition.read(value, key) for _ in range(50))
        assert (alert.model_id, alert.model_version, alert.kind, alert.target) == ("m", None, *SUBJECT[:2])
        assert (alert.state, alert.severity, alert.detector) == (AlertState.FIRING, Severity.WARNING, "share")
        assert alert.message.startswith("Model m: ")
        assert [(found.topic, found.partition) for found in alert.offsets] == [(LABELS, 5)]
        assert partition.pipeline.documents()["m"].counts.dead_letters == 50


def test_bad_records_that_name_no_known_model_are_the_partitions() -> None:
    for value, key in ((b'{"model_id": "stranger", ', None), (b"\xff", None), (b"\xff", b"stranger")):
        partition = Partition()
        partition.take(partition.good() for _ in range(100))
        (alert,) = partition.take(partition.read(value, key) for _ in range(50))
        assert (alert.model_id, alert.target) == (None, SUBJECT.target)
        assert alert.message.startswith("Records that name no known model: ")
        assert set(partition.pipeline.documents()) == {"m"}


def test_the_incident_is_over_when_records_are_good_again() -> None:
    for value in (b'{"model_id": "m", ', b"\xff"):
        partition = Partition()
        partition.take(partition.good() for _ in range(100))
        (fired,) = partition.take(partition.read(value) for _ in range(50))
        (over,) = partition.take(partition.good() for _ in range(3000))
        assert (over.state, over.incident_id) == (AlertState.RESOLVED, fired.incident_id)
        assert over.effect.value == 0.0
        assert "the share of records that cannot be used has been back within its reference" in over.message


def test_what_lasts_is_told_once_and_began_when_it_began() -> None:
    partition = Partition()
    partition.take(partition.good() for _ in range(100))
    each_third = [partition.good] * 2 + [lambda: partition.read(b'{"model_id": "m", ')]
    (fired,) = partition.take(each() for each in each_third * 100)
    for hours in range(2, 5):
        partition.offset = hours * 3_600_000  # ms: longer than a cooldown
        assert partition.take(each() for each in each_third * 400) == []
    (over,) = partition.take(partition.good() for _ in range(3000))
    assert (over.state, over.change_point) == (AlertState.RESOLVED, fired.change_point)


def test_records_of_models_that_are_one_too_many_are_refused() -> None:
    configuration = parse_configuration({"max_models": 2})
    partition = Partition()
    partition.pipeline = Pipeline(configuration, partition=5)
    outcome = partition.pipeline.process([partition.good(model_id=f"m{n % 4}") for n in range(40)], {})
    assert {letter.reason.value for letter in outcome.dead_letters} == {"too_many_models"}
    assert len(outcome.dead_letters) == 20
    assert [alert.model_id for alert in outcome.alerts] == [None]
    assert set(partition.pipeline.documents()) == {"m0", "m1"}
    latest = max(START + letter.offset for letter in outcome.dead_letters)
    assert partition.pipeline.watermark is not None
    assert partition.pipeline.watermark < latest  # what is refused does not move time
