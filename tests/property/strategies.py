"""Hypothesis strategies for the contract: valid events, JSON of any shape, and valid records gone wrong."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hypothesis import strategies as st

from driftline.schemas.batches import GROUPS
from driftline.schemas.events import Label, Prediction, encode
from driftline.schemas.fields import MAX_INTEGER, MAX_NAME, MAX_NUMBER, MAX_STRING, format_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

Json: TypeAlias = Any
Kind: TypeAlias = type[Prediction | Label]

_LAST: Final = 253_402_300_799_999

# Every character that UTF-8 can say, NUL included.
characters = st.characters(codec="utf-8")
names = st.one_of(
    st.text(characters, min_size=1, max_size=20),
    st.text("ab", min_size=MAX_NAME - 1, max_size=MAX_NAME),
)
strings = st.one_of(st.text(characters, max_size=40), st.just("x" * MAX_STRING))
integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
numbers = st.one_of(
    st.floats(-MAX_NUMBER, MAX_NUMBER),
    st.sampled_from([-0.0, 1e-320, 5e-324, MAX_NUMBER, -MAX_NUMBER]),
)
probabilities = st.floats(0, 1)
quantities = st.floats(0, MAX_NUMBER)
scalars = st.one_of(strings, st.booleans(), integers, numbers)
timestamps = st.one_of(
    st.integers(0, _LAST),
    st.integers(0, _LAST).map(format_timestamp),
)


def nested(leaves: SearchStrategy[Json], *, max_leaves: int = 12) -> SearchStrategy[Json]:
    """Return lists and objects of `leaves`."""
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(characters, max_size=8), inner, max_size=4),
        max_leaves=max_leaves,
    )


# What a service may have put there: anything at all. Six levels are what the event leaves of its eight.
feature_values = st.one_of(
    numbers,
    integers,
    strings,
    st.booleans(),
    st.none(),
    st.sampled_from([math.nan, math.inf, -math.inf, 1.7e308, 10**308, -(10**400)]),
    nested(st.one_of(st.none(), st.booleans(), integers, st.floats(), st.text(characters, max_size=8))).filter(
        lambda value: _depth(value) <= 6
    ),
)


def _depth(value: Json) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def mappings(values: SearchStrategy[Json]) -> SearchStrategy[dict[str, Json]]:
    """Return objects with a few entries: with as many as there may be an event would seldom be below 1 MB."""
    return st.dictionaries(names, values, max_size=12)


predictions = st.builds(
    Prediction,
    model_id=names,
    model_version=names,
    prediction_id=names,
    timestamp=timestamps,
    prediction=scalars,
    score=st.none() | probabilities,
    probabilities=st.none() | mappings(probabilities),
    features=mappings(feature_values),
    segments=mappings(scalars | st.none()),
    latency_ms=st.none() | quantities,
)
labels = st.builds(
    Label,
    model_id=names,
    prediction_id=names,
    timestamp=timestamps,
    label=scalars,
    weight=st.none() | quantities,
)
events: SearchStrategy[Prediction | Label] = st.one_of(predictions, labels)

# JSON as Python's module writes it, NaN and integers of any length included; no part of it need mean anything.
json_values = nested(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([10**400, -(10**400), 2**53 + 1, 2, 1, 0, -1]),
        st.floats(),
        st.text(max_size=10),
        st.sampled_from(["", "a" * (MAX_NAME + 1), "a" * (MAX_STRING + 1), "2026-11-23T04:00:00", "\ud800", "\0"]),
    )
)
kinds: SearchStrategy[Kind] = st.sampled_from([Prediction, Label])


_limits = st.sampled_from([2**53 + 1, 1e101, -0.0, 10**400, "", "x" * (MAX_STRING + 1)])
# A lone surrogate is no JSON, wherever it stands: that is wrong with all of a batch.
odd = st.one_of(json_values, feature_values, scalars, _limits).filter(lambda value: b"\\ud800" not in as_json(value))


def columns(rows: int, *usual: st.SearchStrategy[Json]) -> st.SearchStrategy[list[Json]]:
    """Return columns of one type, or with a hole, or with something odd in them."""
    of_one_type = [st.lists(each, min_size=rows, max_size=rows) for each in usual]
    mixed = st.lists(st.one_of(*usual, st.none(), odd), min_size=rows, max_size=rows)
    holes = [st.lists(each | st.none(), min_size=rows, max_size=rows) for each in usual]
    return st.one_of(*of_one_type, *of_one_type, *of_one_type, *holes, mixed)


def group(rows: int, *usual: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.none() | st.dictionaries(names, columns(rows, *usual), max_size=3)


@st.composite
def batches(draw: st.DrawFn) -> tuple[dict[str, Json], Kind]:
    """Return the fields of a batch that is one, whatever stands in its rows."""
    kind, rows = draw(kinds), draw(st.integers(1, 5))
    values = columns(rows, st.integers(-3, 3), numbers, strings, st.booleans())
    fields: dict[str, Json] = {"model_id": draw(names), "rows": rows}
    if draw(st.booleans()):
        fields["schema_version"] = 1
    fields["prediction_id"] = draw(columns(rows, names))
    fields["timestamp"] = draw(columns(rows, st.integers(0, _LAST), timestamps) | timestamps)
    if kind is Label:
        fields |= {"label": draw(values), "weight": draw(st.none() | columns(rows, quantities))}
        return fields, kind
    fields |= {
        "model_version": draw(names),
        "prediction": draw(values),
        "score": draw(st.none() | columns(rows, probabilities, st.integers(0, 1))),
        "probabilities": draw(group(rows, probabilities)),
        "features": draw(group(rows, numbers, st.integers(), strings, st.booleans(), feature_values)),
        "segments": draw(group(rows, strings, st.booleans(), st.integers(-2, 2), numbers)),
        "latency_ms": draw(st.none() | quantities | columns(rows, quantities)),
    }
    return dict(draw(st.permutations(list(fields.items())))), kind


def row_of(fields: dict[str, Json], row: int) -> dict[str, Json]:
    """Return a row of the fields of a batch as a record of its own would have it: what a batch is, said once more."""
    single: dict[str, Json] = {}
    for name, value in fields.items():
        if name == "rows" or value is None:
            continue
        if name in GROUPS:
            entries = {entry: column[row] for entry, column in value.items() if column[row] is not None}
            if entries:
                single[name] = entries
        elif not isinstance(value, list):
            single[name] = value
        elif value[row] is not None:
            single[name] = value[row]
    return single


@st.composite
def mutated_documents(draw: DrawFn) -> tuple[dict[str, Json], Kind]:
    """Return the fields of a valid event after one to three changes: a field dropped, replaced or added."""
    event = draw(events)
    fields: dict[str, Json] = json.loads(encode(event))
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(type(event).model_fields)) | st.text(max_size=8))
        if draw(st.booleans()):
            fields.pop(name, None)
        else:
            fields[name] = draw(json_values | scalars | mappings(json_values))
    return fields, type(event)


def _cut(draw: DrawFn, raw: bytes) -> bytes:
    start, end = sorted((draw(st.integers(0, len(raw))), draw(st.integers(0, len(raw)))))
    return raw[:start] + raw[end:]


def _insert(draw: DrawFn, raw: bytes) -> bytes:
    at = draw(st.integers(0, len(raw)))
    marks = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\0", b"\xff", b"\xef\xbb\xbf", b"\\ud800", b"NaN", b"-"]
    return raw[:at] + draw(st.sampled_from(marks) | st.binary(max_size=4)) + raw[at:]


def _repeat(draw: DrawFn, raw: bytes) -> bytes:
    """Write a slice twice: often a key that then stands twice."""
    start, end = sorted((draw(st.integers(0, len(raw))), draw(st.integers(0, len(raw)))))
    return raw[:end] + raw[start:end] + raw[end:]


_MUTATIONS: Final[tuple[Callable[[DrawFn, bytes], bytes], ...]] = (_cut, _insert, _repeat)


@st.composite
def mutated_records(draw: DrawFn) -> tuple[bytes, Kind]:
    """Return the bytes of a valid event with one to three places cut, written into, or repeated."""
    event = draw(events)
    raw = encode(event)
    for _ in range(draw(st.integers(1, 3))):
        raw = draw(st.sampled_from(_MUTATIONS))(draw, raw)
    return raw, type(event)


def as_json(value: Json) -> bytes:
    """Write JSON with NaN tokens and lone surrogates as they come."""
    return json.dumps(value, ensure_ascii=True).encode()


def same(one: object, other: object) -> bool:
    """Tell whether two values are equal where NaN equals NaN, and where 1, 1.0, True and -0.0 differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Prediction | Label):
        return same(dict(one), dict(other))  # type: ignore[call-overload]  # of the same type, as was just seen
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    return one == other
