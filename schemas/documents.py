"""The contract as files: a JSON Schema for each event, and an AsyncAPI document that puts them on their topics.

They are made from the code and never edited; a test holds docs/schema to them.

Source: JSON Schema 2020-12.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema

from driftline.schemas.alerts import Alert, RetrainRequest
from driftline.schemas.asyncapi import asyncapi, dead_letter_headers
from driftline.schemas.batches import LabelBatch, PredictionBatch
from driftline.schemas.config import Configuration
from driftline.schemas.events import SCHEMA_VERSION, Label, Prediction
from driftline.schemas.state import ModelState, Overview

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode
    from pydantic_core.core_schema import ModelSchema

__all__ = ["asyncapi", "json_schemas", "write"]

# Services write predictions and labels, so theirs says what is read; the others say what Driftline writes, which for
# the configuration means durations as text.
_MODELS: Final[dict[str, tuple[type[BaseModel], JsonSchemaMode]]] = {
    "prediction": (Prediction, "validation"),
    "label": (Label, "validation"),
    "prediction-batch": (PredictionBatch, "validation"),
    "label-batch": (LabelBatch, "validation"),
    "alert": (Alert, "serialization"),
    "retrain-request": (RetrainRequest, "serialization"),
    "configuration": (Configuration, "serialization"),
    "model-state": (ModelState, "serialization"),
    "model-overview": (Overview, "serialization"),
}


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, without a title for each field and with the prose of docstrings alone."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def model_schema(self, schema: ModelSchema) -> dict[str, Any]:
        generated = super().model_schema(schema)
        generated["description"] = generated["description"].partition("\n\nExamples\n")[0]
        return generated


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each event and document, by the name of its file without ``.schema.json``.

    Examples
    --------
    >>> json_schemas()["label"]["required"]
    ['model_id', 'prediction_id', 'timestamp', 'label']

    """
    schemas = {
        name: model.model_json_schema(mode=mode, schema_generator=_Generator) for name, (model, mode) in _MODELS.items()
    }
    schemas["dead-letter-headers"] = {"title": "DeadLetter headers", **dead_letter_headers()}
    return {
        name: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:driftline:schema:{name}:{SCHEMA_VERSION}",
            **schema,
        }
        for name, schema in schemas.items()
    }


def write(folder: Path) -> list[Path]:
    """Write every document into `folder`, which is made if need be, and return the files, sorted.

    What is written is the same, byte for byte, however often and wherever.
    """
    documents = {f"{name}.schema.json": schema for name, schema in json_schemas().items()}
    documents["asyncapi.json"] = asyncapi()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, document in sorted(documents.items()):
        path = folder / name
        path.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written
