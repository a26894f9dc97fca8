"""Faust decodes nothing: an agent gets the batch as it was fetched."""

from typing import TYPE_CHECKING, Any

from faust import Schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faust.types import AppT, EventT, Message

__all__ = ["BatchSchema"]


class BatchSchema(Schema[Any, Any]):
    """Makes an event of a message whose value is a `RecordBatch` already.

    Examples
    --------
    >>> import asyncio
    >>> from driftline.streams.transport import BatchApp
    >>> from faust.types import Message
    >>> batch = object()
    >>> message = Message("t", 0, 7, 0.0, 0, None, None, batch, None)
    >>> asyncio.run(BatchSchema().compile(BatchApp("example"))(message)).value is batch
    True
    """

    def compile(self, app: "AppT", **_: object) -> "Callable[..., Awaitable[EventT[Any]]]":
        """Return the coroutine function that Faust calls with each message."""
        create_event = app.create_event

        async def decode(message: "Message", *, propagate: bool = False) -> "EventT[Any]":  # noqa: ARG001 (Faust's)
            return create_event(None, message.value, None, message)

        return decode
