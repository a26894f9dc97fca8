"""The types of what kernels take, for the reader and for mypy: numba finds its own."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Doubles: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Indices: TypeAlias = NDArray[np.int32]
Bytes: TypeAlias = NDArray[np.uint8]
Word: TypeAlias = Any
"""An unsigned integer of 64 bits; with a Python integer numba makes a double of it, so both must be words."""
Record: TypeAlias = Any
"""One record of a structured array. numpy has no type for its fields."""
Records: TypeAlias = NDArray[np.void]
"""A bank's records, side by side."""
