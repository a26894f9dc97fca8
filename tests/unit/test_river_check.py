"""What `driftline check` says of names and parameters from River."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.library import catalogue
from driftline.models.library.check import check_library
from driftline.models.library.portrait import UnknownPartError, rebuild
from driftline.schemas.config import parse_configuration
from driftline.schemas.errors import ConfigurationError
from driftline.streams.configuration import read_configuration
from tests.rivers import estimators

if TYPE_CHECKING:
    from driftline.schemas.config import Task
    from driftline.schemas.river import ChallengerConfig


def model(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - what YAML may hold
    return {"models": [{"model_id": "m", **fields}]}


def detector(name: str, task: str | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    return model(task=task, detectors={"river": [{"name": name, **fields}]})


def challenger(estimator: object, task: str | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    return model(task=task, challenger={"estimator": estimator, **fields})


def mistakes_of(document: dict[str, Any]) -> list[str]:
    try:
        check_library(parse_configuration(document))
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


AT: Final = "models.0.detectors.river.0"
OF: Final = "models.0.challenger"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (detector("KSWING"), [f"{AT}.name: river.drift has no detector 'KSWING'; did you mean KSWIN?"]),
        (detector("HDDM_A"), [f"{AT}.name: river.drift has no detector 'HDDM_A'; did you mean HDDMA?"]),
        (
            detector("DriftRetrainingClassifier"),
            [
                (
                    f"{AT}.name: river.drift has no detector 'DriftRetrainingClassifier'; there are ADWIN, DDM, "
                    "DummyDriftDetector, EDDM, FHDDM, HDDMA, HDDMW, KSWIN, NoDrift, PageHinkley"
                )
            ],
        ),
        (
            detector("KSWIN", parameters={"alpha": "high", "windowsize": 3}),
            [
                f"{AT}.parameters.alpha: must be a number",
                f"{AT}.parameters.windowsize: KSWIN has no such parameter; did you mean window_size?",
            ],
        ),
        (
            detector("KSWIN", parameters={"alpha": 2}),
            [f"{AT}.parameters: KSWIN refuses them: Alpha must be between 0 and 1."],
        ),
        (detector("ADWIN", parameters={"delta": "x"}), [f"{AT}.parameters.delta: must be a number"]),
        (detector("NoDrift", parameters={"x": 1}), [f"{AT}.parameters.x: NoDrift has no such parameter; it has none"]),
        (
            detector("DDM", on=["error", "numeric"]),
            [f"{AT}.on: DDM takes zeros and ones, which numeric is not: only error is"],
        ),
        (
            detector("DDM", "regression"),
            [f"{AT}.name: DDM takes zeros and ones, and errors of a regression are numbers"],
        ),
        (
            challenger("tree.HoeffdingTreeClasifier"),
            [
                (
                    f"{OF}.estimator: River has no class 'tree.HoeffdingTreeClasifier' that can be used here; "
                    "did you mean tree.HoeffdingTreeClassifier?"
                )
            ],
        ),
        (
            challenger("forest.HoeffdingTreeClassifier"),
            [
                (
                    f"{OF}.estimator: River has no class 'forest.HoeffdingTreeClassifier' that can be used here; "
                    "did you mean tree.HoeffdingTreeClassifier?"
                )
            ],
        ),
        (
            challenger("preprocessing.StandardScaler"),
            [f"{OF}.estimator: preprocessing.StandardScaler is no classifier and no regressor"],
        ),
        (
            challenger(["linear_model.LogisticRegression", "preprocessing.MinMaxScaler"]),
            [f"{OF}.estimator: preprocessing.MinMaxScaler is no classifier and no regressor"],
        ),
        (
            challenger("tree.HoeffdingTreeRegressor", "binary"),
            [f"{OF}.estimator: tree.HoeffdingTreeRegressor is a regressor, and task: binary needs a classifier"],
        ),
        (
            challenger("tree.HoeffdingTreeClassifier", "regression"),
            [f"{OF}.estimator: tree.HoeffdingTreeClassifier is a classifier, and task: regression needs a regressor"],
        ),
        (
            challenger("linear_model.Perceptron", "multiclass"),
            [
                (
                    f"{OF}.estimator: linear_model.Perceptron tells two classes from each other and no more: "
                    "put it into a multiclass.OneVsRestClassifier"
                )
            ],
        ),
        (
            challenger(
                "linear_model.LogisticRegression",
                parameters={
                    "optimizer": {"name": "optim.SDG"},
                    "l2": "a",
                    "loss": {"name": "optim.losses.Log", "x": 1},
                },
            ),
            [
                (
                    f"{OF}.parameters.optimizer.name: River has no class 'optim.SDG' that can be used here; "
                    "did you mean optim.SGD?"
                ),
                f"{OF}.parameters.l2: must be a number",
                f"{OF}.parameters.loss: must be an instance of BinaryLoss",
            ],
        ),
        (
            challenger(["preprocessing.StandardScaler", {"name": "linear_model.PAClassifier", "parameters": {"D": 1}}]),
            [
                (
                    f"{OF}.estimator.1.parameters.D: linear_model.PAClassifier has no such parameter; "
                    "there are C, mode, learn_intercept"
                )
            ],
        ),
        (
            challenger("model_selection.SuccessiveHalvingClassifier", parameters={"models": []}),
            [f"{OF}.parameters.metric: is missing", f"{OF}.parameters.budget: is missing"],
        ),
        (
            challenger("tree.ISOUPTreeRegressor"),
            [f"{OF}.estimator: tree.ISOUPTreeRegressor fails: AttributeError: 'float' object has no attribute 'keys'"],
        ),
        (
            challenger("linear_model.LogisticRegression", features=["x"]),
            [],
        ),
        (challenger(["preprocessing.OneHotEncoder", "linear_model.LogisticRegression"]), []),
    ],
)
def test_each_mistake_is_said_where_it_is_and_with_what_to_write(document: dict[str, Any], said: list[str]) -> None:
    assert mistakes_of(document) == said


def test_the_mistakes_of_all_models_are_said_at_once() -> None:
    wrong = {"detectors": {"river": [{"name": "X"}]}, "challenger": "tree.X"}
    document = {"models": [{"model_id": "a", **wrong}, {"model_id": "b", **wrong}]}
    assert [line.partition(":")[0] for line in mistakes_of(document)] == [
        "models.0.detectors.river.0.name",
        "models.0.challenger.estimator",
        "models.1.detectors.river.0.name",
        "models.1.challenger.estimator",
    ]


def test_every_detector_of_river_can_be_named() -> None:
    every = [{"name": name} for name in catalogue.detectors()]
    assert len(every) == 10
    assert mistakes_of(model(detectors={"river": every})) == []


CANNOT: Final = {
    "compose.TargetTransformRegressor": "parameters.func: is missing",  # no function can be written in YAML
    "imblearn.RandomOverSampler": "KeyError: False",  # nor a key that is a boolean
    "imblearn.RandomSampler": "is missing",
    "imblearn.RandomUnderSampler": "is missing",
    "misc.ZstdClassifier": "requires Python 3.14",
    "tree.ISOUPTreeRegressor": "has no attribute 'keys'",  # it predicts several numbers at once
}


@pytest.mark.parametrize(("name", "task", "config"), list(estimators()), ids=lambda value: str(value)[:40])
def test_every_estimator_of_river_can_be_named_but_those_that_cannot_be_used(
    name: str, task: Task, config: ChallengerConfig
) -> None:
    said = mistakes_of(model(task=task, challenger=config.model_dump(mode="json")))
    assert (name in CANNOT) is bool(said), said
    assert CANNOT.get(name, "") in "\n".join(said)


# -- a file -----------------------------------------------------------------------------------------------------------


def test_a_file_is_checked_for_what_river_has(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("models: [{model_id: m, detectors: {river: [{name: KSWIN, parameters: {alpha: 1e-6}}]}}]")
    assert read_configuration(file).of("m").detectors.river[0].parameters == {"alpha": 1e-6}
    file.write_text("models: [{model_id: m, detectors: {river: [{name: KSWIM}]}}]")
    with pytest.raises(ConfigurationError, match=r"config.yaml: models.0.detectors.river.0.name: river.drift has no"):
        read_configuration(file)


def test_the_example_of_the_page_is_fine(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page.partition("\n## River by name\n")[2], re.DOTALL)
    file = tmp_path / "config.yaml"
    file.write_text(example)
    fraud = read_configuration(file).of("fraud")
    assert [each.name for each in fraud.detectors.river] == ["KSWIN", "PageHinkley"]


# -- what must never be reached ---------------------------------------------------------------------------------------

FOREIGN: Final = (
    "os.system",
    "subprocess.run",
    "builtins.eval",
    "river.os.system",
    "tree.os.system",
    "compat.SKL2RiverClassifier",
    "datasets.Phishing",
    "drift.datasets.Apple",
    "stream.iter_csv",
    "utils.math.sys",
)
WRITTEN: Final = [f"{name.rpartition('.')[0]}:{name.rpartition('.')[2]}" for name in FOREIGN]


def reached() -> list[str]:
    """Return the foreign names that a configuration or a snapshot gets hold of."""
    found = []
    for name, written in zip(FOREIGN, WRITTEN, strict=True):
        said = [mistakes_of(challenger(name)), mistakes_of(detector(name.rpartition(".")[2]))]
        found += [name for lines in said if not any("no class" in line or "no detector" in line for line in lines)]
        for nodes in ([["part", written]], [["object", written, {}]], [["compiled", written, [], ""]]):
            try:
                rebuild(nodes)
            except UnknownPartError:
                continue
            except TypeError:  # it was found, and does not work like that
                pass
            found.append(written)
    return found


def test_nothing_that_is_not_rivers_can_be_named() -> None:
    assert reached() == []


class Importing(dict[str, Any]):
    """A catalogue with its protection taken away: it imports what it does not have."""

    def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - anything
        module, _, last = name.replace(":", ".").rpartition(".")
        return super().get(name) or getattr(sys.modules.get(module), last, default)


def test_a_catalogue_that_imports_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    classes, parts = Importing(catalogue.classes()), Importing(catalogue.parts())
    monkeypatch.setattr(catalogue, "classes", lambda: classes)
    monkeypatch.setattr(catalogue, "parts", lambda: parts)
    assert {"os.system", "os:system"} <= set(reached())
