"""How good a model's predictions were: pure, mergeable counters for each task.

>>> scoring = BinaryScoring(ClassSet.infer([0, 1, True]))
>>> performance, last = scoring.new(), Rolling(scoring, window=1000)
>>> outcome = scoring.interpret(Pair(label="1", prediction=True, score=0.8))
>>> performance.update(outcome); last.update(outcome)
>>> performance.report()["accuracy"], last.report()["log_loss"]
(1.0, 0.2231435513142097)
"""

from driftline.models.performance.auc import LogitBins, logit_bin
from driftline.models.performance.bank import BinaryBank, CounterBanks, MulticlassBank, RegressionBank
from driftline.models.performance.binary import BinaryPerformance
from driftline.models.performance.binary_outcome import BinaryOutcome
from driftline.models.performance.binary_scoring import BinaryScoring
from driftline.models.performance.classes import ClassSet
from driftline.models.performance.multiclass import MulticlassPerformance
from driftline.models.performance.multiclass_scoring import MulticlassScoring
from driftline.models.performance.multiclass_sums import MulticlassOutcome
from driftline.models.performance.pair import Pair
from driftline.models.performance.protocol import Metric, Panes, Performance, Report, Scoring, Snapshot
from driftline.models.performance.regression import RegressionPerformance
from driftline.models.performance.regression_scoring import RegressionScoring, absolute_error
from driftline.models.performance.regression_sums import RegressionOutcome
from driftline.models.performance.rolling import Rolling
from driftline.models.performance.scorings import restore_scoring

__all__ = [
    "BinaryBank",
    "BinaryOutcome",
    "BinaryPerformance",
    "BinaryScoring",
    "ClassSet",
    "CounterBanks",
    "LogitBins",
    "Metric",
    "MulticlassBank",
    "MulticlassOutcome",
    "MulticlassPerformance",
    "MulticlassScoring",
    "Pair",
    "Panes",
    "Performance",
    "RegressionBank",
    "RegressionOutcome",
    "RegressionPerformance",
    "RegressionScoring",
    "Report",
    "Rolling",
    "Scoring",
    "Snapshot",
    "absolute_error",
    "logit_bin",
    "restore_scoring",
]
