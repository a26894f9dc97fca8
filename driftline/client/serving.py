"""One answer of a model, from the question to the event."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypedDict
from uuid import uuid4

from driftline.schemas.decoding import validate
from driftline.schemas.events import Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping


class Given(TypedDict, total=False):
    """What is known of a prediction before it is made."""

    prediction_id: str
    features: Mapping[str, Any]
    segments: Mapping[str, Any]


class Serving:
    """What is served, with its latency measured from here on; made by `EventProducer.serving`.

    Attributes
    ----------
    prediction_id
        A new one, unless one was given: the label refers to it.
    prediction
        To be set: the label that was chosen, or the number.
    score, probabilities, features, segments
        As in `Prediction`; each may be left out.

    """

    def __init__(
        self,
        model_id: str,
        model_version: str,
        *,
        prediction_id: str | None = None,
        features: Mapping[str, Any] | None = None,
        segments: Mapping[str, Any] | None = None,
    ) -> None:
        self.prediction_id = uuid4().hex if prediction_id is None else prediction_id
        self.prediction: Any = None
        self.score: Any = None
        self.probabilities: Mapping[Any, Any] | None = None
        self.features = features
        self.segments = segments
        self._of = {"model_id": model_id, "model_version": model_version}
        self._at = time.time_ns() // 1_000_000
        self._began = time.perf_counter()

    def event(self) -> Prediction:
        """Return the event of an answer that is given now.

        Raises
        ------
        DecodeError
            If the worker would refuse it.

        """
        latency = {"timestamp": self._at, "latency_ms": 1000.0 * (time.perf_counter() - self._began)}
        fields = {
            "prediction_id": self.prediction_id,
            "prediction": self.prediction,
            "score": self.score,
            "probabilities": self.probabilities,
            "features": self.features,
            "segments": self.segments,
        }
        # None is absent: of what has to be there the check will say so.
        return validate({**self._of, **latency, **{k: v for k, v in fields.items() if v is not None}}, Prediction)
