"""Any bytes give an event or a `DecodeError`; what was encoded is decoded to the same."""

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.schemas.decoding import decode, depth
from driftline.schemas.errors import DecodeError, Reason
from driftline.schemas.events import Label, Prediction, encode
from tests.property.strategies import (
    Json,
    Kind,
    as_json,
    events,
    json_values,
    kinds,
    mutated_documents,
    mutated_records,
    same,
    scalars,
)

# What only the record's envelope or the worker can tell.
NOT_FROM_BYTES = {Reason.FUTURE_TIMESTAMP, Reason.WRONG_PARTITION, Reason.TOO_MANY_MODELS}
FROM_BYTES = set(Reason) - NOT_FROM_BYTES


def read(raw: bytes, kind: Kind) -> Prediction | Label | DecodeError:
    """Decode; any other exception than a `DecodeError` fails the test."""
    outcome: Prediction | Label | DecodeError
    try:
        outcome = decode(raw, kind)
    except DecodeError as error:
        outcome = error
    if isinstance(outcome, DecodeError):
        assert outcome.reason in FROM_BYTES
        assert len(outcome.detail) < 300
        assert outcome.detail.isprintable()
    else:
        assert isinstance(outcome, kind)
    return outcome


@settings(max_examples=500)
@given(raw=st.binary(max_size=300), kind=kinds)
@example(raw=b"", kind=Label)
@example(raw=b"\xef\xbb\xbf{}", kind=Label)
@example(raw=b"\x00" * 1000, kind=Label)
@example(raw='{"model_id": 1}'.encode("utf-16"), kind=Label)
@example(raw=b"[" * 100_000, kind=Prediction)
@example(raw=b'{"a":' * 100_000, kind=Prediction)
@example(raw=b'"' * 100_001, kind=Prediction)
@example(raw=b"9" * 100_000, kind=Prediction)
@example(raw=b"-" + b"9" * 4301, kind=Prediction)
@example(raw=b'{"\\ud800":1}', kind=Prediction)
@example(raw=b'{"\xed\xa0\x80":1}', kind=Prediction)
def test_any_bytes_give_an_event_or_a_decode_error(raw: bytes, kind: Kind) -> None:
    read(raw, kind)


@settings(max_examples=300)
@given(value=json_values, kind=kinds)
def test_any_json_gives_an_event_or_a_decode_error(value: Json, kind: Kind) -> None:
    read(as_json(value), kind)


@settings(max_examples=300)
@given(record=mutated_records())
def test_a_record_damaged_on_its_way_gives_an_event_or_a_decode_error(record: tuple[bytes, Kind]) -> None:
    read(*record)


@settings(max_examples=300)
@given(document=mutated_documents(), data=st.data())
def test_the_reason_does_not_depend_on_the_order_of_the_fields(
    document: tuple[dict[str, Json], Kind], data: st.DataObject
) -> None:
    fields, kind = document
    shuffled = data.draw(st.permutations(list(fields.items())))
    one, other = read(as_json(fields), kind), read(as_json(dict(shuffled)), kind)
    if isinstance(one, DecodeError) and isinstance(other, DecodeError):
        assert one.reason is other.reason
    else:
        assert same(one, other)


@given(event=events)
def test_what_was_encoded_is_decoded_to_the_same(event: Prediction | Label) -> None:
    assert same(decode(encode(event), type(event)), event)


@given(event=events)
def test_an_event_is_encoded_in_one_way(event: Prediction | Label) -> None:
    assert encode(decode(encode(event), type(event))) == encode(event)


@given(value=json_values)
def test_the_depth_is_that_of_the_brackets(value: Json) -> None:
    def levels(part: Json) -> int:
        if isinstance(part, dict):
            return 1 + max(map(levels, part.values()), default=0)
        if isinstance(part, list):
            return 1 + max(map(levels, part), default=0)
        return 0

    assert depth(as_json(value)) == levels(value)


@given(
    key=st.text(st.characters(codec="utf-8"), max_size=8),
    values=st.tuples(scalars, scalars),
    around=st.lists(st.sampled_from([b"[%s]", b'{"a":%s}', b'{"a":1,"b":[%s]}']), max_size=3),
    kind=kinds,
)
def test_a_key_that_stands_twice_is_seen_at_every_level(
    key: str, values: tuple[Json, Json], around: list[bytes], kind: Kind
) -> None:
    one, other = map(as_json, values)
    raw = b"{%s:%s,%s:%s}" % (as_json(key), one, json.dumps(key, ensure_ascii=False).encode(), other)
    for outer in around:
        raw = outer % raw
    refusal = read(raw, kind)
    assert isinstance(refusal, DecodeError)
    assert refusal.reason is Reason.DUPLICATE_KEY
