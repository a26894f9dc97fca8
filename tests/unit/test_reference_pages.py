"""docs/configuration.md, docs/metrics.md and docs/state.md say what the code does."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from driftline.schemas import keys
from driftline.schemas.config import Configuration, FeatureConfig, ModelConfig, RetrainBudget, Silence
from driftline.schemas.river import RiverDetector
from driftline.schemas.section import Section
from driftline.schemas.state import Counts, Incident, ModelState, Overview
from driftline.streams import metrics, settings

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*/state.json"))
CONFIGURATION, METRICS, STATE = (
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("configuration", "metrics", "state")
)


def rows(page: str, heading: str = "") -> list[list[str]]:
    """Return the rows of the tables under a heading (of the whole page without one), their heads left out."""
    section = page.partition(f"\n{heading}\n")[2] if heading else page
    level = heading.partition(" ")[0]
    if level:
        section = re.split(rf"^#{{1,{len(level)}}} ", section, flags=re.MULTILINE)[0]
    found = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    tables = [[cell.strip() for cell in row] for row in found]
    heads = {number - 1 for number, row in enumerate(tables) if set(row[0]) <= {"-"} and row[0]}
    return [row for number, row in enumerate(tables) if number not in heads and number - 1 not in heads]


def code(cell: str) -> list[str]:
    """Return what a cell has in backticks."""
    return re.findall(r"`([^`]+)`", cell)


# -- configuration ----------------------------------------------------------------------------------------------------


ENTRIES: Final[tuple[type[Section], ...]] = (RiverDetector, Silence)


def fields(section: type[Section], at: str = "") -> Iterator[tuple[str, type[Section], str]]:
    """Give the path of every field that is no section, with the section it stands in and its name there."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from fields(field.annotation, f"{at}{name}.")
        elif FeatureConfig in get_args(field.annotation):
            yield from fields(FeatureConfig, f"{at}{name}.<name>.")
        elif entries := [each for each in ENTRIES if each in get_args(field.annotation)]:
            yield from fields(entries[0], f"{at}{name}[].")
        else:
            yield f"{at}{name}", section, name
            if RetrainBudget in get_args(field.annotation):
                yield from fields(RetrainBudget, f"{at}{name}.")


def default_of(section: type[Section], name: str) -> str:
    """Return a default as one would write it in the file."""
    if section.model_fields[name].default is PydanticUndefined:
        return "required"
    blanks: Mapping[type[Section], Mapping[str, Any]] = {
        ModelConfig: {"model_id": "m"},
        RiverDetector: {"name": "X"},
        Silence: {"start": 0, "end": 1},
    }
    blank = blanks.get(section, {})
    default = section(**blank).model_dump(mode="json")[name]
    return re.sub(r'"([a-z_]+|\d+[a-z]+)"', r"\1", json.dumps(default))


@pytest.mark.parametrize(
    ("heading", "section"), [("## The file", Configuration), ("### A model", ModelConfig)], ids=["file", "model"]
)
def test_the_page_lists_each_field_with_its_default(heading: str, section: type[Section]) -> None:
    table = rows(CONFIGURATION, heading)
    if section is Configuration:
        table = table[: len(table) - len(rows(CONFIGURATION, "### A model"))]
    listed = {code(row[0])[0]: row[1].strip("`") for row in table}
    assert listed == {path: default_of(of, name) for path, of, name in fields(section)}


def limits_of(schema: Mapping[str, Any], document: Mapping[str, Any]) -> set[str]:
    """Return the limits and the choices of a field as its JSON Schema has them."""
    if "$ref" in schema:
        schema = document["$defs"][schema["$ref"].rpartition("/")[2]]
    found = {f"{schema[word]:,.12g}" for word in ("minimum", "maximum", "minLength", "maxLength") if word in schema}
    found |= {f"{schema[word]:g}" for word in ("exclusiveMinimum", "exclusiveMaximum") if word in schema}
    found |= {f"{schema[word]:,}" for word in ("minItems", "maxItems") if schema.get(word, 0) > 1}
    found |= {f"`{choice}`" for choice in schema.get("enum", [])}
    found |= {f"`{schema['const']}`"} if "const" in schema else set()
    found |= {"null"} if schema.get("type") == "null" else set()
    found |= {"duration"} if "(ms|s|m|h|d)" in schema.get("pattern", "") else set()
    for part in [*schema.get("anyOf", []), *([schema["items"]] if schema.get("type") == "array" else [])]:
        found |= limits_of(part, document) - {"4,096"} - {"-1e+100", "1e+100"}
    return found


@pytest.mark.parametrize("heading", ["## The file", "### A model"])
def test_the_page_names_every_limit_and_every_choice(heading: str) -> None:
    cells = {code(row[0])[0]: row[2] for row in rows(CONFIGURATION, heading)}
    root = ModelConfig if "model" in heading else Configuration
    for path, section, name in fields(root):
        if path in {"models", "segments"}:
            continue  # what an entry is like is said in words
        document = section.model_json_schema(mode="serialization")
        for limit in limits_of(document["properties"][name], document):
            assert limit in cells[path], (path, limit)


def test_the_page_lists_each_variable_as_the_settings_do() -> None:
    documented = [
        re.split(r"\s{2,}", line) for line in (settings.__doc__ or "").splitlines() if line.startswith("DRIFTLINE_")
    ]
    expected = {variable: rest[0] if len(rest) > 1 else "" for variable, *rest in documented}
    listed = {code(row[0])[0]: row[1].strip("`") for row in rows(CONFIGURATION, "## The environment")}
    assert listed == expected


# -- metrics ----------------------------------------------------------------------------------------------------------


def test_the_page_lists_each_series_with_its_kind_and_labels() -> None:
    registry = metrics.Metrics().registry
    expected = {}
    for series in registry._collector_to_names:  # noqa: SLF001 - a series without samples shows no labels elsewhere
        (family,) = series.describe() if hasattr(series, "describe") else series.collect()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        expected[name] = (family.type, list(series._labelnames))  # type: ignore[attr-defined]  # as above  # noqa: SLF001
    listed = {code(row[0])[0]: (row[1], code(row[2])) for row in rows(METRICS)}
    assert listed == expected


# -- state ------------------------------------------------------------------------------------------------------------


def test_the_page_lists_each_key() -> None:
    listed = [code(row[0])[0] for row in rows(STATE, "## Keys")]
    assert listed == [
        keys.TOPOLOGY,
        keys.state(3),
        keys.overview(3),
        keys.series(3),
        keys.columns(3),
        keys.owner(3),
        keys.snapshots(3),
        keys.before(3),
        keys.position(3),
        keys.join(3),
        keys.outbox(3),
    ]


def names(heading: str) -> list[str]:
    return [name for row in rows(STATE, heading) for name in code(row[0])]


def test_the_page_lists_each_field_of_the_overview() -> None:
    assert names("## The overview") == list(Overview.model_fields)


def test_the_page_lists_each_field_of_the_document() -> None:
    top = STATE.partition("\n## The document\n")[2].partition("\n### ")[0]
    listed = [name for row in rows(top) for name in code(row[0])]
    assert sorted(listed) == sorted(ModelState.model_fields)


@pytest.mark.parametrize(("heading", "model"), [("### `counts`", Counts), ("### `incidents`", Incident)])
def test_the_page_lists_each_field_of_its_parts(heading: str, model: type[BaseModel]) -> None:
    section = STATE.partition(f"\n{heading}\n")[2].partition("\n### ")[0]
    listed = names(heading) or code(section)
    assert sorted(listed) == sorted(model.model_fields)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_the_page_names_whatever_a_replay_has_written(path: Path) -> None:
    for document in json.loads(path.read_text()).values():
        performance = next(row[1] for row in rows(STATE, "### `performance`") if row[0] == document["task"])
        parts = {"window", "per_version", "per_segment"}
        assert set(document["performance"]) - parts <= set(code(performance))
        assert set(document["challenger"] or {}) - {"model", "restarts"} <= set(code(performance))
        for each in document["performance"].get("per_class", {}).values():
            assert set(each) <= set(code(performance))
        for each in document["features"].values():
            assert list(each) == names("### `features`")
        for each in document["detectors"].values():
            assert list(each) == names("### `detectors`")
        quantiles = STATE.partition("\n### Quantiles\n")[2].partition("\n### ")[0]
        assert list(document["label_delay"]) == list(document["serving_latency"]) == code(quantiles)
        reference = STATE.partition("\n### `reference`\n")[2]
        assert set(document["reference"]) <= set(code(reference))
