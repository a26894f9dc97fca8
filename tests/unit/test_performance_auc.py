"""ROC-AUC from bins, against scikit-learn's from all scores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from driftline.models.performance import LogitBins, logit_bin
from driftline.models.performance.auc import MAX_BINS
from driftline.models.performance.exact import to_units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Stream = tuple[NDArray[np.bool_], NDArray[np.float64]]


def binned(labels: Iterable[bool], scores: Iterable[float], max_bins: int = MAX_BINS) -> LogitBins:
    bins = LogitBins(max_bins)
    for label, score in zip(labels, scores, strict=True):
        bins.update(logit_bin(score), label)
    return bins


def expit(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def calibrated(random: np.random.Generator, pairs: int, centre: float, spread: float) -> Stream:
    scores = expit(random.normal(centre, spread, pairs))
    return random.random(pairs) < scores, scores


def separated(random: np.random.Generator, pairs: int, base_rate: float, centre: float, spread: float) -> Stream:
    labels = random.random(pairs) < base_rate
    return labels, expit(random.normal(centre, spread, pairs) + spread * labels)


def test_a_million_calibrated_scores_at_a_base_rate_of_a_thousandth() -> None:
    labels, scores = calibrated(np.random.default_rng(1), 1_000_000, centre=-7.4, spread=1.0)
    assert 0.0008 < labels.mean() < 0.0012
    area = binned(labels.tolist(), scores.tolist()).roc_auc()
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=1e-5)


@pytest.mark.parametrize("max_bins", [MAX_BINS, 128])
@pytest.mark.parametrize(
    ("base_rate", "centre", "spread"),
    [
        (0.3, 0.0, 1.0),
        (0.3, 0.0, 15.0),  # float64 rounds a score of e^37 to one to 1
        (0.1, -2.0, 0.001),  # the model says about the same to all
        (0.001, -6.9, 1.0),
        (0.001, -6.9, 0.1),
        (0.999, 6.9, 1.0),
    ],
)
def test_any_range_of_scores_is_within_a_ten_thousandth(
    base_rate: float, centre: float, spread: float, max_bins: int
) -> None:
    labels, scores = separated(np.random.default_rng(7), 200_000, base_rate, centre, spread)
    bins = binned(labels.tolist(), scores.tolist(), max_bins)
    assert bins.roc_auc() == pytest.approx(roc_auc_score(labels, scores), abs=1e-4)
    assert max_bins // 4 < len(bins.snapshot()["steps"]) <= max_bins


@pytest.mark.parametrize("decimals", [1, 2, 3, 4])
def test_rounded_scores_tie_as_they_should(decimals: int) -> None:
    labels, scores = separated(np.random.default_rng(3), 100_000, 0.2, -1.0, 1.0)
    scores = np.round(scores, decimals)
    tolerance = 1e-12 if decimals <= 3 else 1e-5
    assert binned(labels.tolist(), scores.tolist()).roc_auc() == pytest.approx(
        roc_auc_score(labels, scores), abs=tolerance
    )


def test_up_to_1024_distinct_scores_are_exact() -> None:
    labels, scores = separated(np.random.default_rng(5), MAX_BINS, 0.1, -3.0, 1.0)
    area = binned(labels.tolist(), scores.tolist()).roc_auc()
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_certain_scores_go_to_the_edges() -> None:
    scores = [0.0, 5e-324, 1e-300, 0.5, 1.0 - 2.0**-53, 1.0]
    bins = [logit_bin(score) for score in scores]
    assert bins == sorted(set(bins)), "each has a bin of its own, in order"
    assert logit_bin(-1.0) == bins[0]
    assert logit_bin(2.0) == bins[-1]
    assert binned([False, True, False, True, False, True], scores).roc_auc() == 2 / 3


def test_the_area_is_undefined_without_both_classes() -> None:
    assert LogitBins().roc_auc() is None
    assert binned([True, True], [0.1, 0.2]).roc_auc() is None
    assert binned([False], [0.1]).roc_auc() is None


def test_a_common_score_ties_exactly_with_itself_in_a_wide_bin() -> None:
    labels, scores = separated(np.random.default_rng(9), 50_000, 0.2, -1.0, 1.0)
    scores[:20_000] = 0.25
    area = binned(labels.tolist(), scores.tolist(), 64).roc_auc()
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=2e-3)


def test_weights_count_as_they_do_in_scikit_learn() -> None:
    random = np.random.default_rng(11)
    labels, scores = separated(random, 500, 0.3, 0.0, 1.0)
    weights = random.exponential(1.0, 500)
    bins = LogitBins()
    for label, score, weight in zip(labels.tolist(), scores.tolist(), weights.tolist(), strict=True):
        bins.update(logit_bin(score), label, to_units(weight))
    assert bins.roc_auc() == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=1e-12)


@pytest.mark.parametrize("max_bins", [1, 2, 100, MAX_BINS])
def test_shards_of_different_widths_merge_to_the_whole_stream(max_bins: int) -> None:
    labels, scores = (column.tolist() for column in separated(np.random.default_rng(13), 5000, 0.2, -2.0, 1.0))
    shards = [binned(labels[cut], scores[cut], max_bins) for cut in (slice(0, 50), slice(50, 4000), slice(4000, None))]
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        merged = LogitBins(max_bins)
        for shard in order:
            merged.merge(shards[shard])
        assert merged.snapshot() == binned(labels, scores, max_bins).snapshot()
    assert shards[0].snapshot() == binned(labels[:50], scores[:50], max_bins).snapshot(), "merging changes no shard"


def test_a_snapshot_is_small() -> None:
    labels, scores = separated(np.random.default_rng(17), 200_000, 0.1, -2.0, 1.0)
    full, compact = (binned(labels.tolist(), scores.tolist(), bins).snapshot() for bins in (MAX_BINS, 128))
    assert len(json.dumps(full, separators=(",", ":"))) < 40_000
    assert len(json.dumps(compact, separators=(",", ":"))) < 5_000
