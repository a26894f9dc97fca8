"""How an agent reads its batches."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from driftline.streams.transport.batch import RecordBatch

if TYPE_CHECKING:
    from faust import Stream
    from faust.types import Message, StreamT

__all__ = ["Delivery", "deliveries"]


class Delivery(NamedTuple):
    """A batch and what acks it.

    Parameters
    ----------
    batch
        The records.
    message
        To be kept until a checkpoint covers the batch, and then given to `BatchApp.ack`; it holds no records. Its
        attribute `acked` is true once it was acked, and once its partition was revoked.
    """

    batch: RecordBatch
    message: "Message"


async def deliveries(stream: "StreamT[Any]") -> AsyncIterator[Delivery]:
    """Iterate over the batches of an agent's stream, and ack none of them.

    A stream iterated over by itself acks each batch as soon as the agent asks for the next.

    Examples
    --------
    >>> from driftline.streams.transport import BatchApp
    >>> app = BatchApp("example", broker="kafka://localhost:9092")
    >>> @app.agent(app.topic("predictions"))
    ... async def count(stream):
    ...     async for batch, message in deliveries(stream):
    ...         print(batch.tp, len(batch))
    ...         app.ack([message])
    """
    # Faust's interface of a stream does not know of its method.
    async for event in cast("Stream[Any]", stream).noack().events():
        yield Delivery(cast("RecordBatch", event.value), event.message)
