"""Draw ``docs/throughput.png`` from the last results of `benchmarks.throughput`: ``python -m benchmarks.plot [PATH]``.

It needs matplotlib: ``pip install '.[bench]'``. The axis is linear and begins at 0, so that bars are as long as costs
are high.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.results import kept
from benchmarks.throughput import TITLES
from benchmarks.throughput_bounds import EVENTS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH: Final = Path(__file__).parents[1] / "docs" / "throughput.png"

_OURS: Final = ("core", "batches", "worker")
_BLUE: Final = "#1f6fb4"
_GRAY: Final = "#a3aab2"
_RED: Final = "#b4431f"


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Draw a bar for each contender that was measured, the cheapest on top."""
    import matplotlib as mpl  # noqa: PLC0415 - nothing else needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - once the canvas is chosen

    measured = {name: found["cpu_us_per_event"] for name, found in results["contenders"].items()}
    names = sorted(measured, key=measured.__getitem__)
    costs = [measured[name] for name in names]
    figure, axes = plt.subplots(figsize=(9, 2.1 + 0.46 * len(names)), layout="constrained")
    bars = axes.barh(
        [TITLES[name] for name in names],
        costs,
        color=[_BLUE if name in _OURS else _GRAY for name in names],
        height=0.66,
    )
    labels = [f" {cost:.1f} µs  ({1e6 / cost:,.0f} events/s)" for cost in costs]
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # so that the line does not cross out a number
    axes.bar_label(bars, labels, padding=2, fontsize=9.5, bbox=behind)
    axes.invert_yaxis()
    limit = 1e6 / EVENTS_PER_SECOND
    axes.axvline(limit, color=_RED, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    axes.annotate(
        f"{EVENTS_PER_SECOND:,} events/s",
        (limit, 1),
        (4, 4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=_RED,
        fontsize=9,
    )
    axes.set_xlim(0, 1.4 * max(costs))  # room for the labels
    axes.set_xlabel("CPU time per event on one core, µs (lower is better)")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.suptitle("What an event costs", x=0.01, ha="left", fontweight="bold")
    figure.supxlabel(_caption(results), x=0.01, ha="left", fontsize=8, color="#555555")
    figure.savefig(path, dpi=150)


def _caption(results: Mapping[str, Any]) -> str:
    mix, machine, versions = results["mix"], results["machine"], results["versions"]
    named = ("faust-streaming", "river", "quixstreams")
    return (
        f"A binary model with {mix['features']} features, {mix['segments']} segment attributes, default detectors and "
        f"challenger; a label for each prediction ({mix['label_bytes']} and {mix['prediction_bytes']} bytes).\n"
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}.\n"
        f"Runs of which the median is shown: {results['runs']}. Python {machine['python']}, "
        f"{', '.join(f'{name} {versions[name]}' for name in named if name in versions)}."
    )


def main() -> int:
    """Draw; 1 if there is nothing to draw, or nothing to draw with."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plot", description=__doc__)
    parser.add_argument("path", type=Path, nargs="?", default=PATH, help="of the picture (default: %(default)s)")
    path = parser.parse_args().path
    results = kept("throughput")
    if not results.get("contenders"):
        print("there are no results: run python -m benchmarks.throughput first", file=sys.stderr)
        return 1
    try:
        draw(results, path)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        print("matplotlib is not installed: pip install matplotlib", file=sys.stderr)
        return 1
    print(f"drew {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
