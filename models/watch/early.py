"""What came before it was known what a model is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from driftline.models.join.entry import Truth, pending_fields, pending_of, truth_fields
from driftline.models.join.label_join import Joined
from driftline.models.watch.profile import NOT_MISTAKEN, WARMUP, Mistaken
from driftline.schemas.events import Prediction, encode

if TYPE_CHECKING:
    from driftline.schemas.fields import Scalar

_MOST_BYTES: Final = 12_000_000
_VALUE_BYTES: Final = 24  # of a number or a name; longer text comes on top


class Early:
    """Predictions with the offsets that `ModelMonitor.predicted` was given, and their pairs.

    Parameters
    ----------
    since
        The number of the first prediction that belongs here. Labels of earlier ones may come at any time and in any
        number, so their pairs are not kept.
    mistaken
        What the model was taken for before, if it is to be known anew.

    """

    def __init__(self, *, since: int = 0, mistaken: Mistaken = NOT_MISTAKEN) -> None:
        self.mistaken = mistaken
        self.predictions: list[tuple[Prediction, int, int]] = []
        self.pairs: list[Joined] = []
        self._since = since
        self._bytes = 0
        self._glimpse = 0, 0  # how many of both are in the glimpse
        self._written: list[list[Any]] = []  # the first predictions and pairs as the snapshot has them
        self._written_pairs: list[list[Any]] = []

    def predict(self, prediction: Prediction, offset: int, label_offset: int) -> None:
        """Keep a prediction."""
        self.predictions.append((prediction, offset, label_offset))
        self._bytes += _bytes_of(prediction)
        warmups, rest = divmod(len(self.predictions), WARMUP)
        if not rest and warmups.bit_count() == 1:  # 1, 2, 4 ...
            self._glimpse = len(self.predictions), len(self.pairs)

    def pair(self, joined: Joined) -> None:
        """Keep a pair."""
        if joined.pending.number >= self._since:
            self.pairs.append(joined)

    @property
    def is_full(self) -> bool:
        """Whether no more may be kept: the model has to be taken for what it seems to be."""
        return self._bytes >= _MOST_BYTES

    @property
    def labels(self) -> list[Scalar]:
        """The labels of the pairs."""
        return [pair.truth.label for pair in self.pairs]

    def glimpse(self) -> Early:
        """Return what a report may rest on while the model is not known, which replays it all.

        The first 200 predictions one by one, then as it was after 200, 400, 800 ... of them: of a model that stays open
        for long, each checkpoint would otherwise replay thousands.
        """
        predictions, pairs = self._glimpse
        if not predictions:
            return self
        early = Early(since=self._since, mistaken=self.mistaken)
        early.predictions, early.pairs = self.predictions[:predictions], self.pairs[:pairs]
        return early

    def snapshot(self) -> dict[str, Any]:
        """Return plain values. Each event is written once, however often this is called."""
        for prediction, *offsets in self.predictions[len(self._written) :]:
            self._written.append([encode(prediction).decode(), *offsets])
        for pending, truth in self.pairs[len(self._written_pairs) :]:
            self._written_pairs.append([pending_fields(pending), truth_fields(truth)])
        return {
            "since": self._since,
            "classes": list(self.mistaken.classes),
            "misfits": list(self.mistaken.misfits),
            "glimpse": self._glimpse,
            "predictions": list(self._written),
            "pairs": list(self._written_pairs),
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Early:
        """Rebuild what `snapshot` returned."""
        early = cls(since=snapshot["since"], mistaken=Mistaken(snapshot["classes"], snapshot["misfits"]))
        predictions, pairs = snapshot["glimpse"]
        early._glimpse = predictions, pairs
        early.predictions = [(Prediction(**json.loads(text)), *offsets) for text, *offsets in snapshot["predictions"]]
        early._bytes = sum(_bytes_of(prediction) for prediction, *_ in early.predictions)
        early.pairs = [Joined(pending_of(pending), Truth(*truth)) for pending, truth in snapshot["pairs"]]
        early._written, early._written_pairs = snapshot["predictions"], snapshot["pairs"]
        return early


def _bytes_of(prediction: Prediction) -> int:
    names = (*prediction.features, *(prediction.probabilities or ()))
    texts = (*names, *(value for value in prediction.features.values() if isinstance(value, str)))
    return _VALUE_BYTES * len(names) + sum(map(len, texts))
