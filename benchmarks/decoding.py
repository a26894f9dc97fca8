"""What it costs to make events of bytes: `python -m benchmarks.decoding`.

CPU µs per event of the contract's decoder, of `wire.read`, and of what else could have been taken, on the real schema:
one label for each prediction, a prediction with 10 features, 3 segments, a score and a latency. All of it in one
process; the contenders take turns. Exits 1 unless an event costs `wire.read` at most a third of what it costs `decode`.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from msgspec.json import Decoder

from benchmarks.results import keep, origin
from driftline.models import wire
from driftline.schemas.decoding import decode
from driftline.schemas.events import Label, Prediction, encode

BOUND = 1 / 3
SEED = 20261123

Kind = type[Prediction | Label]
Contender = Callable[[bytes, Kind], object]
Results = dict[str, dict[str, float]]

_STRUCTS = {
    Prediction: Decoder(wire.WirePrediction).decode,
    Label: Decoder(wire.WireLabel).decode,
}


def contenders() -> dict[str, Contender]:
    """Return each way to read an event; orjson is one if it is installed."""
    ways: dict[str, Contender] = {
        "json, pydantic": lambda raw, kind: kind.__pydantic_validator__.validate_python(json.loads(raw)),
        "pydantic alone": lambda raw, kind: kind.__pydantic_validator__.validate_json(raw),
        "decode": decode,
        "msgspec, unchecked": lambda raw, kind: _STRUCTS[kind](raw),
        "wire.read": wire.read,
    }
    if find_spec("orjson") is None:
        print("orjson is not installed, and left out", file=sys.stderr)
        return ways
    loads: Callable[[bytes], Any] = import_module("orjson").loads
    return {"orjson, pydantic": lambda raw, kind: kind.__pydantic_validator__.validate_python(loads(raw)), **ways}


def records(count: int) -> tuple[list[bytes], list[bytes]]:
    """Return `count` predictions and a label for each, as a service writes them."""
    chance = random.Random(SEED)
    predictions = []
    labels = []
    for number in range(count):
        identity, served = f"p-20261123-{number:06}", 1_795_406_400_000 + 40 * number
        prediction = Prediction(
            model_id="fraud",
            model_version="7",
            prediction_id=identity,
            timestamp=served,
            prediction=chance.randrange(2),
            score=round(chance.random(), 6),
            features={f"feature_{name}": round(chance.gauss(0, 1), 4) for name in "abcdefghij"},
            segments={"region": chance.choice(["eu", "us"]), "device": "phone", "plan": chance.choice("abc")},
            latency_ms=round(chance.expovariate(0.2), 2),
        )
        label = Label(model_id="fraud", prediction_id=identity, timestamp=served + 60_000, label=chance.randrange(2))
        predictions.append(encode(prediction))
        labels.append(encode(label))
    return predictions, labels


def check(ways: dict[str, Contender], raws: list[bytes], kind: Kind) -> None:
    """Raise if a contender reads something else than the contract does."""
    names = [name for name in kind.model_fields if name != "schema_version"]
    for raw in raws:
        event = decode(raw, kind)
        for way, read in ways.items():
            other = read(raw, kind)
            if any(getattr(event, name) != getattr(other, name) for name in names):
                raise RuntimeError(f"{way} does not read {raw!r} as decode does")


def cost(read: Contender, raws: list[bytes], kind: Kind) -> float:
    """Return the CPU µs per event."""
    start = time.process_time()
    for raw in raws:
        read(raw, kind)
    return (time.process_time() - start) / len(raws) * 1e6


def compare(ways: dict[str, Contender], predictions: list[bytes], labels: list[bytes], *, runs: int) -> Results:
    """Return the medians of `runs` of each contender."""
    measured: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for run in range(runs):
        print(f"run {run + 1} of {runs}", file=sys.stderr)
        for way, read in ways.items():
            measured[way].append((cost(read, predictions, Prediction), cost(read, labels, Label)))
    results = {}
    for way, costs in measured.items():
        of_prediction, of_label = (statistics.median(column) for column in zip(*costs, strict=True))
        results[way] = {
            "us_per_prediction": of_prediction,
            "us_per_label": of_label,
            "us_per_event": statistics.median(sum(pair) / 2 for pair in costs),
        }
    return results


def main() -> int:
    """Measure, print a table, and write the result; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description=__doc__)
    parser.add_argument("--records", type=int, default=20_000, help="of each kind (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of which the median is taken (default: %(default)s)")
    options = parser.parse_args()
    predictions, labels = records(options.records)
    sizes = {
        "prediction_bytes": round(statistics.mean(map(len, predictions))),
        "label_bytes": round(statistics.mean(map(len, labels))),
    }
    ways = contenders()
    check(ways, predictions[:1000], Prediction)
    check(ways, labels[:1000], Label)
    results = compare(ways, predictions, labels, runs=options.runs)
    # What msgspec refuses at its end, so that all of it was in vain; decode has to be called as well.
    strange = [raw.replace(b'"feature_j":', b'"feature_j":NaN,"n":') for raw in predictions]
    given_up = statistics.median(cost(wire.read, strange, Prediction) for _ in range(options.runs))

    print(f"predictions of {sizes['prediction_bytes']} bytes, labels of {sizes['label_bytes']}, as many of each")
    print(f"{'CPU µs':20}  prediction  label  event")
    for way, result in results.items():
        of_prediction, of_label, of_event = result.values()
        print(f"{way:20}  {of_prediction:10.2f}  {of_label:5.2f}  {of_event:5.2f}")
    print(f"a prediction that wire.read leaves to decode costs {given_up:.2f} more")
    ratio = results["decode"]["us_per_event"] / results["wire.read"]["us_per_event"]
    kept = ratio >= 1 / BOUND
    print(f"decode / wire.read = {ratio:.1f}, at least {1 / BOUND:.0f} wanted: {'kept' if kept else 'MISSED'}")
    packages = ("pydantic", "pydantic-core", "jiter", "msgspec")
    document = {
        "contenders": results,
        "us_given_up": given_up,
        "decode_per_read": ratio,
        "kept": kept,
        **sizes,
        "labels_per_prediction": 1,
        "records": options.records,
        "runs": options.runs,
        **origin((*packages, "orjson") if "orjson, pydantic" in ways else packages),
    }
    keep("decoding", document)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
