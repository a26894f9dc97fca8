"""What all parts of the configuration have in common."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class Section(BaseModel):
    """A part of the configuration: frozen, finite, and without unknown fields.

    It is read leniently, because YAML is: ``1e-6`` and ``1e4`` are text to many of its readers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


def repeated(items: Iterable[T]) -> list[T]:
    """Return the items that occur more than once."""
    return [item for item, times in Counter(items).items() if times > 1]


def _distinct(items: tuple[T, ...]) -> tuple[T, ...]:
    if twice := repeated(items):
        raise ValueError(f"has {twice[0]} twice")
    return items


Distinct: Final = AfterValidator(_distinct)
"""That no item of a list stands twice."""
