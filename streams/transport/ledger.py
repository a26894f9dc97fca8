"""Which batches were delivered, which of them wait for an agent, and how far the acks reach without a hole."""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from faust.types import TP

if TYPE_CHECKING:
    from faust.types import Message

__all__ = ["Ledger"]


class Ledger:
    """The batches of each partition, in order of delivery, from delivery to commit.

    Offsets between batches need no account: nothing was there to be delivered. So compacted logs and transaction
    markers stop no commit.

    Parameters
    ----------
    queued
        How many batches of a partition may wait for the agent.

    Examples
    --------
    >>> from faust.types import Message
    >>> def message(offset):
    ...     return Message("t", 0, offset, 0.0, 0, None, None, None, None)
    >>> ledger, tp = Ledger(queued=2), TP("t", 0)
    >>> batches = [message(9), message(19), message(25)]
    >>> for batch in batches:
    ...     ledger.deliver(batch)
    >>> batches[0].acked = batches[2].acked = True
    >>> ledger.committable(tp), ledger.committable(tp)
    (10, None)
    >>> batches[1].acked = True
    >>> ledger.committable(tp)
    26
    """

    def __init__(self, queued: int) -> None:
        self._limit = queued
        self._uncommitted: defaultdict[TP, deque[Message]] = defaultdict(deque)
        self._waiting: defaultdict[TP, set[int]] = defaultdict(set)

    def deliver(self, message: "Message") -> None:
        """Enter a batch that is put in an agent's queue."""
        self._uncommitted[message.tp].append(message)
        self._waiting[message.tp].add(message.offset)

    def take(self, tp: TP, offset: int) -> bool:
        """Note that an agent takes the batch that ends at `offset`; return whether that made room in a full queue."""
        waiting = self._waiting[tp]
        was_full = len(waiting) >= self._limit
        waiting.discard(offset)
        return was_full and len(waiting) < self._limit

    def full(self) -> set[TP]:
        """Return the partitions with as many batches waiting as may be."""
        return {tp for tp, waiting in self._waiting.items() if len(waiting) >= self._limit}

    def is_waiting(self, tp: TP) -> bool:
        """Return whether a batch of `tp` waits for the agent."""
        return bool(self._waiting.get(tp))

    def committable(self, tp: TP) -> int | None:
        """Return the offset to commit, and strike out what is below it; None if nothing new was acked.

        It is the next offset of the last batch before the first that is not acked.
        """
        uncommitted = self._uncommitted[tp]
        offset = None
        while uncommitted and uncommitted[0].acked:
            offset = uncommitted.popleft().offset + 1
        return offset

    def forget(self, partitions: Iterable[TP] | None = None) -> None:
        """Strike out all batches of `partitions`, by default of all; acks of them come to nothing from now on."""
        for tp in list(self._uncommitted if partitions is None else partitions):
            for message in self._uncommitted.pop(tp, ()):
                # So that neither a checkpoint which ends late nor Faust's stream can ack it. The stream does that
                # without asking the consumer, and looks at nothing but this.
                message.acked = True
            self._waiting.pop(tp, None)
