"""Servers that last for the whole run, and how thoroughly Hypothesis searches."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from redis import Redis

from driftline.streams.embedded import EmbeddedBroker, EmbeddedValkey
from tests.servers.kafka import KafkaServer, KafkaUnavailableError

IN_CI = os.environ.get("CI") == "true"

# In CI the same examples every time, so that a failure there is the change's; at a desk new ones every time.
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("dev", max_examples=50, deadline=None)
settings.load_profile("ci" if IN_CI else "dev")

# A run in the background of a shell may ignore Ctrl-C, and the children whose answer to it is tested inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

_NO_KAFKA = "no real Kafka here: "

_TESTS = Path(__file__).parent

# Measuring coverage makes Python two to three times as slow. Here it would say nothing that the others do not: these
# play the same streams through the same lines again and again.
_UNMEASURED = [
    *(_TESTS / name for name in ("chaos", "golden", "property", "integration/test_replay_oracle.py")),
    *(
        _TESTS / f"unit/test_{name}.py"
        for name in ("comparable", "daily_truth", "demo_script", "label_maturity", "season", "stream", "tune", "week")
    ),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the long ones out of the measuring."""
    for item in items:
        if any(item.path.is_relative_to(path) for path in _UNMEASURED):
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap address of a real Kafka; where there can be none the test is skipped, and failed in CI."""
    try:
        with KafkaServer() as server:
            yield server.bootstrap
    except KafkaUnavailableError as error:
        if IN_CI:
            pytest.fail(f"{_NO_KAFKA}{error}", pytrace=False)
        pytest.skip(f"{_NO_KAFKA}{error}")


@pytest.fixture(scope="session")
def mock_kafka() -> Iterator[str]:
    """Bootstrap address of the embedded broker."""
    with EmbeddedBroker() as server:
        yield server.bootstrap


@pytest.fixture(scope="session", params=["embedded", "kafka"])
def broker(request: pytest.FixtureRequest) -> str:
    """Bootstrap address of the embedded broker, and then of the real one."""
    address: str = request.getfixturevalue("mock_kafka" if request.param == "embedded" else "kafka")
    return address


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a real Valkey, shared by the run: its keys are whatever other tests left."""
    with EmbeddedValkey() as server:
        yield server.url


@pytest.fixture
def empty_redis(redis_url: str) -> str:
    """URL of the same Valkey with no keys in it."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line that the real-Kafka half was not run."""
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    reasons = {text.partition(_NO_KAFKA)[2].rstrip("')\"") for text in skipped if _NO_KAFKA in text}
    for reason in sorted(reasons)[:1]:
        terminalreporter.write_line(f"NOT RUN: the real-Kafka half of the tests. {reason}", yellow=True)
