"""What Driftline publishes, one by one: alerts, and requests to retrain."""

from __future__ import annotations

from driftline.client.subscription import Subscriber
from driftline.schemas.alerts import Alert, RetrainRequest
from driftline.schemas.topics import ALERTS, RETRAIN


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
        If the group has an empty name, or an option does not exist or is one that Driftline relies on.

    Examples
    --------
    ::

        from driftline.client import AlertSubscriber

        with AlertSubscriber("127.0.0.1:9092", "pager", from_beginning=True) as alerts:
            for alert in alerts:
                print(alert.severity, alert.model_id, alert.target.as_text(), alert.message)
                break

    """

    _topic = ALERTS
    _event = Alert


class RetrainSubscriber(Subscriber[RetrainRequest]):
    """Receives requests to retrain; all that is said of `AlertSubscriber` holds.

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
