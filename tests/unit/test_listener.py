"""River's detectors on the streams of a model: what they hear, what comes of it, and that they disturb nobody."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from river import drift

from driftline.models.drift.finding import Finding, Subject
from driftline.models.drift.listener import Listener, listeners_on
from driftline.models.drift.measure import Residual, ShareGrowth
from driftline.models.drift.rank import RankPsi
from driftline.models.drift.stream import NEVER, RANK_DETECTORS, Stream, restore_stream
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import DetectorsConfig, MinEffect, ModelConfig
from driftline.schemas.river import RiverDetector, Watched
from tests.restoring import as_stored
from tests.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.models.drift.measure import Measure

EFFECTS: Final = MinEffect()
NOISY: Final = {"name": "DummyDriftDetector", "parameters": {"t_0": 100}}


def listener(name: str, **parameters: Any) -> Listener:  # noqa: ANN401 - of a constructor
    return Listener(RiverDetector(name=name, parameters=parameters))


def stream(measure: Measure, *listeners: Listener, events: float = 1e6) -> Stream:
    ranked = isinstance(measure, RankPsi)
    watched = Stream(
        Subject(Kind.PERFORMANCE, Target(metric="accuracy")),
        "1",
        measure,
        detectors=RANK_DETECTORS if ranked else ("e_sr:error",),
        min_effect=EFFECTS.psi if ranked else EFFECTS.error_rate,
        describe=lambda effect: effect.measure,
        listeners=listeners,
    )
    watched.promise(events)
    return watched


def errors(*listeners: Listener, events: float = 1e6) -> Stream:
    watched = stream(ShareGrowth("error_rate", 0.1, 10_000), *listeners, events=events)
    watched.start(0.1, 10_000)
    return watched


def feed(watched: Stream, values: Iterable[float]) -> list[tuple[int, Finding]]:
    found = []
    for value in values:
        n = watched.count + 1
        own = watched.update(value, n, n, n)
        found += [(n, finding) for finding in ([own] if own else []) + watched.follow(n, n, n)]
    return found


def bits(random: Random, share: float, size: int) -> list[float]:
    return [float(random.random() < share) for _ in range(size)]


def of_river(found: list[tuple[int, Finding]]) -> list[tuple[int, Finding]]:
    return [(n, finding) for n, finding in found if finding.detector.startswith("river:")]


@pytest.mark.parametrize("name", ["KSWIN", "PageHinkley", "DDM", "EDDM", "FHDDM", "HDDMA", "HDDMW", "ADWIN"])
def test_what_a_detector_sees_is_found_with_its_size_and_its_place(name: str) -> None:
    kswin = {"alpha": 1e-5, "window_size": 200, "stat_size": 80}
    parameters: dict[str, dict[str, float]] = {"KSWIN": kswin, "PageHinkley": {"threshold": 20}}
    random = Random(3)
    watched = errors(listener(name, **parameters.get(name, {})))
    feed(watched, bits(random, 0.1, 1500))
    found = of_river(feed(watched, bits(random, 0.5, 600)))
    n, finding = next((n, finding) for n, finding in found if finding.effect.value >= finding.min_effect)
    assert n < 1800
    assert finding.detector == f"river:{name}"
    assert finding.span.earliest.nth <= 1500 <= finding.span.latest.nth
    assert finding.effect.before == 0.1


def test_a_change_is_seen_when_rivers_own_loop_sees_it() -> None:
    rivers: Any = drift.KSWIN(alpha=1e-4, seed=0)
    random = Random(1)
    values = [random.gauss(0, 1) for _ in range(400)] + [random.gauss(1, 1) for _ in range(400)]
    measure = RankPsi.of([random.gauss(0, 1) for _ in range(1000)])
    watched = stream(measure, listener("KSWIN", alpha=1e-4))
    seen = []
    for value in values:
        before = watched.listeners[0].detections
        feed(watched, [value])
        rivers.update(measure.unit(value))
        seen.append(watched.listeners[0].detections - before)
        assert bool(seen[-1]) is rivers.drift_detected
    assert sum(seen)


def test_the_values_are_mapped_as_the_kernel_maps_them() -> None:
    random = Random(2)
    measures: list[Measure] = [RankPsi.of([round(random.gauss(0, 1), 1) for _ in range(1000)]), Residual("c", 1000)]
    for measure in measures:
        watched = stream(measure, listener("NoDrift"))
        heard: list[float] = []
        watched.listeners[0].update = lambda value, _, heard=heard: heard.append(value)  # type: ignore[method-assign,misc]
        values = [round(random.uniform(-1, 1), 1) for _ in range(200)] + [-9.0, 9.0]
        feed(watched, values if isinstance(measure, RankPsi) else values[:200])
        assert heard == [measure.unit(value) for value in values[: len(heard)]]
        assert len(heard) >= 200


def test_each_bit_is_heard_once_and_in_order_though_e_sr_takes_8_at_a_time() -> None:
    values = bits(Random(6), 0.4, 1100)
    watched = errors(listener("NoDrift"))
    heard: list[tuple[int, float]] = []
    watched.listeners[0].update = lambda value, count: heard.append((count, value))  # type: ignore[method-assign]
    for n, value in enumerate(values):
        feed(watched, [value])
        assert watched.follow(n, n, n) == []  # once more, and nothing has come since
    assert heard == list(enumerate(values, 1))
    watched.update(1.0, 0, 0, 0)
    watched.update(1.0, 0, 0, 0)
    with pytest.raises(LookupError, match="values 1101 to 1101 were not heard"):
        watched.follow(0, 0, 0)


def test_one_that_cries_all_the_time_does_not_disturb_the_others() -> None:
    random = Random(5)
    values = [*bits(random, 0.1, 3000), *bits(random, 0.25, 1500)]
    alone, beside = errors(), errors(listener("DummyDriftDetector", t_0=50), listener("HDDMW"))
    expected = feed(alone, values)
    found = feed(beside, values)
    assert beside.listeners[0].detections == len(values) // 50
    assert [pair for pair in found if not pair[1].detector.startswith("river:")] == expected
    assert expected


def test_nothing_is_placed_before_there_are_blocks_to_place_it_in() -> None:
    watched = errors(listener("DummyDriftDetector", t_0=1), events=NEVER)
    assert feed(watched, [0.0] * 63) == []
    assert [n for n, _ in feed(watched, [0.0] * 100)] == [64, 96, 128, 160]


def test_e_sr_can_be_off_and_the_stream_still_stands_for_what_lasts() -> None:
    random = Random(1)
    watched = errors(listener("NoDrift"), events=NEVER)
    found = feed(watched, [*bits(random, 0.1, 3000), *bits(random, 0.6, 4000)])
    assert {finding.detector for _, finding in found} == {"level"}
    assert watched.detections == 0
    assert [report["detector"] for report in watched.reports()] == ["river:NoDrift"]


@pytest.mark.parametrize("cut", [0, 700, 1550, 1800])
def test_a_restored_stream_goes_on_as_if_nothing_had_happened(cut: int) -> None:
    random = Random(4)
    values = [*bits(random, 0.1, 1500), *bits(random, 0.5, 900)]

    def new(measure: Measure) -> Stream:
        return stream(measure, listener("KSWIN", alpha=1e-4), listener("DDM"), events=1000)

    whole = new(ShareGrowth("error_rate", 0.1, 10_000))
    expected = feed(whole, values)
    first = new(ShareGrowth("error_rate", 0.1, 10_000))
    found = feed(first, values[:cut])
    again = restore_stream(new, as_stored(first.snapshot()))
    assert again is not None
    assert found + feed(again, values[cut:]) == expected
    assert again.snapshot() == whole.snapshot()
    assert of_river(expected)


def test_a_detector_with_other_parameters_begins_where_the_stream_is() -> None:
    first = errors(listener("DummyDriftDetector", t_0=300))
    feed(first, [0.0] * 290)
    for name, t_0, detections in (("DummyDriftDetector", 300, 1), ("DummyDriftDetector", 299, 0), ("NoDrift", 0, 0)):
        again = errors(listener(name, **({"t_0": t_0} if t_0 else {})))
        again.restore(first.snapshot())
        feed(again, [0.0] * 20)
        (report,) = list(again.reports())[1:]
        assert report["detections"] == detections
        assert report["count"] == (310 if t_0 == 300 else 20)


def test_parameters_may_be_integers_that_a_snapshot_does_not_hold() -> None:
    first = errors(listener("KSWIN", seed=2**70))
    feed(first, bits(Random(1), 0.5, 200))
    again = errors(listener("KSWIN", seed=2**70))
    again.restore(as_stored(first.snapshot()))
    assert [report["count"] for report in again.reports()] == [200, 200]


def test_what_takes_zeros_and_ones_hears_nothing_else() -> None:
    both = [{"name": "DDM", "on": ["error"]}, {"name": "KSWIN", "on": ["error"]}]
    detectors = DetectorsConfig.model_validate({"river": both})
    assert [each.name for each in listeners_on(Watched.ERROR, detectors)] == ["river:KSWIN"]
    assert len(listeners_on(Watched.ERROR, detectors, bits=True)) == 2
    assert listeners_on(Watched.SCORE, detectors) == []


# -- of a model -------------------------------------------------------------------------------------------------------


def serve(served: Served, size: int, *, wrong: float, mean: float = 0.0, seed: int = 1) -> None:
    random = Random(seed)
    for _ in range(size):
        score = random.random()
        label = int(random.random() < score) if random.random() > wrong else int(score < 0.5)
        served.pair(int(score > 0.5), label, score=score, features={"x": random.gauss(mean, 1), "y": random.random()})


def test_each_stream_is_heard_by_those_that_are_on_it() -> None:
    river = [
        {**NOISY, "on": ["numeric", "score"]},
        {"name": "PageHinkley", "on": ["error", "residual"]},
        {"name": "HDDMA"},
    ]
    served = Served(detectors={"river": river})
    serve(served, 900, wrong=0.0)
    heard = {name for name in served.report()["detectors"] if "river:" in name}
    assert heard == {
        "data_drift feature x river:DummyDriftDetector",
        "data_drift feature y river:DummyDriftDetector",
        "prediction_drift metric score river:DummyDriftDetector",
        "performance metric accuracy river:PageHinkley",
        "performance metric accuracy river:HDDMA",
        "concept_drift metric calibration river:PageHinkley",
    }
    counts = {name: report["count"] for name, report in served.report()["detectors"].items() if "river:" in name}
    assert set(counts.values()) == {800}


@pytest.mark.parametrize("own", [["e_sr"], []])
def test_what_is_found_is_found_in_the_row_that_brought_it(own: list[str]) -> None:
    river = [{"name": "HDDMW"}, {"name": "PageHinkley", "on": ["numeric"], "parameters": {"threshold": 10}}]
    served = Served(detectors={"river": river, "numeric": own, "error": own})
    serve(served, 1000, wrong=0.0)
    serve(served, 400, wrong=0.9, mean=2.0, seed=2)
    found = [each for each in served.found if each.effect.value >= each.min_effect]
    by = {(each.detector, each.subject.as_text()) for each in found if each.detector.startswith("river:")}
    assert by == {
        ("river:HDDMW", "performance metric accuracy"),
        ("river:PageHinkley", "data_drift feature x"),
    }
    assert any(each.detector.startswith("e_sr:error") for each in found) is bool(own)
    assert "performance metric accuracy e_sr:error" in served.report()["detectors"] or not own


def test_a_model_without_them_is_as_it_was() -> None:
    detectors = ModelConfig(model_id="m").detectors
    assert (detectors.river, detectors.watches(Watched.ERROR), detectors.error) == ((), True, ("e_sr",))
    served = Served()
    serve(served, 300, wrong=0.0)
    assert "river" not in str(served.monitor.snapshot())
