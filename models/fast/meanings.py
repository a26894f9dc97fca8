"""What the names in records stand for, by number: versions, values, segments and probabilities; each model has its own.

Kernels have the numbers, and `Joins` has what each of them is, for predictions that wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.fast.growing import Growing
from driftline.models.join.entry import token_of
from driftline.models.kernels import fast as kernels
from driftline.models.kernels import templates as reading
from driftline.models.kernels.ids import NONE
from driftline.schemas.config import Task

if TYPE_CHECKING:
    from driftline.models.join.entry import Pending
    from driftline.models.join.joins import Joins
    from driftline.models.model import Model
    from driftline.models.watch.known import Known

    _Named = tuple[tuple[str, str], ...]
    _Placed = tuple[int, int, int]

_NUMBERS: Final[dict[type, int]] = {float: reading.FLOATING, int: reading.WHOLE}
_UNTOLD: Final = NONE, 0, NONE  # of a prediction without probabilities
_UNKNOWN: Final = -2


class Meanings:
    """The numbers of names, and what kernels know of each.

    Parameters
    ----------
    joins
        Where what they stand for is kept.
    maps
        Where it is written which probability is of which class.

    Attributes
    ----------
    values, combinations, parts
        As `driftline.models.kernels.fast.Known` has them.
    most_parts
        Counters of one pair.

    """

    def __init__(self, joins: Joins, maps: Growing) -> None:
        self._joins = joins
        self._maps = maps
        self.values = Growing(kernels.VALUE)
        self.combinations = Growing(kernels.COMBINATION)
        self.parts = Growing(np.dtype(np.int32))
        self.most_parts = 1
        self._version_numbers: dict[tuple[int, str], int] = {}
        self._value_numbers: dict[tuple[int, type, str], int] = {}
        self._combination_numbers: dict[tuple[int, _Named], int] = {}
        self._placed: dict[tuple[int, tuple[str, ...]], _Placed] = {}
        self._chosen: dict[_Named, tuple[_Named, dict[str, str] | None]] = {}  # one for the models that have it

    def __len__(self) -> int:
        """Return how many values and combinations of segments there are."""
        return len(self.values) + len(self.combinations)

    def value(self, value: Any, known: Known) -> int:  # noqa: ANN401 - a scalar
        """Return the number of what a model predicts, or of a label."""
        key = known.number, type(value), repr(value)  # in which -0.0 is not 0.0
        number = self._value_numbers.get(key)
        if number is None:
            number = self._value_numbers[key] = self._new_value(value, known)
        return number

    def _new_value(self, value: Any, known: Known) -> int:  # noqa: ANN401 - a scalar
        scoring: Any = known.profile.scoring
        number = scoring.number(value)
        self._joins.values.append(value)
        meaning = (len(known.profile.classes or ()), NONE) if number is None else (number, number)
        return self.values.append((token_of(value), *meaning))

    def combination(self, segments: dict[str, str], model: Model, known: Known) -> int:
        """Return the number of values of segments that stand together, of those attributes that are configured."""
        chosen = model.chosen(segments)
        named = tuple((chosen or {}).items())
        number = self._combination_numbers.get((known.number, named))
        if number is None:
            named, chosen = self._chosen.setdefault(named, (named, chosen))
            self._joins.segments.append(chosen)
            number = self._combination_numbers[known.number, named] = self.combinations.append((NONE, NONE))
        return number

    def version(self, version: str, known: Known) -> int:
        """Return the number of a version's name, which is another one for each model."""
        number = self._version_numbers.get((known.number, version))
        if number is None:
            number = self._version_numbers[known.number, version] = len(self._joins.versions)
            self._joins.versions.append(version)
        return number

    def probabilities(self, told: tuple[str, ...], known: Known) -> _Placed:
        """Return where it is written which of some probabilities is of which class, how many they are, and their names.

        The names go by a number.
        """
        placed = self._placed.get((known.number, told)) if told else _UNTOLD
        if placed is None:
            scoring: Any = known.profile.scoring
            start = len(self._maps)
            for place in scoring.places(told):
                self._maps.append(NONE if place is None else place)
            placed = self._placed[known.number, told] = start, len(told), len(self._joins.told)
            self._joins.told.append(told)
        return placed

    def claim(self, combination: int, known: Known) -> None:
        """Note where pairs with these values of segments are counted, if that is known by now."""
        if combination == NONE:
            return
        row = self.combinations.array[combination]
        if row["start"] != NONE:
            return
        parts = known.scoreboard.claimed(self._joins.segments[combination])
        if parts is not None:
            row["start"], row["end"] = len(self.parts), len(self.parts) + len(parts)
            for part in parts:
                self.parts.append(part)
            self.most_parts = max(self.most_parts, 1 + len(parts))

    def of(self, pending: Pending, known: Known) -> tuple[int, int, float, int, int, int, int] | None:
        """Return by which numbers a prediction goes, as a payload in columns has them; None if the book has not all.

        They are of its version, of what was predicted, that itself if it is a number, of its segments, and of its
        probabilities: where the classes stand, how many there are, and of their names.
        """
        owner, answer = known.number, pending.prediction
        version, number, segments = self._version_numbers.get((owner, pending.version)), 0.0, NONE
        told: tuple[int, int, int] | None = _UNTOLD
        if known.profile.task is Task.REGRESSION:
            value = _NUMBERS.get(type(answer))
            number = 0.0 if value is None else float(answer)
        else:
            value = self._value_numbers.get((owner, type(answer), repr(answer)))
        if pending.segments:
            segments = self._combination_numbers.get((owner, tuple(pending.segments.items())), _UNKNOWN)
        if pending.probabilities:
            told = self._placed.get((owner, tuple(pending.probabilities)))
        if version is None or value is None or segments == _UNKNOWN or told is None:
            return None
        return version, value, number, segments, *told
