"""Workers with one protection taken away: for each, a fault must then be found."""

_ACKS_FIRST = """
class Hasty(worker.Worker):
    def take(self, message, batch):
        super().take(message, batch)
        self._ports.source.ack([message])

    async def assigned(self, logs):
        await super().assigned(logs)
        return {}

app.Worker = Hasty
"""

_PUBLISHES_FIRST = """
from driftline.streams.outgoing import Outgoing, outgoing

class Eager(worker.Worker):
    async def _advance(self, held):
        before = {model: len(events) for model, events in held.lane.unsaved.events.items()}
        busy = await super()._advance(held)
        events = held.lane.unsaved.events
        await self._publish([
            record for model in events for event in events[model][before.get(model, 0):] for record in outgoing(event)
        ])
        return busy

app.Worker = Eager
"""

_NO_FENCE = """
from driftline.streams.checkpoint import redis, scripts

save = redis.RedisStore.save

async def unfenced(self, checkpoint, owner):
    owner = await self._redis.get(redis.keys.owner(checkpoint.partition))
    await save(self, checkpoint, owner)

redis.RedisStore.save = unfenced
"""

_NO_CHECKSUM = """
from driftline.models import snapshot

class Anything(int):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = int.__hash__

checksum = snapshot.crc32
snapshot.crc32 = lambda body: Anything(checksum(body))
"""

_DROPS_AT_ONCE = """
from driftline.models.join import label_join

take_changes = label_join.LabelJoin.take_changes

def at_once(self):
    self._left += self._leaving
    self._leaving = []
    return take_changes(self)

label_join.LabelJoin.take_changes = at_once
"""


def program(mutation: str) -> tuple[str, ...]:
    """Return what runs a worker with a mutation."""
    code = f"from driftline.streams import app, worker\n{mutation}\nfrom driftline.__main__ import main\nmain()\n"
    return "-c", code, "worker"


ACKS_FIRST, PUBLISHES_FIRST, NO_FENCE, NO_CHECKSUM, DROPS_AT_ONCE = map(
    program, (_ACKS_FIRST, _PUBLISHES_FIRST, _NO_FENCE, _NO_CHECKSUM, _DROPS_AT_ONCE)
)
