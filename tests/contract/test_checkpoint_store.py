"""What every checkpoint store keeps: the same suite on the one in memory and on the one in Redis."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import pytest
import redis
import redis.asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.client.state import StateReader
from driftline.schemas import keys
from driftline.schemas.errors import ConfigurationError, FencedError, SnapshotError, TopologyError, UnavailableError
from driftline.streams.checkpoint import Checkpoint, CheckpointStore, MemoryStore, RedisStore, Saved
from driftline.streams.embedded import EmbeddedValkey

Scenario: TypeAlias = Callable[[CheckpointStore], Awaitable[None]]
Run: TypeAlias = Callable[[Scenario], None]

PARTITION = 3

model_ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
ids = st.binary(min_size=1, max_size=3)  # short, so that checkpoints meet
models = st.dictionaries(
    model_ids, st.builds(Saved, st.binary(max_size=10), st.just(b"{}"), st.just(b"{}"), st.booleans()), max_size=3
)
numbers = st.integers(0, 20)
checkpoints = st.builds(
    Checkpoint,
    partition=st.integers(0, 2),
    position=st.binary(max_size=5),
    models=models,
    entries=st.dictionaries(ids, st.binary(max_size=10), max_size=5),
    dropped=st.lists(ids, max_size=3),
    outbox=st.dictionaries(numbers, st.binary(max_size=10), max_size=3),
    published=st.lists(numbers, max_size=3),
    columns=st.dictionaries(model_ids, st.binary(max_size=5), max_size=2),
)


@pytest.fixture(params=["memory", "redis"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario on an empty store, within an event loop of its own, and close the store."""
    url = request.getfixturevalue("empty_redis") if request.param == "redis" else None

    async def on_a_store(scenario: Scenario) -> None:
        store = MemoryStore() if url is None else RedisStore(url)
        try:
            await scenario(store)
        finally:
            await store.close()

    def on_an_empty_store(scenario: Scenario) -> None:
        if url is not None:
            with redis.Redis.from_url(url) as client:
                client.flushall()
        asyncio.run(on_a_store(scenario))

    return on_an_empty_store


def of(**snapshots: bytes) -> dict[str, Saved]:
    return {model_id: Saved(snapshot, b"{}", b"{}") for model_id, snapshot in snapshots.items()}


async def save(store: CheckpointStore, checkpoint: Checkpoint) -> None:
    """Save as a new owner."""
    await store.save(checkpoint, await store.claim(checkpoint.partition))


class Held(NamedTuple):
    """All that a store holds of a partition, but for its join entries."""

    position: bytes | None
    snapshots: Mapping[str, bytes] = MappingProxyType({})
    before: Mapping[str, bytes] = MappingProxyType({})
    outbox: Mapping[int, bytes] = MappingProxyType({})
    columns: Mapping[str, bytes] = MappingProxyType({})


async def held(store: CheckpointStore, partition: int) -> Held:
    restored = await store.load(partition)
    snapshots = {model_id: snapshot async for model_id, snapshot in store.snapshots(partition)}
    before = {model_id: await store.snapshot_before(partition, model_id) for model_id in snapshots}
    known = {model_id: snapshot for model_id, snapshot in before.items() if snapshot is not None}
    return Held(restored.position, snapshots, known, restored.outbox, await store.columns(partition))


async def entries_of(store: CheckpointStore, partition: int) -> dict[bytes, bytes]:
    return {key: entry async for entries in store.entries(partition) for key, entry in entries}


def test_nothing_is_restored_from_an_empty_store(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        assert await held(store, PARTITION) == Held(None)
        assert await entries_of(store, PARTITION) == {}
        assert await store.fetch(PARTITION, [b"id"]) == {}
        assert await store.fetch(PARTITION, []) == {}

    run(scenario)


def test_what_was_saved_is_restored(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        await save(
            store,
            Checkpoint(
                PARTITION,
                b"\x00\xff",
                {"fraud": Saved(bytes(range(256)), b"{}", b"{}"), "größe {3}": Saved(b"", b"", b"")},
                entries={b"\x00\r\n": b"\xff", b"b": b""},
                outbox={10: b"ten", 9: b"\xff"},
                rows={"1m:0:fraud": b"\x00"},
                columns={"größe {3}": b"[]"},
            ),
        )
        assert await held(store, PARTITION) == Held(
            b"\x00\xff",
            {"fraud": bytes(range(256)), "größe {3}": b""},
            outbox={9: b"\xff", 10: b"ten"},
            columns={"größe {3}": b"[]"},
        )
        assert await entries_of(store, PARTITION) == {b"\x00\r\n": b"\xff", b"b": b""}
        assert await store.fetch(PARTITION, [b"b", b"c", b"\x00\r\n"]) == {b"b": b"", b"\x00\r\n": b"\xff"}
        assert await held(store, PARTITION + 1) == Held(None)
        assert await entries_of(store, PARTITION + 1) == {}

    run(scenario)


def test_models_that_were_not_touched_keep_what_is_stored(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        await save(store, Checkpoint(PARTITION, b"1", models=of(a=b"a1", b=b"b1"), entries={b"x": b"1"}))
        await save(store, Checkpoint(PARTITION, b"2", models=of(b=b"b2"), entries={b"y": b"2"}))
        assert await held(store, PARTITION) == Held(b"2", {"a": b"a1", "b": b"b2"}, {"b": b"b1"})
        assert await entries_of(store, PARTITION) == {b"x": b"1", b"y": b"2"}

    run(scenario)


def test_a_checkpoint_of_nothing_moves_the_position(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        await save(store, Checkpoint(PARTITION, b"1", models=of(a=b"a1")))
        await save(store, Checkpoint(PARTITION, b"2"))
        assert await held(store, PARTITION) == Held(b"2", {"a": b"a1"})

    run(scenario)


def test_dropped_entries_are_gone_and_dropping_wins(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        await save(store, Checkpoint(PARTITION, b"1", entries={b"x": b"1", b"y": b"1"}))
        await save(store, Checkpoint(PARTITION, b"2", entries={b"y": b"2", b"z": b"2"}, dropped={b"x", b"y", b"never"}))
        assert await entries_of(store, PARTITION) == {b"z": b"2"}

    run(scenario)


def test_a_checkpoint_of_many_entries(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        entries = {i.to_bytes(12, "big"): b"%d" % i for i in range(25_000)}
        await save(store, Checkpoint(PARTITION, b"1", entries=entries))
        assert await entries_of(store, PARTITION) == entries
        some = list(entries)[:3000]
        assert await store.fetch(PARTITION, some) == {key: entries[key] for key in some}
        await save(store, Checkpoint(PARTITION, b"2", dropped=list(entries)[1:]))
        assert await entries_of(store, PARTITION) == {some[0]: b"0"}

    run(scenario)


def test_the_same_checkpoint_twice_is_as_once(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        checkpoint = Checkpoint(PARTITION, b"1", of(a=b"1"), {b"x": b"1"}, [b"y"], {3: b"m"}, [2])
        for _ in range(2):
            await save(store, checkpoint)
            assert await held(store, PARTITION) == Held(b"1", {"a": b"1"}, outbox={3: b"m"})
            assert await entries_of(store, PARTITION) == {b"x": b"1"}

    run(scenario)


def test_the_snapshot_before_is_kept_however_often_the_newest_is_written(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        for snapshot in (b"1", b"2", b"2", b"3", b"3"):
            await save(store, Checkpoint(PARTITION, b"", of(a=snapshot)))
        assert await held(store, PARTITION) == Held(b"", {"a": b"3"}, {"a": b"2"})

    run(scenario)


def test_a_damaged_snapshot_does_not_take_the_place_of_the_one_before(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        for snapshot in (b"1", b"damaged"):
            await save(store, Checkpoint(PARTITION, b"", of(a=snapshot)))
        for _ in range(2):  # the second time as if the first one's answer had been lost
            await save(store, Checkpoint(PARTITION, b"", {"a": Saved(b"2", b"{}", b"{}", replaces_damaged=True)}))
        assert await held(store, PARTITION) == Held(b"", {"a": b"2"}, {"a": b"1"})

    run(scenario)


def test_a_stale_owner_writes_nothing(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        stale = await store.claim(PARTITION)
        await store.save(Checkpoint(PARTITION, b"1", of(a=b"1"), {b"x": b"1"}), stale)
        owner = await store.claim(PARTITION)
        assert await store.owner(PARTITION) == owner != stale
        other = await store.claim(PARTITION + 1)
        for token in (stale, other, b""):
            for checkpoint in (
                Checkpoint(PARTITION, b"2", of(a=b"2"), outbox={1: b"m"}),
                Checkpoint(PARTITION, b"2", entries={b"x": b"2"}),
                Checkpoint(PARTITION, b"2", dropped=[b"x"]),
            ):
                with pytest.raises(FencedError, match=f"partition {PARTITION} has another owner"):
                    await store.save(checkpoint, token)
        assert await held(store, PARTITION) == Held(b"1", {"a": b"1"})
        assert await entries_of(store, PARTITION) == {b"x": b"1"}
        await store.save(Checkpoint(PARTITION, b"3"), owner)

    run(scenario)


def test_an_owner_is_stale_even_if_the_epochs_begin_anew(empty_redis: str) -> None:
    async def scenario() -> None:
        store = RedisStore(empty_redis)
        try:
            lost = await store.claim(PARTITION)
            with redis.Redis.from_url(empty_redis) as client:
                client.flushall()  # as a fail-over to a server that has not got so far
            assert (await store.claim(PARTITION)).split(b"-")[0] == lost.split(b"-")[0]
            with pytest.raises(FencedError):
                await store.save(Checkpoint(PARTITION, b"1"), lost)
        finally:
            await store.close()

    asyncio.run(scenario())


def test_a_reader_sees_all_of_a_checkpoint_or_nothing(empty_redis: str) -> None:
    def numbered(number: int) -> Checkpoint:
        # 2 MB: a server takes it in several reads, and could answer others in between.
        blob = number.to_bytes(4, "big") * 25_000
        return Checkpoint(PARTITION, blob[:4], dict.fromkeys((f"m{i}" for i in range(20)), Saved(blob, b"", b"")))

    async def scenario() -> None:
        store, reader = RedisStore(empty_redis), redis.asyncio.Redis.from_url(empty_redis)
        await save(store, numbered(0))

        async def read() -> None:
            for _ in range(20):
                async with reader.pipeline(transaction=True) as pipe:
                    pipe.get(keys.position(PARTITION))
                    pipe.hvals(keys.snapshots(PARTITION))
                    position, snapshots = await pipe.execute()
                assert {blob[:4] for blob in snapshots} == {position}

        reading = asyncio.create_task(read())
        saved = 0
        while not reading.done():
            saved += 1
            await save(store, numbered(saved))
        await reading
        assert saved > 1
        await reader.aclose()
        await store.close()

    asyncio.run(scenario())


@settings(max_examples=40)
@given(script=st.lists(checkpoints, max_size=8))
def test_any_sequence_of_checkpoints_is_their_sum(redis_url: str, script: list[Checkpoint]) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    asyncio.run(replay(script, redis_url))


async def replay(script: list[Checkpoint], url: str) -> None:
    """Save checkpoints in both stores and in plain dictionaries, and compare all three after each."""
    stores = MemoryStore(), RedisStore(url)
    position: dict[int, bytes] = {}
    snapshots: dict[int, dict[str, bytes]] = {}
    before: dict[int, dict[str, bytes]] = {}
    outbox: dict[int, dict[int, bytes]] = {}
    join: dict[int, dict[bytes, bytes]] = {}
    columns: dict[int, dict[str, bytes]] = {}
    try:
        for checkpoint in script:
            p = checkpoint.partition
            position[p] = checkpoint.position
            for model_id, saved in checkpoint.models.items():
                newest = snapshots.setdefault(p, {}).get(model_id, saved.snapshot)
                if newest != saved.snapshot and not saved.replaces_damaged:
                    before.setdefault(p, {})[model_id] = newest
                snapshots[p][model_id] = saved.snapshot
            kept = outbox.get(p, {}) | dict(checkpoint.outbox)
            outbox[p] = {number: kept[number] for number in sorted(kept) if number not in checkpoint.published}
            columns[p] = columns.get(p, {}) | dict(checkpoint.columns)
            merged = join.get(p, {}) | dict(checkpoint.entries)
            join[p] = {key: entry for key, entry in merged.items() if key not in set(checkpoint.dropped)}
            for store in stores:
                await save(store, checkpoint)
                for partition in range(3):
                    expected = Held(
                        position.get(partition),
                        snapshots.get(partition, {}),
                        before.get(partition, {}),
                        outbox.get(partition, {}),
                        columns.get(partition, {}),
                    )
                    assert await held(store, partition) == expected
                    assert await entries_of(store, partition) == join.get(partition, {})
                asked = [*checkpoint.entries, *checkpoint.dropped, b"never"]
                assert await store.fetch(p, asked) == {key: join[p][key] for key in asked if key in join[p]}
    finally:
        for store in stores:
            await store.close()


def test_the_first_topology_stands(run: Run) -> None:
    async def scenario(store: CheckpointStore) -> None:
        await store.claim_topology(8, "here")
        await store.claim_topology(8, "here")
        with pytest.raises(TopologyError, match="have 4 partitions and the stored state was made with 8"):
            await store.claim_topology(4, "here")
        with pytest.raises(TopologyError, match="of the Kafka cluster here and this one is there: go back"):
            await store.claim_topology(8, "there")
        await store.claim_topology(8, "here")

    run(scenario)


def test_state_documents_are_where_the_client_looks(empty_redis: str) -> None:
    async def scenario() -> None:
        store = RedisStore(empty_redis)
        await store.claim_topology(8, "here")
        # Of 8 partitions, fraud lives in the third.
        await save(store, Checkpoint(2, b"1", models={"fraud": Saved(b"", b"{}", b"{}")}))
        await store.close()

    asyncio.run(scenario())
    with StateReader(empty_redis) as reader:
        assert reader.models() == ["fraud"]
        with pytest.raises(SnapshotError):  # found, and no state document
            reader.state("fraud")


@pytest.mark.parametrize(
    "key",
    [
        *(keys.position, keys.snapshots, keys.before, keys.state, keys.overview),
        *(keys.series, keys.columns, keys.join, keys.outbox),
    ],
)
def test_keys_of_someone_else_are_found_before_a_checkpoint(empty_redis: str, key: Callable[[int], str]) -> None:
    async def scenario() -> None:
        store = RedisStore(empty_redis)
        try:
            await store.load(PARTITION)
        finally:
            await store.close()

    with redis.Redis.from_url(empty_redis) as client:
        client.rpush(key(PARTITION), "theirs")
    with pytest.raises((SnapshotError, UnavailableError), match=r"WRONGTYPE|ResponseError|is not Driftline's"):
        asyncio.run(scenario())


def test_nothing_is_deleted_before_the_snapshot_that_does_not_need_it(empty_redis: str) -> None:
    async def scenario() -> None:
        store = RedisStore(empty_redis)
        await save(store, Checkpoint(PARTITION, b"1", of(a=b"a1"), entries={b"x": b"1"}))
        with redis.Redis.from_url(empty_redis) as client:
            client.set(keys.outbox(PARTITION), "no hash")  # so that the last script fails
        with pytest.raises((SnapshotError, UnavailableError)):
            await save(store, Checkpoint(PARTITION, b"2", of(a=b"a2"), entries={b"y": b"2"}, dropped=[b"x"]))
        assert await entries_of(store, PARTITION) == {b"x": b"1", b"y": b"2"}
        await store.close()

    asyncio.run(scenario())


def test_full_memory_refuses_the_whole_checkpoint_and_shows_none_of_it() -> None:
    async def scenario(url: str) -> None:
        store = RedisStore(url)
        try:
            await save(store, Checkpoint(PARTITION, b"1", models=of(a=b"1")))
            await store._redis.config_set("maxmemory", "1")  # noqa: SLF001 - as an operator would
            said = r"refused: (command not allowed when used memory > 'maxmemory'\.( script: .*)?|OutOfMemoryError)$"
            with pytest.raises(UnavailableError, match=said):
                await save(store, Checkpoint(PARTITION, b"2", models=of(a=b"2")))
            assert await held(store, PARTITION) == Held(b"1", {"a": b"1"})
        finally:
            await store.close()

    with EmbeddedValkey() as server:
        asyncio.run(scenario(server.url))


def test_a_redis_that_evicts_is_refused() -> None:
    async def scenario(url: str) -> None:
        store = RedisStore(url)
        try:
            await store._redis.config_set("maxmemory-policy", "allkeys-lru")  # noqa: SLF001 - as an operator would
            await store.claim_topology(8, "here")  # without a limit nothing is evicted
            await store._redis.config_set("maxmemory", "100mb")  # noqa: SLF001 - as above
            with pytest.raises(ConfigurationError, match=r"allkeys-lru\), .*: set maxmemory-policy to noevic"):
                await store.claim_topology(8, "here")
        finally:
            await store.close()

    with EmbeddedValkey() as server:
        asyncio.run(scenario(server.url))


def test_redis_down_is_said_without_its_password_and_reached_again_when_it_is_back() -> None:
    async def scenario(server: EmbeddedValkey) -> None:
        url = server.url.replace("//", "//:hunter2@")
        locked, store = RedisStore(url), RedisStore(server.url)
        try:
            await save(store, Checkpoint(PARTITION, b"1"))
            await store._redis.config_set("requirepass", "another")  # noqa: SLF001 - as an operator would
            with pytest.raises(UnavailableError) as wrong:
                await locked.load(PARTITION)
            server.kill()
            calls: list[Callable[[], Awaitable[object]]] = [
                functools.partial(save, store, Checkpoint(PARTITION, b"2")),
                functools.partial(store.load, PARTITION),
                functools.partial(store.fetch, PARTITION, [b"x"]),
                functools.partial(entries_of, store, PARTITION),
                functools.partial(store.claim_topology, 8, "here"),
                functools.partial(locked.load, PARTITION),
            ]
            for call in calls:
                with pytest.raises(UnavailableError, match=f"^Redis at 127.0.0.1:{server.port} ") as down:
                    await call()
                assert "hunter2" not in str(down.value) + str(wrong.value)
            server.start()
            assert await held(store, PARTITION) == Held(None)
        finally:
            await locked.close()
            await store.close()

    with EmbeddedValkey() as server:
        asyncio.run(scenario(server))


@pytest.mark.parametrize("url", ["redis://:hunter2/#@cache:6379", "cache:6379", "http://cache"])
def test_a_wrong_url_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        RedisStore(url)
    assert "hunter2" not in str(refusal.value)
