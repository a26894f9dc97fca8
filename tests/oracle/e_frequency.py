"""The e-detector of frequencies: its formulas, word for word, value by value where they are of values."""

from __future__ import annotations

import math

from driftline.models.kernels.e_frequency import BETS, CELLS

QUIET = -1


class PlainEFrequency:
    """What is known of each category, and the evidence that it has come to be another share."""

    def __init__(self, threshold: float) -> None:
        self.threshold, self.total = threshold, 0.0
        self.values: list[int] = []  # since the last change
        self.previous: int | None = None
        self.lagged, self.squares, self.rest_squares = [0.0] * CELLS, [0.0] * CELLS, [0.0] * CELLS
        self.rests = 0
        self.span: list[list[float]] = []
        self.span_sums: list[list[float]] = []
        self.begin_anew()

    def begin_anew(self) -> None:
        self.values, self.span, self.total = [], [], 0.0
        self.evidence = [[[0.0] * BETS, [0.0] * BETS] for _ in range(CELLS)]

    def share(self, cell: int) -> float:
        return (self.values.count(cell) + 1 / 2) / (len(self.values) + 1)

    def may_fall(self, cell: int) -> bool:
        return self.values.count(cell) >= 8

    def may_rise(self, cell: int) -> bool:
        return len(self.values) - self.values.count(cell) >= 8

    def relation(self, cell: int) -> float:
        if self.rests < 512 or self.squares[cell] < 8:
            return 0.0
        related = self.lagged[cell] / self.squares[cell]
        return 0.0 if abs(related) * math.sqrt(self.rests) < 3 else sorted([-0.99, related, 0.99])[1]

    def inflation(self, cell: int) -> float:
        spans = len(self.span_sums)
        if spans < 8 or self.squares[cell] < 8:
            return 1.0
        long_run = sum(sums[cell] ** 2 for sums in self.span_sums) / (128 * spans)
        return max(1.0, long_run / (self.rest_squares[cell] / self.rests) * (1 - math.sqrt(2 / spans)))

    def spread(self, cell: int) -> float:
        related = self.relation(cell)
        return max(1.0, (1 + related) / (1 - related)) * self.inflation(cell)

    def take(self, block: list[int]) -> int:
        pairs = list(zip([self.previous, *block], block, strict=False))
        self.previous = block[-1]
        found = QUIET
        if len(self.values) >= 128:
            if self.threshold < math.inf:
                found = self._gather(pairs)
            self._add_up(pairs)
        self.values += block
        return found

    def _gather(self, pairs: list[tuple[int | None, int]]) -> int:
        of_cells = {}
        for cell in range(CELLS):
            if cell not in self.values and all(value != cell for _, value in pairs):
                continue
            share, count = self.share(cell), self.values.count(cell)
            error = math.sqrt(self.spread(cell) * (count + 1)) / (len(self.values) + 1)
            of_cells[cell] = 0.0
            if self.may_rise(cell):
                its = [(before == cell, value == cell) for before, value in pairs]
                of_cells[cell] += self._bet(cell, 0, min(share + error, 1.0), its)
            if self.may_fall(cell):
                others = [(before != cell, value != cell) for before, value in pairs]
                of_cells[cell] += self._bet(cell, 1, 1 - max(share - error, 0.0), others)
        self.total = sum(of_cells.values())
        return max(of_cells, key=of_cells.__getitem__) if self.total >= self.threshold else QUIET

    def _bet(self, cell: int, side: int, mean: float, pairs: list[tuple[bool, bool]]) -> float:
        related, v = self.relation(cell), self.inflation(cell)
        variance = mean * (1 - mean) * (1 - related**2)
        largest = 0.95 / (mean + max(related * (1 - mean), -related * mean))
        if v > 1 and variance > 0:
            largest = min(largest, v * math.sqrt(2 * 0.04 / ((v - 1) * variance)))
        smallest = min(0.08 / math.sqrt(variance), largest) if variance > 0 else largest
        evidence = self.evidence[cell][side]
        for k in range(BETS):
            bet = smallest * (largest / smallest) ** (k / (BETS - 1)) / v
            grown = evidence[k] + len(pairs) / (2 * CELLS * BETS)
            for before, value in pairs:
                d = (value - mean) - related * (before - mean)
                grown *= 1 - bet**2 * (v - 1) * variance / 2 + bet * d
            evidence[k] = grown
        return sum(evidence)

    def _add_up(self, pairs: list[tuple[int | None, int]]) -> None:
        shares = [self.share(cell) for cell in range(CELLS)]
        relations = [self.relation(cell) for cell in range(CELLS)]
        for before, value in pairs:
            offs = [((value == cell) - share, (before == cell) - share) for cell, share in enumerate(shares)]
            rests = [off - related * last for (off, last), related in zip(offs, relations, strict=True)]
            self.span.append(rests)
            self.rest_squares = [total + rest**2 for total, rest in zip(self.rest_squares, rests, strict=True)]
            for cell, (off, last) in enumerate(offs):
                self.lagged[cell] += off * last
                self.squares[cell] += off**2
        self.rests += len(pairs)
        if len(self.span) >= 128:
            self.span_sums.append([sum(column) for column in zip(*self.span, strict=True)])
            self.span = []
