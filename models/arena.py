"""Where the numbers of all models of a partition are: records of one kind side by side, which kernels reach at once."""

from __future__ import annotations

from itertools import count

from driftline.models.bank import Bank
from driftline.models.drift.streams import Streams
from driftline.models.kernels.fast import RECENT
from driftline.models.kernels.feature import FEATURE
from driftline.models.kernels.linear_model import LINEAR_MODEL
from driftline.models.kernels.rows import MODEL, Banks
from driftline.models.kernels.slices import SLICES
from driftline.models.kernels.thinned import THINNED, THINNED_PAGE
from driftline.models.kernels.version import FEATURE_PAGE, VERSION
from driftline.models.performance.bank import CounterBanks
from driftline.models.watch.quantiles import SketchBank


class Arena:
    """The banks of a partition. What is in them belongs to the objects that have allocated it, and is freed by them."""

    def __init__(self) -> None:
        self.models = Bank(MODEL)
        self.versions = Bank(VERSION)
        self.lists = Bank(FEATURE_PAGE)
        self.features = Bank(FEATURE)
        self.samples = Bank(THINNED)
        self.pages = Bank(THINNED_PAGE)
        self.slices = Bank(SLICES)
        self.streams = Streams()
        self.challengers = Bank(LINEAR_MODEL)
        self.sketches = SketchBank()
        self.recents = Bank(RECENT)
        self.counters = CounterBanks.empty()
        self._numbers = count(1)

    def number(self) -> int:
        """Return a number that nobody else has."""
        return next(self._numbers)

    @property
    def banks(self) -> Banks:
        """All records as they are now: the next allocation may move them."""
        psis, shares, residuals, ranked, frequencies, gaps = (bank.rows for bank in self.streams.banks)
        return Banks(
            self.models.rows,
            self.versions.rows,
            self.lists.rows,
            self.features.rows,
            self.samples.rows,
            self.pages.rows,
            self.slices.rows,
            psis,
            shares,
            residuals,
            ranked,
            frequencies,
            gaps,
            self.streams.trails.rows,
            self.streams.seasons.rows,
            self.challengers.rows,
            self.sketches.arrays,
            self.recents.rows,
            *(bank.arrays for bank in self.counters),
        )
