"""A real Apache Kafka: one KRaft node, broker and controller, on loopback.

`python -m tests.servers.kafka` runs one in the foreground until Ctrl-C.
"""

import argparse
import signal
import struct
import subprocess
import sys

from driftline.schemas.errors import UnavailableError
from driftline.streams.child_server import ChildServer
from driftline.streams.children import free_port, serves
from tests.servers.jars import KafkaUnavailableError, java, kafka_version, resolve

__all__ = ["KafkaServer", "KafkaUnavailableError"]

START_SECONDS = 60.0

_CLUSTER_ID = "driftline-tests-000000"  # any 22 characters of URL-safe base64

_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# Retention goes by the records' own timestamps, and tests write events of years ago.
log.retention.ms=-1
# A killed broker may register again only when its last session is over: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

# A broker of tests lives minutes: the first compiler tier and the serial collector start fastest and take least memory.
_JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")

# ApiVersions, version 0: length, key 18, version 0, correlation id 1, no client id. A broker answers it once it serves.
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class KafkaServer(ChildServer):
    """A single-node Kafka that lives no longer than this process.

    Parameters
    ----------
    port
        Loopback port of the broker; a free one if None.

    Attributes
    ----------
    bootstrap
        Address of the broker, ``"127.0.0.1:port"``; the same over every restart.
    """

    def __init__(self, port: int | None = None) -> None:
        super().__init__("kafka")
        self.port = free_port() if port is None else port
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._settings = self._folder / "server.properties"

    def start(self) -> None:
        """Start the broker and wait until it serves.

        Raises
        ------
        KafkaUnavailableError
            If Java is absent or too old, or the jars cannot be had.
        driftline.schemas.errors.UnavailableError
            If its port is taken, or the broker did not come up.
        """
        if serves(self.port, _API_VERSIONS):
            raise UnavailableError(f"another Kafka listens on {self.bootstrap}: end it, or choose another port")
        jvm = [java(), *_JVM, "-cp", f"{resolve()}/*"]
        if not self._settings.exists():
            self._format(jvm)
        child = self._launch([*jvm, "kafka.Kafka", str(self._settings)])
        child.wait_for(lambda: serves(self.port, _API_VERSIONS), seconds=START_SECONDS)

    def _format(self, jvm: list[str]) -> None:
        settings = _SETTINGS.format(port=self.port, controller_port=free_port(), folder=self._folder)
        draft = self._folder / "draft.properties"
        draft.write_text(settings)
        command = [*jvm, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(draft), "--standalone"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_SECONDS)
        if done.returncode != 0:
            raise UnavailableError(f"Kafka's storage could not be formatted: {done.stderr.strip()}")
        draft.rename(self._settings)  # its presence says that the storage is formatted


def main() -> None:
    """Run a broker in the foreground until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.kafka", description=main.__doc__)
    parser.add_argument("--port", type=int, default=9092, help="loopback port of the broker (default: 9092)")
    port = parser.parse_args().port
    ends = {signal.SIGINT, signal.SIGTERM}
    try:
        with KafkaServer(port) as server:
            # Blocked only now: until here an ordinary KeyboardInterrupt ends the start, and closes the server.
            signal.pthread_sigmask(signal.SIG_BLOCK, ends)
            print(f"Kafka {kafka_version()} listens on {server.bootstrap}; Ctrl-C ends it", flush=True)
            signal.sigwait(ends)
            print("ending Kafka", flush=True)
    except (KafkaUnavailableError, UnavailableError) as error:
        sys.exit(f"no real Kafka here: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
