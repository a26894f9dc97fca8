"""The detectors of River that also exist compiled, and decide as River's do: for these names the compiled ones run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.kernels import adwin, ddm, eddm, fhddm, hddm_a, hddm_w, page_hinkley

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    Arguments = tuple[Any, ...]

_MODES: Final = {"up": page_hinkley.UP, "down": page_hinkley.DOWN, "both": page_hinkley.BOTH}
_ADWINS: Final = {"clock": 32, "max_buckets": 5, "min_window_length": 5, "grace_period": 10}


class Kernel(NamedTuple):
    """A compiled detector: its record, its functions, and how its arguments are read off River's object.

    `arguments` returns None where the object has parameters that the kernel does not have.
    """

    dtype: np.dtype[np.void]
    update: Callable[..., bool]
    reset: Callable[[np.void], None]
    arguments: Callable[[Any], Arguments | None]


def _adwin(river: Any) -> Arguments | None:  # noqa: ANN401 - of River, as below
    as_compiled = all(getattr(river, name) == value for name, value in _ADWINS.items())
    return (float(river.delta),) if as_compiled else None


def _page_hinkley(river: Any) -> Arguments:  # noqa: ANN401
    limits = float(river.delta), float(river.threshold), float(river.alpha)
    return int(river.min_instances), *limits, _MODES[river.mode]


def _fhddm(river: Any) -> Arguments | None:  # noqa: ANN401
    size, short = int(river.sliding_window_size), int(river.short_window_size or 0)
    return (size, float(river.confidence_level), short) if 0 < size <= fhddm.LONGEST and short <= size else None


KERNELS: Final[dict[str, Kernel]] = {
    "ADWIN": Kernel(adwin.ADWIN, adwin.update_at, adwin.reset, _adwin),
    "PageHinkley": Kernel(page_hinkley.PAGE_HINKLEY, page_hinkley.update_at, page_hinkley.reset, _page_hinkley),
    "DDM": Kernel(
        ddm.DDM, ddm.update_at, ddm.reset, lambda river: (int(river.warm_start), float(river.drift_threshold))
    ),
    "EDDM": Kernel(eddm.EDDM, eddm.update_at, eddm.reset, lambda river: (int(river.warm_start), float(river.beta))),
    "FHDDM": Kernel(fhddm.FHDDM, fhddm.update_at, fhddm.reset, _fhddm),
    "HDDMA": Kernel(
        hddm_a.HDDM_A,
        hddm_a.update_at,
        hddm_a.reset,
        lambda river: (float(river.drift_confidence), bool(river.two_sided_test)),
    ),
    "HDDMW": Kernel(
        hddm_w.HDDM_W,
        hddm_w.update_at,
        hddm_w.reset,
        lambda river: (float(river.drift_confidence), float(river.lambda_val), bool(river.two_sided_test)),
    ),
}
