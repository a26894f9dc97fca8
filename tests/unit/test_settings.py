"""Settings from the environment: every variable, every mistake, and no password in sight."""

from pathlib import Path

import pytest

from driftline.schemas.errors import ConfigurationError
from driftline.streams import settings as module
from driftline.streams.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment({"HOME": "/root", "DRIFTLINE_KAFKA": ""}) == Settings()


def test_every_variable_is_read() -> None:
    assert Settings.from_environment(
        {
            "DRIFTLINE_KAFKA": "a.example:9092,[::1]:9093",
            "DRIFTLINE_REDIS": "rediss://user:p%40ss@cache.example:6380/2",
            "DRIFTLINE_CONFIG": "/etc/driftline.yaml",
            "DRIFTLINE_METRICS_HOST": "::",
            "DRIFTLINE_METRICS_PORT": "0",
            "DRIFTLINE_STATE_DIR": "/var/lib/driftline",
            "DRIFTLINE_GROUP": "driftline-eu",
            "DRIFTLINE_INSTANCE": "driftline-3",
            "DRIFTLINE_CHECKPOINT_SECONDS": "0.25",
            "DRIFTLINE_TOPIC_PARTITIONS": "32",
        }
    ) == Settings(
        kafka="a.example:9092,[::1]:9093",
        redis="rediss://user:p%40ss@cache.example:6380/2",
        config=Path("/etc/driftline.yaml"),
        metrics_host="::",
        metrics_port=0,
        state_dir=Path("/var/lib/driftline"),
        group="driftline-eu",
        instance="driftline-3",
        checkpoint_seconds=0.25,
        topic_partitions=32,
    )


def test_the_docstring_lists_every_variable() -> None:
    documented = {line.split()[0] for line in (module.__doc__ or "").splitlines() if line.startswith("DRIFTLINE_")}
    read = {f"DRIFTLINE_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert documented == read | {"DRIFTLINE_REDIS_PASSWORD_FILE"}


@pytest.mark.parametrize("text", ["", "off"])
def test_metrics_can_be_turned_off(text: str) -> None:
    assert Settings.from_environment({"DRIFTLINE_METRICS_PORT": text}).metrics_port is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("DRIFTLINE_KAFKA", "kafka://broker:9092", "host:port"),
        ("DRIFTLINE_KAFKA", "broker", "host:port"),
        ("DRIFTLINE_KAFKA", "a:9092,", "host:port"),
        ("DRIFTLINE_KAFKA", "a:9092,b:99999", "a port must be from 1 to 65535"),
        ("DRIFTLINE_KAFKA", "[::1]:0", "a port must be from 1 to 65535"),
        ("DRIFTLINE_METRICS_PORT", "65536", "from 0 to 65535, or off"),
        ("DRIFTLINE_METRICS_PORT", "http", "from 0 to 65535, or off"),
        ("DRIFTLINE_METRICS_PORT", "-1", "from 0 to 65535, or off"),
        ("DRIFTLINE_GROUP", "a b", "letters"),
        ("DRIFTLINE_INSTANCE", "a/b", "letters"),
        ("DRIFTLINE_CHECKPOINT_SECONDS", "0", "above 0"),
        ("DRIFTLINE_CHECKPOINT_SECONDS", "nan", "above 0"),
        ("DRIFTLINE_CHECKPOINT_SECONDS", "soon", "above 0"),
        ("DRIFTLINE_CHECKPOINT_SECONDS", "inf", "above 0"),
        ("DRIFTLINE_TOPIC_PARTITIONS", "0", "from 1 to 10000"),
        ("DRIFTLINE_TOPIC_PARTITIONS", "8.5", "from 1 to 10000"),
        ("DRIFTLINE_TOPIC_PARTITIONS", "\u0668", "from 1 to 10000"),  # a digit elsewhere
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refusal:
        Settings.from_environment({name: text})
    assert str(refusal.value).startswith(f"{name} is {text!r}")


def test_an_unknown_variable_is_named_with_the_nearest_known() -> None:
    with pytest.raises(ConfigurationError, match=r"DRIFTLINE_CHECKPOINT_SECS .* DRIFTLINE_CHECKPOINT_SECONDS"):
        Settings.from_environment({"DRIFTLINE_CHECKPOINT_SECS": "1"})


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2/x#@cache:6379/0",  # the password ends the host
        "http://:hunter2@cache",
        "redis://:hunter2@cache:99999",
        "redis://:hunter2@/0",
        "hunter2",
    ],
)
def test_a_wrong_redis_url_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="percent-encode") as refusal:
        Settings.from_environment({"DRIFTLINE_REDIS": url})
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize("option", ["foo=bar", "db=abc", "socket_timeout=abc", "protocol=9"])
def test_an_option_of_the_redis_url_that_cannot_be_used_is_named(option: str) -> None:
    said = rf"^DRIFTLINE_REDIS: the URL of Redis at cache:6379 cannot be used: .*{option.partition('=')[0]}"
    with pytest.raises(ConfigurationError, match=said) as refusal:
        Settings.from_environment({"DRIFTLINE_REDIS": f"redis://:hunter2@cache:6379/0?{option}"})
    assert "hunter2" not in str(refusal.value)


def test_the_options_of_redis_are_kept() -> None:
    url = "rediss://cache:6380/0?socket_timeout=5&ssl_check_hostname=false"
    assert Settings.from_environment({"DRIFTLINE_REDIS": url}).redis == url


def test_what_kubernetes_sets_for_a_service_of_our_name_is_left_alone() -> None:
    of_service = {
        "DRIFTLINE_SERVICE_HOST": "10.96.3.7",
        "DRIFTLINE_SERVICE_PORT": "9464",
        "DRIFTLINE_SERVICE_PORT_METRICS": "9464",
        "DRIFTLINE_PORT": "tcp://10.96.3.7:9464",
        "DRIFTLINE_PORT_9464_TCP": "tcp://10.96.3.7:9464",
        "DRIFTLINE_PORT_9464_TCP_ADDR": "10.96.3.7",
        "DRIFTLINE_PORT_9464_TCP_PORT": "9464",
        "DRIFTLINE_PORT_9464_TCP_PROTO": "tcp",
    }
    assert Settings.from_environment(of_service) == Settings()
    with pytest.raises(ConfigurationError, match="DRIFTLINE_METRIC_PORT is not a setting"):
        Settings.from_environment(of_service | {"DRIFTLINE_METRIC_PORT": "9464"})


def test_the_password_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("p@ss/w#rd\n")
    environ = {"DRIFTLINE_REDIS": "redis://reader@cache:6379/1", "DRIFTLINE_REDIS_PASSWORD_FILE": str(secret)}

    settings = Settings.from_environment(environ)

    assert settings.redis == "redis://reader:p%40ss%2Fw%23rd@cache:6379/1"
    assert settings.redis_address == "redis://cache:6379/1"
    assert "w%23rd" not in repr(settings)
    assert Settings.from_environment({"DRIFTLINE_REDIS_PASSWORD_FILE": str(secret)}).redis.endswith("@127.0.0.1:6379/0")


def test_a_password_in_the_query_is_not_shown() -> None:
    settings = Settings.from_environment({"DRIFTLINE_REDIS": "unix:///run/redis.sock?db=1&password=hunter2"})
    assert settings.redis_address == "unix:///run/redis.sock"
    assert "hunter2" not in repr(settings)


def test_two_passwords_are_one_too_many(tmp_path: Path) -> None:
    environ = {"DRIFTLINE_REDIS": "redis://:hunter2@cache", "DRIFTLINE_REDIS_PASSWORD_FILE": str(tmp_path / "password")}
    with pytest.raises(ConfigurationError, match="use one of them") as refusal:
        Settings.from_environment(environ)
    assert "hunter2" not in str(refusal.value)


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing", tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path, said in ((missing, "No such file"), (tmp_path, "directory"), (binary, "not UTF-8")):
        with pytest.raises(ConfigurationError, match=said) as refusal:
            Settings.from_environment({"DRIFTLINE_REDIS_PASSWORD_FILE": str(path)})
        assert str(path) in str(refusal.value)
