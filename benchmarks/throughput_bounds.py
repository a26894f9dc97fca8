"""What `benchmarks.throughput` must show: each bound with what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EVENTS_PER_SECOND: Final = 100_000
PER_RIVER: Final = 12
MORE_WITH_FAUST: Final = 6.0
PER_FAUST: Final = 15
MANY_MODELS: Final = 1000
PER_ONE_MODEL: Final = 2.0
MODEL_BYTES: Final = 200_000


@dataclass(frozen=True)
class Verdict:
    """A bound, what was measured, and whether it was kept."""

    wanted: str
    found: str
    is_kept: bool

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{self.wanted}: {self.found}: {'kept' if self.is_kept else 'MISSED'}"


def verdicts(costs: Mapping[str, float], models: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    """Judge what was measured: CPU us per event by contender, and the table by models; nothing of what was not."""
    if core := costs.get("core"):
        rate = 1e6 / core
        yield Verdict(
            f"the core processes at least {EVENTS_PER_SECOND:,} events a second on one core",
            f"{rate:,.0f}",
            rate >= EVENTS_PER_SECOND,
        )
        if river := costs.get("river"):
            yield _times("the core", core, "the loop with River", river, PER_RIVER)
        if worker := costs.get("worker"):
            more = worker - core
            yield Verdict(
                f"Faust, Kafka and Redis add at most {MORE_WITH_FAUST:g} us an event",
                f"{more:.1f}",
                more <= MORE_WITH_FAUST,
            )
    if (worker := costs.get("worker")) and (stock := costs.get("faust")):
        yield _times("the worker", worker, "stock Faust with River", stock, PER_FAUST)
    by_number = {row["models"]: row for row in models}
    if many := by_number.get(MANY_MODELS):
        size = many["rss_bytes_per_model"]
        yield Verdict(
            f"of {MANY_MODELS:,} models each takes at most {MODEL_BYTES / 1000:.0f} kB",
            f"{size / 1000:,.0f}",
            size <= MODEL_BYTES,
        )
        if one := by_number.get(1):
            ratio = many["cpu_us_per_event"] / one["cpu_us_per_event"]
            yield Verdict(
                f"an event of {MANY_MODELS:,} models costs at most {PER_ONE_MODEL:g} times one of a single model",
                f"{ratio:.2f}",
                ratio <= PER_ONE_MODEL,
            )


def _times(ours: str, cost: float, theirs: str, other: float, least: int) -> Verdict:
    ratio = other / cost
    return Verdict(f"{ours} is at least {least} times as fast as {theirs}", f"{ratio:.1f}", ratio >= least)
