"""What it costs to import Driftline: ``python -m benchmarks.imports [--runs N]``.

CPU seconds of the import alone, all threads, median of fresh processes that take turns; modules are there as bytecode.
`driftline.client` is what a service imports, `driftline.streams.run` what ``driftline worker`` does, before it compiles
or loads machine code. Exits 1 if one of them takes longer than its bound.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from typing import Any, Final

from benchmarks.results import keep, origin

BOUNDS: Final = {"driftline.client": 0.3, "driftline.streams.run": 2.0}
"""CPU seconds."""

_PACKAGES: Final = ("pydantic", "confluent-kafka", "redis", "faust-streaming", "numba", "river", "pyarrow")
_PROGRAM: Final = """
import sys, time
began = time.process_time()
__import__(sys.argv[1])
print(time.process_time() - began)
"""


def seconds(module: str) -> float:
    """Return the CPU seconds that the import of a module takes a new process."""
    command = [sys.executable, "-c", _PROGRAM, module]
    return float(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)


def main() -> int:
    """Measure, print a table, and write the result; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("--runs", type=int, default=11, help="of which the median is taken (default: %(default)s)")
    options = parser.parse_args()
    measured: dict[str, list[float]] = {module: [] for module in BOUNDS}
    for module in BOUNDS:
        seconds(module)  # writes bytecode where there is none
    for run in range(options.runs):
        print(f"run {run + 1} of {options.runs}", file=sys.stderr)
        for module, found in measured.items():
            found.append(seconds(module))

    print(f"{'CPU seconds of an import':24}  median  fastest  slowest  bound")
    results: dict[str, dict[str, Any]] = {}
    for module, found in measured.items():
        median, bound = statistics.median(found), BOUNDS[module]
        kept = median <= bound
        verdict = "kept" if kept else "MISSED"
        print(f"{module:24}  {median:6.2f}  {min(found):7.2f}  {max(found):7.2f}  {bound:5.1f}  {verdict}")
        results[module] = {"median": median, "fastest": min(found), "slowest": max(found), "bound": bound, "kept": kept}
    keep("imports", {"cpu_seconds": results, "runs": options.runs, **origin(_PACKAGES)})
    return 0 if all(result["kept"] for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
