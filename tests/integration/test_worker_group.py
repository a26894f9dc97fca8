"""Workers with names of their own come back to their partitions, and disturb no other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker_harness import Site, WorkerProcess, real_site
from tests.worker_traffic import lean, mixed, on_every_partition

# On a busy machine a worker may take longer to come back than a session lasts, which is six seconds.
PATIENT = (
    "-c",
    """
from driftline.streams.transport import app
from driftline.__main__ import main
app._SETTINGS["broker_session_timeout"] = 30.0
main()
""",
    "worker",
)


@pytest.fixture
def site(kafka: str, empty_redis: str, tmp_path: Path) -> Site:
    return real_site(kafka, empty_redis, tmp_path)


def test_a_worker_with_a_name_comes_back_without_disturbing_another(site: Site) -> None:
    models = on_every_partition(site.partitions, each=1, count_each=30)
    config = lean(site, models)

    def come_and_go(start: int, end: Callable[[WorkerProcess], object]) -> None:
        with site.worker(*PATIENT, DRIFTLINE_CONFIG=config, DRIFTLINE_INSTANCE="two") as two:
            two.until(lambda: two.watches)
            site.send(mixed(models, range(start, start + 10)))
            two.until(lambda: site.saved == 2 * (start + 10) * len(models))
            end(two)

    with site.worker(*PATIENT, DRIFTLINE_CONFIG=config, DRIFTLINE_INSTANCE="one") as one:
        one.until(lambda: one.watches)
        for start, end in ((0, WorkerProcess.kill), (10, WorkerProcess.terminate), (20, WorkerProcess.kill)):
            come_and_go(start, end)
        assert one.log.count("watching partitions") == 2, "once alone, and once since the other came first"
    assert {state.counts.joined for state in site.states().values()} == {30}
