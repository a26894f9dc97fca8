"""An object of River as plain data, and back: no pickle, so nothing that has to be trusted.

What is reachable from the object becomes a list of nodes that refer to each other by number, so that what is shared
stays shared. A node is a container of Python's, an array or a scalar of numpy's, a random generator, or an object of a
class that River's own modules define (`catalogue.parts`); functions are those modules' too. Nothing else is written,
and nothing else is made when it is read: a name is looked up in that closed set and never imported, and no function is
called but those that make an object of River's compiled part from the numbers and bytes that it gave.

A value is null, a boolean, an integer of at most 64 bits, a finite float or a string as itself; ``[7]`` is node 7,
``["nan"]``, ``["inf"]`` and ``["-inf"]`` are floats, ``["0x10000000000000000"]`` is a larger integer, and ``["rng"]``
is a random generator that nobody has seeded and that starts anew.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections import Counter, OrderedDict, defaultdict, deque
from copy import deepcopy
from functools import cache, partial
from random import Random
from statistics import NormalDist
from types import BuiltinFunctionType, BuiltinMethodType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from driftline.models.library import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    Value = Any
    """Of JSON."""

_LEAST: Final = -(2**63)
_MOST: Final = 2**64 - 1
"""Of the integers that a snapshot can hold as such."""

_SCALARS: Final = frozenset({type(None), bool, int, str})
_PYTHONS: Final[dict[str, Any]] = {
    kind.__name__: kind
    for kind in (bool, int, float, str, list, dict, set, Counter, defaultdict, deque, NormalDist, deepcopy)
}
_DICTS: Final[dict[str, type]] = {"dict": dict, "ordered": OrderedDict, "counter": Counter, "default": defaultdict}
_NAMES_OF_DICTS: Final = {kind: name for name, kind in _DICTS.items()}
_ANEW: Final = ["rng"]
_MOST_STATE: Final = 625  # words of a Mersenne twister, its place included


class UnknownPartError(Exception):
    """The object has a part that cannot be written as plain data, or the data name one that there is not."""


def capture(root: object) -> list[Value]:
    """Return the nodes of an object; the first is the object itself.

    Raises
    ------
    UnknownPartError
        If a part of it is none of what is said above.

    Examples
    --------
    >>> from river import stats
    >>> rebuild(capture(stats.Mean())).get()
    0.0

    """
    return _Captured(root).nodes


def rebuild(nodes: list[Value]) -> Any:  # noqa: ANN401 - whatever was captured
    """Return the object that `capture` has written.

    Raises
    ------
    UnknownPartError
        If the data name what is not in the closed set.

    """
    return _Rebuilt(nodes).root


def settle_seeds(root: object) -> None:
    """Seed the random generators inside of an object that nobody has seeded, so that it does the same each time."""
    for part in _Captured(root).parts:
        state = getattr(part, "__dict__", None)
        if not isinstance(state, dict) or "seed" not in state or state["seed"] is not None:
            continue
        for name, value in state.items():
            if type(value) is Random:
                setattr(part, name, Random(0))  # noqa: S311 - not for secrets
                part.seed = 0  # type: ignore[attr-defined]  # it has one
            elif type(value) is np.random.RandomState:
                setattr(part, name, np.random.RandomState(0))
                part.seed = 0  # type: ignore[attr-defined]  # as above


@cache
def _names() -> dict[int, str]:
    """Return the names of the parts of River, and of some of Python, by identity."""
    return {id(part): name for name, part in (_PYTHONS | catalogue.parts()).items()}


def _part(name: object) -> Any:  # noqa: ANN401 - a class or a function
    part = _PYTHONS.get(name) if isinstance(name, str) else None
    if part is None:
        part = catalogue.parts().get(name) if isinstance(name, str) else None
    if part is None:
        raise UnknownPartError(f"River has no {name!r}")
    return part


def _class(name: object) -> type:
    part = _part(name)
    if not isinstance(part, type):
        raise UnknownPartError(f"{name!r} is no class")
    return part


@cache
def _slots(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - a class
    found: list[str] = []
    for each in kind.__mro__:
        slots = vars(each).get("__slots__", ())
        found += (slots,) if isinstance(slots, str) else slots
    return tuple(name for name in dict.fromkeys(found) if name not in {"__dict__", "__weakref__"})


class _Captured:
    """What is reachable from an object, in the order in which it was met."""

    def __init__(self, root: object) -> None:
        self.nodes: list[Value] = []
        self.parts: list[object] = []  # kept, so that no other object takes the identity of one
        self._numbers: dict[int, int] = {}
        self._refer(root)
        for part in self.parts:  # which grows meanwhile
            self.nodes.append(self._node(part))

    def _refer(self, part: object) -> list[int]:
        number = self._numbers.get(id(part))
        if number is None:
            number = self._numbers[id(part)] = len(self.parts)
            self.parts.append(part)
        return [number]

    def _value(self, value: object) -> Value:
        kind = type(value)
        if kind in _SCALARS:
            return value if kind is not int or _LEAST <= value <= _MOST else [hex(value)]  # type: ignore[operator, arg-type]  # an integer
        if kind is float:
            if math.isfinite(value):  # type: ignore[arg-type]  # a float
                return value
            return ["nan"] if value != value else ["inf" if value > 0 else "-inf"]  # type: ignore[operator]  # noqa: PLR0124 - as above
        return self._refer(value)

    def _values(self, values: Iterable[object]) -> list[Value]:
        return [self._value(value) for value in values]

    def _pairs(self, pairs: dict[Any, Any]) -> list[Value]:
        return [self._values(pairs), self._values(pairs.values())]

    def _node(self, part: Any) -> Value:  # noqa: ANN401, C901, PLR0911 - whatever there is, and one branch for each kind
        kind = type(part)
        if kind is list:
            return ["list", *self._values(part)]
        if kind is tuple:
            return ["tuple", *self._values(part)]
        if isinstance(part, dict) and (name := _NAMES_OF_DICTS.get(kind)) is not None:
            factory = [self._value(part.default_factory)] if isinstance(part, defaultdict) else []
            return [name, *self._pairs(part), *factory]
        if kind is set or kind is frozenset:
            return [kind.__name__, *self._values(_in_order(part))]
        if kind is deque:
            return ["deque", part.maxlen, *self._values(part)]
        if kind is Random:
            return _random_node(part)
        if kind is np.random.RandomState:
            return _random_state_node(part)
        if kind is np.ndarray or isinstance(part, np.generic):
            return self._array(part)
        if isinstance(part, MethodType | BuiltinMethodType) and id(part) not in _names():
            return self._method(part)
        if isinstance(part, type | FunctionType | BuiltinFunctionType):
            return ["part", _name_of(part)]
        if kind is partial:
            return ["partial", *self._pairs(part.keywords), *self._values([part.func, *part.args])]
        return self._object(part)

    def _array(self, part: npt.NDArray[Any] | np.generic) -> Value:
        array = np.asarray(part)
        if array.dtype.hasobject:
            raise UnknownPartError("an array of objects")
        order: Literal["C", "F"] = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        kind = "array" if isinstance(part, np.ndarray) else "scalar"
        return [kind, array.dtype.str, list(array.shape), order, _text(array.tobytes(order))]

    def _method(self, part: MethodType | BuiltinMethodType) -> Value:
        owner, name = part.__self__, part.__name__
        if isinstance(owner, type(math)) or getattr(owner, name, None) != part:
            raise UnknownPartError(f"the function {name}")
        return ["method", self._refer(owner), name]

    def _object(self, part: Any) -> Value:  # noqa: ANN401 - whatever there is
        kind: Any = type(part)
        name = _name_of(kind)
        if kind.__module__.startswith("river._river_rust"):
            return self._compiled(part, name)
        if isinstance(part, tuple):
            return ["named", name, *self._values(part)]
        if isinstance(part, list | dict | set | deque | BaseException):
            raise UnknownPartError(f"a {kind.__name__}")
        state = dict(getattr(part, "__dict__", {}))
        slots = {slot: getattr(part, slot) for slot in _slots(kind) if hasattr(part, slot)}
        unseeded = state.get("seed", 0) is None
        return [
            "object",
            name,
            {
                key: _ANEW if unseeded and type(value) is Random else self._value(value)
                for key, value in (state | slots).items()
            },
        ]

    def _compiled(self, part: Any, name: str) -> Value:  # noqa: ANN401 - a class that is not written in Python
        kind = type(part)
        if "__getstate__" in vars(kind):
            arguments = part.__getnewargs__() if hasattr(part, "__getnewargs__") else ()
            state = part.__getstate__()
            return ["compiled", name, self._values(arguments), _text(bytes(state))]
        made, (entries, *rest) = part.__reduce__()
        if made is not kind or type(entries) is not dict:
            raise UnknownPartError(f"a {kind.__name__}")
        return ["vector", name, *self._pairs(entries), *self._values(rest)]


def _name_of(part: object) -> str:
    name = _names().get(id(part))
    if name is None:
        where = f"{getattr(part, '__module__', '')}.{getattr(part, '__qualname__', part)}"
        raise UnknownPartError(f"{where}, which is not River's")
    return name


def _in_order(values: set[Any] | frozenset[Any]) -> list[Any]:
    """Return the values of a set, whose own order depends on what it was before; as they come if they have none."""
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()


def _random_node(random: Random) -> Value:
    version, words, normal = random.getstate()
    return ["random", version, _text(np.array(words, "<u4").tobytes()), normal]


def _random_state_node(random: np.random.RandomState) -> Value:
    state: Any = random.get_state()
    name, words, place, has_normal, normal = state
    return ["random_state", name, _text(words.astype("<u4").tobytes()), place, has_normal, normal]


class _Rebuilt:
    """Objects made of nodes: first those that are filled later, and what cannot be changed when it is asked for."""

    def __init__(self, nodes: list[Value]) -> None:
        self._nodes = nodes
        self._made: dict[int, Any] = {}
        self._open: set[int] = set()
        filled: list[Callable[[], None]] = []
        hashed: list[Callable[[], None]] = []
        for number, node in enumerate(nodes):
            if (shell := _SHELLS.get(node[0])) is not None:
                self._made[number] = shell(node)
                if node[0] in _FILLED:
                    later = hashed if node[0] in _HASHED else filled
                    later.append(partial(self._fill, self._made[number], node))
        for fill in (*filled, *hashed):
            fill()
        self.root = self._node(0)

    def _value(self, value: Value) -> Any:  # noqa: ANN401 - whatever was captured
        if type(value) is not list:
            return value
        (what,) = value
        if type(what) is int:
            return self._node(what)
        if "0x" in what:
            return int(what, 16)
        return Random(0) if value == _ANEW else float(what)  # noqa: S311 - not for secrets

    def _values(self, values: Iterable[Value]) -> list[Any]:
        return [self._value(value) for value in values]

    def _node(self, number: int) -> Any:  # noqa: ANN401 - whatever was captured
        if number not in self._made:
            if number in self._open:
                raise UnknownPartError("a circle of what cannot be changed")
            self._open.add(number)
            self._made[number] = self._make(self._nodes[number])
        return self._made[number]

    def _make(self, node: Value) -> Any:  # noqa: ANN401, PLR0911 - one for each kind
        match node:
            case ["tuple", *values]:
                return tuple(self._values(values))
            case ["frozenset", *values]:
                return frozenset(self._values(values))
            case ["named", name, *values]:
                kind = _class(name)
                if not issubclass(kind, tuple):
                    raise UnknownPartError(f"{name} is no tuple")
                return tuple.__new__(kind, self._values(values))
            case ["part", name]:
                return _part(name)
            case ["method", owner, str(name)]:
                return _bound(self._value(owner), name)
            case ["partial", keys, values, function, *given]:
                named = dict(zip(keys, self._values(values), strict=True))
                return partial(self._value(function), *self._values(given), **named)
            case ["vector", name, keys, values, *rest]:
                entries = dict(zip(self._values(keys), self._values(values), strict=True))
                return _compiled_class(name)(entries, *self._values(rest))
            case ["compiled", name, arguments, state]:
                made = _compiled_class(name)(*self._values(arguments))
                made.__setstate__(b64decode(state))
                return made
        raise UnknownPartError(f"a node of the kind {node[0]!r}")

    def _fill(self, part: Any, node: Value) -> None:  # noqa: ANN401 - of any kind that is filled
        match node:
            case ["list", *values]:
                part.extend(self._values(values))
            case ["deque", _, *values]:
                part.extend(self._values(values))
            case ["set", *values]:
                part.update(self._values(values))
            case ["object", _, state]:
                for name, value in state.items():
                    if name.startswith("__"):
                        raise UnknownPartError(f"an attribute {name}")
                    object.__setattr__(part, name, self._value(value))
            case [_, keys, values, *factory]:
                for made in factory:
                    part.default_factory = self._value(made)
                for key, value in zip(keys, values, strict=True):
                    part[self._value(key)] = self._value(value)


def _compiled_class(name: object) -> Any:  # noqa: ANN401 - a class that is not written in Python
    kind = _class(name)
    if not kind.__module__.startswith("river._river_rust"):
        raise UnknownPartError(f"{name} is not compiled")
    return kind


def _bound(owner: Any, name: str) -> Any:  # noqa: ANN401 - any object, and its method
    """Return the method of an object of River, or one that a random generator gives numbers with."""
    kind = type(owner)
    if kind is not Random and _names().get(id(kind), "").partition(":")[1] != ":":
        raise UnknownPartError(f"{name} of a {kind.__name__}")
    method = getattr(owner, name, None)
    if name.startswith("__") or not isinstance(method, MethodType | BuiltinMethodType):
        raise UnknownPartError(f"{kind.__name__} has no method {name}")
    return method


def _new_object(node: Value) -> object:
    kind = _class(node[1])
    if kind.__module__.startswith("river._river_rust") or (kind in _PYTHONS.values() and kind is not NormalDist):
        raise UnknownPartError(f"{node[1]} is not filled")
    return object.__new__(kind)


def _new_array(node: Value) -> Any:  # noqa: ANN401 - an array or a scalar
    kind, dtype, shape, order, text = node
    array = np.frombuffer(b64decode(text), _dtype(dtype)).reshape(shape, order="F" if order == "F" else "C")
    return array.copy("K") if kind == "array" else array[()]


def _dtype(name: object) -> np.dtype[Any]:
    dtype = np.dtype(str(name))
    if dtype.hasobject:
        raise UnknownPartError("an array of objects")
    return dtype


def _new_random(node: Value) -> Random:
    _, version, words, normal = node
    random = Random(0)  # noqa: S311 - not for secrets
    random.setstate((version, tuple(np.frombuffer(b64decode(words), "<u4").tolist()), normal))
    return random


def _new_random_state(node: Value) -> np.random.RandomState:
    _, name, words, place, has_normal, normal = node
    random = np.random.RandomState(0)
    random.set_state((name, np.frombuffer(b64decode(words), "<u4"), place, has_normal, normal))
    return random


_SHELLS: Final[dict[str, Callable[[Value], Any]]] = {
    "list": lambda _: [],
    "set": lambda _: set(),
    "deque": lambda node: deque(maxlen=node[1]),
    "object": _new_object,
    "array": _new_array,
    "scalar": _new_array,
    "random": _new_random,
    "random_state": _new_random_state,
    **{name: (lambda _, kind=kind: kind()) for name, kind in _DICTS.items()},  # type: ignore[misc]  # a default
}
_HASHED: Final = frozenset({"set", *_DICTS})
_FILLED: Final = frozenset({"list", "deque", "object"}) | _HASHED
