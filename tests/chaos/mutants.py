"""Workers with one protection taken away: for each, a fault must then be found.

One that publishes before it saves is no row: killed at random, it comes to the same alerts again from records in the
same order. tests/integration/test_worker_restart.py holds Redis still, and finds it.
"""

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


ACKS_FIRST, NO_FENCE, NO_CHECKSUM, DROPS_AT_ONCE = map(program, (_ACKS_FIRST, _NO_FENCE, _NO_CHECKSUM, _DROPS_AT_ONCE))
