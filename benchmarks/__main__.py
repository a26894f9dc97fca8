"""``python -m benchmarks [NAME ...]``: run benchmarks one after the other, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "imports",
    "transport",
    "replay",
    "state",
    "backlog",
    "decoding",
    "batches",
    "kernels",
    "ranks",
    "detection",
    "river_cost",
    "throughput",
)


def main(names: list[str]) -> int:
    """Run the benchmarks of those names, all by default; 1 if one misses what it must show, 2 for a wrong name."""
    if unknown := [name for name in names if name not in NAMES]:
        print(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(NAMES)}", file=sys.stderr)
        return 2
    codes = [
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in names or NAMES
    ]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
