"""Which partition a model lives in: Java's default partitioner, which librdkafka calls ``murmur2_random``.

All of a model's predictions and labels must reach one partition, in order, whatever language produced them.
librdkafka's own default (CRC32) differs, so producers have to be told.
"""

from __future__ import annotations

from typing import Final

PARTITIONER: Final = "murmur2_random"
"""The value of librdkafka's ``partitioner`` property that agrees with Java and with `partition_of`."""

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def partition_of(model_id: str, partitions: int) -> int:
    """Return the partition, of `partitions`, that the records of a model belong to.

    Source: ``org.apache.kafka.common.utils.Utils.murmur2`` and ``toPositive``.

    Examples
    --------
    >>> partition_of("fraud", 8)
    2

    """
    return (murmur2(model_id.encode()) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """Return the 32-bit murmur2 hash of `key`, unsigned, with Kafka's seed.

    Examples
    --------
    >>> murmur2(b"21") == -973932308 % 2**32
    True

    """
    h = _SEED ^ len(key)
    whole = len(key) & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(key[start : start + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if rest := key[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)
