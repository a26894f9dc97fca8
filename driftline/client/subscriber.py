"""What Driftline publishes, one by one: alerts, and requests to retrain."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from driftline.client.subscription import Subscriber
from driftline.schemas.alerts import Alert, Kind, RetrainRequest, Severity
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.topics import ALERTS, RETRAIN

if TYPE_CHECKING:
    from collections.abc import Collection

    from driftline.client.brokers import Options

N = TypeVar("N", Kind, Severity)


class AlertSubscriber(Subscriber[Alert]):
    """Receives alerts.

    An alert counts as dealt with once the next one is asked for, so none is lost if the service dies; after a crash
    those of the last seconds may come again. Repeats by id are left out as far as the last 10,000 ids go. A record that
    cannot be read is counted in `skipped` and logged. Use it from one thread.

    Parameters
    ----------
    bootstrap
        Kafka's bootstrap servers: ``host:port``, or several separated by commas.
    group
        Name of the consumer group: its members share the alerts, and it goes on where it ended, so that what was
        published in the meantime comes. None reads all partitions, anew each time, and begins at once where a group
        takes seconds to form.
    models
        Of these alone. Alerts of no model, such as of records that were lost, are not among them.
    kinds
        Of these alone, such as ``performance``.
    severity
        As severe as this, or more: ``info``, ``warning`` or ``critical``. An alert that an incident is resolved has the
        severity that the incident had.
    from_beginning
        Whether a group that is new, or none, begins with the oldest alert there is, rather than with the next.
    options
        Further properties of librdkafka, such as ``security.protocol`` and ``sasl.*``.

    Raises
    ------
    UnavailableError
        If no broker answers within ten seconds.
    TopologyError
        If the topic does not exist.
    ConfigurationError
        If the group has an empty name, there is no such kind or severity, or an option does not exist or is one that
        Driftline relies on.

    Examples
    --------
    ::

        from driftline.client import AlertSubscriber

        with AlertSubscriber("127.0.0.1:9092", "pager", severity="warning", from_beginning=True) as alerts:
            for alert in alerts:
                print(alert.severity, alert.model_id, alert.target.as_text(), alert.message)
                break

    """

    _topic = ALERTS
    _event = Alert

    def __init__(  # noqa: PLR0913 - what may be asked for
        self,
        bootstrap: str,
        group: str | None = None,
        *,
        models: Collection[str] | None = None,
        kinds: Collection[str] | None = None,
        severity: str | None = None,
        from_beginning: bool = False,
        options: Options | None = None,
    ) -> None:
        self._kinds = frozenset(Kind if kinds is None else (_known(Kind, kind) for kind in kinds))
        severities = list(Severity)
        least = 0 if severity is None else severities.index(_known(Severity, severity))
        self._severities = frozenset(severities[least:])
        super().__init__(bootstrap, group, models=models, from_beginning=from_beginning, options=options)

    def _is_wanted(self, event: Alert) -> bool:
        return event.kind in self._kinds and event.severity in self._severities and super()._is_wanted(event)


class RetrainSubscriber(Subscriber[RetrainRequest]):
    """Receives requests to retrain; all that is said of `AlertSubscriber` holds, but of kinds and severities.

    Examples
    --------
    ::

        from driftline.client import RetrainSubscriber

        with RetrainSubscriber("127.0.0.1:9092", "trainer", from_beginning=True) as requests:
            request = requests.poll(timeout=10)
            if request is not None:
                print(request.model_id, request.training_data)

    """

    _topic = RETRAIN
    _event = RetrainRequest


def _known(names: type[N], name: str) -> N:
    """Return the one of an enumeration that goes by a name."""
    try:
        return names(name)
    except ValueError:
        known = ", ".join(names)
        raise ConfigurationError(f"there is no {names.__name__.lower()} {name!r}: choose from {known}") from None
