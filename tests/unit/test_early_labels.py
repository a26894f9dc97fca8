"""Labels without a prediction must not cost the predictions that wait."""

from driftline.models.join.entry import Pending
from driftline.schemas.events import Label, Prediction
from tests.one_join import OneJoin

SECOND = 1000


def test_a_burst_of_late_labels_does_not_push_out_what_waits() -> None:
    """Seven predictions wait at a time, and ten may; twenty labels come half a minute late, once."""
    join = OneJoin(3600 * SECOND, most=10)
    delays = {n: 30 if 100 <= n < 120 else 7 for n in range(1000)}
    labels = sorted((n + delay, n) for n, delay in delays.items())
    for now in range(1100):
        if now < 1000:
            event = Prediction(
                model_id="m", model_version="1", prediction_id=str(now), timestamp=now * SECOND, prediction=1
            )
            assert join.predict(event, Pending(now * SECOND, now, "1", prediction=1)) == (True, None)
        for at, n in labels:
            if at == now:
                label = Label(model_id="m", prediction_id=str(n), timestamp=now * SECOND, label=1)
                join.label(label, offset=n, found={})
    assert join.counts.joined >= 1000 - 20 - 10, "only what truly had no room is lost"
    assert join.counts.labels == 1000
