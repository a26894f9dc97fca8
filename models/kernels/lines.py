"""Lines of the processor's cache: records that begin with one, and lines that are asked for before they are needed.

Of a thousand models nothing is in a cache when a model's next event comes, and each line that the event touches is
waited for, some 100 ns. So what every event touches stands in few lines of a record, and what the next rows will touch
is asked for while this one runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

# mypy: allow-untyped-calls
# Numba types its decorators only.
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def place_of(layout: np.dtype[np.void], name: str) -> int:
    """Return at which byte of a record a field begins."""
    assert layout.fields is not None  # noqa: S101 - it is structured
    return int(layout.fields[name][1])


def _prefetch(_: object, array: Any, index: Any, byte: Any) -> Any:  # noqa: ANN401 - the types of Numba's compiler
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
        of, *whole = signature.args
        numbers = [
            context.cast(builder, value, given, types.intp) for value, given in zip(arguments[1:], whole, strict=True)
        ]
        records = make_array(of)(context, builder, arguments[0])
        at = cgutils.get_item_pointer(context, builder, of, records, [numbers[0]])
        octets, flag = cgutils.voidptr_t, cgutils.int32_t
        line = builder.gep(builder.bitcast(at, octets), [numbers[1]])
        ir = cgutils.ir  # type: ignore[attr-defined]  # llvmlite's, which Numba brings
        function = ir.FunctionType(ir.VoidType(), [octets, flag, flag, flag])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [octets], function)
        builder.call(ask, [line, flag(1), flag(3), flag(1)])  # to be written, to be kept in all caches, no code
        return context.get_dummy_value()

    return types.void(array, index, byte), generate


if TYPE_CHECKING:

    def prefetch(records: NDArray[Any], index: int, byte: int) -> None:
        """Ask for the line at a byte of a record, in a kernel. If it is nowhere, or nobody's, nothing happens."""

else:
    prefetch = intrinsic(_prefetch)
