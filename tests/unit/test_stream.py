"""What one stream finds, where it says that it began, and that it finds nothing where nothing happens."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.drift.finding import LEVEL, Finding, Subject
from driftline.models.drift.measure import Residual, ShareGrowth
from driftline.models.drift.rank import MeanGrowth, RankPsi, RankShift
from driftline.models.drift.stream import RANK_DETECTORS, Stream, restore_stream
from driftline.models.kernels.season import DAY
from driftline.models.kernels.stream import RECENT
from driftline.models.snapshot import seal
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.config import MinEffect
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from driftline.models.drift.measure import Measure

    Draw = Callable[[Random], float]

SUBJECT: Final = Subject(Kind.DATA_DRIFT, Target(feature="x"))
GATES: Final = MinEffect()
REFERENCE: Final = 1000
BETWEEN: Final = 10_000_000  # values to a false alarm
FAMILIES: Final[dict[str, Draw]] = {
    "normal": lambda random: random.gauss(0, 1),
    "lognormal": lambda random: random.lognormvariate(3, 1),
    "t3": lambda random: random.gauss(0, 1) / math.sqrt(random.gammavariate(1.5, 2) / 3),
    "many zeros": lambda random: 0.0 if random.random() < 0.7 else random.lognormvariate(0, 1),
    "zeros and ones": lambda random: float(random.random() < 0.1),
}


def new(
    measure: Measure,
    gate: float = GATES.psi,
    detectors: Sequence[str] = RANK_DETECTORS,
    reference: Sequence[float] = (),
) -> Stream:
    stream = Stream(SUBJECT, "1", measure, detectors=detectors, min_effect=gate, describe=lambda effect: effect.measure)
    stream.learn(reference)
    stream.promise(BETWEEN)
    return stream


def of_ranks(reference: Sequence[float], gate: float = GATES.psi) -> Stream:
    return new(RankPsi.of(reference), gate, reference=reference)


def of_errors(share: float, reference: int = 10_000) -> Stream:
    stream = new(ShareGrowth("error_rate", share, reference), GATES.error_rate, ["error"])
    stream.start(share, reference)
    return stream


def feed(stream: Stream, values: Iterable[float]) -> list[tuple[int, Finding]]:
    """Return the findings with the count of the value at which each was made; the n-th value is of time n."""
    found = []
    for value in values:
        n = stream.count + 1
        finding = stream.update(value, n, n, n)
        if finding is not None:
            found.append((n, finding))
    return found


def first_large(found: list[tuple[int, Finding]]) -> tuple[int, Finding] | None:
    return next(((n, finding) for n, finding in found if finding.effect.value >= finding.min_effect), None)


def lasting(found: list[tuple[int, Finding]]) -> list[tuple[int, Finding]]:
    return [(n, finding) for n, finding in found if finding.detector == LEVEL]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_found_in_a_stream_that_does_not_change(family: str, seed: int) -> None:
    random, draw = Random(seed), FAMILIES[family]
    stream = of_ranks([draw(random) for _ in range(REFERENCE)])
    assert first_large(feed(stream, (draw(random) for _ in range(50_000)))) is None
    assert stream.level is not None
    assert stream.level.value < stream.min_effect


def test_what_is_worse_after_it_was_better_stands_as_worse_at_once() -> None:
    random = Random(3)
    stream = Stream(
        SUBJECT,
        "1",
        Residual("calibration", 10_000),
        detectors=["e_sr:excess"],
        min_effect=GATES.calibration,
        describe=lambda effect: effect.measure,
        improves=-1,
    )
    stream.complete(10_000)
    stream.promise(BETWEEN)
    feed(stream, (random.uniform(-0.3, 0.3) for _ in range(1000)))
    better = feed(stream, (random.uniform(-0.3, 0.3) - 0.3 for _ in range(1000)))
    assert {finding.better for _, finding in better} == {True}
    assert stream.better > 0.2
    for value in range(2000):
        found = feed(stream, [random.uniform(-0.3, 0.3) + 0.25])
        if found and not found[0][1].better:
            assert value < RECENT  # before it is settled how all of them stand
            assert abs(found[0][1].effect.value) < 0.28
            assert stream.level is not None
            assert stream.level.value >= GATES.calibration
            assert stream.better == 0.0
            return
    pytest.fail("it is not found that it is worse")


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5])
def test_nothing_is_found_in_errors_that_do_not_change(share: float) -> None:
    random, stream = Random(5), of_errors(share)
    assert first_large(feed(stream, (float(random.random() < share) for _ in range(50_000)))) is None


CHANGES: Final[dict[str, tuple[str, Callable[[float], float], int]]] = {
    "one standard deviation more": ("normal", lambda value: value + 1, 250),
    "half a standard deviation more": ("normal", lambda value: value + 0.5, 700),
    "heavy tails, shifted": ("t3", lambda value: value - 1, 300),
    "cents for dollars": ("lognormal", lambda value: 100 * value, 100),
    "another unit about a mean of 0": ("normal", lambda value: 100 * value, 100),
    "twice the standard deviation": ("normal", lambda value: 2 * value, 350),
    "no more zeros": ("many zeros", lambda value: value or 1.0, 150),
    "another unit among zeros": ("many zeros", lambda value: 100 * value, 200),
    "another value of one in ten": ("zeros and ones", lambda value: 2 * value, 1200),
    "all ones": ("zeros and ones", lambda value: 1.0, 100),  # noqa: ARG005 - as the others
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found_with_its_size_and_its_place(name: str) -> None:
    family, change, within = CHANGES[name]
    held = 0
    for seed in range(10):
        random, draw = Random(seed), FAMILIES[family]
        stream = of_ranks([draw(random) for _ in range(REFERENCE)])
        start = 1000 + random.randrange(100)
        assert first_large(feed(stream, (draw(random) for _ in range(start)))) is None
        found = first_large(feed(stream, (change(draw(random)) for _ in range(within))))
        assert found is not None, (seed, start)
        held += found[1].span.earliest.at <= start + 1 <= found[1].span.latest.at
    assert held >= 8


def test_a_change_that_was_long_in_being_seen_is_looked_at_again() -> None:
    delays = []
    for seed in range(25):
        random, stream = Random(seed), of_errors(0.1)
        stream.promise(100 * BETWEEN)
        feed(stream, (float(random.random() < 0.1) for _ in range(3000)))
        found = first_large(feed(stream, (float(random.random() < 0.16) for _ in range(6000))))
        assert found is not None
        delays.append(found[0] - 3000)
    assert median(delays) < 1700  # with no other look it is 2120


def test_that_there_never_was_an_error_is_no_evidence_of_fewer() -> None:
    stream = of_errors(0.0)
    stream.promise(1000)
    feed(stream, [0.0] * 50_000)
    assert stream.detections == 0


@pytest.mark.parametrize("seed", range(3))
def test_what_chance_has_found_seldom_seems_large(seed: int) -> None:
    # Sized as all others are, a quarter of them would pass the gate: the values were chosen for standing out.
    random, stream = Random(seed), of_errors(0.1)
    stream.promise(1000)
    found = feed(stream, (float(random.random() < 0.1) for _ in range(200_000)))
    large = [finding for _, finding in found if finding.effect.value >= finding.min_effect]
    assert stream.detections > 80
    for better in (False, True):
        assert len({finding.span for finding in large if finding.better is better}) < 0.15 * stream.detections


@pytest.mark.parametrize(("before", "after", "within"), [(0.1, 0.3, 500), (0.02, 0.15, 500), (0.3, 0.6, 500)])
def test_more_errors_are_found_and_fewer_as_better(before: float, after: float, within: int) -> None:
    held = 0
    for seed in range(10):
        random = Random(seed)
        worse, better = of_errors(before), of_errors(after)
        feed(worse, (float(random.random() < before) for _ in range(2000)))
        feed(better, (float(random.random() < after) for _ in range(4000)))
        found = first_large(feed(worse, (float(random.random() < after) for _ in range(within))))
        fewer = feed(better, (float(random.random() < before) for _ in range(1000)))
        assert {each.better for _, each in fewer if each.effect.value >= each.min_effect} == {True}
        assert found is not None, seed
        held += found[1].span.earliest.at <= 2001 <= found[1].span.latest.at
    assert held >= 8


def test_residuals_of_either_sign_are_found() -> None:
    for sign in (1, -1):
        random = Random(3)
        for measure, gate, scale in (
            (Residual("calibration", 10_000), GATES.calibration, 0.2),
            (RankShift.of("residual_rank", [random.gauss(0, 9) for _ in range(1000)]), GATES.residual_rank, 9.0),
        ):
            stream = new(measure, gate, ["residual"])
            draws = [
                max(-1.0, min(1.0, random.gauss(0, 0.3))) if scale < 1 else random.gauss(0, 9) for _ in range(3000)
            ]
            assert first_large(feed(stream, draws[:2000])) is None
            assert (
                first_large(feed(stream, (max(-1e9, min(1e9, v / 2 + sign * scale)) for v in draws[2000:]))) is not None
            )


def test_larger_losses_are_found() -> None:
    random = Random(3)
    stream = new(
        MeanGrowth.of("relative_mae", [abs(random.gauss(0, 5)) for _ in range(1000)]),
        GATES.relative_mae,
        ["e"],
    )
    assert first_large(feed(stream, (abs(random.gauss(0, 5)) for _ in range(3000)))) is None
    found = first_large(feed(stream, (abs(random.gauss(0, 10)) for _ in range(500))))
    assert found is not None
    assert found[1].effect.before == pytest.approx(4, rel=0.1)
    assert found[1].effect.after == pytest.approx(8, rel=0.2)


def test_a_change_too_small_to_matter_passes_no_gate() -> None:
    random = Random(3)
    stream = of_ranks([random.gauss(0, 1) for _ in range(4000)])
    feed(stream, (random.gauss(0, 1) for _ in range(5000)))
    assert first_large(feed(stream, (random.gauss(0.15, 1) for _ in range(20_000)))) is None
    assert stream.detections > 0


def test_a_slow_change_is_found_though_each_step_of_it_is_small() -> None:
    random = Random(3)
    stream = of_ranks([random.gauss(0, 1) for _ in range(4000)])
    assert first_large(feed(stream, (random.gauss(n / 20_000, 1) for n in range(20_000)))) is not None


def test_the_level_follows_the_stream_back_to_its_reference() -> None:
    random = Random(3)
    stream = of_ranks([random.gauss(0, 1) for _ in range(4000)])
    feed(stream, (random.gauss(0, 1) for _ in range(1000)))
    assert feed(stream, (random.gauss(1, 1) for _ in range(200)))
    assert stream.level is not None
    assert stream.level.value >= stream.min_effect  # from the first look on, not only once a window is full
    feed(stream, (random.gauss(0, 1) for _ in range(600)))
    assert stream.level.value < stream.min_effect / 2


def test_the_level_is_not_mended_by_a_few_values() -> None:
    random = Random(3)
    stream = of_ranks([random.gauss(0, 1) for _ in range(4000)])
    feed(stream, (random.gauss(0, 1) for _ in range(1000)))
    feed(stream, (random.gauss(3, 1) for _ in range(300)))
    for _ in range(240):
        feed(stream, [random.gauss(0, 1)])
        assert stream.level is not None
        assert stream.level.value >= stream.min_effect


def test_a_change_is_sized_until_a_window_full_of_values_has_come_after_it() -> None:
    random = Random(3)
    stream = of_ranks([random.gauss(0, 1) for _ in range(4000)])
    feed(stream, (random.gauss(0, 1) for _ in range(1000)))
    found = feed(stream, (random.gauss(2, 1) for _ in range(3000)))
    counts = [n for n, finding in found if finding.detector != LEVEL]
    assert counts[0] < 1200
    assert 1500 < counts[-1] < 1600
    assert all(later - earlier == 32 for earlier, later in pairwise(counts[1:]))


def test_two_changes_are_told_apart() -> None:
    random = Random(3)
    stream = of_ranks([random.gauss(0, 1) for _ in range(4000)])
    feed(stream, (random.gauss(0, 1) for _ in range(2000)))
    feed(stream, (random.gauss(2, 1) for _ in range(300)))
    found = feed(stream, (random.gauss(0, 1) for _ in range(300)))
    assert found[-1][1].span.earliest.at <= 2301 <= found[-1][1].span.latest.at
    assert found[-1][1].span.earliest.at > 2001


def of_shape(random: Random) -> float:
    """Draw what no detector tells from a uniform value: the same middle, the same spread, the same limits."""
    return random.choice((0.25, 0.75))


def test_what_changed_before_the_stream_began_is_found() -> None:
    for seed in range(5):
        random = Random(seed)
        stream = of_ranks([random.gauss(0, 1) for _ in range(2500)])
        found = feed(stream, (random.gauss(1, 1) for _ in range(8000)))
        assert found[0][0] <= 96  # the detectors know the reference
        assert found[0][1].detector == RANK_DETECTORS[0]
        assert found[0][1].span.earliest.at == 1
        again = lasting(found)
        finding = again[0][1]
        assert (finding.statistic, finding.threshold) == (finding.effect.value, GATES.psi)
        apart = finding.effect.distances
        assert apart is not None
        # Of two normal distributions whose means are one standard deviation apart.
        assert apart.kolmogorov_smirnov == pytest.approx(0.38, abs=0.08)
        assert apart.hellinger == pytest.approx(0.34, abs=0.05)
        # Another detector may see the same change later, of which two windows of 512 must have come then.
        assert stream.detections <= 2
        seen = max(finding.span.latest.at for _, finding in found if finding.detector != LEVEL)
        due = math.ceil(seen / 512) * 512 + 2 * 512
        assert [later for later, _ in again if later >= due] == list(range(due, 8001, 512))  # as long as it lasts
        assert {later.span.earliest.at for _, later in again} == {1}


@pytest.mark.parametrize("start", [700, 20_000])
def test_a_change_of_shape_alone_is_found(start: int) -> None:
    for seed in range(5):
        random = Random(seed)
        stream = of_ranks([random.random() for _ in range(2500)])
        assert feed(stream, (random.random() for _ in range(start))) == []
        found = first_large(feed(stream, (of_shape(random) for _ in range(1536))))
        assert stream.detections == 0
        assert found is not None
        assert found[1].span.earliest.at <= start + 1 <= found[1].span.latest.at


@pytest.mark.parametrize(("before", "after"), [(0.1, 0.13), (0.3, 0.34)])
def test_an_effect_that_is_not_much_larger_than_the_gate_is_found_in_time(before: float, after: float) -> None:
    held = 0
    for seed in range(10):
        random, stream = Random(seed), of_errors(before)
        assert first_large(feed(stream, (float(random.random() < before) for _ in range(3000)))) is None
        found = first_large(feed(stream, (float(random.random() < after) for _ in range(100_000))))
        assert found is not None, seed
        held += found[1].span.earliest.at <= 3001 <= found[1].span.latest.at
    assert held >= 8


def test_a_reference_is_not_taken_for_the_truth() -> None:
    for seed in range(100):
        random = Random(seed)
        wrong = sum(random.random() < 0.3 for _ in range(300))
        stream = new(ShareGrowth("error_rate", wrong / 300, 300), GATES.error_rate, ["error"])
        assert first_large(feed(stream, (float(random.random() < 0.3) for _ in range(9000)))) is None, seed


def test_what_was_found_is_found_again_where_it_comes_back() -> None:
    random = Random(3)
    stream = of_ranks([random.random() for _ in range(2500)])
    for _ in range(3):
        assert lasting(feed(stream, (of_shape(random) for _ in range(3000))))
        feed(stream, (random.random() for _ in range(9000)))
        assert feed(stream, (random.random() for _ in range(1000))) == []
        assert stream.level is not None
        assert stream.level.value < stream.min_effect / 2


def test_what_lasted_before_a_detected_change_is_forgotten() -> None:
    random = Random(3)
    stream = of_ranks([random.gauss(0, 1) for _ in range(2500)])
    feed(stream, (random.gauss(1, 1) for _ in range(9000)))
    *_, (_, last) = lasting(feed(stream, (random.gauss(-1, 1) for _ in range(1800))))
    before = stream.detections
    assert last.span.earliest.at <= 9001 <= last.span.latest.at
    assert last.span.earliest.at > 8600
    feed(stream, (random.gauss(0, 1) for _ in range(1100)))
    assert stream.detections == before + 1
    assert stream.level is not None
    assert stream.level.value < stream.min_effect / 2


def test_the_level_forgets_what_did_not_last() -> None:
    random = Random(3)
    stream = of_ranks([random.random() for _ in range(2500)])
    feed(stream, (random.random() for _ in range(9000)))
    feed(stream, (of_shape(random) for _ in range(1000)))
    feed(stream, (random.random() for _ in range(1536)))
    assert stream.detections == 0
    assert stream.level is not None
    assert stream.level.value < stream.min_effect / 2  # though it is not in the last 4,096 values


def test_the_level_of_a_small_effect_is_steady() -> None:
    random, stream = Random(3), of_errors(0.1)
    feed(stream, (float(random.random() < 0.14) for _ in range(9000)))
    small = 0
    for _ in range(100):
        feed(stream, (float(random.random() < 0.14) for _ in range(256)))
        assert stream.level is not None
        small += stream.level.value < stream.min_effect / 2
    assert small <= 2  # two in a row would be four reviews of an incident, which end it


def test_without_a_gate_only_detectors_find() -> None:
    random = Random(3)
    stream = of_ranks([random.random() for _ in range(2500)], gate=0.0)
    assert feed(stream, (of_shape(random) for _ in range(9000))) == []


# -- before the reference covers what is normal ------------------------------------------------------------------------

APART: Final = DAY // 10_000  # milliseconds between two values


def uncovered(random: Random, covered: int = DAY) -> Stream:
    """Return a stream whose reference covers what is normal only from a later time on."""
    stream = of_ranks([random.gauss(0, 1) for _ in range(2500)])
    stream.promise(BETWEEN, covered)
    return stream


def feed_apart(stream: Stream, values: Iterable[float], apart: int = APART) -> list[Finding]:
    """Return all findings, of values that come at even distances."""
    found = []
    for value in values:
        n = stream.count + 1
        finding = stream.update(value, n * apart, n, n)
        if finding is not None:
            found.append(finding)
    return found


@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_no_faster_than_an_hour_of_the_day_is_held_back_and_counted(sign: int) -> None:
    for seed in range(10):
        random = Random(seed)
        stream = uncovered(random)
        # As the mean of a stream does that goes up and down once a day by its standard deviation.
        means = (sign * math.sin(2.0 * math.pi * n / 10_000) for n in range(4000))
        assert feed_apart(stream, (random.gauss(mean, 1) for mean in means)) == []
        assert stream.detections == 0
        assert stream.report()["held"] >= 1


@pytest.mark.parametrize("apart", [1, 1000, APART])
@pytest.mark.parametrize("step", [1.0, 2.0, 4.0])
def test_an_abrupt_step_is_told_at_once_though_it_is_early(step: float, apart: int) -> None:
    for seed in range(20):
        random = Random(seed)
        stream = uncovered(random)
        start = 2000 + random.randrange(100)
        feed_apart(stream, (random.gauss(0, 1) for _ in range(start)), apart)
        found = [f for f in feed_apart(stream, (random.gauss(step, 1) for _ in range(400)), apart) if f.effect.value]
        assert found, seed
        assert all(finding.early for finding in found)


@pytest.mark.parametrize(("before", "after"), [(0.1, 0.3), (0.25, 0.75), (0.02, 0.5)])
def test_an_abrupt_storm_of_errors_is_told_at_once_though_it_is_early(before: float, after: float) -> None:
    for seed in range(20):
        random, stream = Random(seed), of_errors(before)
        stream.promise(BETWEEN, DAY)
        feed_apart(stream, (float(random.random() < before) for _ in range(2000)), 1)
        assert feed_apart(stream, (float(random.random() < after) for _ in range(400)), 1), seed


def test_what_stands_apart_is_told_only_from_then_on() -> None:
    random = Random(3)
    stream = of_ranks([random.random() for _ in range(2500)])
    covered = 6000
    stream.promise(BETWEEN, covered)
    found = feed(stream, (of_shape(random) for _ in range(10_000)))
    assert [n for n, _ in lasting(found)] == list(range(6144, 10_001, 512))
    assert not any(finding.early for _, finding in found)


def test_a_finding_is_early_if_the_change_was_seen_before_the_reference_is_covered() -> None:
    for covered, expected in ((0, {False}), (2100, {True}), (9000, {True})):
        random = Random(3)
        stream = uncovered(random, covered)
        found = feed(stream, (random.gauss(4 * (n > 2000), 1) for n in range(2600)))
        assert {finding.early for _, finding in found} == expected


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(0, 30_000))
def test_what_lasts_is_found_alike_by_a_restored_stream(seed: int, cut: int) -> None:
    random = Random(seed)
    reference = [random.random() for _ in range(500)]
    values = [of_shape(random) if 9000 < n < 24_000 else random.random() for n in range(30_000)]
    whole, first = of_ranks(reference), of_ranks(reference)
    found = feed(whole, values)
    assert len({finding.span for _, finding in lasting(found)}) > 1  # of windows of several lengths
    before = feed(first, values[:cut])
    second = restore_stream(new, as_stored(first.snapshot()))
    assert second is not None
    assert before + feed(second, values[cut:]) == found
    assert second.snapshot() == whole.snapshot()


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(0, 3000), st.sampled_from(sorted(FAMILIES)))
def test_a_restored_stream_continues_identically(seed: int, cut: int, family: str) -> None:
    random, draw = Random(seed), FAMILIES[family]
    measure = RankPsi.of([draw(random) for _ in range(200)])
    values = [draw(random) * (3 if 1000 < n < 2000 else 1) for n in range(3000)]
    whole, first = new(measure), new(measure)
    found = feed(whole, values)
    before = feed(first, values[:cut])
    second = restore_stream(new, as_stored(first.snapshot()))
    assert second is not None
    assert before + feed(second, values[cut:]) == found
    assert second.snapshot() == whole.snapshot()


def test_a_value_costs_no_more_than_its_marks_can_hold() -> None:
    stream = of_ranks([float(n) for n in range(1000)])
    sizes = []
    for _ in range(6):
        feed(stream, (float(n * 7919 % 1000) for n in range(4000)))
        sizes.append(len(seal(stream.snapshot())))
    assert all(later - earlier < 2000 for earlier, later in pairwise(sizes[1:]))
