"""The golden replays: what each reads, and how it is replayed.

The folder of a case holds its configuration and what it must give. Its events are not stored but made again: they are
the same on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from driftline.schemas.config import Configuration
from driftline.streams.configuration import read_configuration
from driftline.streams.replay import BATCH, EventFiles, replay
from tests.streams_of_events import Episode, Faults, ModelStream, write
from tests.tasks_of_events import Binary, Case, Multiclass, Regression

KEPT = ("alerts.jsonl", "retrain.jsonl", "state.json")
"""The outputs that a case's folder holds."""

OUTPUTS = (*KEPT, "dead_letters.jsonl")


@dataclass(frozen=True)
class Golden:
    """One case; its name is that of its folder."""

    name: str
    stream: ModelStream

    @property
    def folder(self) -> Path:
        return Path(__file__).parent / self.name

    def replay(self, out: Path, *, batch: int = BATCH) -> dict[str, bytes]:
        """Make the events, replay them, and return what was written, by file."""
        return replayed([self], out, batch=batch)

    def configuration(self) -> Configuration:
        return read_configuration(self.folder / "config.yaml")

    def kept(self) -> dict[str, bytes]:
        """Return what it must give; a file that is not there yet is empty."""
        paths = {name: self.folder / name for name in KEPT}
        return {name: path.read_bytes() if path.exists() else b"" for name, path in paths.items()}


def replayed(goldens: Sequence[Golden], out: Path, *, batch: int) -> dict[str, bytes]:
    """Replay several cases as one, their events mixed."""
    out.mkdir(parents=True, exist_ok=True)
    files = write([golden.stream for golden in goldens], out, seed=1)
    first, *others = (golden.configuration() for golden in goldens)
    models = [*first.models, *(model for other in others for model in other.models)]
    replay(first.model_copy(update={"models": tuple(models)}), EventFiles(*files), out, batch=batch)
    return outputs_in(out)


def outputs_in(folder: Path) -> dict[str, bytes]:
    """Return what a replay has written, by file."""
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def cents(case: Case) -> None:
    """Upstream sends x in another unit."""
    case.features["x"] = round(case.features["x"] * 100, 3)


def nulls(case: Case) -> None:
    """Upstream loses x in half of the events."""
    if case.features["y"] < 0.5:
        case.features["x"] = None


def reversal(case: Case) -> None:
    """What was likely is unlikely."""
    case.truth = -case.truth


def rise(case: Case) -> None:
    """The truth is larger than the model knows."""
    case.truth += 0.8


CASES = (
    Golden(
        "fraud",
        ModelStream(
            "fraud",
            Binary(0.3),
            8000,
            versions=("7",),
            weighted=0.05,
            episodes=(Episode(0.3, 0.45, cents), Episode(0.7, 1.0, reversal)),
        ),
    ),
    Golden(
        "vehicles",
        ModelStream(
            "vehicles", Multiclass(), 4000, faults=Faults(bad=0.25, outside=0.002), episodes=(Episode(0.3, 0.4, nulls),)
        ),
    ),
    Golden("price", ModelStream("price", Regression(), 4000, versions=("a",), episodes=(Episode(0.6, 1.0, rise),))),
)
