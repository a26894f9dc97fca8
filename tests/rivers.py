# mypy: disable-error-code="no-untyped-call"
# River is typed in part only.
"""Every classifier and regressor of River that can be named, as one would configure it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.models.library import catalogue
from driftline.schemas.config import Task
from driftline.schemas.river import ChallengerConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGISTIC: Final = {"name": "linear_model.LogisticRegression"}
_LINEAR: Final = {"name": "linear_model.LinearRegression"}
_LINEARS: Final = [_LINEAR, {**_LINEAR, "parameters": {"l2": 0.1}}]
_CLASSIFIERS: Final = [_LOGISTIC, {**_LOGISTIC, "parameters": {"l2": 0.1}}]

NEEDED: Final[dict[str, dict[str, Any]]] = {
    "active.EntropySampler": {"classifier": _LOGISTIC},
    "conf.RegressionJackknife": {"regressor": _LINEAR},
    "drift.DriftRetrainingClassifier": {"model": _LOGISTIC},
    "dummy.StatisticRegressor": {"statistic": {"name": "stats.Mean"}},
    "ensemble.ADWINBaggingClassifier": {"model": _LOGISTIC},
    "ensemble.ADWINBoostingClassifier": {"model": _LOGISTIC},
    "ensemble.AdaBoostClassifier": {"model": _LOGISTIC},
    "ensemble.BOLEClassifier": {"model": _LOGISTIC},
    "ensemble.BaggingClassifier": {"model": _LOGISTIC},
    "ensemble.BaggingRegressor": {"model": _LINEAR},
    "ensemble.EWARegressor": {"models": _LINEARS},
    "ensemble.LeveragingBaggingClassifier": {"model": _LOGISTIC},
    "ensemble.StackingClassifier": {"models": _CLASSIFIERS, "meta_classifier": _LOGISTIC},
    "ensemble.VotingClassifier": {"models": _CLASSIFIERS},
    "imblearn.ChebyshevOverSampler": {"regressor": _LINEAR},
    "imblearn.ChebyshevUnderSampler": {"regressor": _LINEAR},
    "imblearn.HardSamplingClassifier": {"classifier": _LOGISTIC, "size": 10, "p": 0.1},
    "imblearn.HardSamplingRegressor": {"regressor": _LINEAR, "size": 10, "p": 0.1},
    "imblearn.RandomOverSampler": {"classifier": _LOGISTIC, "desired_dist": {}},
    "model_selection.BanditClassifier": {
        "models": _CLASSIFIERS,
        "metric": {"name": "metrics.Accuracy"},
        "policy": {"name": "bandit.EpsilonGreedy", "parameters": {"epsilon": 0.1}},
    },
    "model_selection.BanditRegressor": {
        "models": _LINEARS,
        "metric": {"name": "metrics.MAE"},
        "policy": {"name": "bandit.EpsilonGreedy", "parameters": {"epsilon": 0.1}},
    },
    "model_selection.GreedyRegressor": {"models": _LINEARS},
    "model_selection.SuccessiveHalvingClassifier": {
        "models": _CLASSIFIERS,
        "metric": {"name": "metrics.Accuracy"},
        "budget": 100,
    },
    "model_selection.SuccessiveHalvingRegressor": {
        "models": _LINEARS,
        "metric": {"name": "metrics.MAE"},
        "budget": 100,
    },
    "multiclass.OneVsOneClassifier": {"classifier": _LOGISTIC},
    "multiclass.OneVsRestClassifier": {"classifier": _LOGISTIC},
    "multiclass.OutputCodeClassifier": {"classifier": _LOGISTIC, "code_size": 4},
    "preprocessing.PredClipper": {"regressor": _LINEAR, "y_min": 0, "y_max": 1},
    "preprocessing.TargetMinMaxScaler": {"regressor": _LINEAR},
    "preprocessing.TargetStandardScaler": {"regressor": _LINEAR},
}
"""Parameters without which a class cannot be made."""


def estimators() -> Iterator[tuple[str, Task, ChallengerConfig]]:
    """Yield each estimator with the task that it is for."""
    base = catalogue.base()
    for name, kind in catalogue.classes().items():
        if issubclass(kind, base.Classifier | base.Regressor):
            task = Task.BINARY if issubclass(kind, base.Classifier) else Task.REGRESSION
            yield name, task, ChallengerConfig(estimator=name, parameters=NEEDED.get(name, {}))
