"""URLs of Redis: what can be used, and what is refused without a word of its password."""

import pytest
from redis.asyncio import Redis as AsyncRedis

from driftline.client import ConfigurationError, StateReader
from driftline.client.redis_access import RedisAddress


@pytest.mark.parametrize(
    "url",
    [
        # The password is 1234/secret, 12#secret and so on: what comes before is a port, and the host is no longer one.
        "redis://:1234/secret@cache:6379/0",
        "redis://:12#secret@cache:6379",
        "redis://admin:99?secret@cache:6379/0",
        "redis://1234/secret@cache:6379/0",
        "rediss://:1234/?secret@cache:6379/0",
        "unix://:1234/secret@/run/redis.sock",
        "unix://:12@34/secret@/run/redis.sock",
        "unix://admin:99?secret@/run/redis.sock",
    ],
)
def test_a_password_that_cuts_the_url_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"the password percent-encoded$") as refusal:
        RedisAddress(url)
    assert not any(part in str(refusal.value) for part in ("secret", "12", "99", "admin", "cache"))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://admin:1234%2Fsecret@cache:6379/0", "cache:6379"),
        ("redis://:p@ss@cache", "cache"),
        ("rediss://größe.example:6379/0?socket_timeout=2&health_check_interval=5", "größe.example:6379"),
        ("redis://[::1]:6379", "[::1]:6379"),
        ("unix:///run/redis@1.sock", "/run/redis@1.sock"),
        ("unix://admin:secret@/run/redis.sock?db=1", "/run/redis.sock"),
        ("redis://cache:6379/0?max_connections=1", "cache:6379"),
    ],
)
def test_what_can_be_used_is_known_without_its_password(url: str, text: str) -> None:
    StateReader(url).close()
    assert RedisAddress(url).text == text


@pytest.mark.parametrize("label", ["a" * 70, "cache..example"])
def test_a_host_that_is_no_name_is_refused(label: str) -> None:
    with pytest.raises(ConfigurationError, match="the URL of Redis must be such as"):
        StateReader(f"redis://{label}:6379/0")


@pytest.mark.parametrize("option", ["socket_timeout=abc", "db=abc", "foo=bar", "protocol=9", "max_connections=no"])
def test_an_option_that_fails_is_refused_at_once(option: str) -> None:
    url = f"redis://:hunter2@cache:6379/0?{option}"
    name = option.partition("=")[0]
    with pytest.raises(ConfigurationError, match=r"^the URL of Redis at cache:6379 cannot be used: ") as refusal:
        StateReader(url)
    assert name in str(refusal.value)
    with pytest.raises(ConfigurationError, match=r"^the URL of Redis at cache:6379 cannot be used: "):
        RedisAddress(url).client(lambda: AsyncRedis.from_url(url))
    assert "hunter2" not in str(refusal.value)
