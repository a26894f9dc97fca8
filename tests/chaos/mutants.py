"""Workers with one protection taken away: for each, a fault must then be found, by the check that is named here."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A worker with a mutation.

    Parameters
    ----------
    name
        What it does, in words.
    found_by
        What the check that must fail says: another failure is no find.
    mutation
        Code that runs before Driftline's.
    """

    name: str
    found_by: str
    mutation: str

    @property
    def program(self) -> tuple[str, ...]:
        """What runs it."""
        before = "from driftline.streams import app, worker"
        return "-c", f"{before}\n{self.mutation}\nfrom driftline.__main__ import main\nmain()\n", "worker"


_HASTY = """
class Hasty(worker.Worker):
    def take(self, message, batch):
        super().take(message, batch)
        self._ports.source.ack([message])

    async def assigned(self, logs):
        await super().assigned(logs)
        return {}
"""

ACKS_FIRST = Mutant(
    "acks before it saves",
    "counts of",
    f"""{_HASTY}
from driftline.streams.transport import app as transport

app.Worker = Hasty
transport._SETTINGS["broker_commit_interval"] = 0.1
""",
)

PUBLISHES_FIRST = Mutant(
    "publishes before it saves",
    "published and not saved",
    """
from driftline.streams.checkpoint import redis
from driftline.streams.outgoing import Outgoing

class Eager(worker.Worker):
    def __init__(self, *arguments, **options):
        global the_worker
        super().__init__(*arguments, **options)
        the_worker = self

async def save(self, checkpoint, owner):
    await the_worker._outlet.publish([Outgoing.unpack(packed) for packed in checkpoint.outbox.values()])
    await save_only(self, checkpoint, owner)

save_only, redis.RedisStore.save = redis.RedisStore.save, save
app.Worker = Eager
""",
)

GIVES_UP_UNSAVED = Mutant(
    "gives partitions up without a last checkpoint",
    "counts of",
    f"""{_HASTY}
class Graceless(Hasty):
    async def revoked(self, partitions):
        for number in {{tp.partition for tp in partitions}} & self._held.keys():
            self._forget(self._held.pop(number))

app.Worker = Graceless
""",
)

NO_FENCE = Mutant(
    "has no fence",
    "written by a worker that Kafka had given up",
    """
from driftline.streams.checkpoint import redis

save = redis.RedisStore.save

async def unfenced(self, checkpoint, owner):
    owner = await self._redis.get(redis.keys.owner(checkpoint.partition))
    await save(self, checkpoint, owner)

redis.RedisStore.save = unfenced
""",
)

NO_CHECKSUM = Mutant(
    "has no checksum",
    "counts of",
    """
from driftline.models import snapshot

class Anything(int):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = int.__hash__

checksum = snapshot.crc32
snapshot.crc32 = lambda body: Anything(checksum(body))
""",
)

DROPS_AT_ONCE = Mutant(
    "drops entries at once",
    "counts of",
    """
from driftline.models.join import stored

take_dropped = stored.StoredEntries.take_dropped

def at_once(self):
    self._left += self._leaving
    self._leaving.clear()
    return take_dropped(self)

stored.StoredEntries.take_dropped = at_once
""",
)
