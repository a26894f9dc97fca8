"""ADWIN: whether the mean of a stream has changed, by a window that is as long as nothing changes in it.

River 0.26.1's, operation by operation, so that both decide alike at every value and hold the same sums to the last bit.
The window is kept as buckets of 1, 2, 4, ... values with their totals, up to five of each size. At every 32nd value all
cuts between two buckets are tried, and while the means on both sides of one differ too much for `delta`, the oldest
bucket is given up. Not as in River, the window is bounded: the largest buckets hold 2^19 values, and where a sixth of
those would be needed, the oldest is given up; so a window has at most 5 * (2^20 - 1) values, 5.2 million.

Values are finite, of any unit.

References
----------
Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007.
Babcock et al., "Maintaining variance and k-medians over data stream windows", PODS 2003.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

ROWS: Final = 20
BUCKETS: Final = 5  # of a row

ROW: Final = np.dtype(
    [
        ("totals", np.float64, BUCKETS),  # of the values of a bucket, the oldest bucket first
        ("variances", np.float64, BUCKETS),  # of a bucket, times its size
    ],
    align=True,
)
"""Buckets of one size; those that there are not are zeros."""

ADWIN: Final = np.dtype(
    [
        ("ticks", np.int64),  # values since the record was reset, those given up included
        ("width", np.float64),  # how many values the window holds: a whole number
        ("total", np.float64),  # of the values in the window
        ("variance", np.float64),  # of the window, times its width
        ("used", np.int32),  # rows that have a bucket
        ("counts", np.int8, ROWS),  # of the buckets of a row
        ("rows", ROW, ROWS),  # row k has buckets of 2^k values; last, so that a snapshot can leave off what is empty
    ],
    align=True,
)
"""A window, 1,656 bytes. Zeros are an empty one."""

_CLOCK: Final = 32
_GRACE_PERIOD: Final = 10
_SHORTEST: Final = 5  # side of a cut

_SIZES: Final = 2.0 ** np.arange(ROWS)
_SHARES: Final = 1.0 / _SIZES  # exact, so that a product with one is the quotient


@kernel
def update(record: np.void, value: float, delta: float) -> bool:
    """Take one value; return whether the mean has changed. Then the window is what is like the newest values.

    Parameters
    ----------
    record
        Of `ADWIN`.
    value
        Finite.
    delta
        The chance of a false alarm at one look, as the paper bounds it.

    Examples
    --------
    >>> window = np.zeros(1, ADWIN)[0]
    >>> [n for n in range(1200) if update(window, 0.2 if n < 1000 else 0.8, 0.002)][0]
    1023

    """
    before = record["width"]
    width = before + 1.0
    record["width"] = width
    if width > 1.0:
        off = value - record["total"] / before
        record["variance"] += before * off * off / width
    record["total"] += value
    _insert(record, value)
    record["ticks"] += 1
    if record["ticks"] % _CLOCK != 0 or not width > _GRACE_PERIOD:
        return False
    is_changed = False
    while _is_cut(record, delta):
        _forget_oldest(record)
        is_changed = True
    return is_changed


@kernel
def update_at(rows: npt.NDArray[np.void], index: int, value: float, delta: float) -> bool:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(rows[index], value, delta)


@kernel
def reset(record: np.void) -> None:
    """Begin with an empty window, as River's does at the value after a change."""
    for row in range(record["used"]):
        record["counts"][row] = 0
        record["rows"][row]["totals"][:] = 0.0
        record["rows"][row]["variances"][:] = 0.0
    record["ticks"] = 0
    record["width"] = 0.0
    record["total"] = 0.0
    record["variance"] = 0.0
    record["used"] = 0


@kernel
def _insert(record: np.void, value: float) -> None:
    """Put a bucket of one value in the first row; of a row that is full the two oldest go to the next as one."""
    total, variance = value, 0.0
    for row in range(ROWS):
        if row == ROWS - 1 and record["counts"][row] == BUCKETS:
            _forget_oldest(record)
        count = record["counts"][row]
        totals, variances = record["rows"][row]["totals"], record["rows"][row]["variances"]
        if count < BUCKETS:
            totals[count] = total
            variances[count] = variance
            record["counts"][row] = count + 1
            record["used"] = max(record["used"], row + 1)
            return
        oldest, next_oldest = totals[0], totals[1]
        apart = oldest * _SHARES[row] - next_oldest * _SHARES[row]
        merged = variances[0] + variances[1] + 0.5 * _SIZES[row] * apart * apart
        _drop(totals, 2)
        _drop(variances, 2)
        totals[BUCKETS - 2] = total
        variances[BUCKETS - 2] = variance
        record["counts"][row] = BUCKETS - 1
        total, variance = oldest + next_oldest, merged


@kernel
def _forget_oldest(record: np.void) -> None:
    """Give up the oldest bucket."""
    row = record["used"] - 1
    totals, variances = record["rows"][row]["totals"], record["rows"][row]["variances"]
    size, total = _SIZES[row], totals[0]
    width = record["width"] - size
    record["width"] = width
    record["total"] -= total
    apart = total * _SHARES[row] - record["total"] / width
    record["variance"] -= variances[0] + size * width * apart * apart / (size + width)
    _drop(totals, 1)
    _drop(variances, 1)
    record["counts"][row] -= 1
    if record["counts"][row] == 0:
        record["used"] = row


@kernel
def _drop(buckets: npt.NDArray[np.float64], oldest: int) -> None:
    """Move the buckets of a row down over the oldest ones."""
    for k in range(oldest, BUCKETS):
        buckets[k - oldest] = buckets[k]
    buckets[BUCKETS - oldest :] = 0.0


@kernel
def _is_cut(record: np.void, delta: float) -> bool:
    """Return whether the means on both sides of some cut differ by more than they may."""
    width = record["width"]
    doubled_variance = 2.0 * (record["variance"] / width)
    log_odds = math.log(2.0 * math.log(width) / delta)
    linear = 2.0 / 3.0 * log_odds
    # A difference of means is surely allowed if its square is less than this over older * newer, as the shares below
    # are more than width / (older * newer). Rounding is allowed for.
    allowed = (1.0 - 1e-9) * doubled_variance * log_odds * width
    older, newer = 0.0, width
    older_total, newer_total = 0.0, record["total"]
    for row in range(record["used"] - 1, -1, -1):
        size, totals = _SIZES[row], record["rows"][row]["totals"]
        for k in range(record["counts"][row]):
            older += size
            newer -= size
            older_total += totals[k]
            newer_total -= totals[k]
            if older < _SHORTEST or newer < _SHORTEST:
                continue
            one, other = older_total * newer, newer_total * older
            most = abs(one - other) + 1e-15 * (abs(one) + abs(other))
            if most * most < allowed * (older * newer):
                continue
            apart = abs(older_total / older - newer_total / newer)
            shares = 1.0 / (older - _SHORTEST + 1.0) + 1.0 / (newer - _SHORTEST + 1.0)
            if apart > math.sqrt(shares * doubled_variance * log_odds) + linear * shares:
                return True
    return False
