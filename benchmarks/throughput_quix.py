"""Quix Streams with River's monitors, the same loop as the others': ``… KAFKA P L FEATURES SEGMENTS NUMBERS``.

It runs in an environment that has Quix Streams and River alone, so nothing of Driftline is imported.
"""

from __future__ import annotations

import sys
import uuid

from quixstreams import Application

from benchmarks.meter import Meter
from benchmarks.river_loop import Monitor


def main(kafka: str, topics: list[str], names: list[list[str]], numbers: list[int]) -> None:
    """Take both topics to their ends; print what was measured."""
    features, segments = names
    reference, window, skipped, total = numbers
    watched = Monitor(reference=reference, window=window, features=features, segments=segments)
    meter = Meter(skipped, total)
    app = Application(
        broker_address=kafka, consumer_group=uuid.uuid4().hex, auto_offset_reset="earliest", loglevel="ERROR"
    )

    def predicted(event: dict[str, object]) -> None:
        watched.predicted(event)
        if meter.take():
            app.stop()

    def labelled(event: dict[str, object]) -> None:
        watched.labelled(event)
        if meter.take():
            app.stop()

    predictions, labels = (app.dataframe(app.topic(topic, value_deserializer="json")) for topic in topics)
    predictions.update(predicted)
    labels.update(labelled)
    app.run()
    print(meter.as_json(joined=watched.joined, accuracy=watched.performance.of_answers[0].get()))


if __name__ == "__main__":
    main(
        sys.argv[1],
        sys.argv[2:4],
        [argument.split(",") for argument in sys.argv[4:6]],
        [int(argument) for argument in sys.argv[6:]],
    )
