"""Records of a shape that is known: JSON of which all but the values is what it was before, read into columns.

`driftline.models.fast.templates` learns the shapes. A record that is of none of them, or holds a value of an uncommon
kind, is left to the decoders of the contract; what is read here is what they would have read.
"""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftline.models.kernels import decimal
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.names import Names, name_of, stands
from driftline.models.kernels.tasks import REGRESSION

if TYPE_CHECKING:
    from driftline.models.kernels.types import Bytes, Doubles, Integers, Record, Records

NONE = -1

MODEL, VERSION, ID, TIME, VALUE, SCORE, LATENCY, FEATURE, SEGMENTS, CATEGORY, ANY, NUMBER, PROBABILITY = range(13)
"""What stands in a slot of a template: a FEATURE is a number, a CATEGORY a name, and ANY a text that needs none, as all
are alike. What is predicted, or a label, is a VALUE, which is a name, or the NUMBER of a regression; a PROBABILITY is
of a class.
"""

FLOATING, WHOLE = -2, -3
"""Instead of the name of a value: that it is a number, written with a fraction or an exponent, or without."""

MOST_COLUMNS = 2**20  # categorical features with names, of all versions together

SLOT = np.dtype([("start", "i4"), ("length", "i4"), ("what", "i4"), ("column", "i4")], align=True)
"""A value of a template, where the text before it stands, and the number of its feature if it is a category."""

TEMPLATE = np.dtype(
    [
        ("topic", "i4"),
        ("first", "i4"),
        ("slots", "i4"),
        ("features", "i4"),
        ("start", "i4"),
        ("length", "i4"),
        ("probabilities", "i4"),
        ("of_numbers", "i4"),
    ],
    align=True,
)
"""Its slots, how many of them are features, where the text after the last one stands, how many are probabilities, and
whether it is of regressions.
"""

READ = np.dtype(
    [
        ("owner", "i8"),
        ("model", "i4"),
        ("template", "i4"),
        ("version", "i4"),
        ("value", "i4"),
        ("segments", "i4"),
        ("features", "i4"),
        ("id", "i4"),
        ("id_length", "i4"),
        ("at", "i8"),
        ("score", "f8"),
        ("latency", "f8"),
        ("number", "f8"),
    ],
    align=True,
)
"""What a record holds: its model and whose the names in it are, numbers of names, where its features and its id begin,
and NaN for what it has not. A `value` that is no name is FLOATING or WHOLE, and the `number`.

`template` is `NONE` if it was not read. A feature that is null is NaN, and a category is its number, or -1 as any text.
Probabilities stand behind the features.
"""

_MOST_ID = 256
MOST_TEXT = 1024  # bytes of the segments
_LATEST = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_LARGEST = 1e100
_LARGEST_WHOLE = 2.0**53 - 1.0  # the next one is also what the one after that is rounded to
_QUOTE, _BACKSLASH, _SPACE = 34, 92, 32
_MOST_TRIED = 8  # shapes, the first ones, if neither that of the last record nor that of the model is it


class Templates(NamedTuple):
    """All that records are compared with."""

    templates: Records
    slots: Records
    texts: Bytes
    hints: Integers
    names: Names
    fasts: Records


@kernel
def read(
    templates: Templates,
    text: Bytes,
    starts: Integers,
    topics: Bytes,
    latest: Integers,
    rows: Records,
    features: Doubles,
) -> int:
    """Read those records that are of a known shape; return how many features there are.

    Parameters
    ----------
    templates
        The shapes; hints are which one the last record of each topic was of.
    text, starts, topics
        The records one after the other, where each begins, with where the last one ends, and the topic of each.
        Behind the last there must be a byte.
    latest
        A time for each that is not to be after.
    rows, features
        What was read. There must be room for as many features and probabilities as the record with most of them has,
        for each.

    """
    filled = 0
    for place in range(len(rows)):
        row = rows[place]
        row.template = NONE
        topic = topics[place]
        start, end = starts[place], starts[place + 1]
        row.model = NONE
        for attempt in range(2 + _MOST_TRIED):
            if attempt == 0:
                which = templates.hints[topic]
            elif attempt == 1:  # as far as the model's name most are alike
                which = templates.fasts[row.model].hint[topic] if row.model != NONE else NONE
            else:
                which = attempt - 2 if attempt - 2 < len(templates.templates) else NONE
            if which == NONE or templates.templates[which].topic != topic:
                continue
            row.features = filled
            if _is_of(templates, templates.templates[which], text, start, end, row, features[filled:]):
                if row.at <= latest[place]:
                    row.template = which
                    templates.hints[topic] = which
                    templates.fasts[row.model].hint[topic] = which
                    filled += templates.templates[which].features + templates.templates[which].probabilities
                break
    return filled


@kernel
def _is_of(
    templates: Templates, template: Record, text: Bytes, at: int, end: int, row: Record, features: Doubles
) -> bool:
    row.version = row.value = row.segments = NONE
    row.score = row.latency = nan
    owner = NONE
    feature, probability = 0, template.features
    for nth in range(template.first, template.first + template.slots):
        slot = templates.slots[nth]
        if not stands(templates.texts, slot.start, slot.length, text, at, end):
            return False
        at += slot.length
        what = slot.what
        if what == FEATURE:
            if text[at] == ord("n"):
                if not _is_null(text, at, end):
                    return False
                at += 4
                features[feature] = nan
            else:
                kind, after, number = decimal.read(text, at)
                if kind == decimal.OTHER:
                    return False
                at = after
                features[feature] = number
            feature += 1
        elif what == CATEGORY or what == ANY:
            if text[at] == ord("n"):
                if not _is_null(text, at, end):
                    return False
                at += 4
                features[feature] = nan
            elif what == CATEGORY:
                after = _value_end(text, at, end)
                if after == NONE or row.version == NONE:
                    return False
                found = name_of(templates.names, row.version * MOST_COLUMNS + slot.column, what, text, at, after)
                if found == NONE:
                    return False
                at = after
                features[feature] = found
            else:
                after = _string_end(text, at + 1, end) if text[at] == _QUOTE else NONE
                if after == NONE:
                    return False
                at = after + 1
                features[feature] = -1.0
            feature += 1
        elif what == PROBABILITY:
            kind, after, number = decimal.read(text, at)
            if kind == decimal.OTHER or not 0.0 <= number <= 1.0:
                return False
            at = after
            features[probability] = number
            probability += 1
        elif what == SCORE or what == LATENCY:
            if text[at] == ord("n"):
                if not _is_null(text, at, end):
                    return False
                at += 4
            else:
                kind, after, number = decimal.read(text, at)
                most = 1.0 if what == SCORE else _LARGEST
                if kind == decimal.OTHER or not 0.0 <= number <= most:
                    return False
                at = after
                if what == SCORE:
                    row.score = number
                else:
                    row.latency = number
        elif what == TIME:
            after, row.at = _time(text, at, end)
            if after == NONE:
                return False
            at = after
        elif what == NUMBER:
            kind, after, row.number = decimal.read(text, at)
            most = _LARGEST if kind == decimal.FLOAT else _LARGEST_WHOLE
            if kind == decimal.OTHER or not -most <= row.number <= most:
                return False
            at = after
            row.value = WHOLE if kind == decimal.INTEGER else FLOATING
        elif what == ID:
            after = _string_end(text, at, end)
            if after == NONE:
                return False
            row.id, row.id_length = at, after - at
            at = after
        else:
            after = _value_end(text, at, end)
            if after == NONE:
                return False
            found = name_of(templates.names, owner, what, text, at, after)
            if found == NONE:
                return False
            at = after
            if what == MODEL:
                row.model = found
                fast = templates.fasts[found]
                owner = row.owner = fast.owner
                if template.of_numbers != (fast.task == REGRESSION):
                    return False
            elif what == VERSION:
                row.version = found
            elif what == VALUE:
                row.value = found
            else:
                row.segments = found
    return at + template.length == end and stands(templates.texts, template.start, template.length, text, at, end)


@kernel
def _is_null(text: Bytes, at: int, end: int) -> bool:
    return at + 4 <= end and text[at + 1] == ord("u") and text[at + 2] == ord("l") and text[at + 3] == ord("l")


@kernel
def _string_end(text: Bytes, at: int, end: int) -> int:
    """Return where a string of 1 to 256 ASCII characters ends, behind whose quote `at` is."""
    for place in range(at, min(at + _MOST_ID + 1, end)):
        letter = text[place]
        if letter == _QUOTE:
            return place if place > at else NONE
        if letter == _BACKSLASH or letter < _SPACE or letter > 126:  # noqa: PLR2004 - the last that is printed
            return NONE
    return NONE


@kernel
def _value_end(text: Bytes, at: int, end: int) -> int:
    """Return where a value ends whose text is to be compared with others: if it is none of these, anywhere."""
    first = text[at]
    is_string, depth = first == _QUOTE, first == ord("{")
    quoted = is_string
    for place in range(at + 1, min(at + MOST_TEXT, end)):
        letter = text[place]
        if letter == _BACKSLASH:
            return NONE
        if letter == _QUOTE:
            quoted = not quoted
            if is_string:
                return place + 1
        elif not quoted:
            if depth:
                if letter == ord("}"):
                    return place + 1
            elif letter == ord(",") or letter == ord("}") or letter <= _SPACE:
                return place
    return NONE


@kernel
def _time(text: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return where a time ends and what it is in epoch milliseconds, `NONE` if it is not of the usual form."""
    if text[at] != _QUOTE:
        milliseconds = 0
        place = at
        while place < end and place - at < 15 and ord("0") <= text[place] <= ord("9"):  # noqa: PLR2004 - digits of the last
            milliseconds = 10 * milliseconds + text[place] - ord("0")
            place += 1
        if place == at or milliseconds > _LATEST or (text[at] == ord("0") and place > at + 1):
            return NONE, 0
        return place, milliseconds
    # As 2026-11-23T04:00:00.250Z is written.
    if (
        at + 26 > end
        or text[at + 5] != ord("-")
        or text[at + 8] != ord("-")
        or text[at + 11] != ord("T")
        or text[at + 14] != ord(":")
        or text[at + 17] != ord(":")
        or text[at + 20] != ord(".")
        or text[at + 24] != ord("Z")
        or text[at + 25] != _QUOTE
    ):
        return NONE, 0
    year, month, day = _digits(text, at + 1, 4), _digits(text, at + 6, 2), _digits(text, at + 9, 2)
    hour, minute, second = _digits(text, at + 12, 2), _digits(text, at + 15, 2), _digits(text, at + 18, 2)
    thousandths = _digits(text, at + 21, 3)
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = 31 - (month in (4, 6, 9, 11))
    if month == 2:  # noqa: PLR2004 - February
        days = 28 + is_leap
    in_range = year >= 1970 and 1 <= month <= 12 and 1 <= day <= days  # noqa: PLR2004 - the calendar
    if not in_range or not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and thousandths >= 0):  # noqa: PLR2004
        return NONE, 0
    # Days since 1970-01-01, counted in years that begin in March.
    shifted = year - (month <= 2)  # noqa: PLR2004
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1  # noqa: PLR2004
    since = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468
    return at + 26, ((since * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + thousandths


@kernel
def _digits(text: Bytes, at: int, count: int) -> int:
    """Return a number of so many digits, a negative one if there are others."""
    number = 0
    for place in range(at, at + count):
        if not ord("0") <= text[place] <= ord("9"):
            return -(10**9)
        number = 10 * number + text[place] - ord("0")
    return number
