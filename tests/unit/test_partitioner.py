"""The partitioner: murmur2 as Java computes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.schemas.partitioner import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "java"),
    [
        # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_java(key: bytes, java: int) -> None:
    assert murmur2(key) == java % 2**32


@given(model_id=st.text(min_size=1), partitions=st.integers(1, 10_000))
def test_every_model_has_a_partition(model_id: str, partitions: int) -> None:
    assert 0 <= partition_of(model_id, partitions) < partitions


def test_models_spread_over_the_partitions() -> None:
    counts = [0] * 8
    for i in range(8000):
        counts[partition_of(f"model-{i}", 8)] += 1
    assert min(counts) > 800
