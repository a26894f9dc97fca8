"""The configuration file: YAML 1.2, one sentence for each mistake."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from driftline.schemas.alerts import Kind
from driftline.schemas.config import Configuration
from driftline.schemas.errors import ConfigurationError
from driftline.streams.configuration import read_configuration


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "driftline.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigurationError) as raised:
        read_configuration(write(folder, text))
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(str(folder / "driftline.yaml"))
    return message.removeprefix(str(folder / "driftline.yaml"))


def test_the_design_s_example_is_read(tmp_path: Path) -> None:
    configuration = read_configuration(
        write(
            tmp_path,
            """
            models:
              - model_id: fraud
                task: binary
                positive_label: 1
                reference: {events: 1e4}
                features: {amount: {kind: numeric, min: 0}, country: {kind: categorical}}
                segments: [region]
                retrain: {on: [concept_drift], min_labels: 500, cooldown: 6h}
                label_timeout: 2d
            """,
        )
    )
    model = configuration.of("fraud")
    assert (model.positive_label, model.reference.events, model.label_timeout) == (1, 10_000, 2 * 86_400_000)
    assert model.retrain.on == (Kind.CONCEPT_DRIFT,)  # YAML 1.1 would have read the key `on` as true


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "models: []"])
def test_an_empty_file_is_the_default(tmp_path: Path, text: str) -> None:
    assert read_configuration(write(tmp_path, text)) == Configuration()


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("[yes, no]", ("yes", "no")),
        ("[007, 7]", ("007", 7)),
        ("[2026-11-23, 1:30]", ("2026-11-23", "1:30")),
        ("[true, False]", (True, False)),
        ("[-3, 1.5]", (-3, 1.5)),
        ("['2', 3]", ("2", 3)),
        ("[0x10, 1_000]", ("0x10", "1_000")),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, classes: tuple[object, ...]) -> None:
    path = write(tmp_path, f"models: [{{model_id: m, classes: {text}}}]")
    read = read_configuration(path).of("m").classes
    assert read == classes
    assert [type(value) for value in read or ()] == [type(value) for value in classes]


def test_anchors_and_merges_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "models: [&a {model_id: a, window: 500}, {<<: *a, model_id: b}]")
    assert [(m.model_id, m.window) for m in read_configuration(path).models] == [("a", 500), ("b", 500)]


def test_pyyaml_s_own_loader_stays_as_it_was() -> None:
    assert yaml.safe_load("on: 2026-11-23").keys() == {True}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml cannot be read: No such file"):
        read_configuration(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_configuration(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: [", ", line 1, column 10: expected the node content"),
        ("models:\n\t- model_id: m", ", line 2, column 1: found character '\\t'"),
        ("models:\n  - model_id: a\n    model_id: b", ", line 3, column 5: 'model_id' stands twice"),
        ("models: []\nmodels: []", ", line 2, column 1: 'models' stands twice"),
        ("? [a]\n: 1", ", line 1, column 3: found unhashable key"),
        ("models: []\n---\nmodels: []", ", line 2, column 1: but found another document"),
        ("models: !!python/object:os.system []", ", line 1, column 9: could not determine a constructor"),
        ("max_models: !!int many", ", line 1, column 13: 'many' is no int"),
        ("max_models: *n", ", line 1, column 13: found undefined alias 'n'"),
        (b"models: \xff", " is not YAML: unacceptable character #x00ff: invalid start byte"),
        ("models: \x01", " is not YAML: unacceptable character"),
        ("[" * 20_000, " is nested too deep"),
        ("- model_id: m", " must be a mapping with any of models, bad_records, max_models, not a list"),
        ("fraud", " must be a mapping with any of models, bad_records, max_models, not a text"),
        ("3", " must be a mapping with any of models, bad_records, max_models, not a number"),
        ("false", " must be a mapping with any of models, bad_records, max_models, not a boolean"),
        ("model: []", ": model: unknown field"),
        ("models: [{model_id: m, label_timeout: soon}]", ": models.0.label_timeout: must be a duration"),
        ("max_models: .nan", ": max_models: "),
        ("models: &a [*a]", ": models.0"),
    ],
)
def test_each_mistake_is_one_sentence(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert refusal(tmp_path, text).startswith(said)


@given(text=st.one_of(st.binary(max_size=200), st.text("{}[]:,-&*!|>'\"#%@ \n\tabc019.~<", max_size=60)))
def test_whatever_the_file_holds_there_is_no_other_error(
    text: str | bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(tmp_path_factory.getbasetemp(), text)
    with contextlib.suppress(ConfigurationError):
        assert isinstance(read_configuration(path), Configuration)
