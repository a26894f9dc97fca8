# mypy: disable-error-code="no-untyped-call"
# River's detectors are not typed.
"""Each detector that is compiled beside the one of River that it was made after."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numba import njit
from river import drift

from driftline.models.kernels import adwin, ddm, eddm, fhddm, hddm_a, hddm_w, page_hinkley

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float64]
    Decisions: TypeAlias = npt.NDArray[np.bool_]

_MODES: Final = {page_hinkley.UP: "up", page_hinkley.DOWN: "down", page_hinkley.BOTH: "both"}


@dataclass(frozen=True)
class Detector:
    """A detector: its record, its kernels, what makes River's from the same parameters, and River's defaults."""

    name: str
    dtype: np.dtype[np.void]
    update: Callable[..., bool]
    reset: Callable[[np.void], None]
    rivers: Callable[..., Any]
    parameters: tuple[Any, ...]
    others: tuple[tuple[Any, ...], ...]
    """Parameters with which it decides more often, and in every way there is."""
    needs_bits: bool = True

    def driver(self) -> Callable[[np.void, Floats, tuple[Any, ...], Decisions], None]:
        """Return what updates a record with one value after the other, and resets it after each change."""
        driver: Callable[[np.void, Floats, tuple[Any, ...], Decisions], None] = _driver(self.update, self.reset)
        return driver

    def decide(self, record: np.void, values: Floats, parameters: tuple[Any, ...]) -> Decisions:
        """Return at which values the kernel says that there is a change."""
        decisions = np.zeros(values.size, np.bool_)
        self.driver()(record, values, parameters, decisions)
        return decisions

    def decide_as_river(self, values: Floats, parameters: tuple[Any, ...]) -> Decisions:
        """Return at which values River's says so; it resets itself."""
        detector = self.rivers(*parameters)
        decisions = np.zeros(values.size, np.bool_)
        for n, value in enumerate(values.astype(np.int64).tolist() if self.needs_bits else values.tolist()):
            detector.update(value)
            if detector.drift_detected:
                decisions[n] = True
        return decisions


@cache
def _driver(update: Callable[..., bool], reset: Callable[[np.void], None]) -> Any:  # noqa: ANN401 - compiled
    @njit(error_model="numpy")
    def drive(record: np.void, values: Floats, parameters: tuple[Any, ...], decisions: Decisions) -> None:
        for n in range(values.size):
            if update(record, values[n], *parameters):
                decisions[n] = True
                reset(record)

    return drive


def _page_hinkley(min_instances: int, delta: float, threshold: float, alpha: float, mode: int) -> drift.PageHinkley:
    return drift.PageHinkley(min_instances, delta, threshold, alpha, _MODES[mode])


def _fhddm(size: int, confidence_level: float, short_size: int) -> drift.binary.FHDDM:
    return drift.binary.FHDDM(size, confidence_level, short_size or None)


DETECTORS: Final = (
    Detector(
        "ADWIN",
        adwin.ADWIN,
        adwin.update,
        adwin.reset,
        lambda delta: drift.ADWIN(delta=delta),
        (0.002,),
        ((1e-9,), (1e-4,), (0.05,), (0.5,), (3.0,), (20.0,)),
        needs_bits=False,
    ),
    Detector(
        "Page-Hinkley",
        page_hinkley.PAGE_HINKLEY,
        page_hinkley.update,
        page_hinkley.reset,
        _page_hinkley,
        (
            page_hinkley.MIN_INSTANCES,
            page_hinkley.DELTA,
            page_hinkley.THRESHOLD,
            page_hinkley.ALPHA,
            page_hinkley.MODE,
        ),
        (
            (30, 0.005, 5.0, 0.9999, page_hinkley.BOTH),
            (1, 0.0, 1.0, 1.0, page_hinkley.UP),
            (100, 0.05, 2.0, 0.99, page_hinkley.DOWN),
        ),
        needs_bits=False,
    ),
    Detector(
        "DDM",
        ddm.DDM,
        ddm.update,
        ddm.reset,
        lambda warm_start, drift_threshold: drift.binary.DDM(warm_start, 2.0, drift_threshold),
        (ddm.WARM_START, ddm.DRIFT_THRESHOLD),
        ((0, 3.0), (10, 1.5), (200, 2.5)),
    ),
    Detector(
        "EDDM",
        eddm.EDDM,
        eddm.update,
        eddm.reset,
        lambda warm_start, beta: drift.binary.EDDM(warm_start, 1.0, beta),
        (eddm.WARM_START, eddm.BETA),
        ((30, 0.75), (0, 0.5), (5, 1.0)),
    ),
    Detector(
        "FHDDM",
        fhddm.FHDDM,
        fhddm.update,
        fhddm.reset,
        _fhddm,
        (fhddm.SLIDING_WINDOW_SIZE, fhddm.CONFIDENCE_LEVEL, fhddm.SHORT_WINDOW_SIZE),
        ((100, 1e-6, 20), (25, 1e-3, 25), (fhddm.LONGEST, 1e-2, 7), (40, 0.1, 0), (1, 0.5, 1)),
    ),
    Detector(
        "HDDM_A",
        hddm_a.HDDM_A,
        hddm_a.update,
        hddm_a.reset,
        lambda drift_confidence, two_sided: drift.binary.HDDMA(drift_confidence, 0.5, two_sided),
        (hddm_a.DRIFT_CONFIDENCE, hddm_a.TWO_SIDED_TEST),
        ((0.001, True), (0.05, False), (0.2, True), (1e-6, True)),
        needs_bits=False,
    ),
    Detector(
        "HDDM_W",
        hddm_w.HDDM_W,
        hddm_w.update,
        hddm_w.reset,
        lambda drift_confidence, lambda_val, two_sided: drift.binary.HDDMW(
            drift_confidence, 0.5, lambda_val, two_sided
        ),
        (hddm_w.DRIFT_CONFIDENCE, hddm_w.LAMBDA_VAL, hddm_w.TWO_SIDED_TEST),
        ((0.001, 0.05, True), (0.05, 0.01, False), (0.2, 0.3, True), (1e-6, 0.999, True), (0.01, 0.002, True)),
        needs_bits=False,
    ),
)
