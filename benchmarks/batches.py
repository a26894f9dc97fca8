"""What it costs to make columns of a batch: `python -m benchmarks.batches`.

CPU time of `read_batch`, from the value of a record to checked columns, of batches of 100, 1,000 and 10,000 rows as the
client writes them: in Arrow and, where it is not too large, in JSON; and what it costs to give them out event by event.
Of the real schema: 10 numeric features, 3 segments, a score and a latency. Exits 1 unless a core reads 1,000,000 rows a
second from Arrow, in batches of 1,000 and of 10,000.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.results import keep, origin
from driftline.client import batches as client
from driftline.models.batch.batch import Batch, RefusedRow, read_batch
from driftline.models.record import FileRecord
from driftline.schemas.batches import PredictionBatch, encode_batch
from driftline.schemas.decoding import MAX_BYTES, validate
from driftline.schemas.events import Prediction

BOUND = 1_000_000
BOUND_FROM = 1000  # rows
SIZES = (100, 1000, 10_000)
SEED = 20261123

Results = dict[str, dict[str, float]]


def fields(rows: int) -> dict[str, Any]:
    """Return the fields of a batch, as a service has them."""
    chance = random.Random(SEED)
    return {
        "model_id": "fraud",
        "model_version": "7",
        "rows": rows,
        "prediction_id": [f"p-20261123-{number:06}" for number in range(rows)],
        "timestamp": [1_795_406_400_000 + 40 * number for number in range(rows)],
        "prediction": [chance.randrange(2) for _ in range(rows)],
        "score": [round(chance.random(), 6) for _ in range(rows)],
        "features": {f"feature_{name}": [round(chance.gauss(0, 1), 4) for _ in range(rows)] for name in "abcdefghij"},
        "segments": {
            "region": [chance.choice(["eu", "us"]) for _ in range(rows)],
            "device": ["phone"] * rows,
            "plan": [chance.choice("abc") for _ in range(rows)],
        },
        "latency_ms": [round(chance.expovariate(0.2), 2) for _ in range(rows)],
    }


def records(rows: int) -> dict[str, FileRecord]:
    """Return a batch as one record in each form that may be so large."""
    batch = validate(fields(rows), PredictionBatch)
    arrow = client._arrow(batch)  # noqa: SLF001 - `records` would cut it
    if arrow is None:
        sys.exit("pyarrow is not installed")
    forms = {"arrow": FileRecord("p", 0, arrow.value, headers=arrow.headers)}
    if len(json := encode_batch(batch)) <= MAX_BYTES:
        forms["json"] = FileRecord("p", 0, json)
    return forms


def read(record: FileRecord) -> Batch:
    """Read a batch that is one."""
    batch = read_batch(record, Prediction)
    if batch is None:
        raise RuntimeError("a record of the benchmark is no batch")
    return batch


def check(both: dict[str, FileRecord]) -> None:
    """Raise unless all forms are the same events, all of them good."""
    arrow, *others = (list(read(record).events()) for record in both.values())
    if any(other != arrow for other in others) or any(isinstance(event, RefusedRow) for _, event in arrow):
        raise RuntimeError("the forms of a batch differ")


def cost(action: Callable[[], object], rows: int, *, runs: int) -> float:
    """Return the median of the CPU µs per row; each run is over 20,000 rows or more."""
    times = max(20_000 // rows, 2)
    costs = []
    for _ in range(runs):
        start = time.process_time()
        for _ in range(times):
            action()
        costs.append((time.process_time() - start) / (rows * times) * 1e6)
    return statistics.median(costs)


def measure(both: dict[str, FileRecord], rows: int, *, runs: int) -> Results:
    """Return what each form costs."""
    results: Results = {}
    for form, record in both.items():
        batch = read(record)
        us = cost(lambda record=record: read(record), rows, runs=runs)  # type: ignore[misc]  # a default binds it
        results[f"{form}, {rows} rows"] = {
            "bytes_per_row": len(record.value or b"") / rows,
            "us_per_row": us,
            "rows_per_second": 1e6 / us,
            "us_per_event": cost(lambda batch=batch: sum(1 for _ in batch.events()), rows, runs=runs),  # type: ignore[misc]  # as above
        }
    return results


def main() -> int:
    """Measure, print a table, and write the result; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of which the median is taken (default: %(default)s)")
    options = parser.parse_args()
    results: Results = {}
    for rows in SIZES:
        both = records(rows)
        check(both)
        results |= measure(both, rows, runs=options.runs)
    print(f"{'a batch':20}  bytes/row  CPU µs/row      rows/s  µs more for each row as an event")
    for name, result in results.items():
        size, us, per_second, event = result.values()
        print(f"{name:20}  {size:9.0f}  {us:10.3f}  {per_second:10,.0f}  {event:.2f}")
    slowest = min(results[f"arrow, {rows} rows"]["rows_per_second"] for rows in SIZES if rows >= BOUND_FROM)
    kept = slowest >= BOUND
    print(f"Arrow, {BOUND_FROM} rows or more: {slowest:,.0f} rows/s, {BOUND:,} wanted: {'kept' if kept else 'MISSED'}")
    document = {
        "batches": results,
        "slowest_rows_per_second": slowest,
        "kept": kept,
        "runs": options.runs,
        **origin(("pyarrow", "numpy", "jiter", "pydantic", "msgspec")),
    }
    keep("batches", document)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
