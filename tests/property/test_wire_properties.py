"""Where the fast reader answers, its answer is the contract's: equal in every field, type and sign."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.models import wire
from driftline.schemas.decoding import MAX_BYTES, decode
from driftline.schemas.errors import DecodeError
from driftline.schemas.events import MAX_CLASSES, MAX_FEATURES, MAX_SEGMENTS, Label, Prediction, encode
from driftline.schemas.fields import MAX_INTEGER, MAX_NAME, MAX_NUMBER, MAX_STRING, format_timestamp
from tests.property.strategies import (
    Json,
    Kind,
    as_json,
    events,
    json_values,
    kinds,
    mutated_documents,
    mutated_records,
    probabilities,
    quantities,
    same,
)

PREDICTION = b'{"model_id":"m","model_version":"1","prediction_id":"p","timestamp":0,"prediction":1'
LABEL = b'{"model_id":"m","prediction_id":"p","timestamp":0,"label":1'
_LAST = 253_402_300_799_999


def agrees(raw: bytes, kind: Kind) -> bool:
    """Tell whether the fast reader answers; fail if it answers otherwise than the contract."""
    fast = wire.read(raw, kind)
    if fast is None:
        return False
    event = decode(raw, kind)
    assert same(fast.event(), event)
    for name, value in dict(event).items():
        if name != "schema_version":
            assert same(getattr(fast, name), value)
        if isinstance(value, dict):
            assert list(getattr(fast, name)) == list(value)
    return True


# -- What is written by hand, or by a service that has lost its way --------------------------------------------------

# Each is what some field may hold, or what looks like it.
TOKENS = [
    *("0", "1", "-0", "-1", "2", "1.0", "0.0", "-0.0", "1e0", "1E+00", "10e-1", "0.5", "0.1e1", "01", "1.", ".5", "+1"),
    *("1e-400", "1e400", "-1e400", "1e100", "1.0000000000000002e100", "-1e100", "1e-320", "5e-324", "0e999"),
    *("9007199254740992", "9007199254740993", "-9007199254740993", "9007199254740992.0", "1.0000000000000002"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("18446744073709551615", "18446744073709551616", "253402300799999", "253402300800000", "1" + "0" * 309),
    *("9" * 4300, "9" * 4301, "1" + "0" * 4300 + "e-4300", "1" + "0" * 9000 + "e-9000", "0." + "0" * 9000 + "1"),
    *("NaN", "Infinity", "-Infinity", "nan", "null", "true", "false", "True", "nul", "", "{}", "[]", "[1]", '{"a":1}'),
    *('""', '"x"', '"é"', '"😀"', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\""', '"\\\\"', '"\\/"', '"\\x"'),
    *('"\\u0000"', '"\x00"', '"\x1f"', '"\x7f"', '"\t"', '"1"', '"null"', '"score"', '"a":1', "'x'", '"'),
    *(f'"{"n" * MAX_NAME}"', f'"{"n" * (MAX_NAME + 1)}"', f'"{"é" * MAX_NAME}"', f'"{"😀" * (MAX_NAME + 1)}"'),
    *(f'"{"s" * MAX_STRING}"', f'"{"s" * (MAX_STRING + 1)}"', f'"{"é" * MAX_STRING}"', f'"{"9" * MAX_STRING}"'),
    *('{"a":1,"a":1}', '{"a":1,"\\u0061":1}', '{"a":"x","a":"x"}', '{"":1}', '{"a":null}', '{"a":null,"a":null}'),
    *('{"a":"x"}', '{"a":true}', '{"a":1.0}', '{"a":-0.0}', '{"a":-0}', '{"a":[]}', '{"a":NaN}', '{"a":1,}', "{,}"),
    f'{{"{"n" * (MAX_NAME + 1)}":1}}',
    f'{{"{"n" * (MAX_NAME + 1)}":null}}',
]
TIMES = [
    *("2026-11-23T04:00:00.250Z", "2026-11-23T04:00:00Z", "2026-11-23t04:00:00.250z", "2026-11-23 04:00:00.250Z"),
    *("2026-11-23T04:00:60.250Z", "2026-11-23T04:00:99.999Z", "2026-02-29T04:00:00.250Z", "2026-11-23T24:00:00.250Z"),
    *("2026-11-23T04:00:00,250Z", "2026-11-23T04:00:00.25٣Z", "2026-11-23T04:00:0².250Z", "2026-11-23T04:00:+1.250Z"),
    *("2026-11-23T04:00:00.2 0Z", "2026-11-23T04:00:00.250+", "2026-11-23T04:00:00.250", "2026-11-23T04:00:1_.250Z"),
    *(
        "2026-11-23T05:00:00.250+01:00",
        "1969-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.999Z",
        "0000-01-01T00:00:00.000Z",
    ),
    *(
        "2026-W48-1T04:00:00.250Z",
        "20261123T04:00:00.250000Z",
        "2026-11-23T04:00:00.2509999Z",
        "1970-01-01T00:00:00.000Z",
    ),
]
FIELDS = {
    Prediction: ("model_id", "model_version", "prediction_id", "timestamp", "prediction"),
    Label: ("model_id", "prediction_id", "timestamp", "label"),
}
USUAL = {"timestamp": ["0", "1795406400250"], "prediction": ["1", '"x"', "0.5", "true"], "label": ["1", '"x"']}
MORE = {
    Prediction: ("schema_version", "score", "probabilities", "features", "segments", "latency_ms"),
    Label: ("schema_version", "weight"),
}
spaces = st.one_of(st.just(""), st.sampled_from([" ", "\n", "\t\r\n ", "\f", "\v", "\0", "\xa0", "\ufeff"]))
tokens = st.sampled_from(TOKENS)
times = st.sampled_from(TIMES).map(lambda text: f'"{text}"')
keys = st.sampled_from(["a", "b", "é", "score", "", "\\u0061", "n" * MAX_NAME, "n" * (MAX_NAME + 1)])


@st.composite
def written_objects(draw: st.DrawFn) -> str:
    """Return the text of an object, sometimes with a key twice."""
    usual = st.sampled_from(["1", "0.5", '"x"', "true", "null", "-0.0"])
    entries = draw(st.lists(st.tuples(keys | st.sampled_from("abcdef"), usual | usual | tokens), max_size=4))
    return "{" + ",".join(f'"{key}":{value}' for key, value in entries) + "}"


@st.composite
def written_records(draw: st.DrawFn) -> tuple[bytes, Kind]:
    """Return the text of a record from which not much, if anything, has to be taken to make it valid."""
    kind = draw(kinds)
    fields = [(name, draw(st.sampled_from(USUAL.get(name, ['"a"', '"é"'])))) for name in FIELDS[kind]]
    for name in draw(st.lists(st.sampled_from(MORE[kind]), max_size=6, unique=draw(st.integers(0, 3)) > 0)):
        usual = {"schema_version": ["1"], "score": ["0", "0.5", "1", "null"]}.get(name, ["null"])
        fields.append((name, draw(st.sampled_from(usual) | written_objects())))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(fields) - 1))
        fields[at] = (fields[at][0], draw(tokens | times))
    if draw(st.integers(0, 3)) == 0:
        fields.insert(draw(st.integers(0, len(fields))), draw(st.sampled_from(fields)))
    if draw(st.booleans()):
        fields = draw(st.permutations(fields))
    gap = spaces if draw(st.booleans()) else st.just("")
    text = ",".join(f'{draw(gap)}"{name}"{draw(gap)}:{draw(gap)}{value}{draw(gap)}' for name, value in fields)
    return f"{draw(gap)}{{{text}}}{draw(gap)}".encode(), kind


@st.composite
def retouched_records(draw: st.DrawFn) -> tuple[bytes, Kind]:
    """Return the bytes of a valid event with single bytes put in, replaced or taken out where they may do harm."""
    event = draw(plain_events | events)
    raw = bytearray(encode(event))
    marks = st.sampled_from(
        [b[0:1] for b in (b'"', b"\\", b"0", b"9", b"-", b"+", b".", b"e", b",", b":", b" ", b"\n")]
    )
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(raw) - 1))
        raw[at : at + draw(st.integers(0, 1))] = draw(marks | st.binary(max_size=1))
    return bytes(raw), type(event)


# -- What a service writes ---------------------------------------------------------------------------------------------

plain_characters = st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"')
plain_names = st.text(plain_characters, min_size=1, max_size=12) | st.text("ab", min_size=MAX_NAME, max_size=MAX_NAME)
plain_strings = st.text(plain_characters, max_size=12)
plain_numbers = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.floats(-MAX_NUMBER, MAX_NUMBER)
plain_values = st.one_of(plain_numbers, plain_strings, st.booleans())
plain_features = st.one_of(plain_values, st.none(), st.floats(allow_nan=False, allow_infinity=False))
plain_times = st.integers(0, _LAST)


def plain_objects(values: st.SearchStrategy[Json]) -> st.SearchStrategy[dict[str, Json]]:
    return st.dictionaries(plain_names, values, max_size=6)


plain_predictions = st.builds(
    Prediction,
    model_id=plain_names,
    model_version=plain_names,
    prediction_id=plain_names,
    timestamp=plain_times,
    prediction=plain_values,
    score=st.none() | probabilities,
    probabilities=st.none() | plain_objects(probabilities),
    features=plain_objects(plain_features),
    segments=plain_objects(plain_values | st.none()),
    latency_ms=st.none() | quantities,
)
plain_labels = st.builds(
    Label,
    model_id=plain_names,
    prediction_id=plain_names,
    timestamp=plain_times,
    label=plain_values,
    weight=st.none() | quantities,
)
plain_events: st.SearchStrategy[Prediction | Label] = st.one_of(plain_predictions, plain_labels)


@given(event=plain_events)
def test_the_common_form_is_always_read(event: Prediction | Label) -> None:
    assert agrees(encode(event), type(event))


@given(event=plain_events, data=st.data())
def test_so_it_is_as_other_writers_would_put_it(event: Prediction | Label, data: st.DataObject) -> None:
    fields: dict[str, Any] = json.loads(encode(event))
    if data.draw(st.booleans()):
        fields["timestamp"] = format_timestamp(event.timestamp)
    if data.draw(st.booleans()):
        del fields["schema_version"]
    for name in MORE[type(event)]:
        if name not in fields and name != "schema_version" and data.draw(st.booleans()):
            fields[name] = None
    shuffled = dict(data.draw(st.permutations(list(fields.items()))))
    raw = json.dumps(shuffled, indent=data.draw(st.none() | st.integers(0, 2))).encode()
    assert agrees(raw, type(event)) or b"\\" in raw


@pytest.mark.parametrize(
    "text",
    ["é", "\\u00e9", "😀", "\\ud83d\\ude00", "\\\\", "\\/", "\x7f", "{[]}:,"],
)
def test_other_alphabets_and_escapes_are_read_too(text: str) -> None:
    name = f'"{text}"'.encode()
    assert agrees(PREDICTION + b',"features":{%s:%s},"segments":{%s:%s}}' % (name, name, name, name), Prediction)


@pytest.mark.parametrize(("struct", "kind"), [(wire.WirePrediction, Prediction), (wire.WireLabel, Label)])
def test_the_structs_have_the_fields_of_the_contract(struct: type[msgspec.Struct], kind: Kind) -> None:
    assert set(struct.__struct_fields__) == set(kind.model_fields)


# -- Equality ----------------------------------------------------------------------------------------------------------


@settings(max_examples=500)
@given(raw=st.binary(max_size=300), kind=kinds)
@example(raw=b"", kind=Label)
@example(raw=b"\xef\xbb\xbf" + LABEL + b"}", kind=Label)
@example(raw=LABEL + b"}\0", kind=Label)
@example(raw=LABEL + b"}{}", kind=Label)
@example(raw=b"[" * 100_000, kind=Prediction)
@example(raw=b'{"a":' * 100_000, kind=Prediction)
@example(raw=(LABEL + b"}").ljust(MAX_BYTES), kind=Label)
@example(raw=(LABEL + b"}").ljust(MAX_BYTES + 1), kind=Label)
def test_of_any_bytes_nothing_is_read_that_decode_would_not_give(raw: bytes, kind: Kind) -> None:
    agrees(raw, kind)


@settings(max_examples=300)
@given(value=json_values, kind=kinds)
def test_of_any_json(value: Json, kind: Kind) -> None:
    agrees(as_json(value), kind)


@settings(max_examples=300)
@given(event=events)
def test_of_any_event(event: Prediction | Label) -> None:
    agrees(encode(event), type(event))


@settings(max_examples=300)
@given(document=mutated_documents())
def test_of_an_event_with_other_fields(document: tuple[dict[str, Json], Kind]) -> None:
    fields, kind = document
    agrees(as_json(fields), kind)


@settings(max_examples=300)
@given(record=mutated_records())
def test_of_a_record_damaged_on_its_way(record: tuple[bytes, Kind]) -> None:
    agrees(*record)


@settings(max_examples=1000)
@given(record=retouched_records())
def test_of_a_record_with_single_bytes_changed(record: tuple[bytes, Kind]) -> None:
    agrees(*record)


@settings(max_examples=1000)
@given(record=written_records())
def test_of_a_record_written_by_hand(record: tuple[bytes, Kind]) -> None:
    agrees(*record)


@pytest.mark.parametrize("kind", [Prediction, Label])
def test_of_every_token_in_every_field(kind: Kind) -> None:
    written = {name: USUAL.get(name, ['"a"'])[0] for name in FIELDS[kind]}
    answered = 0
    for name in (*FIELDS[kind], *MORE[kind], "colour"):
        for token in (*TOKENS, *(f'"{text}"' for text in TIMES)):
            raw = ",".join(f'"{key}":{value}' for key, value in (written | {name: token}).items())
            answered += agrees(f"{{{raw}}}".encode(), kind)
    assert answered > 100


@pytest.mark.parametrize("token", TOKENS)
def test_of_every_token_in_a_feature_a_segment_and_a_probability(token: str) -> None:
    for name in ("features", "segments", "probabilities"):
        agrees(PREDICTION + f',"{name}":{{"a":{token}}}}}'.encode(), Prediction)
        agrees(PREDICTION + f',"{name}":{{"a":null,"b":{token},"c":0}}}}'.encode(), Prediction)
        agrees(PREDICTION + f',"{name}":{{{token}:0.5}}}}'.encode(), Prediction)


@pytest.mark.parametrize(
    ("name", "limit"), [("features", MAX_FEATURES), ("segments", MAX_SEGMENTS), ("probabilities", MAX_CLASSES)]
)
def test_of_as_many_entries_as_there_may_be_and_one_more(name: str, limit: int) -> None:
    def entries(count: int) -> bytes:
        return PREDICTION + f',"{name}":{json.dumps(dict.fromkeys(map(str, range(count)), 0))}}}'.encode()

    assert agrees(entries(limit), Prediction)
    assert not agrees(entries(limit + 1), Prediction)


# -- A key that stands twice -------------------------------------------------------------------------------------------

TWICE = [
    (LABEL + b',"label":1}', Label),
    (LABEL + b',"label":"x"}', Label),
    (LABEL + b',"l\\u0061bel":1}', Label),
    (LABEL + b',"weight":1,"weight":null}', Label),
    (LABEL + b',"weight":null,"weight":null}', Label),
    (LABEL + b',"schema_version":1,"schema_version":1}', Label),
    (PREDICTION + b',"score":0.5,"score":0.5}', Prediction),
    (PREDICTION + b',"features":{"a":1,"a":1}}', Prediction),
    (PREDICTION + b',"features":{"a":"x","a":1}}', Prediction),
    (PREDICTION + b',"features":{"a":"x","b":1,"b":1}}', Prediction),
    (PREDICTION + b',"features":{"a":1},"features":{"a":1}}', Prediction),
    (PREDICTION + b',"features":{"a":1},"features":null}', Prediction),
    (PREDICTION + b',"segments":{"a":"x","a":"x"}}', Prediction),
    (PREDICTION + b',"segments":{"a":1,"b":"x","b":"x"}}', Prediction),
    # A null of one kind must not explain the quotes of another.
    (PREDICTION + b',"score":null,"segments":{"a":null,"a":null}}', Prediction),
    (PREDICTION + b',"segments":{"a":null},"features":{"b":1,"b":1}}', Prediction),
    (PREDICTION + b',"probabilities":{"a":1,"a":1},"score":null}', Prediction),
]


@pytest.mark.parametrize(("raw", "kind"), TWICE)
def test_a_key_that_stands_twice_is_left_to_decode(raw: bytes, kind: Kind) -> None:
    assert wire.read(raw, kind) is None


@pytest.mark.parametrize(("raw", "kind"), TWICE)
def test_without_the_count_of_quotes_it_would_be_read(raw: bytes, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_explained", lambda *_: True)
    assert wire.read(raw, kind) is not None
    with pytest.raises(DecodeError, match="duplicate_key"):
        agrees(raw, kind)


@pytest.mark.parametrize("digits", [4300, 4301, 4400, 8191, 8192, 20_000])
@pytest.mark.parametrize("before", range(0, 4200, 700))
def test_a_number_that_is_too_long_is_seen_wherever_it_stands(digits: int, before: int) -> None:
    number = b"1" + b"0" * (digits - 1) + b"e-%d" % (digits - 1)
    raw = PREDICTION + b" " * before + b',"features":{"a":%s}}' % number
    assert agrees(raw, Prediction) is False
