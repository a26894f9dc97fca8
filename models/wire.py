"""The common form of an event, read in a quarter of the time: what `decode` would give, or no answer.

msgspec checks types, limits and JSON while it parses. What it does not see is a key that stands twice: the last one
wins. But every key and every string has two quotes, so what was decoded tells how many quotes there are at least. A key
that stands twice makes them more, and so does an escaped quote; nothing makes them fewer. Where there are exactly as
many, no key stands twice.

Where there is no answer, `decode` gives the event or the reason. No reason is ever given here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, overload

from msgspec import UNSET, Meta, MsgspecError, Raw, Struct, UnsetType
from msgspec.json import Decoder
from msgspec.structs import force_setattr
from pydantic_core import PydanticCustomError

from driftline.schemas.decoding import MAX_BYTES
from driftline.schemas.events import MAX_CLASSES, MAX_FEATURES, MAX_SEGMENTS, Label, Prediction, segment_value
from driftline.schemas.fields import MAX_EPOCH_MS, MAX_INTEGER, MAX_NAME, MAX_NUMBER, MAX_STRING, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_QUOTE: Final = b'"'

_LONG: Final = 4300
"""jiter refuses a number that begins with more digits, msgspec does not; so longer records are looked through."""

_STRIDE: Final = 4096
_DIGITS: Final = 32
"""Whatever has more than `_LONG` digits in a row has this many of them from some multiple of `_STRIDE` on."""

_MAX_KNOWN: Final = 4096
_known: Final[set[str]] = set()
"""Names of features, attributes and classes that were found to be of a length that is allowed.

If msgspec were to check it, it would decode each name anew, 35 ns each, where it now has the short ones at hand.
"""
_are_known: Final = _known.issuperset

_REFUSED: Final = (MsgspecError, UnicodeDecodeError)

# What the type checker is told is what an event holds once it was read; at run time it is what may stand in a record.
if TYPE_CHECKING:
    _Name: TypeAlias = str
    _Time: TypeAlias = int
    _Value: TypeAlias = str | bool | int | float
    _Share: TypeAlias = float
    _Quantity: TypeAlias = float
    _Features: TypeAlias = dict[str, Any]
    _Segments: TypeAlias = dict[str, str]
    _Probabilities: TypeAlias = dict[str, float] | None
else:
    _Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    _Text = Annotated[str, Meta(max_length=MAX_STRING)]
    _Time = Annotated[int, Meta(ge=0, le=MAX_EPOCH_MS)] | str
    _Value = (
        Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
        | Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
        | _Text
        | bool
    )
    _Share = Annotated[float, Meta(ge=0, le=1)]
    _Quantity = Annotated[float, Meta(ge=0, le=MAX_NUMBER)]
    _Feature = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | float | _Text | bool | None
    _Features = Annotated[dict[str, _Feature], Meta(max_length=MAX_FEATURES)] | None
    _Segments = Annotated[dict[str, _Value | None], Meta(max_length=MAX_SEGMENTS)] | None
    _Probabilities = Annotated[dict[str, _Share], Meta(max_length=MAX_CLASSES)] | None


class WirePrediction(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A `Prediction` as `read` gives it, equal in every field and type.

    `schema_version` is unset where the record leaves it out.
    """

    model_id: _Name
    model_version: _Name
    prediction_id: _Name
    timestamp: _Time
    prediction: _Value
    score: _Share | None = None
    probabilities: _Probabilities = None
    features: _Features = {}  # msgspec makes a new one for each event
    segments: _Segments = {}
    latency_ms: _Quantity | None = None
    schema_version: Literal[1] | UnsetType = UNSET

    def event(self) -> Prediction:
        """Return it as the contract's own class, which holds the same dictionaries.

        Examples
        --------
        >>> WirePrediction("m", "1", "p", 0, 0.5).event() == Prediction(
        ...     model_id="m", model_version="1", prediction_id="p", timestamp=0, prediction=0.5)
        True

        """
        return Prediction.model_construct(
            model_id=self.model_id,
            model_version=self.model_version,
            prediction_id=self.prediction_id,
            timestamp=self.timestamp,
            prediction=self.prediction,
            score=self.score,
            probabilities=self.probabilities,
            features=self.features,
            segments=self.segments,
            latency_ms=self.latency_ms,
        )


class WireLabel(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A `Label` as `read` gives it, equal in every field and type.

    `schema_version` is unset where the record leaves it out.
    """

    model_id: _Name
    prediction_id: _Name
    timestamp: _Time
    label: _Value
    weight: _Quantity | None = None
    schema_version: Literal[1] | UnsetType = UNSET

    def event(self) -> Label:
        """Return it as the contract's own class.

        Examples
        --------
        >>> WireLabel("m", "p", 0, True).event() == Label(model_id="m", prediction_id="p", timestamp=0, label=True)
        True

        """
        return Label.model_construct(
            model_id=self.model_id,
            prediction_id=self.prediction_id,
            timestamp=self.timestamp,
            label=self.label,
            weight=self.weight,
        )


class _Optional(Struct):
    """Which of the optional fields a record has, whatever they hold."""

    score: Raw | UnsetType = UNSET
    probabilities: Raw | UnsetType = UNSET
    features: Raw | UnsetType = UNSET
    segments: Raw | UnsetType = UNSET
    latency_ms: Raw | UnsetType = UNSET
    weight: Raw | UnsetType = UNSET


_OF_PREDICTION: Final = ("score", "probabilities", "features", "segments", "latency_ms")
_OF_LABEL: Final = ("weight",)
_OBJECTS: Final = ("features", "segments")  # empty where they are absent

_decode_prediction: Final = Decoder(WirePrediction).decode
_decode_label: Final = Decoder(WireLabel).decode
_decode_optional: Final = Decoder(_Optional).decode


@overload
def read(raw: bytes | None, kind: type[Prediction]) -> WirePrediction | None: ...


@overload
def read(raw: bytes | None, kind: type[Label]) -> WireLabel | None: ...


def read(raw: bytes | None, kind: type[Prediction | Label]) -> WirePrediction | WireLabel | None:
    """Read one record if it is of the common form.

    Parameters
    ----------
    raw
        The record's value.
    kind
        `Prediction` or `Label`: the topic tells which.

    Returns
    -------
    WirePrediction | WireLabel | None
        What `decode` gives; or None if only `decode` can tell.

    Examples
    --------
    >>> read(b'{"model_id":"m","prediction_id":"p","timestamp":0,"label":1}', Label).label
    1
    >>> read(b'{"model_id":"m","prediction_id":"p","timestamp":0,"label":NaN}', Label) is None
    True
    >>> read(b'{"model_id":"m","prediction_id":"p","timestamp":0,"label":0,"label":1}', Label) is None
    True

    """
    if raw is None or (len(raw) > _LONG and _needs_a_look(raw)):
        return None
    try:
        if kind is Label:
            return _read_label(raw)
        return _read_prediction(raw)
    except _REFUSED:
        return None
    except PydanticCustomError:  # of the timestamp
        return None


def _read_prediction(raw: bytes) -> WirePrediction | None:  # noqa: C901 - each function more is a call more
    event = _decode_prediction(raw)
    # Twins are the two quotes of a key or a string. Five keys and three strings stand in every prediction.
    twins = (
        8
        + (type(event.prediction) is str)
        + (event.score is not None)
        + (event.latency_ms is not None)
        + (event.schema_version is not UNSET)
    )
    if type(event.timestamp) is not int:
        force_setattr(event, "timestamp", milliseconds(event.timestamp))
        twins += 1
    if features := event.features:
        twins += 1 + len(features)
        if not _are_known(features) and not _are_names(features):
            return None
    others = False  # than strings among the segments
    if segments := event.segments:
        twins += 1 + 2 * len(segments)
        if not _are_known(segments) and not _are_names(segments):
            return None
        for value in segments.values():
            if type(value) is not str:
                twins -= 1
                others = True
    if probabilities := event.probabilities:
        twins += 1 + len(probabilities)
        if not _are_known(probabilities) and not _are_names(probabilities):
            return None
    surplus = raw.count(_QUOTE) - 2 * twins
    if surplus and not _explained(surplus, event, raw):
        return None
    if others:
        force_setattr(event, "segments", _as_text(segments))
    return event


def _read_label(raw: bytes) -> WireLabel | None:
    event = _decode_label(raw)
    # As above; here it is four keys and two strings.
    twins = 6 + (type(event.label) is str) + (event.weight is not None) + (event.schema_version is not UNSET)
    if type(event.timestamp) is not int:
        force_setattr(event, "timestamp", milliseconds(event.timestamp))
        twins += 1
    surplus = raw.count(_QUOTE) - 2 * twins
    if surplus and not _explained(surplus, event, raw):
        return None
    return event


def _needs_a_look(raw: bytes) -> bool:
    """Tell whether a record is too large, or may hold a number that is too long."""
    return len(raw) > MAX_BYTES or any(raw[at : at + _DIGITS].isdigit() for at in range(0, len(raw), _STRIDE))


def _are_names(names: Collection[str]) -> bool:
    if not all(0 < len(name) <= MAX_NAME for name in names):
        return False
    if len(_known) < _MAX_KNOWN:
        _known.update(names)
    return True


def milliseconds(written: object) -> int:
    """Return what `parse_timestamp` does: sooner for what ``isoformat(timespec="milliseconds")`` writes, with a Z."""
    text = str(written)
    seconds = text[17:19] + text[20:23]
    if len(text) == 24 and text[19] == "." and text[23] == "Z" and seconds.isdigit() and seconds.isascii():  # noqa: PLR2004
        within = int(seconds)
        if within < 60_000:  # noqa: PLR2004 - milliseconds of a minute
            return _minute(text[:17]) + within
    return parse_timestamp(text)


@lru_cache(maxsize=1024)
def _minute(text: str) -> int:
    return parse_timestamp(f"{text}00Z")


def _as_text(segments: Mapping[str, Any]) -> dict[str, str]:
    return {name: segment_value(value) for name, value in segments.items() if value is not None}


def _explained(surplus: int, event: WirePrediction | WireLabel, raw: bytes) -> bool:
    """Tell whether quotes beyond those that were counted are all of strings among the features, and of nulls."""
    if isinstance(event, WirePrediction) and event.features:
        surplus -= 2 * list(map(type, event.features.values())).count(str)
    return not surplus or surplus == 2 * _absent(event, raw)


def _absent(event: WirePrediction | WireLabel, raw: bytes) -> int:
    """Make nulls and empty objects what absent fields are, and return how many of them were written."""
    written = _decode_optional(raw)
    count = 0
    for name in _OF_LABEL if isinstance(event, WireLabel) else _OF_PREDICTION:
        if getattr(written, name) is not UNSET and getattr(event, name) in (None, {}):
            force_setattr(event, name, {} if name in _OBJECTS else None)
            count += 1
    return count
