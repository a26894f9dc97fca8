"""On what was measured."""

import os
import platform
from pathlib import Path


def machine() -> dict[str, str | int | None]:
    """Name the processor, its cores, the system and Python."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0].partition(": ")[2] if models else platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }
