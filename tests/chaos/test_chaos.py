"""The short form of some faults, and of a mutant that must be found; ``make chaos`` runs all of them, longer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import faults, mutants
from tests.chaos.mutants import Mutant
from tests.chaos.stage import Servers, Stage
from tests.chaos.table import ROWS, Row, find, play


@pytest.fixture(scope="module")
def servers(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    assert kafka  # it knows when there is no real Kafka
    with Servers(tmp_path_factory.mktemp("chaos")) as started:
        yield started


# The others are like one of these, or take long. A mutant that acks first is also found by what it commits, in
# tests/integration/test_worker_restart.py.
SHORT = {
    faults.worker_killed_with_much_unsaved,
    faults.worker_killed_over_a_backlog,
    faults.workers_come_and_go,
    faults.worker_paused_past_its_session,
    faults.snapshots_damaged,
    faults.broker_killed,
    faults.redis_stopped_past_the_poll_interval,
}
ROWS_HERE = [row for row in ROWS if row.fault in SHORT]
EVENTS = 24_000


@pytest.mark.parametrize("row", ROWS_HERE, ids=lambda row: row.fault.__name__)
def test_counts_metrics_and_alerts_are_those_of_an_undisturbed_run(row: Row, servers: Servers, tmp_path: Path) -> None:
    play(row, Stage(servers, tmp_path, EVENTS), times=1)


@pytest.mark.parametrize(
    ("row", "mutant"),
    [(row, mutant) for row in ROWS_HERE for mutant in row.mutants if mutant is not mutants.ACKS_FIRST],
    ids=lambda given: given.name if isinstance(given, Mutant) else "",
)
def test_mutants_are_found(row: Row, mutant: Mutant, servers: Servers, tmp_path: Path) -> None:
    find(row, mutant, Stage(servers, tmp_path, EVENTS, mutant.program))
