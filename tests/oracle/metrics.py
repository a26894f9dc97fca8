"""The metrics of each task over arrays, by scikit-learn where it has them."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn import metrics

from tests.oracle.join import meaning
from tests.oracle.reading import Labelled, Predicted

Pair = tuple[Predicted, Labelled]
Report = dict[str, Any]


def binary(pairs: Sequence[Pair]) -> Report:
    """Positive is what means 1; every prediction has a score."""
    truth = np.array([meaning(label.answer) for _, label in pairs], dtype=bool)
    answers = np.array([meaning(prediction.answer) for prediction, _ in pairs], dtype=bool)
    scores = np.array([prediction.score for prediction, _ in pairs], dtype=float)
    weights = _weights(pairs)
    weighed = {"sample_weight": weights}
    both = bool(weights[truth].sum() and weights[~truth].sum())
    undefined = {"zero_division": math.nan, **weighed}
    return {
        "pairs": len(pairs),
        "scored": len(pairs),
        "outside": 0,
        "base_rate": np.average(truth, weights=weights),
        "accuracy": metrics.accuracy_score(truth, answers, **weighed),
        "precision": metrics.precision_score(truth, answers, **undefined),
        "recall": metrics.recall_score(truth, answers, **undefined),
        "f1": metrics.f1_score(truth, answers, **undefined),
        "log_loss": metrics.log_loss(truth, scores, labels=[False, True], **weighed),
        "brier": np.average((scores - truth) ** 2, weights=weights),
        "roc_auc": metrics.roc_auc_score(truth, scores, **weighed) if both else math.nan,
    }


def multiclass(pairs: Sequence[Pair]) -> Report:
    """Every prediction has probabilities; a class that is not among them had probability 0."""
    truth = np.array([label.answer for _, label in pairs])
    answers = np.array([prediction.answer for prediction, _ in pairs])
    weights = _weights(pairs)
    given = np.array([(p.probabilities or {}).get(label.answer, 0.0) for p, label in pairs])
    clipped = np.clip(given, np.finfo(float).eps, 1 - np.finfo(float).eps)
    occurred = sorted({*truth, *answers})
    of_class = [
        metrics.precision_recall_fscore_support(
            truth == name, answers == name, average="binary", sample_weight=weights, zero_division=math.nan
        )
        for name in occurred
    ]
    macro = [[0.0 if math.isnan(value) else value for value in values[:3]] for values in of_class]
    precision, recall, f1 = np.mean(macro, axis=0)
    return {
        "pairs": len(pairs),
        "scored": len(pairs),
        "outside": 0,
        "accuracy": metrics.accuracy_score(truth, answers, sample_weight=weights),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "log_loss": np.average(-np.log(clipped), weights=weights),
        "per_class": {
            str(name): {"support": weights[truth == name].sum(), "precision": p, "recall": r, "f1": f}
            for name, (p, r, f, _) in zip(occurred, of_class, strict=True)
        },
    }


def regression(pairs: Sequence[Pair]) -> Report:
    truth = np.array([meaning(label.answer) for _, label in pairs], dtype=float)
    answers = np.array([prediction.answer for prediction, _ in pairs], dtype=float)
    weights = _weights(pairs)
    return {
        "pairs": len(pairs),
        "mae": metrics.mean_absolute_error(truth, answers, sample_weight=weights),
        "rmse": metrics.root_mean_squared_error(truth, answers, sample_weight=weights),
        "r2": metrics.r2_score(truth, answers, sample_weight=weights),
        "bias": np.average(answers - truth, weights=weights),
    }


def _weights(pairs: Sequence[Pair]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([label.weight for _, label in pairs], dtype=float)


def performance(metrics_of: Callable[[Sequence[Pair]], Report], pairs: Sequence[Pair], window: int) -> Report:
    """Return the metrics of all pairs, of the last ones, and of parts."""
    pane = window // 10
    lately = min(9, (len(pairs) - 1) // pane) * pane + (len(pairs) - 1) % pane + 1
    versions = dict.fromkeys(prediction.version for prediction, _ in pairs)
    regions = dict.fromkeys(prediction.region for prediction, _ in pairs if prediction.region is not None)
    return {
        **metrics_of(pairs),
        "window": metrics_of(pairs[-lately:]),
        "per_version": {v: metrics_of([pair for pair in pairs if pair[0].version == v]) for v in versions},
        "per_segment": {"region": {r: metrics_of([pair for pair in pairs if pair[0].region == r]) for r in regions}},
    }


def quantiles(values: Sequence[float]) -> Report:
    """Return counts, extremes and the values at the ranks of three quantiles; below 0 counts as 0."""
    ordered = np.sort(np.maximum(np.array(values, dtype=float), 0.0))
    return {
        "count": len(ordered),
        "negative": sum(value < 0 for value in values),
        "min": ordered[0] if len(ordered) else math.nan,
        "max": ordered[-1] if len(ordered) else math.nan,
        **{
            f"p{percent}": ordered[percent * (len(ordered) - 1) // 100] if len(ordered) else math.nan
            for percent in (50, 90, 99)
        },
    }
