"""A prediction that met its label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.fields import Scalar


@dataclass(frozen=True, slots=True)
class Pair:
    """What was predicted and what was true, as the two events said it.

    Attributes
    ----------
    label, prediction
        A class in any spelling, or a number; see `ClassSet` for which spellings mean the same class.
    score
        P(positive class), in [0, 1]; binary models.
    probabilities
        P(class) by class; a class that is not in it had probability 0.
    weight
        How much the pair counts for in the metrics, >= 0.

    Examples
    --------
    >>> Pair(label=1, prediction=0, score=0.25).weight
    1.0

    """

    label: Scalar
    prediction: Scalar
    score: float | None = None
    probabilities: Mapping[str, float] | None = None
    weight: float = 1.0
