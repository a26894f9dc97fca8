"""The e-detector and the centre that it is fed from: their formulas, word for word."""

from __future__ import annotations

import math
from itertools import pairwise

from driftline.models.kernels.e_sr import FALLEN, QUIET, RISEN


class PlainCentre:
    """What a value's past tells of it: the formulas, word for word."""

    def __init__(self) -> None:
        self.count, self.total, self.previous = 0, 0.0, 0.0
        self.lagged = self.squares = 0.0
        self.span: list[float] = []
        self.span_sums: list[float] = []
        self.rest_squares, self.rests = 0.0, 0
        self.paused = False

    @property
    def mean(self) -> float:
        return (self.total + 1 / 2) / (self.count + 1)

    @property
    def is_ready(self) -> bool:
        return self.count >= 100 and not self.paused

    @property
    def varies(self) -> bool:
        return self.total >= 8 and self.count - self.total >= 8

    @property
    def relation(self) -> float:
        if self.squares == 0 or self.rests < 512 or not self.varies:
            return 0.0
        return sorted([-0.99, self.lagged / self.squares, 0.99])[1]

    @property
    def variance(self) -> float:
        if self.rests == 0 or not self.varies:
            return self.mean * (1 - self.mean)
        return self.rest_squares / self.rests

    @property
    def inflation(self) -> float:
        spans = len(self.span_sums)
        if spans < 8 or self.rest_squares == 0 or not self.varies:
            return 1.0
        long_run = sum(each**2 for each in self.span_sums) / (128 * spans)
        return max(1.0, long_run / self.variance * (1 - math.sqrt(2 / spans)))

    def take(self, values: list[float]) -> list[float]:
        mean, relation = self.mean, self.relation
        offs = [self.previous, *(value - mean for value in values)]
        rests = [off - relation * before for before, off in pairwise(offs)]
        is_known = self.count >= 100
        self.count += len(values)
        self.total += sum(values)
        self.previous = offs[-1]
        if is_known:
            self.lagged += sum(off * before for before, off in pairwise(offs))
            self.squares += sum(off**2 for off in offs[1:])
            if not self.paused:
                self._add_up(rests)
        if self.count >= 128 and (self.varies or self.count >= 65_536):
            self.paused = False
        return rests

    def _add_up(self, rests: list[float]) -> None:
        self.rest_squares += sum(rest**2 for rest in rests)
        self.rests += len(rests)
        for rest in rests:
            self.span.append(rest)
            if len(self.span) == 128:
                self.span_sums.append(sum(self.span))
                self.span = []

    def rebase(self) -> None:
        self.count, self.total, self.previous = 0, 0.0, 0.0
        self.paused = True


class PlainESr:
    """The evidence, word for word."""

    def __init__(self, threshold: float, *, rises_only: bool, inflation: float) -> None:
        self.centre = PlainCentre()
        self.threshold, self.rises_only, self.inflation = threshold, rises_only, inflation
        self.rise, self.fall = [0.0] * 8, [0.0] * 8
        self.totals: list[float] = []  # at the places of the newest values at which it was looked at

    def take(self, values: list[float]) -> int:
        bets = self._bets()
        is_tested = self.centre.is_ready and self.threshold < math.inf
        may_rise = self.centre.count - self.centre.total >= 8
        may_fall = self.centre.total >= 8 and not self.rises_only
        rests = self.centre.take(values)
        self.totals = []
        if not is_tested:
            return QUIET
        for place, d in enumerate(rests, 1):
            if d != 0:
                rising, falling = bets
                if may_rise:
                    self.rise = self._grown(self.rise, rising, d)
                if may_fall:
                    self.fall = self._grown(self.fall, falling, -d)
            if place % 8 == 0 or place == len(rests):
                risen, fallen = sum(self.rise), sum(self.fall)
                self.totals.append(max(risen, fallen))
                if self.totals[-1] >= self.threshold:
                    return RISEN if risen >= fallen else FALLEN
        return QUIET

    @staticmethod
    def _grown(evidence: list[float], bets: list[tuple[float, float]], d: float) -> list[float]:
        return [(1 - paid + bet * d) * (q + 1 / 8) for (bet, paid), q in zip(bets, evidence, strict=True)]

    def _bets(self) -> list[list[tuple[float, float]]]:
        """Return the bets on a rise and on a fall, each with what it pays for a value."""
        centre = self.centre
        mean, related, variance = centre.mean, centre.relation, centre.variance
        v = max(centre.inflation, self.inflation)
        off = [-mean, 1 - mean]  # what the value before may have been off the mean
        lowest = mean + max(related * each for each in off)
        highest = 1 - mean - min(related * each for each in off)
        bets = []
        for reach in (lowest, highest):
            largest = 0.95 / reach
            if v > 1 and variance > 0:
                largest = min(largest, v * math.sqrt(2 * 0.04 / ((v - 1) * variance)))
            smallest = min(0.08 / math.sqrt(variance), largest) if variance > 0 else largest
            chosen = [smallest * (largest / smallest) ** (k / 7) / v for k in range(8)]
            bets.append([(bet, bet**2 * (v - 1) * variance / 2) for bet in chosen])
        return bets

    def begin_anew(self) -> None:
        self.rise, self.fall = [0.0] * 8, [0.0] * 8
        self.centre.rebase()
