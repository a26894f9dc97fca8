"""An estimator of River by name, as a challenger runs it: event by event, in bounds, and never the worker's end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.models.library import catalogue
from driftline.models.library.components import Mistakes, made, make_part
from driftline.models.library.portrait import UnknownPartError, capture, rebuild
from driftline.models.library.weight import weight
from driftline.schemas.config import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.river import Component

    Inputs = dict[str, float | str]

MOST_VALUES: Final = 200_000
"""Of an estimator's state: about 5 MB, which take half a second to write."""

WEIGH_EVERY: Final = 1000
"""Pairs that it has learned from, after which it is told how large it has become."""

_LARGEST: Final = 1e100  # a prediction beyond is none


def make_estimator(steps: Sequence[Component], where: str, mistakes: Mistakes) -> Any:  # noqa: ANN401 - of River
    """Return an estimator, or the pipeline of several steps; None if there are mistakes."""
    if len(steps) == 1:
        return make_part(steps[0], where, mistakes)
    parts = [make_part(step, f"{where}.{n}.name", mistakes) for n, step in enumerate(steps)]
    return None if mistakes else catalogue.classes()["compose.Pipeline"](*parts)


def misfit(estimator: Any, task: Task | None) -> str | None:  # noqa: ANN401 - of River
    """Return why an estimator is not for a task, if it is not; None as a task is any."""
    base = catalogue.base()
    last = _last(estimator)
    if not isinstance(last, base.Classifier | base.Regressor):
        return "is no classifier and no regressor"
    if task is Task.REGRESSION and not isinstance(last, base.Regressor):
        return "is a classifier, and task: regression needs a regressor"
    if task in {Task.BINARY, Task.MULTICLASS} and not isinstance(last, base.Classifier):
        return f"is a regressor, and task: {task} needs a classifier"
    if task is Task.MULTICLASS and not last._multiclass:  # noqa: SLF001 - River tells it no other way
        return "tells two classes from each other and no more: put it into a multiclass.OneVsRestClassifier"
    return None


def is_regressor(estimator: Any) -> bool:  # noqa: ANN401 - of River
    """Return whether an estimator predicts numbers."""
    return isinstance(_last(estimator), catalogue.base().Regressor)


def _last(estimator: Any) -> Any:  # noqa: ANN401 - of River
    pipeline: Any = catalogue.classes()["compose.Pipeline"]
    return list(estimator.steps.values())[-1] if isinstance(estimator, pipeline) else estimator


class Estimator:
    """A classifier or a regressor of River.

    Where it fails, predicts what is no number, or becomes too large, it begins afresh, and that is counted.

    Parameters
    ----------
    steps
        Its classes, as configured.
    task
        What it is to predict: P(positive), the number of a class, or a number.

    Examples
    --------
    >>> from driftline.schemas.river import Component
    >>> tree = Estimator([Component(name="tree.HoeffdingTreeClassifier")], Task.BINARY)
    >>> for n in range(300):
    ...     tree.learn({"x": n % 2 + n / 1000}, n % 2 == 1)
    >>> tree.predict({"x": 1.1}) > 0.9, tree.learned
    (True, 300)

    """

    def __init__(self, steps: Sequence[Component], task: Task) -> None:
        self.learned = 0
        self.restarts = 0
        self.trouble: Exception | None = None
        self._steps = tuple(steps)
        self._task = task
        self._river = self._new()
        self._gives_probabilities = task is Task.BINARY

    def _new(self) -> Any:  # noqa: ANN401 - of River
        mistakes = Mistakes()
        estimator = made(make_estimator(self._steps, "challenger.estimator", mistakes), mistakes)
        if said := misfit(estimator, self._task):
            mistakes.add("challenger.estimator", said)
        return made(estimator, mistakes)

    def _begin_afresh(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.restarts += 1
        self._river = self._new()

    def predict(self, inputs: Inputs) -> float | None:
        """Return P(positive), the number of a class, or a number; None where it has no answer."""
        try:
            answer = self._answer(inputs)
            if answer is None or -_LARGEST <= answer <= _LARGEST:
                return answer
        except Exception as error:  # noqa: BLE001 - River's estimators are many, and none may end the worker
            self._begin_afresh(error)
            return None
        self._begin_afresh()
        return None

    def _answer(self, inputs: Inputs) -> float | None:
        if self._gives_probabilities:
            try:
                probabilities = self._river.predict_proba_one(inputs)
            except NotImplementedError:
                self._gives_probabilities = False
            else:
                return float(probabilities.get(True, 0.0)) if probabilities else None
        answer = self._river.predict_one(inputs)
        return None if answer is None else float(answer)

    def learn(self, inputs: Inputs, answer: float) -> None:
        """Learn from what was true: whether it was positive, the number of a class, or a number."""
        try:
            self._river.learn_one(inputs, answer)
        except Exception as error:  # noqa: BLE001 - as above
            self._begin_afresh(error)
        self.learned += 1
        if self.learned % WEIGH_EVERY == 0 and weight(self._river) > MOST_VALUES:
            self._begin_afresh()

    def write(self) -> list[Any]:
        """Return River's object as plain data.

        Raises
        ------
        UnknownPartError
            If it has a part that cannot be.

        """
        return capture(self._river)

    def snapshot(self) -> dict[str, Any]:
        """Return plain values; of what cannot be written as such, nothing, and a restart begins afresh."""
        try:
            state = self.write()
        except UnknownPartError:
            state = None
        return {"river": catalogue.version(), "learned": self.learned, "restarts": self.restarts, "state": state}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned; what another version of River wrote is not read."""
        self.learned, self.restarts = snapshot["learned"], snapshot["restarts"]
        if snapshot["state"] is None or snapshot["river"] != catalogue.version():
            self._begin_afresh()
        else:
            self._river = rebuild(snapshot["state"])
