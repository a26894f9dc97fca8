"""The faults, one function each: it injects its fault so many times, and returns when the traffic is at its end."""

import os
import random
import signal
from collections.abc import Callable

from redis import Redis

from driftline.models.snapshot import unseal
from driftline.schemas import keys
from tests.chaos.stage import Stage
from tests.conditions import eventually
from tests.worker_harness import WorkerProcess

Fault = Callable[[Stage, int], None]


def worker_killed(stage: Stage, times: int) -> None:
    """SIGKILL of the worker at a random moment."""
    with stage.traffic():
        for _ in range(times):
            with stage.worker() as worker:
                stage.progress(random.uniform(0.2, 0.8) / times)
                worker.kill()
        with stage.worker() as worker:
            stage.finish(worker)


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


def redis_killed(stage: Stage, times: int) -> None:
    """SIGKILL of Redis, which is then started again on its append-only file."""
    with stage.traffic(), stage.worker() as worker:
        for _ in range(times):
            stage.progress()
            stage.servers.valkey.kill()
            _until_waited_for(worker)
            stage.servers.valkey.start()
        stage.finish(worker)


def redis_stopped(stage: Stage, times: int) -> None:
    """SIGSTOP of Redis until the worker waits for it."""
    with stage.traffic(), stage.worker() as worker, _asked(stage) as client:
        pid = client.info("server")["process_id"]
        for _ in range(times):
            stage.progress()
            os.kill(pid, signal.SIGSTOP)
            try:
                _until_waited_for(worker)
            finally:
                os.kill(pid, signal.SIGCONT)
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
            with stage.worker() as zombie:
                _wakes_too_late(stage, worker, zombie)
        stage.finish(worker)


def _wakes_too_late(stage: Stage, worker: WorkerProcess, zombie: WorkerProcess) -> None:
    zombie.until(lambda: zombie.watches, seconds=60)
    stage.progress()
    zombie.signal(signal.SIGSTOP)
    before = worker.log.count("watching partitions")
    worker.until(lambda: worker.log.count("watching partitions") > before, seconds=60)
    stage.progress(0.1)
    zombie.signal(signal.SIGCONT)
    # It may have nothing to save, if it was stopped right after a checkpoint: then it learns of it from Kafka.
    is_told = ("has another owner now", "gave them up")
    eventually(lambda: any(text in zombie.log for text in is_told), seconds=60)


def workers_come_and_go(stage: Stage, times: int) -> None:
    """A second worker joins, and leaves or is killed, again and again."""
    with stage.traffic(), stage.worker() as worker:
        for n in range(times):
            with stage.worker() as second:
                _joins(second)
                stage.progress(0.02)
                if n % 2:
                    second.kill()
                else:
                    assert second.terminate() == 0, second.log
        stage.finish(worker)


def _joins(worker: WorkerProcess) -> None:
    worker.until(lambda: worker.watches, seconds=60)


def snapshots_damaged(stage: Stage, times: int) -> None:
    """While no worker runs, a digit of the newest snapshot of half of the models is another."""
    with stage.traffic():
        for _ in range(times):
            with stage.worker() as worker:
                stage.progress(0.5 / times)
                worker.kill()
            assert _damage(stage)
        with stage.worker() as worker:
            stage.finish(worker)


def _damage(stage: Stage) -> int:
    damaged = 0
    with _asked(stage) as client:
        for partition in range(stage.site.partitions):
            snapshots: dict[bytes, bytes] = client.hgetall(keys.snapshots(partition))
            both = snapshots.keys() & client.hkeys(keys.before(partition))
            for model_id in sorted(both)[::2]:
                blob = snapshots[model_id]
                joined = str(unseal(blob)["join"]["counts"]["joined"])
                other = "7" if joined[0] != "7" else "3"
                text = f'"joined":{joined}'.encode()
                assert text in blob
                wrong = blob.replace(text, f'"joined":{other}{joined[1:]}'.encode())
                client.hset(keys.snapshots(partition), model_id, wrong)
                damaged += 1
    return damaged


def _until_waited_for(worker: WorkerProcess) -> None:
    worker.until(lambda: worker.scraped.value("driftline_outage", server="redis") == 1, seconds=60)


def _asked(stage: Stage) -> Redis:
    return Redis.from_url(stage.servers.valkey.url)
