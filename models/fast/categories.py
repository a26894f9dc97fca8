"""What the values of categorical features come to, by number: a kernel looks it up, and nobody reads the value again.

Once the reference of a version has ended, a value is always the same: a category that the reference has, or one that it
has not. So it is asked for once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from driftline.models.fast.growing import Growing
from driftline.models.kernels.fast import CATEGORY
from driftline.models.kernels.feature import PROBLEM
from driftline.models.kernels.ids import NONE
from driftline.models.kernels.templates import ANY, FEATURE
from driftline.models.kernels.templates import CATEGORY as NAMED
from driftline.models.watch.quality import Problem
from driftline.schemas.config import FeatureKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from driftline.models.watch.version_watch import VersionWatch

_MOST: Final = 8192  # of a version
_MOST_UNSEEN: Final = 256  # of those: ids that somebody sends in place of categories come once each


class Categories:
    """Values of categorical features of versions, and the features that have them, by number."""

    def __init__(self) -> None:
        self._meanings = Growing(CATEGORY)
        self._numbers: dict[tuple[int, str, type, str], int] = {}
        self._columns: dict[str, int] = {}
        self._of_layout: Counter[int] = Counter()
        self._unseen: Counter[int] = Counter()
        self.noted = 0  # values, each time that one has got a meaning

    def __len__(self) -> int:
        """Return how much is kept."""
        return len(self._meanings) + len(self._of_layout)

    @property
    def array(self) -> npt.NDArray[np.void]:
        """What the values mean, of type CATEGORY."""
        return self._meanings.array

    def column(self, name: str) -> int:
        """Return the number of a feature's name."""
        return self._columns.setdefault(name, len(self._columns))

    def number_of(self, version: int, watch: VersionWatch, name: str, value: Any) -> int:  # noqa: ANN401 - whatever stands there
        """Return the number of a feature's value, by the number of the version; `NONE` if it is none for kernels."""
        key = version, name, type(value), repr(value)
        number, layout = self._numbers.get(key, NONE), watch.layout
        if number != NONE and self.array[number]["layout"] == layout:
            return number
        meaning = watch.features[name].category(value)
        if meaning is None or self._of_layout[layout] >= _MOST:
            return NONE
        problem, what = meaning
        if problem & PROBLEM == Problem.UNSEEN:
            if self._unseen[layout] >= _MOST_UNSEEN:
                return NONE
            self._unseen[layout] += 1
        self._of_layout[layout] += 1
        self.noted += 1
        if number == NONE:
            number = self._numbers[key] = self._meanings.append((layout, what, problem))
        else:
            self.array[number] = layout, what, problem
        return number


def slots_of(watch: VersionWatch) -> dict[str, int]:
    """Return what a kernel is to read of each feature of a version, in the order in which rows have them."""
    found = {}
    for name, feature in watch.features.items():
        is_number = feature.kind is FeatureKind.NUMERIC
        found[name] = FEATURE if is_number else ANY if feature.takes_any else NAMED
    return found
