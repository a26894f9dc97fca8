"""Two workers share the partitions: every pair is counted once while one of them joins and leaves under load."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conditions import eventually
from tests.worker_harness import Site, real_site
from tests.worker_traffic import Traffic, assert_exact, lean, mixed, on_every_partition

# Gives partitions up without a checkpoint, and reads on from what Kafka says was acked.
GRACELESS = """
from driftline.__main__ import main
from driftline.streams import app, worker

class Graceless(worker.Worker):
    def take(self, message, batch):
        super().take(message, batch)
        self._ports.source.ack([message])

    async def assigned(self, logs):
        await super().assigned(logs)
        return {}

    async def revoked(self, partitions):
        for number in {tp.partition for tp in partitions} & self._held.keys():
            self._forget(self._held.pop(number))

app.Worker = Graceless
main()
"""


@pytest.fixture
def site(kafka: str, empty_redis: str, tmp_path: Path) -> Site:
    return real_site(kafka, empty_redis, tmp_path)


class Feed:
    """Sends the traffic in 20 pieces, each as soon as the checkpoints have all but the last two, up to a limit."""

    def __init__(self, site: Site, models: list[Traffic]) -> None:
        self.total = 2 * sum(model.count for model in models)
        self.limit = 0.6
        """The share of the traffic that may be sent."""
        self._site = site
        self._models = models
        self._ended = threading.Event()

    def run(self) -> None:
        count = self._models[0].count
        sent = 0
        for start in range(0, count, piece := count // 20 + 1):
            self._wait_until_due(sent)
            if self._ended.is_set():
                return
            self._site.send(mixed(self._models, numbers := range(start, min(start + piece, count))))
            sent += 2 * len(self._models) * len(numbers)

    def end(self) -> None:
        self._ended.set()

    def _wait_until_due(self, sent: int) -> None:
        def is_due() -> bool:
            return sent < self.limit * self.total and self._site.saved >= sent - self.total // 8

        eventually(lambda: self._ended.is_set() or is_due(), seconds=60)


def a_worker_joins_and_leaves(site: Site, models: list[Traffic], *program: str, seconds: str = "0.2") -> None:
    """Run two workers over the traffic, the second in the middle only, and check the state they leave."""
    settings = {"DRIFTLINE_CONFIG": lean(site, models), "DRIFTLINE_CHECKPOINT_SECONDS": seconds}
    feed = Feed(site, models)
    first, second = (site.worker(*program, **settings) for _ in range(2))
    with ThreadPoolExecutor() as pool:
        feeding = pool.submit(feed.run)
        try:
            with first:
                first.until(lambda: site.saved > feed.total // 8)
                with second:
                    second.until(lambda: second.watches)
                    feed.limit = 0.95
                    second.until(lambda: second.processed > feed.total // 20)
                    since = first.processed
                    first.until(lambda: first.processed > since)
                    assert second.terminate() == 0, second.log
                since = first.processed
                assert site.saved < feed.total
                feed.limit = 1.0
                first.until(lambda: site.saved >= feed.total, seconds=60)
                assert first.processed > since
                assert first.terminate() == 0, first.log
        finally:
            feed.end()
        feeding.result()
    assert_exact(site, models)


def test_each_of_200_000_events_is_counted_once_while_a_worker_joins_and_leaves(site: Site) -> None:
    models = on_every_partition(site.partitions, each=3, count_each=4167)
    assert 2 * sum(model.count for model in models) >= 200_000
    a_worker_joins_and_leaves(site, models)


def test_mutant_without_the_last_checkpoint_is_found(site: Site) -> None:
    models = on_every_partition(site.partitions, each=1, count_each=1500)
    with pytest.raises(AssertionError, match="model-"):
        a_worker_joins_and_leaves(site, models, "-c", GRACELESS, "worker", seconds="1")
