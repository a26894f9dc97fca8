"""The faults, one function each: it injects its fault so many times, and returns when the traffic is at its end."""

import os
import random
import signal
import time
from collections.abc import Callable
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

from msgspec import msgpack
from redis import Redis

from driftline.models.snapshot import unseal
from driftline.schemas import keys
from tests.chaos.stage import PIECES, TURN, Stage
from tests.conditions import eventually
from tests.worker_harness import WorkerProcess

Fault = Callable[[Stage, int], None]

_POLL_SECONDS = 5
_RESTLESS = (
    "-c",
    f"""
from driftline.streams.transport import app
from driftline.__main__ import main
app._SETTINGS["broker_max_poll_interval"] = {_POLL_SECONDS}.0
main()
""",
    "worker",
)
_MOST_LINES = 60  # of the log in a minute


def worker_killed(stage: Stage, times: int) -> None:
    """SIGKILL of the worker at a random moment."""
    with stage.traffic():
        began = time.monotonic()
        for _ in range(times):
            with stage.worker() as worker:
                _begins(stage, worker, began)
                stage.progress(random.uniform(0.2, 0.8) / times)
                worker.kill()
                began = time.monotonic()
        with stage.worker() as worker:
            _begins(stage, worker, began)
            stage.finish(worker)


def _begins(stage: Stage, worker: WorkerProcess, since: float) -> None:
    worker.until(lambda: worker.watches and worker.processed, seconds=60)
    stage.figure("s from a kill to the next record", time.monotonic() - since)


def worker_killed_with_much_unsaved(stage: Stage, times: int) -> None:
    """SIGKILL of the worker while Redis takes no writes: it has read on, and found what alerts are about."""
    stage.send(TURN)
    for _ in range(times):
        with stage.worker(checkpoint_seconds=3) as worker:
            worker.until(lambda: stage.saved == stage.sent, seconds=90)
            before = worker.processed
            with stage.site.without_writes():
                since = stage.sent
                stage.send(3)
                worker.until(lambda: worker.processed == before + stage.sent - since, seconds=60)  # noqa: B023 - as it is
                worker.until(lambda: worker.scraped.value("driftline_outage", server="redis") == 1)
                worker.kill()
            assert stage.saved == since, "nothing was unsaved"
            stage.check_published()
    stage.send(PIECES)
    with stage.worker() as worker:
        stage.finish(worker)


def worker_killed_over_a_backlog(stage: Stage, times: int) -> None:
    """SIGKILL of the worker again and again while it reads what another has read undisturbed: the same alerts come."""
    stage.send(PIECES)  # so that the order of both topics is that of their timestamps alone
    with stage.worker() as worker:
        stage.finish(worker)
    undisturbed = {alert.alert_id for alert in stage.alerts()}
    stage.forget()
    for _ in range(times):
        with stage.worker() as worker:
            stage.progress(random.uniform(0.4, 0.8) / times)
            worker.kill()
    with stage.worker() as worker:
        stage.finish(worker)
    assert undisturbed, "the traffic has caused no alert"
    assert {alert.alert_id for alert in stage.alerts()} == undisturbed, "other alerts than without the kills"


def worker_asked_to_end(stage: Stage, times: int) -> None:
    """SIGTERM of the worker, which ends it in order."""
    with stage.traffic():
        for _ in range(times):
            with stage.worker() as worker:
                stage.progress()
                assert worker.terminate() == 0, worker.log
        with stage.worker() as worker:
            stage.finish(worker)


def broker_killed(stage: Stage, times: int) -> None:
    """SIGKILL of the broker, which is then started again."""
    with stage.traffic(), stage.worker() as worker:
        for _ in range(times):
            stage.progress()
            stage.servers.kafka.kill()
            stage.servers.kafka.start()
        stage.finish(worker)


def broker_away_for_a_minute(stage: Stage, times: int) -> None:
    """SIGKILL of the broker, which is started again after a minute."""
    with stage.traffic(), stage.worker() as worker:
        for _ in range(times):
            stage.progress()
            stage.servers.kafka.kill()
            lines = len(worker.log.splitlines())
            worker.until(lambda: worker.scraped.value("driftline_outage", server="kafka") == 1)
            _passes(60)
            assert len(worker.log.splitlines()) - lines < _MOST_LINES, "its log is flooded"
            stage.servers.kafka.start()
            worker.until(lambda: worker.scraped.value("driftline_outage", server="kafka") == 0, seconds=60)
        stage.reach(0.99)
        _assert_calm(stage, worker)
        stage.finish(worker)


def redis_killed(stage: Stage, times: int) -> None:
    """SIGKILL of Redis, which is then started again on its append-only file."""
    with stage.traffic(), stage.worker() as worker:
        for _ in range(times):
            stage.progress()
            stage.servers.valkey.kill()
            _until_waited_for(worker)
            stage.servers.valkey.start()
        stage.finish(worker)


def redis_stopped_past_the_poll_interval(stage: Stage, times: int) -> None:
    """SIGSTOP of Redis for longer than a member of a group may rest: the worker keeps its partitions all the same."""
    with stage.traffic(), stage.worker(*_RESTLESS) as worker, _asked(stage) as client:
        pid = client.info("server")["process_id"]
        for _ in range(times):
            stage.progress()
            os.kill(pid, signal.SIGSTOP)
            try:
                _until_waited_for(worker)
                _passes(_POLL_SECONDS + 2)
            finally:
                os.kill(pid, signal.SIGCONT)
        stage.reach(0.99)
        _assert_calm(stage, worker)
        assert worker.log.count("watching partitions") == 1, "the group has given its partitions anew"
        stage.finish(worker)


def redis_full(stage: Stage, times: int) -> None:
    """Redis is out of memory until the worker waits for it."""
    with stage.traffic(), stage.worker() as worker, _asked(stage) as client:
        for _ in range(times):
            stage.progress()
            client.config_set("maxmemory", "1")
            _until_waited_for(worker)
            client.config_set("maxmemory", "0")
        stage.finish(worker)


def redis_disk_full(stage: Stage, times: int) -> None:
    """The file of Redis cannot grow until the worker waits for it."""
    with stage.traffic(), stage.worker() as worker, _asked(stage) as client:
        pid = client.info("server")["process_id"]
        for _ in range(times):
            stage.progress()
            prlimit(pid, RLIMIT_FSIZE, (1, RLIM_INFINITY))
            _until_waited_for(worker)
            prlimit(pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))
        stage.finish(worker)


def redis_read_only(stage: Stage, times: int) -> None:
    """Redis has become a replica, and takes no writes until the worker waits for it."""
    with stage.traffic(), stage.worker() as worker, _asked(stage) as client:
        for _ in range(times):
            stage.progress()
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            _until_waited_for(worker)
            client.execute_command("REPLICAOF", "NO", "ONE")
        stage.finish(worker)


def worker_paused_past_its_session(stage: Stage, times: int) -> None:
    """SIGSTOP of a worker until another has its partitions and has saved them; then it wakes up and tries to write."""
    with stage.traffic(), stage.worker() as worker:
        for _ in range(times):
            with stage.worker(checkpoint_seconds=3) as zombie:
                _wakes_too_late(stage, worker, zombie)
        stage.finish(worker)


def _wakes_too_late(stage: Stage, worker: WorkerProcess, zombie: WorkerProcess) -> None:
    zombie.until(lambda: zombie.watches, seconds=60)
    stage.progress()
    _has_much_unsaved(zombie)
    before = worker.log.count("watching partitions")
    zombie.signal(signal.SIGSTOP)
    worker.until(lambda: worker.log.count("watching partitions") > before, seconds=60)
    stage.progress(0.1)
    worker.signal(signal.SIGSTOP)  # so that whatever is written now, the other has written
    try:
        _passes(0.5)  # what it had sent before has arrived
        stored = stage.stored()
        # It is told by the fence or, if it has just saved, by Kafka.
        is_told = ("has another owner now", "gave them up")
        said = len(zombie.log)
        zombie.signal(signal.SIGCONT)
        zombie.until(lambda: any(text in zombie.log[said:] for text in is_told) or stage.stored() != stored)
        assert stage.stored() == stored, "written by a worker that Kafka had given up"
    finally:
        worker.signal(signal.SIGCONT)


def workers_come_and_go(stage: Stage, times: int) -> None:
    """A second worker joins, and leaves or is killed, again and again."""
    with stage.worker() as worker:
        for n in range(times):
            with stage.worker(checkpoint_seconds=3) as second:
                _joins(second)
                stage.send(PIECES // (times + 1))
                _has_much_unsaved(second)
                if n % 2:
                    second.kill()
                else:
                    assert second.terminate() == 0, second.log
        stage.send(PIECES)
        stage.finish(worker)


def _joins(worker: WorkerProcess) -> None:
    worker.until(lambda: worker.watches, seconds=60)


def snapshots_damaged(stage: Stage, times: int) -> None:
    """While no worker runs, the newest snapshot of half of the models gets one digit more."""
    with stage.traffic():
        for _ in range(times):
            with stage.worker() as worker:
                stage.progress(0.5 / times)
                worker.kill()
            assert _damage(stage)
        with stage.worker() as worker:
            stage.finish(worker)


def _counted(labels: int) -> bytes:
    """Return a count as a snapshot has it."""
    return msgpack.encode({"labels": labels})[1:]


def _damage(stage: Stage) -> int:
    damaged = 0
    with _asked(stage) as client:
        for partition in range(stage.site.partitions):
            snapshots: dict[bytes, bytes] = client.hgetall(keys.snapshots(partition))
            both = snapshots.keys() & client.hkeys(keys.before(partition))
            for model_id in sorted(both)[::2]:
                blob = snapshots[model_id]
                labels = unseal(blob)["join"]["counts"]["labels"]
                wrong = blob.replace(_counted(labels), _counted(labels + 90_000))
                assert wrong != blob
                client.hset(keys.snapshots(partition), model_id, wrong)
                damaged += 1
    return damaged


def _has_much_unsaved(worker: WorkerProcess) -> None:
    worker.until(lambda: worker.scraped.value("driftline_checkpoint_age_seconds") > 1)


def _passes(seconds: float) -> None:
    end = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= end, seconds=seconds + 10)


def _assert_calm(stage: Stage, worker: WorkerProcess) -> None:
    """Fail if a server that was away has held the worker's event loop: the calls that wait for one last seconds."""
    delays = worker.scraped.by_label("driftline_event_loop_delay_seconds_bucket", "le")
    assert delays["+Inf"] == delays["1.0"], f"the event loop was held: {delays}"
    stage.figure("of a thousand waits for the event loop over 0.1 s", 1000 * (1 - delays["0.1"] / delays["+Inf"]))


def _until_waited_for(worker: WorkerProcess) -> None:
    worker.until(lambda: worker.scraped.value("driftline_outage", server="redis") == 1, seconds=60)


def _asked(stage: Stage) -> Redis:
    return Redis.from_url(stage.servers.valkey.url)
