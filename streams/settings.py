"""Where the servers are and how this process runs: read from the environment here, and nowhere else.

==============================  ============================  ========================================================
variable                        default                       meaning
==============================  ============================  ========================================================
DRIFTLINE_KAFKA                 127.0.0.1:9092                bootstrap servers: ``host:port``, separated by commas
DRIFTLINE_REDIS                 redis://127.0.0.1:6379/0      ``redis://``, ``rediss://`` or ``unix://``
DRIFTLINE_REDIS_PASSWORD_FILE                                 a file that holds the password, so that the URL need not
DRIFTLINE_CONFIG                                              the YAML file; without one every model has the defaults
DRIFTLINE_METRICS_HOST          127.0.0.1                     where Prometheus may ask
DRIFTLINE_METRICS_PORT          9464                          0: any free port; ``off`` or empty: no metrics
DRIFTLINE_STATE_DIR             a temporary folder            Faust's folder; it holds nothing that must survive
DRIFTLINE_GROUP                 driftline                     consumer group and Faust's app id
DRIFTLINE_INSTANCE                                            a name of this worker's own, which it keeps over restarts
DRIFTLINE_CHECKPOINT_SECONDS    1.0                           seconds between two checkpoints
DRIFTLINE_TOPIC_PARTITIONS      8                             partitions of the topics that Driftline creates
==============================  ============================  ========================================================

A variable that is set to the empty string counts as not set, but for the port. What Kubernetes sets beside a Service
that is called driftline (``DRIFTLINE_SERVICE_HOST``, ``DRIFTLINE_PORT_9464_TCP`` and so on) is left alone.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit, urlunsplit

from driftline.schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PREFIX: Final = "DRIFTLINE_"
_PASSWORD_FILE: Final = "DRIFTLINE_REDIS_PASSWORD_FILE"  # noqa: S105 - the name of a variable
_PORT: Final = "DRIFTLINE_METRICS_PORT"

# Kubernetes gives them to every pod beside a Service that is called driftline.
_OF_KUBERNETES: Final = re.compile(rf"{_PREFIX}(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT(?:_.*)?)")

_SERVER: Final = r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}"
_SERVERS: Final = re.compile(rf"{_SERVER}(?:,{_SERVER})*", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
_MAX_PORT: Final = 65_535
_MAX_PARTITIONS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How one process of Driftline runs; a field's meaning is that of its variable.

    Neither ``repr`` nor `redis_address` shows the password; `redis` does.

    Examples
    --------
    >>> settings = Settings.from_environment({"DRIFTLINE_REDIS": "redis://:secret@cache:6379/1", "PATH": "/bin"})
    >>> settings.redis_address, "secret" in repr(settings)
    ('redis://cache:6379/1', False)
    >>> Settings.from_environment({"DRIFTLINE_KAFAK": "broker:9092"})
    Traceback (most recent call last):
    driftline.schemas.errors.ConfigurationError: DRIFTLINE_KAFAK is not a setting; did you mean DRIFTLINE_KAFKA?

    """

    kafka: str = "127.0.0.1:9092"
    redis: str = field(default="redis://127.0.0.1:6379/0", repr=False)
    config: Path | None = None
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = 9464
    state_dir: Path | None = None
    group: str = "driftline"
    instance: str | None = None
    checkpoint_seconds: float = 1.0
    topic_partitions: int = 8

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings from the variables of a process.

        Raises
        ------
        ConfigurationError
            For a ``DRIFTLINE_`` variable that does not exist or cannot be used, in one sentence.

        """
        given = {
            name: value
            for name, value in environ.items()
            if name.startswith(_PREFIX) and _OF_KUBERNETES.fullmatch(name) is None
        }
        for name in sorted(given.keys() - _PARSERS.keys() - {_PASSWORD_FILE}):
            (nearest,) = difflib.get_close_matches(name, [*_PARSERS, _PASSWORD_FILE], n=1, cutoff=0.0)
            raise ConfigurationError(f"{name} is not a setting; did you mean {nearest}?")
        values = {
            name.removeprefix(_PREFIX).lower(): parse(name, given[name])
            for name, parse in _PARSERS.items()
            if name in given and (given[name] or name == _PORT)
        }
        settings = cls(**values)  # type: ignore[arg-type]  # each parser returns what the field of its name holds
        if path := given.get(_PASSWORD_FILE):
            return cls(**values | {"redis": _with_password(settings.redis, Path(path))})  # type: ignore[arg-type]  # as above
        return settings

    @property
    def redis_address(self) -> str:
        """Return the URL of Redis without user and password, fit for a log."""
        parts = urlsplit(self.redis)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _parse_servers(name: str, text: str) -> str:
    if _SERVERS.fullmatch(text) is None:
        raise ConfigurationError(f"{name} is {text!r}: must be host:port, or several separated by commas")
    for server in text.split(","):
        if not 1 <= int(server.rpartition(":")[2]) <= _MAX_PORT:
            raise ConfigurationError(f"{name} is {text!r}: a port must be from 1 to {_MAX_PORT}")
    return text


def _parse_redis(name: str, text: str) -> str:
    from redis import Redis  # noqa: PLC0415 - every command reads this module for its --help, which must be quick

    from driftline.client.redis_access import RedisAddress  # noqa: PLC0415 - as above

    # Its text is in no message: it may hold a password.
    try:
        address = RedisAddress(text)
        parts = urlsplit(text)
        usable = parts.hostname is not None or parts.scheme == "unix"
    except ConfigurationError:  # such as for an unescaped / or # in a password, which cuts the URL short
        usable = False
    if not usable:
        raise ConfigurationError(
            f"{name} must be a URL such as redis://host:6379/0; percent-encode the password, or put it in a file "
            f"and name that in {_PASSWORD_FILE}"
        )
    try:
        address.client(lambda: Redis.from_url(text)).close()
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None
    return text


def _parse_port(name: str, text: str) -> int | None:
    if text in {"", "off"}:
        return None
    return _parse_integer(name, text, low=0, high=_MAX_PORT, otherwise=", or off")


def _parse_partitions(name: str, text: str) -> int:
    return _parse_integer(name, text, low=1, high=_MAX_PARTITIONS)


def _parse_integer(name: str, text: str, *, low: int, high: int, otherwise: str = "") -> int:
    if not (re.fullmatch(r"\d{1,9}", text, re.ASCII) and low <= int(text) <= high):
        raise ConfigurationError(f"{name} is {text!r}: must be a whole number from {low} to {high}{otherwise}")
    return int(text)


def _parse_seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 3600:  # noqa: PLR2004 - an hour without a checkpoint is a mistake
        raise ConfigurationError(f"{name} is {text!r}: must be a number of seconds above 0, up to 3600")
    return seconds


def _parse_name(name: str, text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ConfigurationError(f"{name} is {text!r}: must be of letters, digits, dots, dashes and underscores")
    return text


def _parse_path(_name: str, text: str) -> Path:
    return Path(text)


def _parse_text(_name: str, text: str) -> str:
    return text


def _with_password(url: str, path: Path) -> str:
    parts = urlsplit(url)
    if parts.password is not None:
        raise ConfigurationError(f"DRIFTLINE_REDIS holds a password and {_PASSWORD_FILE} is set: use one of them")
    try:
        password = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{_PASSWORD_FILE}: {path} cannot be read: {said}") from None
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


_PARSERS: Final[Mapping[str, Callable[[str, str], object]]] = {
    "DRIFTLINE_KAFKA": _parse_servers,
    "DRIFTLINE_REDIS": _parse_redis,
    "DRIFTLINE_CONFIG": _parse_path,
    "DRIFTLINE_METRICS_HOST": _parse_text,
    _PORT: _parse_port,
    "DRIFTLINE_STATE_DIR": _parse_path,
    "DRIFTLINE_GROUP": _parse_name,
    "DRIFTLINE_INSTANCE": _parse_name,
    "DRIFTLINE_CHECKPOINT_SECONDS": _parse_seconds,
    "DRIFTLINE_TOPIC_PARTITIONS": _parse_partitions,
}
