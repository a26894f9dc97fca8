"""The classes of a model: which label values mean the same class, and which mean none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from driftline.schemas.classes import class_token

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from driftline.models.performance.protocol import Snapshot
    from driftline.schemas.fields import Scalar

MAX_CLASSES: Final = 1000

_MAX_SPELLINGS: Final = 4 * MAX_CLASSES
"""Spellings whose class is remembered. The rest are worked out each time: 1 us more."""

_WORDS: Final = frozenset({"true", "false"})
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


def _name(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class ClassSet:
    """The classes of a model, numbered from 0 in the order given.

    Parameters
    ----------
    values
        1 to 1000 classes, each in any spelling; a class is shown by the spelling given here.

    Raises
    ------
    ValueError
        If there are none or more than 1000, or two of them are the same class.

    Examples
    --------
    >>> classes = ClassSet(["no", "yes", True])
    >>> classes.index("yes"), classes.index(1.0), classes.index("maybe")
    (1, 2, None)
    >>> classes.names
    ('no', 'yes', 'true')

    """

    __slots__ = ("_by_token", "_known", "names")

    def __init__(self, values: Iterable[Scalar]) -> None:
        values = list(values)
        if not 1 <= len(values) <= MAX_CLASSES:
            raise ValueError(f"a model has 1 to {MAX_CLASSES} classes, not {len(values)}")
        self._by_token: dict[str, int] = {}
        for index, value in enumerate(values):
            first = self._by_token.setdefault(class_token(value), index)
            if first != index:
                raise ValueError(f"classes {values[first]!r} and {value!r} spell one class: keep one of them")
        self.names: Final = tuple(map(_name, values))
        self._known: dict[Scalar, int] = dict(zip(self.names, range(len(values)), strict=True))

    @classmethod
    def infer(cls, labels: Iterable[Scalar]) -> Self:
        """Return the classes that occur in `labels`, sorted: numbers by value, then text.

        A class is shown by its first spelling. Of more than 1000 classes the first 1000 to occur are kept, so that a
        stray field cannot grow them without bound. A lone 0 or 1 is completed by the other: where one label in a
        thousand is positive, the labels seen first are often all negative.

        Raises
        ------
        ValueError
            If there are no labels.

        Examples
        --------
        >>> ClassSet.infer(["b", 10, 9.0, "a", "9"]).names
        ('9.0', '10', 'a', 'b')
        >>> ClassSet.infer([False, False]).names
        ('false', 'true')

        """
        seen: dict[str, Scalar] = {}
        for label in labels:
            token = class_token(label)
            if token not in seen and len(seen) < MAX_CLASSES:
                seen[token] = label
        if not seen:
            raise ValueError("no labels to infer the classes from")
        if seen.keys() <= {"0", "1"}:
            as_words = any(_name(label).lower() in _WORDS for label in seen.values())
            for number in (0, 1):
                seen.setdefault(str(number), bool(number) if as_words else number)
        return cls(seen[token] for token in sorted(seen, key=_sort_key))

    def index(self, value: Scalar) -> int | None:
        """Return the number of the class that `value` spells; None if it is none of them."""
        try:
            return self._known[value]  # Python's 1, 1.0 and True are one key, as they are one class
        except KeyError:
            return self._look_up(value)

    def _look_up(self, value: Scalar) -> int | None:
        index = self._by_token.get(class_token(value))
        if index is not None and len(self._known) < _MAX_SPELLINGS:
            self._known[value] = index
        return index

    def probability(self, index: int, probabilities: Mapping[str, float]) -> float | None:
        """Return the probability given to a class: under its name, else under the first other spelling of it."""
        name = self._spelling(index, probabilities)
        return None if name is None else probabilities[name]

    def place(self, index: int, names: Sequence[str]) -> int | None:
        """Return where among names that stands under which `probability` finds a class; None if it is not there."""
        name = self._spelling(index, names)
        return None if name is None else names.index(name)

    def _spelling(self, index: int, names: Collection[str]) -> str | None:
        name = self.names[index]
        return name if name in names else next((name for name in names if self.index(name) == index), None)

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        """Tell whether the same spellings have the same numbers and names."""
        return self.names == other.names if isinstance(other, ClassSet) else NotImplemented

    def __hash__(self) -> int:
        """Return a hash of the names."""
        return hash(self.names)

    def __repr__(self) -> str:
        """Return an expression that makes it."""
        return f"ClassSet({list(self.names)!r})"

    def snapshot(self) -> Snapshot:
        """Return the names, which spell the classes."""
        return {"names": list(self.names)}

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Self:
        """Return the classes that a snapshot describes."""
        return cls(snapshot["names"])


def _sort_key(token: str) -> tuple[bool, float, str]:
    is_number = _DECIMAL.fullmatch(token) is not None
    return (not is_number, float(token) if is_number else 0.0, token)
