"""Records that cannot be used: each becomes one dead letter, and none of them costs a good record."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message

from driftline.schemas.alerts import Alert
from driftline.schemas.batches import ARROW
from driftline.schemas.dead_letter import DeadLetter
from driftline.schemas.errors import Reason
from driftline.schemas.partitioner import partition_of
from driftline.schemas.topics import ALERTS, DEAD_LETTER, INPUTS, LABELS, PREDICTIONS
from tests.worker_harness import Sent, Site, embedded_site, real_site
from tests.worker_traffic import START, Traffic, assert_exact, lean, mixed, on_every_partition

FAR_FUTURE = 4_102_444_800_000  # 2100-01-01


@pytest.fixture(params=["embedded", "kafka"])
def site(request: pytest.FixtureRequest, empty_redis: str, tmp_path: Path) -> Iterator[Site]:
    if request.param == "kafka":
        yield real_site(request.getfixturevalue("kafka"), empty_redis, tmp_path)
    else:
        with embedded_site(empty_redis, tmp_path) as made:
            yield made


def dead_letters(site: Site) -> list[DeadLetter]:
    return [DeadLetter.parse(m.key(), m.value(), headers_of(m)) for m in site.records(DEAD_LETTER)]


def headers_of(message: Message) -> tuple[tuple[str, bytes | None], ...]:
    pairs: Any = message.headers() or ()  # typed as what may be given to a producer
    return tuple(pairs)


# --- Each reason


def label(**fields: object) -> bytes:
    return json.dumps({"model_id": "m", "prediction_id": "p", "timestamp": START, "label": 1} | fields).encode()


def prediction(**fields: object) -> bytes:
    event = {"model_id": "m", "model_version": "1", "prediction_id": "p", "timestamp": START, "prediction": 1}
    return json.dumps(event | fields).encode()


BAD = {
    Reason.TOO_LARGE: (LABELS, b"{" + b" " * 1_000_000 + b"}"),
    Reason.TOO_DEEP: (LABELS, label(label=[[[[[[[[1]]]]]]]])),
    Reason.INVALID_JSON: (LABELS, None),
    Reason.NOT_AN_OBJECT: (LABELS, b"[]"),
    Reason.DUPLICATE_KEY: (LABELS, b'{"model_id":"m","model_id":"m"}'),
    Reason.UNKNOWN_SCHEMA_VERSION: (LABELS, label(schema_version=2)),
    Reason.MISSING_FIELD: (LABELS, prediction().replace(b"prediction_id", b"timestamp_")),
    Reason.UNKNOWN_FIELD: (LABELS, label(amount=3)),
    Reason.WRONG_TYPE: (LABELS, label(model_id=1)),
    Reason.NON_FINITE: (LABELS, label(label=float("nan"))),
    Reason.OUT_OF_RANGE: (PREDICTIONS, prediction(score=1.5)),
    Reason.INVALID_TIMESTAMP: (LABELS, label(timestamp="yesterday")),
    Reason.NAIVE_TIMESTAMP: (LABELS, label(timestamp="2026-01-01T00:00:00")),
    Reason.FUTURE_TIMESTAMP: (LABELS, label(timestamp=FAR_FUTURE)),
    Reason.EMPTY_NAME: (LABELS, label(prediction_id="")),
    Reason.NAME_TOO_LONG: (LABELS, label(prediction_id="p" * 257)),
    Reason.STRING_TOO_LONG: (LABELS, label(label="x" * 4097)),
    Reason.TOO_MANY_FEATURES: (PREDICTIONS, prediction(features={str(n): n for n in range(1001)})),
    Reason.TOO_MANY_ENTRIES: (PREDICTIONS, prediction(segments={str(n): n for n in range(101)})),
    Reason.TOO_MANY_ROWS: (LABELS, label(rows=10_001)),
    Reason.UNEQUAL_COLUMNS: (LABELS, label(rows=2, prediction_id=["p"])),
    Reason.INVALID_ARROW: (LABELS, label()),
}


def test_each_reason_has_its_dead_letter_and_enough_of_them_stop_the_worker(site: Site) -> None:
    config = site.folder / "driftline.yaml"
    config.write_text("max_models: 1\nbad_records: {stop_share: 0.5}\n")
    home = partition_of("m", site.partitions)
    headers = (("trace", b"\xff\x00"), ("dl.reason", None))

    def bad(reason: Reason, topic: str, value: bytes | None, partition: int) -> Sent:
        said = (("content-type", ARROW.encode()),) if reason is Reason.INVALID_ARROW else ()
        return Sent(topic, reason.encode(), value, said + headers, partition)

    sent = [
        bad(reason, topic, value, (home + 1 + n % (site.partitions - 1)) % site.partitions)
        for n, (reason, (topic, value)) in enumerate(BAD.items())
    ]
    sent.append(bad(Reason.WRONG_PARTITION, LABELS, label(), (home + 1) % site.partitions))
    another = next(name for name in map(str, count()) if partition_of(name, site.partitions) == home)
    sent.append(bad(Reason.TOO_MANY_MODELS, LABELS, label(model_id=another), home))
    assert {record.key for record in sent} == {reason.encode() for reason in Reason}

    with site.worker(DRIFTLINE_CONFIG=str(config)) as worker:
        site.send([Sent(LABELS, b"m", label(prediction_id="first"))])
        worker.until(lambda: site.saved == 1)
        site.send(sent)
        worker.until(lambda: site.saved == 1 + len(sent))
        letters = dead_letters(site)
        assert Counter(letter.reason.encode() for letter in letters) == Counter(letter.key for letter in letters)
        assert {letter.key: (letter.topic, letter.value, letter.headers, letter.partition) for letter in letters} == {
            record.key: (record.topic, record.value, record.headers, record.partition) for record in sent
        }
        refused = worker.scraped.by_label("driftline_bad_records_total", "reason")
        assert refused == dict.fromkeys(map(str, Reason), 1)

        site.send(Sent(LABELS, b"m", b"junk") for _ in range(40))
        assert worker.wait() == 1, worker.log
    *_, last = worker.log.splitlines()
    sentence = rf"\d+\.\d% of recent records of partition {home} cannot be used, and bad_records.stop_share is 0.5: .*"
    assert re.fullmatch(f"driftline: {sentence}", last)
    assert "Traceback" not in worker.log
    # Whatever it has refused is published and saved: the next one goes on behind it.
    at_home = [letter for letter in dead_letters(site) if letter.partition == home]
    assert sorted(letter.offset for letter in at_home) == list(range(1, site.checkpoints()[LABELS, home]))
    assert about_bad_records(site) == {"m"}


def about_bad_records(site: Site) -> set[str | None]:
    """Return the models that alerts about the share of bad records name."""
    alerts = [Alert.model_validate_json(m.value() or b"") for m in site.records(ALERTS)]
    return {alert.model_id for alert in alerts if alert.target.metric == "bad_records"}


# --- Garbage


def garbage(rng: random.Random, models: list[Traffic], partitions: int) -> Sent:
    keys = (None, rng.randbytes(rng.randrange(20)), rng.choice(models).model_id.encode())
    names = ("trace", "dl.reason", "größe", "")
    headers = [(rng.choice(names), rng.choice((None, b"", rng.randbytes(9)))) for _ in range(rng.randrange(4))]
    value = None if rng.random() < 0.02 else rng.randbytes(rng.randrange(300))
    return Sent(rng.choice(INPUTS), rng.choice(keys), value, tuple(headers), rng.randrange(partitions))


def test_10_000_random_byte_strings_cost_no_good_record(kafka: str, empty_redis: str, tmp_path: Path) -> None:
    site = real_site(kafka, empty_redis, tmp_path)
    rng = random.Random(2)
    models = on_every_partition(site.partitions, each=1, count_each=300)
    by_id = {model.model_id.encode(): partition_of(model.model_id, site.partitions) for model in models}
    good = list(mixed(models, range(1, 300)))
    bad = [garbage(rng, models, site.partitions) for _ in range(10_000)]
    records = [*bad, *good]
    rng.shuffle(records)

    with site.worker(DRIFTLINE_CONFIG=lean(site, models)) as worker:
        site.send(mixed(models, range(1)))
        worker.until(lambda: site.saved == 2 * len(models))  # every model is known: bad records can be charged to it
        site.send(records[:6000])
        # Above the limits of an event, of a batch, and of a topic but for their compression.
        huge = [Sent(LABELS, None, rng.randbytes(1_000_001)), Sent(PREDICTIONS, b"k", bytes(5_000_000))]
        for record in huge:
            site.send([record])
        site.send(records[6000:])
        worker.until(lambda: site.saved == 2 * len(models) + len(records) + len(huge))
        refused = worker.scraped.by_label("driftline_bad_records_total", "reason")
        assert worker.terminate() == 0, worker.log

    assert_exact(site, models, "dead_letters")
    letters = dead_letters(site)
    values = {record.value for record in (*good, *mixed(models, range(1)))}
    refusable = {
        (m.topic(), m.partition(), m.offset()): (m.key(), m.value(), headers_of(m), m.timestamp()[1])
        for topic in INPUTS
        for m in site.records(topic)
        if m.value() not in values
    }
    assert len(letters) == len(refusable) == len(bad) + len(huge)
    assert refusable == {
        (of.topic, of.partition, of.offset): (of.key, of.value, of.headers, of.timestamp) for of in letters
    }
    assert {reason: count for reason, count in refused.items() if count} == Counter(of.reason for of in letters)
    charged = Counter(of.key.decode() for of in letters if of.key in by_id and by_id[of.key] == of.partition)
    assert {model_id: state.counts.dead_letters for model_id, state in site.states().items()} == charged
    assert about_bad_records(site) == {None, *charged}
