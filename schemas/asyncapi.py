"""The topics, their messages and their headers as an AsyncAPI document, from Driftline's point of view.

Sources: AsyncAPI 3.0.0 with the Kafka bindings 0.5.0; CloudEvents 1.0, Kafka protocol binding, binary content mode.
"""

from __future__ import annotations

from typing import Any, Final

from driftline.schemas import topics
from driftline.schemas.alerts import CLOUDEVENT_SOURCE, AlertState
from driftline.schemas.batches import ARROW, CONTENT_TYPE, MAX_ROWS
from driftline.schemas.dead_letter import HEADERS, ROW
from driftline.schemas.errors import Reason
from driftline.schemas.events import SCHEMA_VERSION
from driftline.schemas.fields import MAX_NAME

Document = dict[str, Any]

_BINDING: Final = "0.5.0"
_MODEL_KEY: Final = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "description": "The model_id, in UTF-8."}
_INCIDENT_KEY: Final = {"type": "string", "description": "The incident_id, in UTF-8."}
_PARTITION_KEY: Final = {"type": "string", "description": "The partition of the input topics, in decimal digits."}
_PREDICTION_COLUMNS: Final = (
    "The metadata of its schema are model_id and model_version; its columns prediction_id, timestamp, prediction, and, "
    "where there are any, score, latency_ms, and `probabilities.`, `features.` and `segments.` followed by a name."
)
_LABEL_COLUMNS: Final = (
    "The metadata of its schema is model_id; its columns prediction_id, timestamp, label and, where there is any, "
    "weight."
)
_PLACEMENT: Final = (
    "Both input topics have the same number of partitions, and a model's records stand in partition "
    "(murmur2(model_id) & 0x7fffffff) mod partitions: set librdkafka's partitioner to murmur2_random, Java's default."
)


def asyncapi() -> Document:
    """Return the AsyncAPI document; its payloads refer to the files of `documents.json_schemas` beside it.

    Examples
    --------
    >>> asyncapi()["channels"]["alerts"]["address"]
    'driftline.alerts'

    """
    return {
        "asyncapi": "3.0.0",
        "id": "urn:driftline",
        "info": {
            "title": "Driftline",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": "Watches machine-learning models while they serve.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "predictions": _channel(
                topics.PREDICTIONS,
                f"Predictions as they were served, one in a record or many. {_PLACEMENT}",
                "prediction",
                *_batches_of("prediction"),
            ),
            "labels": _channel(
                topics.LABELS,
                f"The truth about predictions, one in a record or many. {_PLACEMENT}",
                "label",
                *_batches_of("label"),
            ),
            "alerts": _channel(topics.ALERTS, "Every transition of every incident.", "alert"),
            "incidents": _channel(
                topics.INCIDENTS, "The last alert of each open incident; a tombstone of one that is over.", "alert"
            ),
            "retrain": _channel(topics.RETRAIN, "Requests to train a new version.", "retrain-request"),
            "journal": _channel(topics.JOURNAL, "What a run depended on beside its records.", "journal-entry"),
            "dead-letter": _channel(
                topics.DEAD_LETTER, "Records that were refused, as they came, and rows of batches.", "dead-letter"
            ),
        },
        "operations": {
            "receivePredictions": _operation("receive", "predictions", "prediction", *_batches_of("prediction")),
            "receiveLabels": _operation("receive", "labels", "label", *_batches_of("label")),
            "sendAlerts": _operation("send", "alerts", "alert"),
            "sendIncidents": _operation("send", "incidents", "alert"),
            "sendRetrainRequests": _operation("send", "retrain", "retrain-request"),
            "sendJournal": _operation("send", "journal", "journal-entry"),
            "sendDeadLetters": _operation("send", "dead-letter", "dead-letter"),
        },
        "components": {
            "messages": {
                "prediction": _message("Prediction", "prediction", key=_MODEL_KEY),
                "label": _message("Label", "label", key=_MODEL_KEY),
                "prediction-batch": _message("PredictionBatch", "prediction-batch", key=_MODEL_KEY),
                "prediction-batch-arrow": _arrow_message("PredictionBatch", _PREDICTION_COLUMNS),
                "label-batch": _message("LabelBatch", "label-batch", key=_MODEL_KEY),
                "label-batch-arrow": _arrow_message("LabelBatch", _LABEL_COLUMNS),
                "alert": _message(
                    "Alert",
                    "alert",
                    key=_INCIDENT_KEY,
                    headers=_cloudevent_headers([f"alert.{state}" for state in AlertState]),
                ),
                "retrain-request": _message(
                    "RetrainRequest", "retrain-request", key=_MODEL_KEY, headers=_cloudevent_headers(["retrain"])
                ),
                "journal-entry": {
                    "name": "JournalEntry",
                    "title": "JournalEntry",
                    "contentType": "application/json",
                    "payload": {
                        "type": "object",
                        "description": "For `driftline replay --journal` of the same version; others have no promise.",
                    },
                    "bindings": {"kafka": {"key": _PARTITION_KEY, "bindingVersion": _BINDING}},
                },
                "dead-letter": {
                    "name": "DeadLetter",
                    "title": "DeadLetter",
                    "contentType": "application/octet-stream",
                    "headers": {"$ref": "dead-letter-headers.schema.json"},
                    "payload": {
                        "description": "The value of the refused record, byte for byte; its key is the key. Of a batch "
                        "of which one row was refused, that row as a Prediction or a Label, JSON."
                    },
                    "bindings": {"kafka": {"bindingVersion": _BINDING}},
                },
            },
        },
    }


def dead_letter_headers() -> Document:
    """Return the JSON Schema of the headers of a dead letter, read as text; the record's own come before them."""
    number = {"type": "string", "pattern": "^-?[0-9]+$"}
    described = {
        "dl.error": {"type": "string", "description": "A sentence for people."},
        "dl.reason": {"enum": sorted(Reason), "description": "One of the closed list."},
        "dl.topic": {"type": "string", "description": "Where the record stood."},
        "dl.partition": number,
        "dl.offset": number,
        "dl.timestamp": {**number, "description": "The broker's time, in epoch milliseconds."},
        ROW: {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "Which row of a batch it is, from 0; not there if it is a whole record.",
        },
    }
    return {"type": "object", "required": list(HEADERS), "properties": described}


def _channel(address: str, description: str, *messages: str) -> Document:
    return {
        "address": address,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in messages},
        "bindings": {"kafka": {"topic": address, "bindingVersion": _BINDING}},
    }


def _operation(action: str, channel: str, *messages: str) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"} for message in messages],
    }


def _batches_of(event: str) -> tuple[str, str]:
    return f"{event}-batch", f"{event}-batch-arrow"


def _arrow_message(name: str, columns: str) -> Document:
    return {
        "name": name,
        "title": f"{name} as an Arrow table",
        "contentType": ARROW,
        "headers": {
            "type": "object",
            "required": [CONTENT_TYPE],
            "properties": {CONTENT_TYPE: {"const": ARROW}},
        },
        "payload": {
            "description": f"An Arrow IPC stream, not compressed inside, of 1 to {MAX_ROWS} rows. {columns} Null is a "
            "field that is absent in that row."
        },
        "bindings": {"kafka": {"key": _MODEL_KEY, "bindingVersion": _BINDING}},
    }


def _message(name: str, schema: str, *, key: Document, headers: Document | None = None) -> Document:
    return {
        "name": name,
        "title": name,
        "contentType": "application/json",
        "payload": {"$ref": f"{schema}.schema.json"},
        "bindings": {"kafka": {"key": key, "bindingVersion": _BINDING}},
        **({} if headers is None else {"headers": headers}),
    }


def _cloudevent_headers(kinds: list[str]) -> Document:
    properties = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "minLength": 1, "description": "The same whenever the same records are read."},
        "ce_source": {"const": CLOUDEVENT_SOURCE},
        "ce_type": {"enum": [f"driftline.{kind}.v{SCHEMA_VERSION}" for kind in kinds]},
        "ce_time": {"type": "string", "format": "date-time", "description": "Event time at which it was decided."},
        "content-type": {"const": "application/json"},
    }
    return {"type": "object", "required": list(properties), "properties": properties}
