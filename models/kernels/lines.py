"""Records that have whole lines of the processor's cache.

Of a thousand models nothing is in a cache when a model's next event comes, and each line that the event touches is
waited for, some 100 ns. So what every event touches stands in few lines at the beginning of a record.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

LINE: Final = 64
"""Bytes."""


def lined(fields: list[Any]) -> np.dtype[np.void]:
    """Return the layout of a record that has whole lines.

    Examples
    --------
    >>> lined([("count", "i8"), ("values", "f8", 10)]).itemsize
    128

    """
    plain = np.dtype(fields, align=True)
    assert plain.names is not None  # noqa: S101 - it is structured
    assert plain.fields is not None  # noqa: S101 - likewise
    return np.dtype(
        {
            "names": list(plain.names),
            "formats": [plain.fields[name][0] for name in plain.names],
            "offsets": [plain.fields[name][1] for name in plain.names],
            "itemsize": -(-plain.itemsize // LINE) * LINE,
        },
        align=True,
    )
