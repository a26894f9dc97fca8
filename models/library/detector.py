"""A detector by name, as a stream feeds it: River's object, or the compiled one that decides as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from driftline.models.drift.packed import pack_record, unpack_record
from driftline.models.library import catalogue
from driftline.models.library.components import Mistakes, made, make_detector
from driftline.models.library.kernels import KERNELS
from driftline.models.library.portrait import capture, rebuild

if TYPE_CHECKING:
    from driftline.models.library.kernels import Kernel
    from driftline.schemas.river import Component

_FED_HITS: Final = frozenset({"FHDDM"})
"""Detectors that find that ones become fewer; of errors that would be the wrong way, so they get what was right."""


class Detector(Protocol):
    """Whoever tells of each value whether the stream has changed."""

    def update(self, value: float) -> bool:
        """Take one value in [0, 1]; return whether there is a change."""

    def snapshot(self) -> Any:  # noqa: ANN401 - of JSON
        """Return plain values."""

    def restore(self, snapshot: Any) -> None:  # noqa: ANN401 - of JSON
        """Take over what `snapshot` returned."""


class RiverDetector:
    """A detector of River, fed as anyone would: by `update` and `drift_detected`.

    Examples
    --------
    >>> from driftline.schemas.river import Component
    >>> detector = open_detector(Component(name="DummyDriftDetector", parameters={"t_0": 3}))
    >>> [detector.update(0.5) for _ in range(6)]
    [False, False, True, False, False, True]

    """

    def __init__(self, river: Any, *, takes_bits: bool) -> None:  # noqa: ANN401 - of River
        self._river = river
        self._takes_bits = takes_bits

    def update(self, value: float) -> bool:
        """Take one value; River's resets itself at the next one after a change."""
        self._river.update(int(value) if self._takes_bits else value)
        return bool(self._river.drift_detected)

    def snapshot(self) -> Any:  # noqa: ANN401 - of JSON
        """Return plain values."""
        return capture(self._river)

    def restore(self, snapshot: Any) -> None:  # noqa: ANN401 - of JSON
        """Take over what `snapshot` returned."""
        self._river = rebuild(snapshot)


class CompiledDetector:
    """A kernel that decides as River's detector of that name, with its record."""

    def __init__(self, kernel: Kernel, arguments: tuple[Any, ...]) -> None:
        self._kernel = kernel
        self._arguments = arguments
        self._rows = np.zeros(1, kernel.dtype)

    def update(self, value: float) -> bool:
        """Take one value; after a change the detector begins again."""
        if not self._kernel.update(self._rows, 0, value, *self._arguments):
            return False
        self._kernel.reset(self._rows[0])
        return True

    def snapshot(self) -> Any:  # noqa: ANN401 - of JSON
        """Return plain values."""
        return pack_record(self._rows[0])

    def restore(self, snapshot: Any) -> None:  # noqa: ANN401 - of JSON
        """Take over what `snapshot` returned."""
        unpack_record(snapshot, self._rows[0])


class Hits:
    """A detector that is fed one less each value: of errors, whether the prediction was right."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def update(self, value: float) -> bool:
        """Take one value."""
        return self._detector.update(1.0 - value)

    def snapshot(self) -> Any:  # noqa: ANN401 - of JSON
        """Return plain values."""
        return self._detector.snapshot()

    def restore(self, snapshot: Any) -> None:  # noqa: ANN401 - of JSON
        """Take over what `snapshot` returned."""
        self._detector.restore(snapshot)


def open_detector(component: Component) -> Detector:
    """Return the detector that a configuration names.

    Raises
    ------
    ConfigurationError
        If there is none, or its parameters are wrong.

    """
    mistakes = Mistakes()
    river = made(make_detector(component, f"{component.name}.name", mistakes), mistakes)
    kernel = KERNELS.get(component.name)
    arguments = None if kernel is None else kernel.arguments(river)
    if kernel is not None and arguments is not None:
        detector: Detector = CompiledDetector(kernel, arguments)
    else:
        detector = RiverDetector(river, takes_bits=catalogue.is_binary(component.name))
    return Hits(detector) if component.name in _FED_HITS else detector
