"""Java's producer, with nothing set, and `partition_of` agree on where a model lives."""

import shutil
import subprocess
from pathlib import Path

import pytest

from driftline.schemas.partitioner import partition_of
from driftline.schemas.topics import DEAD_LETTER
from tests.servers.jars import java, resolve
from tests.topics import PARTITIONS, make_topics

PROGRAM = Path(__file__).parents[1] / "java" / "Produce.java"


@pytest.mark.skipif(shutil.which("javac") is None, reason="Java is here without its compiler")
def test_java_sends_a_model_where_it_lives(kafka: str) -> None:
    make_topics(kafka)
    # ASCII only: in the C locale Java does not read other arguments as they are.
    models = [f"model-{number}" for number in range(200)] + ["x" * 255]
    # On a topic that no worker reads; where a record goes depends on the number of partitions only.
    command = [java(), "-cp", f"{resolve()}/*", str(PROGRAM), kafka, DEAD_LETTER, *models]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert list(map(int, done.stdout.split())) == [partition_of(model, PARTITIONS) for model in models]
