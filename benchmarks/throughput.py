"""What an event costs: ``python -m benchmarks.throughput [PART ...]``.

CPU us per event, all threads of the process, on one core, when references are complete. The contenders, of which the
medians of some runs count:

- decode: confluent-kafka and Driftline's decoder, nothing else: the limit.
- river: a plain loop with River that has the same monitors, from bytes in memory.
- core: Driftline's core, from bytes in memory, by batches of 1,000 events; making snapshots is not counted.
- batches: the same from records that hold 1,000 predictions or labels each, as Arrow.
- worker: Driftline whole, on Faust, with a real Kafka and a real Valkey and with checkpoints.
- faust: two agents of Faust as it comes, with the same River monitors, on a real Kafka.
- quix: Quix Streams with the same; it is installed in a temporary folder.

And tables of the core: tasks, features, categories, models, pending, memory. Exits 1 if a bound in
`benchmarks.throughput_bounds` is missed; one is judged if all that it is about was measured in this run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.meter import last_core, on_cores
from benchmarks.parts import add_parts
from benchmarks.results import keep, kept, origin
from benchmarks.throughput_bounds import verdicts
from benchmarks.throughput_events import SEGMENTS, WARM_UP, Mix
from benchmarks.throughput_runs import QUIX, Servers, Size, in_memory, install_quix, quix_version
from benchmarks.throughput_tables import CHOICES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.throughput_runs import Measured

TITLES: Final = {
    "decode": "confluent-kafka, decoding alone",
    "core": "Driftline's core, in memory",
    "batches": "the core, Arrow batches of 1,000",
    "worker": "Driftline on Faust, Kafka and Redis",
    "river": "loop with River, in memory",
    "quix": "Quix Streams with River",
    "faust": "stock Faust with River",
}
TABLES: Final = (*CHOICES, "memory")

_ON_SERVERS: Final = ("decode", "worker", "faust", "quix")
_PACKAGES: Final = (
    "faust-streaming",
    "aiokafka",
    "confluent-kafka",
    "river",
    "numpy",
    "numba",
    "pydantic",
    "jiter",
    "msgspec",
)

Document = dict[str, Any]


def measure(names: Sequence[str], long: Size, short: Size, runs: int) -> tuple[Document, Document]:
    """Return the median of the runs of each contender, and further versions; contenders take turns."""
    more: Document = {}
    contenders: dict[str, Callable[[], Measured]] = {}
    with ExitStack() as stack:
        if "core" in names:
            contenders["core"] = lambda: in_memory("core", long)
        if "batches" in names:
            contenders["batches"] = lambda: in_memory("batches", long)
        if "river" in names:
            contenders["river"] = lambda: in_memory("river", short)
        if set(names) & set(_ON_SERVERS):
            servers = stack.enter_context(Servers(long, short))
            of_servers = {"decode": servers.decode, "worker": servers.worker, "faust": servers.faust}
            contenders |= {name: run for name, run in of_servers.items() if name in names}
            if "quix" in names:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-quix-")))
                python = install_quix(folder)
                if python is not None:
                    more[QUIX] = quix_version(python)
                    contenders["quix"] = lambda: servers.quix(python)
        measured: dict[str, list[Measured]] = {name: [] for name in contenders}
        for run in range(runs):
            for name, contender in contenders.items():
                print(f"run {run + 1} of {runs}: {TITLES[name]}", file=sys.stderr)
                measured[name].append(contender())
    return {name: _median(all_runs) for name, all_runs in measured.items()}, more


def _median(runs: list[Measured]) -> Document:
    costs = [run["cpu_us_per_event"] for run in runs]
    return {
        "cpu_us_per_event": statistics.median(costs),
        "all_runs": costs,
        "events": statistics.median(run["events"] for run in runs),
    }


def tabulate(name: str, choices: Sequence[int | str], events: int) -> list[Document]:
    """Return the rows of a table."""
    rows = []
    for choice in choices:
        print(f"{name}: {_shown(choice)}", file=sys.stderr)
        command = [sys.executable, "-m", "benchmarks.throughput_tables", name, str(choice), str(events)]
        with on_cores(last_core()):
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        rows.append(json.loads(done.stdout))
    return rows


# -- what is printed --------------------------------------------------------------------------------------------------


def print_mix(mix: Document) -> None:
    """Say what the events are like."""
    print(
        f"a binary model with {mix['features']} numeric features, segments by {', '.join(SEGMENTS)}, a score and a "
        "latency, and the default detectors and challenger;\n"
        f"predictions of {mix['prediction_bytes']} bytes, each with a label of {mix['label_bytes']} bytes "
        f"{mix['labels_later_by_predictions']:,} predictions later;\n"
        f"{mix['missing_share']:.0%} of the values missing; the first {WARM_UP:,} predictions are not measured"
    )


def print_contenders(measured: Document) -> None:
    """Print the costs, and their ratios to those of the core and of the worker."""
    core, worker = (measured.get(name, {}).get("cpu_us_per_event") for name in ("core", "worker"))
    print(f"\n{'':36}  CPU us/event  events/s/core  / core  / worker")
    for name, title in TITLES.items():
        if name not in measured:
            print(f"{title:36}  {'-':>12}")
            continue
        cost = measured[name]["cpu_us_per_event"]
        ratios = "  ".join(
            f"{'-' if base is None else f'{cost / base:.2f}':>{width}}" for base, width in ((core, 6), (worker, 8))
        )
        print(f"{title:36}  {cost:12.2f}  {1e6 / cost:13,.0f}  {ratios}")


def print_table(name: str, rows: list[Document]) -> None:
    """Print a table of the core."""
    if name == "memory":
        print(f"\n{'events':>12}  resident MB")
        for point in rows[0]["points"]:
            print(f"{point['events']:12,}  {point['rss_bytes'] / 1e6:11,.1f}")
        return
    is_sized = name == "models"
    print(f"\n{name:>12}  CPU us/event{'  kB/model  kB/snapshot' if is_sized else ''}")
    for row in rows:
        # What one model takes is less than what else comes and goes.
        size = "-" if row[name] == 1 else f"{row.get('rss_bytes_per_model', 0) / 1000:,.0f}"
        sizes = f"  {size:>8}  {row['snapshot_bytes'] / 1000:11,.0f}" if is_sized else ""
        print(f"{_shown(row[name]):>12}  {row['cpu_us_per_event']:12.2f}{sizes}")


def _shown(choice: int | str) -> str:
    return choice if isinstance(choice, str) else f"{choice:,}"


def main() -> int:
    """Measure, print the tables, and write the results; 1 if a bound is missed."""
    parts = (*TITLES, *TABLES)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_parts(parser, parts)
    parser.add_argument("--runs", type=int, default=5, help="of which the median is taken (default: %(default)s)")
    parser.add_argument(
        "--predictions", type=int, default=250_000, help="measured of decode, core and worker (default: %(default)s)"
    )
    parser.add_argument(
        "--slow-predictions", type=int, default=25_000, help="of river, faust and quix (default: %(default)s)"
    )
    parser.add_argument("--table-events", type=int, default=100_000, help="of each row (default: %(default)s)")
    parser.add_argument("--memory-events", type=int, default=1_000_000, help="(default: %(default)s)")
    options = parser.parse_args()
    chosen = options.part or parts
    long, short = Size(WARM_UP + options.predictions), Size(WARM_UP + options.slow_predictions)
    now = origin(_PACKAGES)
    before = kept("throughput")
    if before.get("machine") != now["machine"]:  # numbers of two machines do not stand side by side
        before = {}
    mix = Mix().as_json()
    print_mix(mix)
    measured, more = measure([name for name in TITLES if name in chosen], long, short, options.runs)
    if measured:
        print_contenders(measured)
    tables = {}
    for name in (name for name in TABLES if name in chosen):
        is_memory = name == "memory"
        choices = (options.memory_events,) if is_memory else CHOICES[name]
        tables[name] = tabulate(name, choices, options.table_events)
        print_table(name, tables[name])
    costs = {name: found["cpu_us_per_event"] for name, found in measured.items()}
    judged = list(verdicts(costs, tables.get("models", [])))
    print("", *judged, sep="\n")
    document = {
        "mix": mix,
        "runs": options.runs,
        "contenders": before.get("contenders", {}) | measured,
        "tables": before.get("tables", {}) | tables,
        "kept": before.get("kept", {}) | {verdict.wanted: verdict.is_kept for verdict in judged},
        **now,
    }
    document["versions"] |= {QUIX: before["versions"][QUIX]} if QUIX in before.get("versions", {}) else {}
    document["versions"] |= more
    keep("throughput", document)
    return 0 if all(verdict.is_kept for verdict in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
