"""``python -m tests.compiled_later [TASK ...]``: which kernels events need that `compile_kernels` has not compiled.

A process of its own, in which nothing has run before. It exits with 1 if it finds some, and prints each with the types
that it was given.
"""

from __future__ import annotations

import pkgutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from numba.core.dispatcher import Dispatcher

from driftline.models import kernels
from driftline.models.warm import TASKS, compile_kernels
from tests.golden.cases import CASES, replayed
from tests.property import test_fast_properties as columns
from tests.property import test_pipeline_properties as objects

if TYPE_CHECKING:
    from collections.abc import Sequence


def compiled() -> set[str]:
    """Return what has been compiled, or loaded, in this process: a kernel and the types of its arguments."""
    modules = [import_module(f"{kernels.__name__}.{module.name}") for module in pkgutil.iter_modules(kernels.__path__)]
    found = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    return {
        f"{kernel.py_func.__module__.rpartition('.')[2]}.{kernel.py_func.__name__}{signature}"
        for kernel in found.values()
        for signature in kernel.signatures
    }


def take_goldens() -> None:
    """Replay all tasks, with weighted labels and what cannot be used."""
    with tempfile.TemporaryDirectory() as folder:
        replayed(CASES, Path(folder), batch=1000)


def take_objects() -> None:
    """Take records that were read before, with restarts, models that are known anew, and predictions in the store."""
    for seed in (0, 3):
        run = objects.Run()
        stream = objects.stream(seed)
        for start in range(0, len(stream), 700):
            run.take(stream[start : start + 700])
            if start % 1400 == 0:
                run.restart()
        run.end()


def take_columns() -> None:
    """Take records that are read by kernels: one event each, batches in JSON, and batches in Arrow."""
    single = list(columns.Traffic(1).records(4000))
    several = columns.batches_of(single, Random(1))
    of_categories = list(columns.Traffic(1, "categories").records(4000))
    forms = (single, 300), (of_categories, 300), (several, 60), (list(map(columns.in_arrow, several)), 60)
    for raws, size in forms:
        run = columns.Run(in_columns=True)
        for n, start in enumerate(range(0, len(raws), size)):
            run.take(raws[start : start + size])
            run.save(restart=n % 3 == 2)
        assert run.columns


def main(tasks: Sequence[str]) -> int:
    """Compile with models of these tasks, and run everything until something is found; return the exit code."""
    compile_kernels(tasks)
    before = compiled()
    for take in (take_goldens, take_objects, take_columns):
        take()
        if found := sorted(compiled() - before):
            print(take.__name__, *found, sep="\n")  # noqa: T201 - what it is for
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or TASKS))
