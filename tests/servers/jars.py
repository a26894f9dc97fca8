"""The jars of Apache Kafka, resolved once by Maven from `pom.xml` into a git-ignored folder.

`python -m tests.servers.jars` resolves them ahead of the tests.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).with_name(".jars")

OLDEST_JAVA = 17
"""The oldest Java that runs a Kafka 4 broker."""

_RESOLVE_SECONDS = 600


class KafkaUnavailableError(RuntimeError):
    """A real Kafka cannot be had on this machine; the message is one sentence that says what to do."""


def kafka_version() -> str:
    """Give the version of Kafka that the tests run against, as `pom.xml` names it."""
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", POM.read_text())
    if found is None:
        raise ValueError(f"{POM} names no kafka.version")
    return found[1]


def java() -> str:
    """Find a Java that can run the broker.

    Raises
    ------
    KafkaUnavailableError
        If there is none, or it is too old.
    """
    program = shutil.which("java")
    if program is None:
        raise KafkaUnavailableError(f"Java is not installed: install a Java runtime {OLDEST_JAVA} or newer")
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r'version "(\d+)', said.stderr)
    if found is None or int(found[1]) < OLDEST_JAVA:
        have = found[0] if found else "a Java that does not tell its version"
        raise KafkaUnavailableError(f"Java {OLDEST_JAVA} or newer is needed and {program} is {have}")
    return program


def folder() -> Path:
    """Give the folder that the jars of this `pom.xml` belong in; it exists once they are resolved."""
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    return CACHE / f"{kafka_version()}-{digest}"


def resolve() -> Path:
    """Give the folder of the jars; the first call after a change of `pom.xml` downloads them (43 MB).

    Raises
    ------
    KafkaUnavailableError
        If Maven is not installed, or could not resolve them.
    """
    target = folder()
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError(
            "Maven is not installed: install it (command mvn) so that it can fetch Kafka's jars"
        )
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        jars = Path(temporary) / "jars"
        command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_RESOLVE_SECONDS)
        except subprocess.TimeoutExpired:
            raise KafkaUnavailableError(f"Maven did not fetch Kafka's jars within {_RESOLVE_SECONDS} s") from None
        if done.returncode != 0:
            first = next((line for line in done.stdout.splitlines() if "ERROR" in line), "no reason given")
            raise KafkaUnavailableError(f"Maven could not fetch Kafka's jars: {first}")
        # Renamed in one step: a second test session that resolves at the same time never sees half a folder.
        if not target.is_dir():
            jars.rename(target)
    return target


def main() -> None:
    """Resolve the jars, and say so if they are not here yet."""
    try:
        java()
        if not folder().is_dir():
            print(f"fetching Kafka {kafka_version()} for the tests", flush=True)
        resolve()
    except KafkaUnavailableError as error:
        sys.exit(f"no real Kafka here: {error}")


if __name__ == "__main__":
    main()
