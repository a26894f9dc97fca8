"""A service that sends batches, a worker that reads them: every row once, and each bad one a dead letter."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline.client import EventProducer
from driftline.schemas.dead_letter import DeadLetter
from driftline.schemas.decoding import decode
from driftline.schemas.errors import DecodeError
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import DEAD_LETTER, LABELS, PREDICTIONS
from tests.conditions import eventually
from tests.worker_harness import Sent, Site, embedded_site, real_site
from tests.worker_traffic import Traffic, assert_exact, lean, on_every_partition

COUNT = 1200


@pytest.fixture(params=["embedded", "kafka"])
def site(request: pytest.FixtureRequest, empty_redis: str, tmp_path: Path) -> Iterator[Site]:
    if request.param == "kafka":
        yield real_site(request.getfixturevalue("kafka"), empty_redis, tmp_path)
    else:
        with embedded_site(empty_redis, tmp_path) as made:
            yield made


def columns(model: Traffic, start: int, end: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns of a model's predictions and labels."""
    found = []
    for make in (model.prediction, model.label):
        rows = [json.loads(make(n).value or b"") for n in range(start, end)]
        batch: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
        batch |= {name: rows[0][name] for name in ("model_id", "model_version") if name in rows[0]}
        if "features" in batch:
            batch["features"] = {name: [row["features"][name] for row in rows] for name in rows[0]["features"]}
        found.append(batch)
    return found[0], found[1]


def send(site: Site, models: list[Traffic], start: int, end: int) -> None:
    with EventProducer(site.kafka) as producer:
        for model in models:
            predictions, labels = columns(model, start, end)
            producer.send_predictions(**predictions)
            producer.send_labels(**labels)


def test_batches_of_a_client_are_joined_and_a_kill_counts_no_row_twice(site: Site) -> None:
    models = on_every_partition(site.partitions, each=1, count_each=COUNT)
    configuration = lean(site, models)
    with site.worker(DRIFTLINE_CONFIG=configuration) as worker:
        send(site, models, 0, COUNT // 2)
        worker.until(lambda: len(site.states()) == len(models))
        send(site, models, COUNT // 2, COUNT)
        worker.kill()
    with site.worker(DRIFTLINE_CONFIG=configuration) as worker:
        worker.until(lambda: sum(state.counts.joined for state in site.states().values()) == COUNT * len(models))
        assert worker.terminate() == 0, worker.log
    assert_exact(site, models)
    assert site.records(DEAD_LETTER) == []


def test_bad_rows_are_dead_letters_that_can_be_mended_and_sent_again(site: Site) -> None:
    (model,) = on_every_partition(site.partitions, each=1, count_each=COUNT)[:1]
    predictions, labels = columns(model, 0, COUNT)
    for batch in (predictions, labels):
        batch["rows"] = COUNT
    good = predictions["prediction_id"][7], labels["label"][9]
    predictions["prediction_id"][7], labels["label"][9] = "", None
    key = model.model_id.encode()
    sent = [Sent(PREDICTIONS, key, as_json(predictions)), Sent(LABELS, key, as_json(labels))]
    whole = Sent(LABELS, key, as_json(labels | {"rows": COUNT + 1}))
    with site.worker(DRIFTLINE_CONFIG=lean(site, [model])) as worker:
        site.send([*sent, whole])
        worker.until(lambda: site.saved == 3)
        letters = [DeadLetter.parse(m.key(), m.value(), m.headers() or ()) for m in site.records(DEAD_LETTER)]  # type: ignore[arg-type]  # typed as sent
        assert {(letter.topic, letter.row, letter.reason.value) for letter in letters} == {
            (PREDICTIONS, 7, "empty_name"),
            (LABELS, 9, "missing_field"),
            (LABELS, None, "unequal_columns"),
        }
        by_topic = {letter.topic: letter for letter in letters if letter.row is not None}
        for topic, kind in ((PREDICTIONS, Prediction), (LABELS, Label)):
            with pytest.raises(DecodeError) as refusal:
                decode(by_topic[topic].value, kind)
            assert refusal.value.reason is by_topic[topic].reason
        mended = json.loads(by_topic[PREDICTIONS].value or b"") | {"prediction_id": good[0]}
        truth = json.loads(by_topic[LABELS].value or b"") | {"label": good[1]}
        site.send([Sent(PREDICTIONS, key, as_json(mended)), Sent(LABELS, key, as_json(truth))])
        worker.until(lambda: site.states()[model.model_id].counts.joined == COUNT)
        assert worker.terminate() == 0, worker.log
    assert_exact(site, [model], "dead_letters")
    eventually(lambda: len(site.records(DEAD_LETTER)) == 3)


def as_json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()
