"""A watched stream of a regression: of its losses, or of what calibration leaves of its labels.

It is one of `ranked` with one detector, of the rank; but from losses the means of their hours are taken, and not
distributions: they are compared by a mean, which a few values may decide that are far beyond all of the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.models.kernels import centre, e_sr, hourly_means, ranked
from driftline.models.kernels import season as seasonal
from driftline.models.kernels import stream as common
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.ranked import blocks, effect, learn_all, newest, settle, sum_up
from driftline.models.kernels.stream import BLOCK

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record, Records

__all__ = ["BLOCK", "blocks", "effect", "learn", "learn_all", "newest", "settle", "sum_up", "update", "update_at"]


@inlined
def update(
    stream: Record,
    trails: Records,
    seasons: Records,
    value: float,
    at: int,
    prediction_offset: int,
    label_offset: int,
) -> int:
    """Take one finite value and where it stood; return `QUIET`, `LOOK`, or `FIRED` plus the number of a detector."""
    if stream.hours.state != seasonal.FLAT:
        value = _without_hour(stream, value, at)
    return ranked.update(stream, trails, seasons, value, at, prediction_offset, label_offset)


@inlined
def learn(stream: Record, seasons: Records, value: float, at: int) -> None:
    """Take one finite value of the reference, whose cells are known already, and its time."""
    if stream.hours.state != seasonal.FLAT:
        value = _without_hour(stream, value, at)
    ranked.learn(stream, seasons, value, at)


@kernel
def _without_hour(stream: Record, value: float, at: int) -> float:
    """Return what a loss is without its hour, once it is known how hours differ; until then let that be learned."""
    hours = stream.hours
    if hours.state == seasonal.LEARNS:
        if not seasonal.is_covered(hours, at):
            hourly_means.learn(hours, value, at)
            return value
        if not hourly_means.settle(hours, centre.relation(stream.evidence[0].centre)):
            return value
        # What was learned had hours in it.
        e_sr.forget(stream.evidence[0])
        common.restart(stream)
        if hourly_means.has_reference(hours):
            if hours.base > 0.0:
                hours.whole *= stream.measure.before / hours.base
        else:  # all of these values are of it
            stream.measure.before = hours.whole
            stream.measure.reference = hours.values
    usual = hourly_means.mean_at(hours, at)
    return float(value * hours.whole / usual) if usual > 0.0 else value


@kernel
def update_at(
    streams: Records,
    index: int,
    trails: Records,
    seasons: Records,
    value: float,
    at: int,
    prediction_offset: int,
    label_offset: int,
) -> int:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(streams[index], trails, seasons, value, at, prediction_offset, label_offset)
