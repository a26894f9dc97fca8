"""How fast a replay is: ``python -m benchmarks.replay``.

Events a second of ``driftline replay`` and of a plain loop with River that has the same monitors, over the same files:
one binary model with three features and a segment, labels that come later, and 5 % of everything that goes wrong.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.results import keep, origin
from tests.streams_of_events import Files, ModelStream, write
from tests.tasks_of_events import Binary

_TITLES = {"driftline": "driftline replay", "river": "loop with River"}
_PACKAGES = ("river", "numpy", "pydantic", "jiter")
_MEASURES = ("seconds", "cpu_seconds", "joined", "accuracy")

Measured = dict[str, float]


def measure(name: str, files: Files) -> Measured:
    """Run a contender in a process of its own, and return what it measured."""
    command = [sys.executable, "-m", "benchmarks.replay_contenders", name, *map(str, files)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=180)
    measured: Measured = json.loads(done.stdout)
    return measured


def compare(files: Files, runs: int) -> dict[str, Measured]:
    """Return the median of `runs` of each contender; they take turns."""
    measured: dict[str, list[Measured]] = {name: [] for name in _TITLES}
    for run in range(runs):
        for name, title in _TITLES.items():
            print(f"run {run + 1} of {runs}: {title}", file=sys.stderr)
            measured[name].append(measure(name, files))
    return {
        name: {key: statistics.median(run[key] for run in all_runs) for key in _MEASURES}
        for name, all_runs in measured.items()
    }


def main() -> int:
    """Measure, print a table, and write the result; 1 if the two did not do the same work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--predictions", type=int, default=25_000, help="about half of the events (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of which the median is taken (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write([ModelStream("fraud", Binary(0.1), options.predictions)], Path(folder), seed=1)
        events = sum(path.read_bytes().count(b"\n") for path in files)
        size = sum(path.stat().st_size for path in files)
        results = compare(files, options.runs)
    print(f"{'':17} events/s  events/s of CPU  CPU µs/event")
    for name, title in _TITLES.items():
        seconds, cpu = results[name]["seconds"], results[name]["cpu_seconds"]
        print(f"{title:17} {events / seconds:8,.0f}  {events / cpu:15,.0f}  {cpu / events * 1e6:12.1f}")
    ours, theirs = results["driftline"], results["river"]
    ratio = ours["cpu_seconds"] / theirs["cpu_seconds"]
    print(f"a replay takes {ratio:.2f} times the CPU time of the loop; {events:,} events of {size / events:.0f} bytes")
    same = ours["joined"] == theirs["joined"] and abs(ours["accuracy"] - theirs["accuracy"]) < 1e-9  # noqa: PLR2004
    if not same:
        print("the two did not do the same work", file=sys.stderr)
    document = {
        "contenders": results,
        "driftline_per_river_cpu": ratio,
        "events": events,
        "bytes": size,
        "runs": options.runs,
        **origin(_PACKAGES),
    }
    keep("replay", document)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
