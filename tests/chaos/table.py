"""The table: what is done to a worker, how often, and the mutants that each fault must find."""

from typing import NamedTuple

from tests.chaos import faults, mutants
from tests.chaos.faults import Fault
from tests.chaos.mutants import Mutant
from tests.chaos.stage import Stage


class Row(NamedTuple):
    """A fault, how often it is injected in the long form, the events meanwhile, and the mutants that it must find."""

    fault: Fault
    times: int = 2
    events: int = 80_000
    mutants: tuple[Mutant, ...] = ()

    @property
    def name(self) -> str:
        """What is done, in words."""
        return self.fault.__name__.replace("_", " ")


ROWS = (
    Row(faults.worker_killed, times=20, events=500_000),
    Row(faults.worker_killed_with_much_unsaved, times=3, mutants=(mutants.ACKS_FIRST, mutants.PUBLISHES_FIRST)),
    Row(faults.worker_killed_over_a_backlog, times=5),
    Row(faults.worker_asked_to_end, times=5),
    Row(faults.workers_come_and_go, times=6, mutants=(mutants.GIVES_UP_UNSAVED,)),
    Row(faults.worker_paused_past_its_session, mutants=(mutants.NO_FENCE,)),
    Row(faults.snapshots_damaged, times=3, mutants=(mutants.NO_CHECKSUM, mutants.DROPS_AT_ONCE)),
    Row(faults.broker_killed, times=5),
    Row(faults.broker_away_for_a_minute),
    Row(faults.redis_killed, times=3),
    Row(faults.redis_stopped_past_the_poll_interval),
    Row(faults.redis_full),
    Row(faults.redis_read_only),
    Row(faults.redis_disk_full),
)


def play(row: Row, stage: Stage, times: int) -> str:
    """Inject a row's fault so many times, and check what came of it."""
    row.fault(stage, times)
    return stage.check()


def find(row: Row, mutant: Mutant, stage: Stage) -> str:
    """Inject a row's fault once into a mutant's work; fail unless the check that must find it does."""
    try:
        play(row, stage, 1)
    except AssertionError as error:
        if mutant.found_by not in str(error):
            raise
        return f"found: {mutant.found_by}"
    raise AssertionError(f"a worker that {mutant.name} was not found")
