"""Every error that Driftline raises on purpose, and the closed list of reasons for which a record is refused.

::

    DriftlineError
    ├── DecodeError           one record cannot be used: it becomes a dead letter
    ├── ConfigurationError    the YAML file or the environment is wrong: exit code 2
    ├── TopologyError         topics, partitions and partitioner disagree: exit code 1
    ├── SnapshotError         a stored snapshot is damaged or of another version: exit code 1
    ├── UnavailableError      Kafka or Redis does not answer: exit code 1
    │   └── UndeliveredError  records were given up, and must be sent again
    ├── FencedError           another worker has become the owner of a partition: it is dropped, and work goes on
    ├── ReplayError           a file, or records of Kafka, cannot be read (driftline.streams.replay_files): exit code 1
    └── TooManyBadRecordsError  bad_records.stop_share is reached (driftline.streams.lane): exit code 1
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why a record was refused: the header ``dl.reason`` and the label of ``driftline_bad_records_total``."""

    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_KEY = "duplicate_key"
    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    WRONG_TYPE = "wrong_type"
    NON_FINITE = "non_finite"
    OUT_OF_RANGE = "out_of_range"
    INVALID_TIMESTAMP = "invalid_timestamp"
    NAIVE_TIMESTAMP = "naive_timestamp"
    FUTURE_TIMESTAMP = "future_timestamp"
    EMPTY_NAME = "empty_name"
    NAME_TOO_LONG = "name_too_long"
    STRING_TOO_LONG = "string_too_long"
    TOO_MANY_FEATURES = "too_many_features"
    TOO_MANY_ENTRIES = "too_many_entries"
    TOO_MANY_ROWS = "too_many_rows"
    UNEQUAL_COLUMNS = "unequal_columns"
    INVALID_ARROW = "invalid_arrow"
    WRONG_PARTITION = "wrong_partition"
    TOO_MANY_MODELS = "too_many_models"


_WORDS: Final = (
    ("Input should be a valid dictionary", "must be an object"),
    ("Input should be a valid integer", "must be an integer"),
    ("Input should be a valid tuple", "must be a list"),
    ("Input should be a valid ", "must be a "),
    ("Input should be ", "must be "),
    ("String should ", "must "),
    ("Tuple should ", "must "),
    ("Dictionary should ", "must "),
    (" after validation", ""),
    (", unable to parse string as a number", ""),
    (", unable to parse string as an integer", ""),
    ("Field required", "is missing"),
    ("Value error, ", ""),
)


class DriftlineError(Exception):
    """The root of all errors below."""


class DecodeError(DriftlineError):
    """A record that cannot be used.

    Parameters
    ----------
    reason
        One of the closed list.
    detail
        A sentence for people; it names fields, never values.

    Examples
    --------
    >>> str(DecodeError(Reason.MISSING_FIELD, "label: is missing"))
    'missing_field: label: is missing'

    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def reworded(message: str) -> str:
    """Return one of pydantic's sentences so that it goes on after the name of a field.

    Examples
    --------
    >>> reworded("Input should be a valid number"), reworded("Field required")
    ('must be a number', 'is missing')

    """
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours)
    return message


class ConfigurationError(DriftlineError):
    """The configuration cannot be used; the message says where and what to write instead."""


class TopologyError(DriftlineError):
    """Topics are missing, differ in partition count, or are filled with another partitioner."""


class SnapshotError(DriftlineError):
    """A stored snapshot is damaged, or was written by a version that this one cannot read."""


class UnavailableError(DriftlineError):
    """Kafka or Redis does not answer, or refuses what was asked."""


class UndeliveredError(UnavailableError):
    """Records that had been handed over to be sent were given up."""


class FencedError(DriftlineError):
    """A partition has another owner than the one that writes, and nothing was written."""
