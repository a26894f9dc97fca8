"""The short form of some faults, and of a mutant that must be found; ``make chaos`` runs all of them, longer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import faults, mutants
from tests.chaos.stage import Servers
from tests.chaos.table import ROWS, Row, play
from tests.worker_harness import WORKER


@pytest.fixture(scope="module")
def servers(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    assert kafka  # it knows when there is no real Kafka
    with Servers(tmp_path_factory.mktemp("chaos")) as started:
        yield started


# The others are like one of these, and all of them take over four minutes.
SHORT = {
    faults.worker_killed,
    faults.worker_paused_past_its_session,
    faults.snapshots_damaged,
    faults.broker_killed,
    faults.redis_killed,
}


@pytest.mark.parametrize("row", [row for row in ROWS if row.fault in SHORT], ids=lambda row: row.fault.__name__)
def test_counts_metrics_and_alerts_are_those_of_an_undisturbed_run(row: Row, servers: Servers, tmp_path: Path) -> None:
    play(row.fault, servers, tmp_path, WORKER, times=1, events=24_000)


def test_mutant_that_drops_entries_at_once_is_found(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        play(faults.snapshots_damaged, servers, tmp_path, mutants.DROPS_AT_ONCE, times=1, events=24_000)
