"""Kafka records in batches for Faust agents: one event for each partition and fetch.

Stock Faust makes an event, four tasks and one turn of the event loop of every record. `BatchApp` is a Faust app whose
agents get a `RecordBatch` instead, of at most 1,000 records, and whose offsets are committed once the application says
so. docs/transport.md tells what it guarantees. It needs faust-streaming, aiokafka and mode, and nothing of Driftline.

Examples
--------
>>> from driftline.streams.transport import BatchApp, deliveries
>>> app = BatchApp("example", broker="kafka://localhost:9092")
>>> @app.agent(app.topic("predictions"))
... async def count(stream):
...     async for batch, message in deliveries(stream):
...         print(batch.tp, len(batch))
...         app.ack([message])
"""

from driftline.streams.transport.app import BatchApp
from driftline.streams.transport.batch import BatchLimits, RecordBatch
from driftline.streams.transport.delivery import Delivery, deliveries
from driftline.streams.transport.listener import GroupOffsets, Log, RebalanceListener
from driftline.streams.transport.schema import BatchSchema

__all__ = [
    "BatchApp",
    "BatchLimits",
    "BatchSchema",
    "Delivery",
    "GroupOffsets",
    "Log",
    "RebalanceListener",
    "RecordBatch",
    "deliveries",
]
