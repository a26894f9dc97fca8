"""The classes of River that a configuration may name, and those that a snapshot may hold: two closed sets.

A name is looked up among the classes that River's own modules have, and is never imported. River takes nearly two
seconds to import, so this module leaves that to the first question.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from inspect import isabstract
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

DETECTOR_MODULES: Final = ("drift", "drift.binary")
"""Where detectors are; each is known by the name of its class alone."""

MODULES: Final = (
    "bandit",
    "compose",
    "conf",
    "covariance",
    *DETECTOR_MODULES,
    "dummy",
    "ensemble",
    "facto",
    "feature_extraction",
    "feature_selection",
    "forest",
    "imblearn",
    "linear_model",
    "metrics",
    "misc",
    "model_selection",
    "multiclass",
    "naive_bayes",
    "neighbors",
    "optim",
    "optim.base",
    "optim.initializers",
    "optim.losses",
    "optim.schedulers",
    "preprocessing",
    "proba",
    "rules",
    "sketch",
    "stats",
    "tree",
    "tree.splitter",
    "utils",
)
"""River's public modules that models are made of; others read files, the network, or wrap other libraries."""

_OWN: Final = ("base", "anomaly", "cluster", "_river_rust")
"""Further ones whose objects may be inside of a model."""

_APART: Final = frozenset({"datasets", "evaluate"})  # below them, what downloads and what runs


def version() -> str:
    """Return the version of River: what one has written another need not understand."""
    return str(import_module("river").__version__)


def _module(name: str) -> ModuleType:
    return import_module(f"river.{name}")  # of the names above, and no other


@cache
def detectors() -> dict[str, type]:
    """Return River's detectors by name."""
    from_one, from_binary = (getattr(_module("base"), name) for name in ("DriftDetector", "BinaryDriftDetector"))
    found = (named for module in DETECTOR_MODULES for named in _public(module))
    return dict(sorted((name, kind) for name, kind in found if issubclass(kind, (from_one, from_binary))))


def base() -> Any:  # noqa: ANN401 - a module
    """Return River's module of base classes."""
    return _module("base")


def is_binary(detector: str) -> bool:
    """Return whether a detector takes zeros and ones, and no other numbers."""
    return issubclass(detectors()[detector], _module("base").BinaryDriftDetector)


@cache
def classes() -> dict[str, type]:
    """Return the public classes of which models are made, by module and name, as ``linear_model.PAClassifier``."""
    base = _module("base").Base
    return {
        f"{module}.{name}": found
        for module in MODULES
        for name, found in _public(module)
        if issubclass(found, base) and not isabstract(found)
    }


def _public(module: str) -> Iterator[tuple[str, type]]:
    """Yield the classes that a module has made its own."""
    found = _module(module)
    for name, value in sorted(vars(found).items()):
        if (
            isinstance(value, type)
            and not name.startswith("_")
            and f"{value.__module__}.".startswith(f"{found.__name__}.")
        ):
            yield name, value


@cache
def parts() -> dict[str, Any]:
    """Return all classes and functions that River's modules define, by where: what a snapshot may be made of."""
    classes()
    wanted = {f"river.{name}".split(".")[1] for name in MODULES} | set(_OWN)
    found: dict[str, Any] = {}
    for name, module in sorted(sys.modules.items()):
        words = name.split(".")
        if words[0] != "river" or not wanted.intersection(words[1:2]) or _APART.intersection(words):
            continue
        for key, value in vars(module).items():
            if isinstance(value, type) and value.__module__.startswith("river."):
                where = f"{value.__module__}:{value.__qualname__}"
                found[where] = value
                for member in vars(value).values():
                    function = getattr(member, "__func__", member)
                    if isinstance(function, FunctionType) and function.__module__ == value.__module__:
                        found[f"{value.__module__}:{function.__qualname__}"] = function
            elif _is_own_function(value, name, key):
                found[f"{name}:{key}"] = value
    return found


def _is_own_function(value: object, module: str, name: str) -> bool:
    if isinstance(value, BuiltinFunctionType):
        return module.startswith("river._river_rust")
    return isinstance(value, FunctionType) and (value.__module__, value.__qualname__) == (module, name)
