"""What is said of the records of a replay that cannot be used: where they are many, it is not they that are wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from driftline.streams.replay_files import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftline.schemas.dead_letter import DeadLetter
    from driftline.schemas.errors import Reason

_MANY: Final = 0.05  # of the records of a topic


class Refusals:
    """How many records of each topic there were, rows of batches one by one, and why some were refused.

    Examples
    --------
    >>> from driftline.schemas.dead_letter import DeadLetter
    >>> from driftline.schemas.errors import Reason
    >>> refusals = Refusals()
    >>> refusals.read(["labels"] * 10)
    >>> refusals.refuse([DeadLetter(Reason.WRONG_TYPE, "label: must be a string", "labels", 0, 7, 0, None, b"", ())])
    >>> refusals.tell(print)
    1 of 10 records of labels cannot be used, mostly for wrong_type, such as labels-0-7: label: must be a string

    """

    def __init__(self) -> None:
        self._records: Counter[str] = Counter()
        self._reasons: defaultdict[str, Counter[Reason]] = defaultdict(Counter)
        self._first: dict[tuple[str, Reason], str] = {}

    def read(self, topics: Iterable[str]) -> None:
        """Count records, by their topics."""
        self._records.update(topics)

    def refuse(self, letters: Iterable[DeadLetter]) -> None:
        """Count those that became dead letters."""
        for letter in letters:
            self._reasons[letter.topic][letter.reason] += 1
            self._first.setdefault((letter.topic, letter.reason), f"{letter.id}: {letter.error}")

    def tell(self, note: Callable[[str], None]) -> None:
        """Tell of the topics of which more than a twentieth was refused.

        Raises
        ------
        ReplayError
            If all records of a topic were.

        """
        lost = []
        for topic, reasons in self._reasons.items():
            records, refused = self._records[topic], reasons.total()
            ((reason, _),) = reasons.most_common(1)
            why = f"mostly for {reason}, such as {self._first[topic, reason]}"
            if refused == records:
                lost.append(f"none of {_number(records)} of {topic} can be used, {why}")
            elif refused > _MANY * records:
                note(f"{refused} of {_number(records)} of {topic} cannot be used, {why}")
        if lost:
            raise ReplayError("\n".join(lost))


def _number(records: int) -> str:
    return f"{records} record{'s' * (records != 1)}"
