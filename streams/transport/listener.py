"""The port through which an application takes over partitions and gives them up."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from faust.types import TP

__all__ = ["GroupOffsets", "Log", "RebalanceListener"]


class Log(NamedTuple):
    """What there is of a partition: offsets from `start` up to, and without, `end`; and what its group committed."""

    start: int
    end: int
    committed: int | None


class RebalanceListener(Protocol):
    """What an application does when partitions come and go.

    Of a partition, the two are called in turn, `assigned` first; `revoked` only if `assigned` has returned. Neither is
    ever called with no partition, nor while the other is at work.
    """

    async def assigned(self, logs: Mapping[TP, Log], /) -> Mapping[TP, int]:
        """Take partitions over and say where to read on.

        Nothing is fetched until it returns, however long it takes; the membership of the group is kept. It is
        cancelled if the partitions are revoked meanwhile. An exception crashes the app.

        Parameters
        ----------
        logs
            Every partition this worker now owns, with what its log holds. State kept of them from before must be
            dropped: Kafka revokes all partitions in a rebalance, also those that come back.

        Returns
        -------
        Mapping[TP, int]
            The next offset of each partition that has a checkpoint; what is not in the log is read from its start. A
            partition left out goes on from the offset that its group committed or, without one, from the log's start.
        """
        ...

    async def revoked(self, partitions: frozenset[TP], /) -> None:
        """Give `partitions` up, in a rebalance or at shutdown: save what is to be saved and ack what it covers.

        What was acked when it returns is committed before anyone else gets the partitions. Nothing is delivered
        meanwhile, but an agent may be at work on a batch: take the lock it holds, if half a batch would do harm. It is
        cancelled after the app's `hook_timeout`; nothing is committed then, nor if it raises, which crashes the app.
        After a crash it is not called: what an application with a bug in it would save is not to be trusted.
        """
        ...


class GroupOffsets:
    """The listener of an application without checkpoints: Kafka's committed offsets alone say where to read on.

    Examples
    --------
    >>> import asyncio
    >>> asyncio.run(GroupOffsets().assigned({TP("t", 0): Log(0, 9, None)}))
    {}
    """

    async def assigned(self, logs: Mapping[TP, Log], /) -> Mapping[TP, int]:  # noqa: ARG002 (the port's)
        """Know no positions."""
        return {}

    async def revoked(self, partitions: frozenset[TP], /) -> None:
        """Save nothing."""
