"""What every Kafka client here shares: its properties, and what to say when no broker answers."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from confluent_kafka import KafkaError

from driftline.schemas.errors import ConfigurationError, UnavailableError

Options: TypeAlias = Mapping[str, str | int | float | bool]
"""Further properties of librdkafka, such as those of TLS and SASL."""

_logger: Final = logging.getLogger("driftline.client")

_WARN_SECONDS: Final = 60.0

# How a broker that cannot be reached shows; why it cannot is said apart.
_SILENCE: Final = {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._MSG_TIMED_OUT}  # noqa: SLF001 - their public names

# What librdkafka also calls properties that clients here fix: its aliases for them.
_ALIASES: Final = {
    "auto.commit.enable": "enable.auto.commit",
    "metadata.broker.list": "bootstrap.servers",
    "queue.buffering.max.ms": "linger.ms",
    "request.required.acks": "acks",
}

# librdkafka ends its reasons with how long which of its states had lasted.
_STATE_DURATION: Final = re.compile(r" \(after \d+ms in state .*\)$")


class Brokers:
    """The brokers that a client was pointed at, and what they last complained of.

    Parameters
    ----------
    bootstrap
        ``host:port``, or several separated by commas.

    Examples
    --------
    >>> brokers = Brokers("127.0.0.1:9092")
    >>> print(brokers.unavailable("10 events were not delivered"))
    10 events were not delivered: Kafka at 127.0.0.1:9092 does not answer

    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._complaint: str | None = None
        self._warned_at = -math.inf

    def properties(self, own: Mapping[str, object], options: Options | None = None) -> dict[str, Any]:
        """Return the configuration of a client: `options` of the user below what is `own` to the client.

        Raises
        ------
        ConfigurationError
            If an option would change what the client relies on, or its value is no scalar.

        """
        options = options or {}
        # librdkafka would write its log on standard error; what it says comes through `_on_error` instead.
        fixed = {"bootstrap.servers": self.bootstrap, "error_cb": self._on_error, "log_level": 0, **own}
        # Nothing here begins or ends a transaction: a producer that has to be in one could not send.
        relied_on = {*fixed, "transactional.id"}
        for name, value in sorted(options.items()):
            if _ALIASES.get(name, name) in relied_on:
                raise ConfigurationError(f"the option {name} cannot be changed: Driftline relies on its own value")
            if not isinstance(value, str | int | float):  # `default.topic.config` would hold others within
                raise ConfigurationError(f"the option {name} must be a string, a number or a boolean")
        return {**options, **fixed}

    def unavailable(self, what: str | None = None, error: KafkaError | None = None) -> UnavailableError:
        """Return the error to raise: what failed, and why as far as it is known."""
        silent = error is None or error.code() in _SILENCE
        state = "does not answer" if silent else "refused"
        reason = self._complaint if silent else error.str() if error else None
        said = f"Kafka at {self.bootstrap} {state}" + (f" ({reason})" if reason else "")
        return UnavailableError(f"{what}: {said}" if what else said)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name
            self._complaint = _STATE_DURATION.sub("", error.str())
        elif (now := time.monotonic()) - self._warned_at > _WARN_SECONDS:  # older versions say it every second
            self._warned_at = now
            _logger.warning("no broker of Kafka at %s answers: %s", self.bootstrap, self._complaint or error.str())
