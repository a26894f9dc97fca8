"""What models of each task answer, and what turns out to be true: parts of events, as JSON.

A seed means the same events on every machine. So nothing is drawn but `random.Random.random`, the one method whose
numbers Python promises to keep, and numbers are written with few digits, because the last bit of `math.exp` is not the
same in every C library.
"""

import json
import math
from bisect import bisect
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

Draw = Callable[[], float]
"""Gives a number in [0, 1)."""

VEHICLES = ("bus", "car", "truck", "van")


@dataclass(slots=True)
class Case:
    """One prediction and its truth while they are made.

    `features` is what will be written. `score` is what the model makes of them, `truth` what is: both are in standard
    deviations or logits, and one until an episode parts them.
    """

    features: dict[str, Any]
    score: float
    truth: float


class Task(Protocol):
    """How a model answers and how its labels are drawn."""

    def answer(self, case: Case) -> str:
        """Return the fields of a prediction that are the model's answer."""

    def label(self, case: Case, draw: Draw) -> str:
        """Draw a label."""

    def respelled(self, label: str, draw: Draw) -> str:
        """Return the same label in another spelling, where there is one."""

    def contradiction(self, label: str) -> str:
        """Return a label that says something else."""


class Binary:
    """Scores are calibrated; the threshold is the base rate, so that a model of rare positives predicts some."""

    def __init__(self, base_rate: float) -> None:
        self._base_rate = base_rate
        self._intercept = _intercept(base_rate)

    def _probability(self, logit: float) -> float:
        return 1 / (1 + math.exp(-self._intercept - logit))

    def answer(self, case: Case) -> str:
        score = f"{self._probability(case.score):.7g}"
        return f'"prediction":{int(float(score) >= self._base_rate)},"score":{score}'

    def label(self, case: Case, draw: Draw) -> str:
        label = str(int(draw() < self._probability(case.truth)))
        return self.respelled(label, draw) if draw() < 0.1 else label

    def respelled(self, label: str, draw: Draw) -> str:
        spellings = ("1", "true", "1.0", '"1"', '"True"') if _is_one(label) else ("0", "false", "0.0", '"0"', '"False"')
        return spellings[int(draw() * len(spellings))]

    def contradiction(self, label: str) -> str:
        return "0" if _is_one(label) else "1"


class Multiclass:
    """Probabilities are calibrated; a class that has less than one in ten thousand is left out."""

    def answer(self, case: Case) -> str:
        shares = self._shares(case.score)
        named = {name: share / 10_000 for name, share in zip(VEHICLES, shares, strict=True) if share}
        return f'"prediction":"{VEHICLES[shares.index(max(shares))]}","probabilities":{json.dumps(named)}'

    def label(self, case: Case, draw: Draw) -> str:
        if draw() < 0.001:  # whatever the probabilities say, so that some are of a class that was given none
            return f'"{VEHICLES[int(draw() * len(VEHICLES))]}"'
        place = int(draw() * 10_000)
        return f'"{VEHICLES[bisect(list(accumulate(self._shares(case.truth))), place)]}"'

    def respelled(self, label: str, draw: Draw) -> str:
        del draw  # a word has one spelling
        return label

    def contradiction(self, label: str) -> str:
        return next(f'"{name}"' for name in VEHICLES if f'"{name}"' != label)

    @staticmethod
    def _shares(score: float) -> list[int]:
        """Return the softmax in ten-thousandths that add up."""
        powers = [math.exp(-2.0 * (score - place) ** 2) for place in (-1.5, -0.3, 0.6, 1.8)]
        shares = [int(10_000 * power / sum(powers)) for power in powers]
        shares[shares.index(max(shares))] += 10_000 - sum(shares)
        return shares


class Regression:
    """Labels spread around the predicted number with a standard deviation of about 3."""

    def answer(self, case: Case) -> str:
        return f'"prediction":{50 + 10 * case.score:.6g}'

    def label(self, case: Case, draw: Draw) -> str:
        return f"{50 + 10 * case.truth + 3 * deviate(draw):.6g}"

    def respelled(self, label: str, draw: Draw) -> str:
        return f"{label}e0" if draw() < 0.5 else label

    def contradiction(self, label: str) -> str:
        return f"{float(label) + 1:.6g}"


def deviate(draw: Draw) -> float:
    """Draw from about the standard normal distribution: the sum of four uniform numbers."""
    return (draw() + draw() + draw() + draw() - 2) * 1.7320508


def _is_one(label: str) -> bool:
    return label.strip('"').lower() in {"1", "1.0", "true"}


def _intercept(base_rate: float) -> float:
    """Return the logit around which scores with a standard deviation of 1.2 have this mean, to 4 decimals."""
    grid = [(1.2 * place / 20, math.exp(-((place / 20) ** 2) / 2)) for place in range(-60, 61)]
    total = sum(density for _, density in grid)
    low, high = -20.0, 20.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        mean = sum(density / (1 + math.exp(-middle - logit)) for logit, density in grid) / total
        low, high = (middle, high) if mean < base_rate else (low, middle)
    return round(low, 4)
