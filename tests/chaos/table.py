"""The table: what is done to a worker, how often, and the mutants that each fault must find."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.chaos import faults, mutants
from tests.chaos.faults import Fault
from tests.chaos.stage import Servers, Stage


class Row(NamedTuple):
    """A fault, how often it is injected in the long form, the events meanwhile, and the mutants by name."""

    fault: Fault
    times: int
    events: int
    mutants: dict[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """What is done, in words."""
        return self.fault.__name__.replace("_", " ")


ROWS = (
    Row(
        faults.worker_killed,
        20,
        500_000,
        {"acks before it saves": mutants.ACKS_FIRST},
    ),
    Row(faults.worker_asked_to_end, 5, 80_000, {}),
    Row(faults.workers_come_and_go, 6, 80_000, {}),
    Row(faults.worker_paused_past_its_session, 2, 80_000, {"has no fence": mutants.NO_FENCE}),
    Row(
        faults.snapshots_damaged,
        3,
        80_000,
        {"has no checksum": mutants.NO_CHECKSUM, "drops entries at once": mutants.DROPS_AT_ONCE},
    ),
    Row(faults.broker_killed, 5, 80_000, {}),
    Row(faults.redis_killed, 3, 80_000, {}),
    Row(faults.redis_stopped, 2, 80_000, {}),
    Row(faults.redis_full, 2, 80_000, {}),
    Row(faults.redis_read_only, 2, 80_000, {}),
)


def play(  # noqa: PLR0913 - what one run differs in from another
    fault: Fault, servers: Servers, folder: Path, program: Sequence[str], *, times: int, events: int
) -> str:
    """Inject a fault so many times while so many events are processed, and check what came of it."""
    stage = Stage(servers, folder, events, program)
    fault(stage, times)
    return stage.check()
