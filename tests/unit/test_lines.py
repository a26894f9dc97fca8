from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from driftline.models.kernels.feature import FEATURE
from driftline.models.kernels.lines import LINE
from driftline.models.kernels.stream import LAYOUTS, SHARE
from driftline.models.kernels.version import VERSION

if TYPE_CHECKING:
    import numpy as np


def place_of(layout: np.dtype[np.void], name: str) -> int:
    assert layout.fields is not None
    return layout.fields[name][1]


@pytest.mark.parametrize("layout", [*LAYOUTS, FEATURE, VERSION])
def test_records_have_whole_lines(layout: np.dtype[np.void]) -> None:
    assert layout.itemsize % LINE == 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_count_and_trail_of_a_stream_are_in_its_first_line(layout: np.dtype[np.void]) -> None:
    assert max(place_of(layout, "count"), place_of(layout, "trail")) < LINE


def test_what_a_good_value_touches_is_in_few_lines() -> None:
    assert place_of(FEATURE, "problems") < LINE  # of which the first counts what is fine
    assert place_of(SHARE, "recent") + 64 <= 2 * LINE
    assert place_of(VERSION, "frozen") < LINE
