"""The configuration: defaults, what it refuses, and what it says then."""

import math
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from driftline.schemas.alerts import Kind
from driftline.schemas.config import Configuration, ModelConfig, Task, parse_configuration
from driftline.schemas.durations import format_duration, parse_duration
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.river import Challenger, ChallengerConfig


def refusal(document: object) -> str:
    with pytest.raises(ConfigurationError) as raised:
        parse_configuration(document)
    return str(raised.value)


def model(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - what YAML may hold
    return {"models": [{"model_id": "m", **fields}]}


@pytest.mark.parametrize("document", [None, {}, {"models": []}])
def test_nothing_is_the_default(document: object) -> None:
    assert parse_configuration(document) == Configuration()


def test_a_model_that_is_not_configured_has_the_defaults() -> None:
    unknown = parse_configuration(model(window=500)).of("unknown")
    assert unknown == ModelConfig(model_id="unknown")
    assert (unknown.task, unknown.challenger, unknown.label_timeout) == (None, ChallengerConfig(), 604_800_000)
    assert unknown.challenger.estimator is Challenger.AUTO
    assert unknown.retrain.on == (Kind.CONCEPT_DRIFT, Kind.PERFORMANCE)


def test_every_default_is_a_value_that_would_be_accepted() -> None:
    configuration = Configuration(models=(ModelConfig(model_id="m"),))
    assert parse_configuration(configuration.model_dump(mode="json")) == configuration


def test_the_whole_of_it() -> None:
    document = {
        "models": [
            {
                "model_id": "fraud",
                "task": "binary",
                "positive_label": "yes",
                "classes": ["no", "yes"],
                "reference": {"events": 1000},
                "features": {"amount": {"kind": "numeric", "min": 0, "max": 1e6}, "country": {"kind": "categorical"}},
                "segments": ["region", "channel"],
                "detectors": {"numeric": ["e_sr"], "score": []},
                "alerts": {
                    "events_between_false_alarms": 5000,
                    "min_effect": {"psi": "2e-1"},
                    "cooldown": "90m",
                    "resolve_after": 10,
                },
                "retrain": {"on": ["data_drift"], "min_labels": 0, "cooldown": "0s"},
                "challenger": "logistic_regression",
                "window": 500,
                "label_timeout": "36500d",
                "max_pending": 1,
            }
        ],
        "bad_records": {"alert_share": 0, "stop_share": 1},
        "max_models": 1,
    }
    fraud = parse_configuration(document).of("fraud")
    assert (fraud.task, fraud.positive_label, fraud.classes) == (Task.BINARY, "yes", ("no", "yes"))
    assert (fraud.detectors.numeric, fraud.detectors.score, fraud.detectors.error) == (("e_sr",), (), ("e_sr",))
    assert fraud.alerts.events_between_false_alarms == 5000
    effects = fraud.alerts.min_effect
    assert effects.psi == 0.2  # many readers of YAML take 2e-1 for text
    assert (effects.prediction_psi, effects.label_psi) == (0.2, 0.2)
    assert (fraud.alerts.cooldown, fraud.retrain.cooldown) == (5_400_000, 0)


def test_predictions_and_labels_may_have_gates_of_their_own() -> None:
    gates = {"prediction_psi": 0.05, "label_psi": 0.3}
    fraud = parse_configuration({"models": [{"model_id": "fraud", "alerts": {"min_effect": gates}}]}).of("fraud")
    effects = fraud.alerts.min_effect
    assert (effects.psi, effects.prediction_psi, effects.label_psi) == (0.1, 0.05, 0.3)
    wrong = {"models": [{"model_id": "fraud", "alerts": {"min_effect": {"psi": -1}}}]}
    with pytest.raises(ConfigurationError) as refused:
        parse_configuration(wrong)
    assert str(refused.value).count("must be") == 1  # nothing is said of what nobody wrote


A_CLASS: Final = "must be a class of River such as KSWIN or tree.HoeffdingTreeClassifier"
AN_ESTIMATOR: Final = (
    "must be auto, logistic_regression, linear_regression, none, or a class of River such as "
    "tree.HoeffdingTreeClassifier"
)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "configuration: must be a mapping"),
        ({"models": {}}, "models: must be a list"),
        ({"models": [3]}, "models.0: must be a mapping"),
        ({"models": [{}]}, "models.0.model_id: is missing"),
        ({"max_models": 0}, "max_models: must be greater than or equal to 1"),
        ({"max_models": math.inf}, "max_models: must be a finite number"),
        ({"models": [{"model_id": "a"}, {"model_id": "a"}]}, "configuration: models: 'a' is configured twice"),
        ({"modells": []}, "modells: unknown field; did you mean models?"),
        ({"x": 1}, "x: unknown field; those that this version has are models, bad_records, max_models"),
        ({"<": None}, "<: unknown field; those that this version has are models, bad_records, max_models"),
        (model(label_timout="7d"), "models.0.label_timout: unknown field; did you mean label_timeout?"),
        (
            model(alerts={"min_effect": {"psy": 1}}),
            "models.0.alerts.min_effect.psy: unknown field; did you mean psi?",
        ),
        (model(features={"min": {"knd": 1}}), "models.0.features.min.knd: unknown field; did you mean kind?"),
        (model(features={"amount": 3}), "models.0.features.amount: must be a mapping"),
        (model(features=[]), "models.0.features: must be a mapping"),
        (model(features={"f": {"min": 2, "max": 1}}), "models.0.features.f: min must not exceed max"),
        (
            model(features={"f": {"kind": "categorical", "min": 2}}),
            "models.0.features.f: min and max are for numeric features",
        ),
        (model(features={"f": {"min": math.nan}}), "models.0.features.f.min: must be a finite number"),
        (model(task="binery"), "models.0.task: must be 'binary', 'multiclass' or 'regression'"),
        (model(segments=["a", "b", "a"]), "models.0.segments: has a twice"),
        (model(detectors={"error": ["e_sr", "e_sr"]}), "models.0.detectors.error: has e_sr twice"),
        (model(detectors={"error": ["ddm"]}), "models.0.detectors.error.0: must be 'e_sr'"),
        (model(classes=[1]), "models.0.classes: must have at least 2 items, not 1"),
        (
            model(classes=[1, True]),
            "models.0: classes: 1 and True are spellings of one class; keep one of them",
        ),
        (model(classes=[1, 1]), "models.0: classes: 1 and 1 are spellings of one class; keep one of them"),
        (
            model(classes=["0", "1", 1.0]),
            "models.0: classes: '1' and 1.0 are spellings of one class; keep one of them",
        ),
        (model(classes=["a", "b", None]), "models.0.classes.2: must be a string, a number or a boolean"),
        (model(classes=["a", "b"], positive_label="c"), "models.0: positive_label: 'c' is not among the classes"),
        (model(classes=["a", "b", "c"], task="binary"), "models.0: a binary model has two classes, not 3"),
        (model(classes=["a", "b", "c"], positive_label="c"), "models.0: a binary model has two classes, not 3"),
        (model(classes=["a", "b"], task="regression"), "models.0: classes are for task: binary or multiclass"),
        (model(positive_label=1, task="regression"), "models.0: positive_label is for task: binary"),
        (
            model(challenger="linear_regression", task="binary"),
            "models.0: challenger: linear_regression does not fit task: binary",
        ),
        (
            model(challenger="fancy"),
            f"models.0.challenger.estimator: {AN_ESTIMATOR}",
        ),
        (model(challenger=3), "models.0.challenger: must be a mapping"),
        (
            model(challenger={"estimater": "auto"}),
            "models.0.challenger.estimater: unknown field; did you mean estimator?",
        ),
        (model(challenger={"sampling_rate": 0}), "models.0.challenger.sampling_rate: must be greater than 0"),
        (
            model(challenger={"sampling_rate": 1.5}),
            "models.0.challenger.sampling_rate: must be less than or equal to 1",
        ),
        (
            model(challenger={"parameters": {"l2": 1}}),
            "models.0.challenger: parameters are for a class of River, and auto takes none",
        ),
        (
            model(challenger={"estimator": "none", "features": ["x"]}),
            "models.0.challenger: features are for a class of River, and none takes none",
        ),
        (
            model(challenger={"estimator": ["a.B", "a.C"], "parameters": {"l2": 1}}),
            "models.0.challenger: parameters of a list of steps are given to its steps",
        ),
        (model(challenger=[]), "models.0.challenger.estimator: must have at least 1 item, not 0"),
        (model(challenger=[{"name": "a b"}]), f"models.0.challenger.estimator.0.name: {A_CLASS}"),
        (model(challenger={"estimator": "os.system('x')"}), f"models.0.challenger.estimator: {AN_ESTIMATOR}"),
        (
            model(challenger={"estimator": "a.B", "parameters": {"l2": math.inf}}),
            "models.0.challenger.parameters.l2.float: must be a finite number",
        ),
        (model(detectors={"river": ["KSWIN"]}), "models.0.detectors.river.0: must be a mapping"),
        (model(detectors={"river": [{"name": "__import__('os')"}]}), f"models.0.detectors.river.0.name: {A_CLASS}"),
        (
            model(detectors={"river": [{"name": "KSWIN", "on": ["eror"]}]}),
            "models.0.detectors.river.0.on.0: must be 'numeric', 'score', 'error' or 'residual'",
        ),
        (
            model(detectors={"river": [{"name": "KSWIN", "on": []}]}),
            "models.0.detectors.river.0.on: must have at least 1 item, not 0",
        ),
        (
            model(detectors={"river": [{"name": "KSWIN", "params": {}}]}),
            "models.0.detectors.river.0.params: unknown field; did you mean parameters?",
        ),
        (
            model(detectors={"river": [{"name": "KSWIN"}, {"name": "KSWIN", "on": ["score", "error"]}]}),
            "models.0.detectors: river: KSWIN is on error twice",
        ),
        (model(label_timeout=7), "models.0.label_timeout: must be a duration such as 90s, 15m, 6h or 7d"),
        (model(label_timeout="0s"), "models.0.label_timeout: must be longer than 0s"),
        (model(label_timeout="36501d"), "models.0.label_timeout: must be at most 36500d"),
        (
            model(alerts={"cooldown": "1 hour"}),
            "models.0.alerts.cooldown: must be a duration such as 90s, 15m, 6h or 7d",
        ),
    ],
)
def test_each_mistake_is_said_where_it_is_and_with_what_to_write(document: object, said: str) -> None:
    assert refusal(document) == said


def test_several_mistakes_are_several_lines() -> None:
    assert refusal({"model": [], "max_models": 0}).splitlines() == [
        "max_models: must be greater than or equal to 1",
        "model: unknown field; did you mean models?",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"classes": [0, 1], "positive_label": True},
        {"classes": ["no", "yes"], "positive_label": "yes", "task": "binary"},
        {"classes": ["a", "b", "c"]},
        {"classes": ["007", 7]},
        {"challenger": "linear_regression"},
        {"challenger": "none", "task": "multiclass"},
    ],
)
def test_what_fits_is_accepted(fields: dict[str, Any]) -> None:
    parse_configuration(model(**fields))


def test_ten_thousand_models_are_soon_read() -> None:
    configuration = parse_configuration({"models": [{"model_id": str(i)} for i in range(10_000)]})
    assert configuration.of("9999").model_id == "9999"


@example(document={"<": None})  # as pydantic names the forms that a value may have
@example(document={"": None})
@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["7d", "e_sr"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["models", "model_id", "classes", "features", "alerts", "detectors", "error", "min"])
                | st.text(max_size=3)
                | st.integers(),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_whatever_yaml_holds_there_is_no_other_error(document: object) -> None:
    try:
        read = parse_configuration(document)
    except ConfigurationError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(read, Configuration)


@given(milliseconds=st.integers(0, 36_500 * 86_400_000))
def test_a_duration_is_read_as_it_was_written(milliseconds: int) -> None:
    text = format_duration(milliseconds)
    if len(text.rstrip("mshd")) <= 9:  # at most nine digits are read
        assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "7", "d", "7D", "-1d", "1.5h", "7d ", "7 d", "1h30m", "\u0667d", "1234567890ms", 90, None]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(text)


def test_a_challenger_may_be_a_name_a_list_or_a_mapping() -> None:
    step = {"name": "linear_model.PAClassifier", "parameters": {"C": 0.01}}
    forms: list[Any] = [
        "tree.HoeffdingTreeClassifier",
        ["preprocessing.StandardScaler", step],
        {"estimator": "tree.HoeffdingTreeClassifier", "parameters": {"grace_period": 50}, "sampling_rate": "1e-1"},
        {"estimator": ["preprocessing.StandardScaler", step]},
        {"estimator": "auto", "sampling_rate": 0.5},
    ]
    configured = [parse_configuration(model(challenger=form)).of("m").challenger for form in forms]
    names = [[each.name for each in challenger.steps] for challenger in configured]
    assert names == [
        ["tree.HoeffdingTreeClassifier"],
        ["preprocessing.StandardScaler", "linear_model.PAClassifier"],
        ["tree.HoeffdingTreeClassifier"],
        ["preprocessing.StandardScaler", "linear_model.PAClassifier"],
        [],
    ]
    assert configured[1] == configured[3]
    assert configured[2].steps[0].parameters == {"grace_period": 50}
    assert [challenger.sampling_rate for challenger in configured] == [1.0, 1.0, 0.1, 1.0, 0.5]
    for challenger in configured:
        again = parse_configuration(model(challenger=challenger.model_dump(mode="json"))).of("m").challenger
        assert again == challenger
