"""docs/contract.md, the page for people, says what the code does."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from driftline.schemas import topics
from driftline.schemas.alerts import Alert, RetrainRequest, cloudevent_headers
from driftline.schemas.batches import ARROW, MAX_ARROW_BYTES, MAX_ROWS, LabelBatch, PredictionBatch, decode_batch
from driftline.schemas.dead_letter import HEADERS, ROW
from driftline.schemas.decoding import MAX_BYTES, decode
from driftline.schemas.documents import json_schemas
from driftline.schemas.errors import Reason
from driftline.schemas.events import Label, Prediction, encode
from driftline.schemas.partitioner import PARTITIONER
from tests.examples import alert

PAGE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```json ([a-z-]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


BATCHES: dict[str, type[PredictionBatch | LabelBatch]] = {
    "prediction-batch": PredictionBatch,
    "label-batch": LabelBatch,
}


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[f"{name} {i}" for i, (name, _) in enumerate(EXAMPLES)])
def test_each_example_of_the_page_is_an_event(name: str, text: str) -> None:
    kinds: dict[str, type[BaseModel]] = {"alert": Alert, "retrain-request": RetrainRequest}
    if name in kinds:
        event: BaseModel = kinds[name].model_validate_json(text)
        assert json.loads(encode(event)) == json.loads(text)
    elif name in BATCHES:
        event = decode_batch(text.encode(), BATCHES[name])
    else:
        event = decode(text.encode(), Prediction if name == "prediction" else Label)
    Draft202012Validator(json_schemas()[name]).validate(json.loads(text))


def test_the_page_has_an_example_of_each_event() -> None:
    assert {name for name, _ in EXAMPLES} == {"prediction", "label", "alert", "retrain-request", *BATCHES}


@pytest.mark.parametrize("kind", [Prediction, Label, PredictionBatch, LabelBatch, Alert, RetrainRequest])
def test_the_page_lists_the_fields_of_each_event_and_no_others(kind: type[BaseModel]) -> None:
    section = re.search(
        rf"^## {kind.__name__}\n(.*?)(?=^##+ |^Alerts and retrain|^\*\*As Arrow|\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    assert section is not None
    listed = [
        name for row in re.findall(r"^\| (`.*?`) \|", section[1], re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert listed == list(kind.model_fields)


def test_the_page_lists_each_reason_once() -> None:
    table = PAGE.partition("### Reasons")[2]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(Reason)


def test_the_page_lists_topics_headers_and_the_partitioner() -> None:
    cloudevent = [name for name, _ in cloudevent_headers(alert())]
    for word in (*topics.INPUTS, *topics.OUTPUTS, *HEADERS, ROW, PARTITIONER, ARROW, *cloudevent):
        assert f"`{word}`" in PAGE or f"={word}`" in PAGE, word
    for limit in (MAX_BYTES, MAX_ARROW_BYTES, MAX_ROWS):
        assert f"{limit:,}" in PAGE
