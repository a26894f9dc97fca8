"""Labels without a prediction must not cost the predictions that wait."""

from driftline.models.join.entry import Pending
from driftline.models.join.label_join import LabelJoin
from driftline.models.join.payload_cache import PayloadCache
from driftline.schemas.events import Label, Prediction

SECOND = 1000


def test_a_burst_of_late_labels_does_not_push_out_what_waits() -> None:
    """Seven predictions wait at a time, and ten may; twenty labels come half a minute late, once."""
    join = LabelJoin("m", PayloadCache(), timeout=3600 * SECOND, max_pending=10)
    delays = {n: 30 if 100 <= n < 120 else 7 for n in range(1000)}
    labels = sorted((n + delay, n) for n, delay in delays.items())
    for now in range(1100):
        if now < 1000:
            event = Prediction(
                model_id="m", model_version="1", prediction_id=str(now), timestamp=now * SECOND, prediction=1
            )
            key = join.admit(event)
            assert key is not None
            join.hold(key, Pending(now * SECOND, now, "1", prediction=1))
        for at, n in labels:
            if at == now:
                label = Label(model_id="m", prediction_id=str(n), timestamp=now * SECOND, label=1)
                join.label(label, offset=n, found={})
    assert join.counts.joined >= 1000 - 20 - 10, "only what truly had no room is lost"
    assert join.counts.labels == 1000
