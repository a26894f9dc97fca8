"""The line that `Calibration` draws through a reference, as a record: the outcome that is expected at a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_CORNERS: Final = 22
"""Of 20 bins, and one at either end."""

CALIBRATION: Final = np.dtype(
    [
        ("corners", np.int64),  # how many of the 22 there are
        ("scores", np.float64, MOST_CORNERS),  # in rising order
        ("outcomes", np.float64, MOST_CORNERS),
    ],
    align=True,
)
"""A line; one of zeros, without corners, expects the score itself."""

_LARGEST: Final = 1e100  # as of every number in an event


@kernel
def expected(record: np.void, score: float) -> float:
    """Return the mean outcome that the reference leads to expect at a score, a number within 1e100 of 0."""
    scores, outcomes = record["scores"], record["outcomes"]
    corners: int = record["corners"]
    place = 0
    while place < corners and not score < scores[place]:  # 22 at most: halving would not be faster
        place += 1
    outcome: float
    if 0 < place < corners:
        share = (score - scores[place - 1]) / (scores[place] - scores[place - 1])
        outcome = outcomes[place - 1] + share * (outcomes[place] - outcomes[place - 1])
        return outcome
    # From the corner and not from a far limit: beside that the distance would be lost in rounding.
    end = max(place - 1, 0)
    outcome = outcomes[end] + (score - scores[end])
    return min(max(outcome, -_LARGEST), _LARGEST)


@kernel
def expected_at(rows: npt.NDArray[np.void], index: int, score: float) -> float:
    """Do what `expected` does, with the record at an index: what Python calls, as handing over a record takes 1 us."""
    return expected(rows[index], score)
