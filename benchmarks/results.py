"""Where the results of benchmarks are kept: with the machine and the versions they are of."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDER: Final = Path(__file__).parent / "results"


def origin(packages: Sequence[str]) -> dict[str, Any]:
    """Return on what something was measured: the processor, its cores, the system, Python, and versions of packages."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    machine = {
        "processor": models[0].partition(": ")[2] if models else platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }
    return {"machine": machine, "versions": {package: version(package) for package in packages}}


def kept(name: str) -> dict[str, Any]:
    """Return the last results of a benchmark, nothing if there are none."""
    path = _FOLDER / f"{name}.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return results


def keep(name: str, results: dict[str, Any]) -> None:
    """Write the results of a benchmark in place of the last."""
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n")
