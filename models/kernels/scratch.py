"""Room for a few numbers while a kernel runs, on its stack: an array of numpy's costs 50 ns to get and give back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# mypy: allow-untyped-calls
# Numba types its decorators only.
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Integers

ROOM = 64
"""Numbers in an array. They are whatever was there before."""


def _on_stack(of: Any) -> Any:  # noqa: ANN401 - the types of Numba's compiler
    array_type = types.Array(of, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401, ARG001 - as above
        width = context.get_abi_sizeof(context.get_data_type(of))
        room = cgutils.alloca_once(builder, context.get_value_type(of), size=ROOM)
        size, stride = (context.get_constant(types.intp, number) for number in (ROOM, width))
        made = make_array(array_type)(context, builder)
        populate_array(made, data=room, shape=[size], strides=[stride], itemsize=stride, meminfo=None)
        return made._getvalue()  # noqa: SLF001 - Numba's own name for it

    return array_type(), generate


def _doubles(_: object) -> Any:  # noqa: ANN401 - as above
    return _on_stack(types.float64)


def _wholes(_: object) -> Any:  # noqa: ANN401 - as above
    return _on_stack(types.int64)


if TYPE_CHECKING:

    def doubles() -> Doubles:
        """Return room for doubles, to a kernel that neither returns nor keeps it."""
        raise NotImplementedError

    def wholes() -> Integers:
        """Return room for whole numbers, likewise."""
        raise NotImplementedError

else:
    doubles = intrinsic(_doubles)
    wholes = intrinsic(_wholes)
