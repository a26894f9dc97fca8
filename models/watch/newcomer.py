"""A feature that came after its model was known, until it is clear what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.models.watch.feature import Feature
from driftline.models.watch.profile import kind_of, leaning
from driftline.schemas.config import FeatureKind

if TYPE_CHECKING:
    from driftline.models.arena import Arena
    from driftline.schemas.config import ModelConfig

_ENOUGH: Final = 50  # values, so that a first one that is odd does not decide


class Newcomer:
    """Watches a feature both as a number and as a category: what its first 50 values mostly are, it is.

    Parameters
    ----------
    missed
        How many predictions of the version came before the first that had the feature.

    """

    def __init__(self, name: str, version: str, config: ModelConfig, arena: Arena, *, missed: int) -> None:
        self._as = {kind: Feature(name, kind, version, config, missed=missed, arena=arena) for kind in FeatureKind}
        self._values = 0
        self._leanings = 0

    def update(self, value: object, at: int, offset: int, label_offset: int) -> None:
        """Take the value of one prediction, as `Feature.update` does."""
        for feature in self._as.values():
            feature.update(value, at, offset, label_offset)
        if lean := leaning(value):
            self._values += 1
            self._leanings += lean

    @property
    def is_clear(self) -> bool:
        """Whether enough values have come to tell what it is."""
        return self._values >= _ENOUGH

    @property
    def feature(self) -> Feature:
        """The feature, as what it seems to be so far."""
        return self._as[kind_of(self._leanings)]

    def settle(self) -> Feature:
        """Return the feature as what it is; the newcomer is of no more use."""
        chosen = self.feature
        for feature in self._as.values():
            if feature is not chosen:
                feature.close()
        return chosen

    def close(self) -> None:
        """Give back all records."""
        for feature in self._as.values():
            feature.close()

    def freeze(self) -> None:
        """Begin after the reference: there is nothing to be compared with."""
        for feature in self._as.values():
            feature.freeze()

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        features = {kind.value: feature.snapshot() for kind, feature in self._as.items()}
        return {"as": features, "values": self._values, "leanings": self._leanings}

    @classmethod
    def restore(cls, name: str, version: str, config: ModelConfig, snapshot: dict[str, Any], arena: Arena) -> Newcomer:
        """Rebuild what `snapshot` returned."""
        newcomer = cls(name, version, config, arena, missed=0)
        newcomer.close()
        for kind, stored in snapshot["as"].items():
            newcomer._as[FeatureKind(kind)] = Feature.restore(name, version, config, stored, arena)
        newcomer._values, newcomer._leanings = snapshot["values"], snapshot["leanings"]
        return newcomer
