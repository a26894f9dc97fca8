# mypy: disable-error-code="no-untyped-call"
# River is typed in part only.
"""What the compiled detectors cost beside River's: ``python -m benchmarks.kernels [--values N] [--rounds N]``.

Nanoseconds an update, over a stream whose level changes three times, with River's default parameters, median of the
rounds. A kernel is called from a compiled loop, as the columnar path does; River's detector from a loop in Python, as
anyone does who uses it. Of ADWIN, whose River original is compiled too, there is also the call without the Python
around it. e-SR is no detector of River: beside it are the formulas in Python. Both must decide alike, or nothing is
measured. Exits 1 if a claim is missed: 100 times River's detectors in Python, 10 times its ADWIN.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit
from river import drift, stats

from benchmarks.results import keep, origin
from driftline.models.kernels import e_sr, moments
from tests.detectors import DETECTORS
from tests.oracle.e_sr import PlainESr

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from tests.detectors import Detector, Floats

CLAIM: Final = 100
CLAIM_OF_ADWIN: Final = 10

_THRESHOLD: Final = 1e6  # of e-SR
_AT_ONCE: Final = 32  # values that it takes
_PACKAGES: Final = ("river", "numba", "numpy")

Row = dict[str, Any]


def stream(size: int, *, bits: bool) -> Floats:
    """Return values in [0, 1] whose level changes three times."""
    random = np.random.default_rng(1)
    levels = np.repeat([0.2, 0.3, 0.15, 0.4], size // 4 + 1)[:size]
    if bits:
        return (random.random(size) < levels).astype(np.float64)
    values: Floats = random.normal(levels, 0.1).clip(0.0, 1.0)
    return values


def nanoseconds(run: Callable[[], object], updates: int, rounds: int) -> float:
    """Return how long an update takes, the median of rounds."""
    run()  # compiles
    measured = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        run()
        measured.append((time.perf_counter_ns() - start) / updates)
    return statistics.median(measured)


def measure_detector(detector: Detector, size: int, rounds: int) -> Row:
    """Measure a detector and River's."""
    values = stream(size, bits=detector.needs_bits)
    found = detector.decide(np.zeros(1, detector.dtype)[0], values, detector.parameters)
    if not np.array_equal(found, detector.decide_as_river(values, detector.parameters)):
        msg = f"{detector.name} does not decide as River's"
        raise AssertionError(msg)
    drive, decisions = detector.driver(), np.zeros(size, np.bool_)

    def run_kernel() -> None:
        drive(np.zeros(1, detector.dtype)[0], values, detector.parameters, decisions)

    inputs: list[float] = values.astype(np.int64).tolist() if detector.needs_bits else values.tolist()

    def run_river() -> None:
        rivers = detector.rivers(*detector.parameters)
        changes = 0
        for value in inputs:
            rivers.update(value)
            if rivers.drift_detected:
                changes += 1

    return _row(
        detector.name,
        detector.dtype,
        nanoseconds(run_kernel, size, rounds),
        nanoseconds(run_river, size, rounds),
        changes=int(found.sum()),
        claim=CLAIM_OF_ADWIN if detector.name == "ADWIN" else CLAIM,
    )


def measure_inner_adwin(kernel_ns: float, size: int, rounds: int) -> Row:
    """Measure the compiled part of River's ADWIN, without a reset."""
    adwin = DETECTORS[0]
    inputs = stream(size, bits=False).tolist()

    def run_river() -> None:
        update = drift.ADWIN(*adwin.parameters)._helper.update  # noqa: SLF001 - River gives no other way
        for value in inputs:
            update(value)

    return _row("ADWIN, inner", adwin.dtype, kernel_ns, nanoseconds(run_river, size, rounds))


@njit(error_model="numpy")
def _drive_e_sr(records: npt.NDArray[np.void], values: Floats) -> int:
    record, changes = records[0], 0
    record.threshold = _THRESHOLD
    for start in range(0, len(values), _AT_ONCE):
        if e_sr.take(record, values[start : start + _AT_ONCE], _AT_ONCE) != e_sr.QUIET:
            e_sr.begin_anew(record)
            changes += 1
    return changes


def e_sr_in_python(values: list[float]) -> int:
    """Return how many changes there are; the formulas as one writes them down."""
    plain, changes = PlainESr(_THRESHOLD, rises_only=False, inflation=1.0), 0
    for start in range(0, len(values), _AT_ONCE):
        if plain.take(values[start : start + _AT_ONCE]) != e_sr.QUIET:
            plain.begin_anew()
            changes += 1
    return changes


def measure_e_sr(size: int, rounds: int) -> Row:
    """Measure e-SR, over ranks that are uniform, with all that it learns of them."""
    values = np.random.default_rng(1).random(size // _AT_ONCE * _AT_ONCE)
    inputs = values.tolist()
    return _row(
        "e-SR",
        e_sr.E_SR,
        nanoseconds(lambda: _drive_e_sr(np.zeros(1, e_sr.E_SR), values), size, rounds),
        nanoseconds(lambda: e_sr_in_python(inputs), size, rounds),
    )


@njit(error_model="numpy")
def _drive_moments(record: np.void, values: Floats) -> None:
    for value in values:
        moments.update(record, value)


def measure_moments(size: int, rounds: int) -> Row:
    """Measure mean and variance."""
    values = stream(size, bits=False)
    inputs = values.tolist()

    def run_river() -> None:
        variance = stats.Var()
        for value in inputs:
            variance.update(value)

    return _row(
        "mean, variance",
        moments.MOMENTS,
        nanoseconds(lambda: _drive_moments(np.zeros(1, moments.MOMENTS)[0], values), size, rounds),
        nanoseconds(run_river, size, rounds),
    )


def _row(  # noqa: PLR0913 - the columns of the table
    name: str,
    dtype: np.dtype[np.void],
    kernel_ns: float,
    python_ns: float,
    *,
    changes: int | None = None,
    claim: int | None = None,
) -> Row:
    return {
        "name": name,
        "record_bytes": dtype.itemsize,
        "kernel_ns": round(kernel_ns, 1),
        "python_ns": round(python_ns, 1),
        "ratio": round(python_ns / kernel_ns, 1),
        "changes": changes,
        "claim": claim,
    }


def print_table(rows: list[Row]) -> None:
    """Print what was measured."""
    print(f"{'':14}  {'bytes':>6}  {'changes':>7}  {'kernel ns':>9}  {'River ns':>9}  {'ratio':>6}  {'claim':>5}")
    for row in rows:
        changes = "" if row["changes"] is None else row["changes"]
        claim = "" if row["claim"] is None else row["claim"]
        times = f"{row['kernel_ns']:9,.1f}  {row['python_ns']:9,.0f}  {row['ratio']:6,.0f}"
        print(f"{row['name']:14}  {row['record_bytes']:6,}  {changes:>7}  {times}  {claim:>5}")
    print("e-SR: beside the formulas in Python")


def main() -> int:
    """Measure, print the table, and write the result; 1 if a claim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--values", type=int, default=100_000, help="in a stream")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median is taken")
    options = parser.parse_args()
    rows = [measure_detector(detector, options.values, options.rounds) for detector in DETECTORS]
    rows.insert(1, measure_inner_adwin(rows[0]["kernel_ns"], options.values, options.rounds))
    rows += [measure_e_sr(options.values, options.rounds), measure_moments(options.values, options.rounds)]
    print_table(rows)
    keep("kernels", {"values": options.values, "rounds": options.rounds, "rows": rows, **origin(_PACKAGES)})
    missed = [row["name"] for row in rows if row["claim"] is not None and row["ratio"] < row["claim"]]
    verdict = f"MISSED by {', '.join(missed)}" if missed else "kept"
    print(f"\n{CLAIM} times River's detectors in Python, {CLAIM_OF_ADWIN} times its ADWIN: {verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
