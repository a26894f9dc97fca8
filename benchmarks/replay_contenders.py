"""Two ways through the same files, each in a process of its own: ``python -m benchmarks.replay_contenders NAME P L``.

Prints as JSON the seconds on the clock and of CPU from opening the files to the last record, and what was found, so
that the two can be held to the same work.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.river_loop import Monitor, merged
from driftline.schemas.config import parse_configuration
from driftline.streams.replay import EventFiles, replay

REFERENCE = 2000
WINDOW = 10_000

Found = tuple[int, float]
"""Joined pairs and the accuracy over them."""


def with_driftline(predictions: Path, labels: Path) -> Found:
    """``driftline replay``, as the command runs it."""
    models = [{"model_id": "fraud", "reference": {"events": REFERENCE}, "segments": ["region"], "window": WINDOW}]
    with tempfile.TemporaryDirectory() as folder:
        replay(parse_configuration({"models": models}), EventFiles(predictions, labels), Path(folder))
        state = json.loads((Path(folder) / "state.json").read_bytes())["fraud"]
    return state["counts"]["joined"], state["performance"]["accuracy"]


def with_river(predictions: Path, labels: Path) -> Found:
    """Run a loop over River's detectors, metrics and models."""
    monitor = Monitor(reference=REFERENCE, window=WINDOW)
    for is_label, event in merged(predictions, labels):
        if is_label:
            monitor.labelled(event)
        else:
            monitor.predicted(event)
    return monitor.joined, monitor.performance.of_answers[0].get()


CONTENDERS = {"driftline": with_driftline, "river": with_river}


def main(name: str, predictions: Path, labels: Path) -> None:
    """Run one contender and print what it took."""
    started, started_cpu = time.perf_counter(), time.process_time()
    joined, accuracy = CONTENDERS[name](predictions, labels)
    took = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - started_cpu}
    print(json.dumps({**took, "joined": joined, "accuracy": accuracy}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
