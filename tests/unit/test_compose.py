"""docker-compose.yml and what it mounts: it cannot be run in the tests, so what can be read is held to the code."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from driftline import __version__
from driftline.streams.publisher import Publisher
from driftline.streams.settings import Settings
from driftline.streams.transport import BatchApp
from driftline.streams.transport.fetching import STOP_SECONDS
from tests.servers.jars import kafka_version

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
ONE_SHOT = {"topics"}
OURS = {"topics", "worker"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


def test_the_versions_are_those_of_the_tests() -> None:
    assert SERVICES["kafka"]["image"].endswith(f":{kafka_version()}")
    assert {SERVICES[name]["image"] for name in OURS} == {f"driftline:{__version__}"}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOT))
def test_every_lasting_service_has_a_healthcheck(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_come_true(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        assert wait["condition"] == expected


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_written_down(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    assert not [variable for variable in environment if re.search("PASS|SECRET|TOKEN|KEY", variable)]
    assert not [value for value in environment.values() if re.search(r"://[^/]*@", value)]


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_get_settings_that_exist(name: str) -> None:
    settings = Settings.from_environment(SERVICES[name]["environment"])
    assert settings.kafka.split(":")[0] == "kafka"
    assert f"INSIDE://{settings.kafka}" in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_the_worker_may_use_up_all_its_limits_before_it_is_killed() -> None:
    hook = inspect.signature(BatchApp).parameters["hook_timeout"].default
    close = inspect.signature(Publisher.close).parameters["timeout"].default
    assert float(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > 2 * hook + STOP_SECONDS + close


def test_prometheus_asks_where_the_worker_answers() -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    (target,) = scraped["scrape_configs"][0]["static_configs"][0]["targets"]
    settings = Settings.from_environment(SERVICES["worker"]["environment"])
    assert target == f"worker:{settings.metrics_port}"
    assert settings.metrics_host == "0.0.0.0"  # noqa: S104 - inside the container, so that Prometheus reaches it


def test_redis_keeps_what_it_acknowledged() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_mounted_and_copied_files_exist() -> None:
    mounted = [v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", []) if v.startswith("./")]
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert mounted
    assert copied
    for path in [*mounted, *copied]:
        assert (ROOT / path).exists(), path
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) <= kept


def test_the_image_is_pinned_and_does_not_run_as_root() -> None:
    assert all(
        re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", base)
        for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    )
    (user,) = re.findall(r"^USER (\d+):", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0
