"""The rules of the join by the words of the design, one model at a time; a prediction_id is looked at when it is due.

The rules that a test breaks on purpose are methods of their own.
"""

from collections import Counter
from dataclasses import dataclass

from tests.oracle.reading import Labelled, Predicted

Meaning = float | str


@dataclass(slots=True)
class Slot:
    """What is known of one prediction_id, and until when.

    `state` is waiting (for the label), early (the label is there alone), joined, expired or late.
    """

    state: str
    until: int
    prediction: Predicted | None = None
    label: Labelled | None = None
    pair: int = -1


class Join:
    """What becomes of the events of one model, and its pairs in the order in which they were joined."""

    def __init__(self, timeout: int, max_pending: int) -> None:
        self.counts: Counter[str] = Counter()
        self.pairs: list[tuple[Predicted, Labelled]] = []
        self._timeout = timeout
        self._most = max_pending
        self._slots: dict[str, Slot] = {}

    def take(self, event: Predicted | Labelled, watermark: int) -> None:
        """Take one event; the watermark is the newest moment of any model so far, this event's included."""
        if len(self._slots) >= self._most:  # whether the bound is passed is known only of slots that are all up to date
            self.lapse(watermark)
        slot = self._slot(event.name, watermark)
        if isinstance(event, Labelled):
            self._take_label(event, slot)
        else:
            self.take_prediction(event, slot)
        self._bound()

    def take_prediction(self, prediction: Predicted, slot: Slot | None) -> None:
        if slot is not None and slot.state != "early":
            self.counts["duplicate_predictions"] += 1
            return
        self.counts["predictions"] += 1
        if slot is None:
            self._slots[prediction.name] = Slot("waiting", prediction.at + self._timeout, prediction)
        else:
            assert slot.label is not None
            self.counts["early_labels"] += 1
            slot.prediction = prediction
            self._join(slot, slot.label)

    def _take_label(self, label: Labelled, slot: Slot | None) -> None:
        if slot is None:
            self.take_early(label)
        elif slot.state == "waiting":
            self.counts["labels"] += 1
            self._join(slot, label)
        elif slot.state == "expired":
            self.counts["labels"] += 1
            self.counts["late_labels"] += 1
            slot.state, slot.label = "late", label
        else:
            self.take_again(label, slot)

    def take_early(self, label: Labelled) -> None:
        self.counts["labels"] += 1
        self._slots[label.name] = Slot("early", label.at + self._timeout, label=label)

    def take_again(self, label: Labelled, slot: Slot) -> None:
        """Take a label of an id that has one."""
        assert slot.label is not None
        same = meaning(label.answer) == meaning(slot.label.answer)
        self.counts["duplicate_labels" if same else "contradicting_labels"] += 1

    def _join(self, slot: Slot, label: Labelled) -> None:
        assert slot.prediction is not None
        self.counts["joined"] += 1
        slot.state, slot.until = "joined", slot.prediction.at + self._timeout
        slot.label, slot.pair = label, len(self.pairs)
        self.pairs.append((slot.prediction, label))

    # -- what ends by itself -----------------------------------------------------------------------------------------

    def _slot(self, name: str, watermark: int) -> Slot | None:
        while name in self._slots and self._is_due(self._slots[name], watermark):
            self._end(name)
        return self._slots.get(name)

    def _is_due(self, slot: Slot, watermark: int) -> bool:
        return self.is_over(slot.until, watermark) if slot.state == "waiting" else watermark > slot.until

    def _end(self, name: str) -> None:
        slot = self._slots[name]
        if slot.state == "waiting":
            self.counts["expired"] += 1
            slot.state, slot.until, slot.prediction = "expired", slot.until + self._timeout, None
        else:
            del self._slots[name]

    def is_over(self, until: int, watermark: int) -> bool:
        """Whether a prediction that waits until then has waited in vain."""
        return watermark > until

    def lapse(self, watermark: int) -> None:
        """Bring every slot up to date, in the order of event time."""
        while due := [(slot.until, name) for name, slot in self._slots.items() if self._is_due(slot, watermark)]:
            _, first = min(due)
            self._end(first)
            self._bound()

    def _bound(self) -> None:
        if len(self._slots) <= self._most:
            return
        for states in ({"waiting"}, {"early"}, {"joined", "expired", "late"}):
            kept = [(slot.until, name) for name, slot in self._slots.items() if slot.state in states]
            for _, name in sorted(kept)[: max(len(kept) - self._most, 0)]:
                self.counts["evicted" if self._slots[name].state == "waiting" else "forgotten"] += 1
                del self._slots[name]

    def closed(self, watermark: int) -> dict[str, int]:
        """Return the counts at the end."""
        self.lapse(watermark)
        self.counts["pending"] = sum(slot.state == "waiting" for slot in self._slots.values())
        self.counts["orphan_labels"] = self.counts["labels"] - self.counts["joined"] - self.counts["late_labels"]
        return {name: self.counts[name] for name in COUNTS}


COUNTS = (
    "predictions",
    "duplicate_predictions",
    "labels",
    "joined",
    "duplicate_labels",
    "contradicting_labels",
    "early_labels",
    "orphan_labels",
    "late_labels",
    "pending",
    "expired",
    "evicted",
    "forgotten",
)


def meaning(value: object) -> Meaning:
    """Return a label without its spelling: 1, True, 1.0, "1" and "true" mean the same."""
    if not isinstance(value, str):
        assert isinstance(value, int | float)
        return float(value)
    words = {"true": 1.0, "false": 0.0}
    if value.lower() in words:
        return words[value.lower()]
    try:
        return float(value)
    except ValueError:
        return value
