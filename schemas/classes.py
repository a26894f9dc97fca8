"""Which values of a label mean the same class.

Producers spell one class in many ways: 1, True, 1.0, "1", "true" and "True" reach us as JSON numbers, booleans and
strings. Compared as they are they would silently become classes of their own, with F1 = 0 for it.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from driftline.schemas.fields import Scalar

_INTEGER: Final = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_BOOLEANS: Final = {"true": "1", "false": "0"}


def class_token(value: Scalar) -> str:
    """Return the one spelling of a class that all its spellings share.

    A boolean is 1 or 0, and so are the strings "true" and "false" in any case. A number without a fraction is a decimal
    integer. A string that JSON would read as a number is that number; "007", "+1" and " 1" are not, and stay.

    Examples
    --------
    >>> [class_token(value) for value in (1, True, 1.0, "1", "1.0", "TRUE", "007", 0.50, "0.5", "yes")]
    ['1', '1', '1', '1', '1', '1', '007', '0.5', '0.5', 'yes']

    """
    if isinstance(value, str):
        return _token_of_text(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(int(value))


def _token_of_text(text: str) -> str:
    if _INTEGER.fullmatch(text):  # as it is: int() refuses more than 4300 digits
        return "0" if text == "-0" else text
    if _DECIMAL.fullmatch(text):
        number = float(text)
        return class_token(number) if math.isfinite(number) else text
    return _BOOLEANS.get(text.lower(), text)
