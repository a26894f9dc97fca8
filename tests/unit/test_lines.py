from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.feature import FEATURE
from driftline.models.kernels.lines import LINE, place_of, prefetch
from driftline.models.kernels.stream import LAYOUTS, SHARE
from driftline.models.kernels.version import VERSION


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


@kernel
def _ask(records: Any, index: int, byte: int) -> None:  # noqa: ANN401 - an array
    prefetch(records, index, byte)


def test_to_ask_for_a_line_changes_nothing_and_needs_none_to_be_there() -> None:
    records = np.zeros(3, FEATURE)
    records["problems"] = 7
    before = records.tobytes()
    for index, byte in [(0, 0), (2, FEATURE.itemsize - 1), (0, -(10**6)), (10**9, 0)]:
        _ask(records, index, byte)
    assert records.tobytes() == before
