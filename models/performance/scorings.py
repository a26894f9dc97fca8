"""The scoring that a snapshot describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.models.performance.binary_scoring import BinaryScoring
from driftline.models.performance.classes import ClassSet
from driftline.models.performance.multiclass_scoring import MulticlassScoring
from driftline.models.performance.regression_scoring import RegressionScoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.protocol import Scoring


def restore_scoring(snapshot: Mapping[str, Any]) -> Scoring[Any]:
    """Return the scoring whose `snapshot` this is.

    Raises
    ------
    ValueError
        If it names a task that this version does not know.

    Examples
    --------
    >>> restore_scoring({"task": "regression"}).snapshot()
    {'task': 'regression'}

    """
    task = snapshot["task"]
    if task == "binary":
        return BinaryScoring(ClassSet.restore(snapshot["classes"]), snapshot["positive"])
    if task == "multiclass":
        return MulticlassScoring(ClassSet.restore(snapshot["classes"]))
    if task == "regression":
        return RegressionScoring()
    raise ValueError(f"unknown task {task!r} in a snapshot")
