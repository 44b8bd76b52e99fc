"""One column's distribution, without anybody's value in it.

A margin is a row of segments over (0, 1): points that many rows share (a zero, a round limit) and
stretches between quantiles, each of which holds at least `FEW` rows. Within a stretch values are
spread evenly, and beyond the `FEW` lowest and highest values nothing is ever drawn: no outlier's
own figure is kept.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from arrears.synthesis.records.table import FEW, Column

_POINT: Final = 0.004
"""Share of the rows from which on a value is a point of its own."""
_DISCRETE: Final = 60
"""A column with at most so many different values has points only."""
_STRETCHES: Final = 500
MISSING: Final = -np.inf


@dataclass(frozen=True)
class Margin:
    """Segments from the lowest to the highest value; missing comes first, as −inf."""

    edges: NDArray[np.float64]
    """Shape (segments + 1,), from 0 to 1."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """Shape (segments,). Equal in a point."""
    step: float

    def values(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at probabilities; NaN is missing."""
        place = np.searchsorted(self.edges, uniform, side="right") - 1
        place = np.clip(place, 0, len(self.low) - 1)
        width = self.edges[place + 1] - self.edges[place]
        inside = np.clip((uniform - self.edges[place]) / width, 0.0, 1.0)
        low, high = self.low[place], self.high[place]
        with np.errstate(invalid="ignore"):
            # In a point there is no width to multiply: −inf would become NaN too soon.
            found = np.where(low == high, low, low + (high - low) * inside)
            if self.step:
                found = np.round(found / self.step) * self.step
        found[found == MISSING] = np.nan
        return found

    def document(self) -> dict[str, Any]:
        """As it is stored; −inf becomes None."""
        return {
            "edges": self.edges.tolist(),
            "low": [None if v == MISSING else v for v in self.low.tolist()],
            "high": [None if v == MISSING else v for v in self.high.tolist()],
            "step": self.step,
        }


def margin_from(document: dict[str, Any]) -> Margin:
    """As `Margin.document` gave it."""

    def numbers(name: str) -> NDArray[np.float64]:
        return np.array([MISSING if v is None else v for v in document[name]], dtype=float)

    return Margin(numbers("edges"), numbers("low"), numbers("high"), float(document["step"]))


def fit_margin(values: NDArray[np.float64], column: Column) -> Margin:
    """The margin of a column's numbers (shape (rows,), NaN for missing)."""
    n = len(values)
    order = np.sort(np.where(np.isnan(values), MISSING, values))
    different, counts = np.unique(order, return_counts=True)
    least = max(FEW, int(np.ceil(_POINT * n)))
    if column.kind == "categorical" or len(different) <= _DISCRETE:
        least = FEW
    points = counts >= least
    points |= different == MISSING
    if len(different) <= _DISCRETE:
        different, counts = _folded(different, counts, points)
        edges = np.concatenate([[0.0], np.cumsum(counts) / n])
        return Margin(edges, different, different, column.step)
    return _mixed(order, different, counts, points, column.step)


def _folded(
    different: NDArray[np.float64], counts: NDArray[np.int64], points: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Few values: those that hardly any row has are counted with the nearest that is frequent."""
    if not points.any():
        points = counts == counts.max()
    kept = np.flatnonzero(points)
    total = counts[kept].copy()
    for i in np.flatnonzero(~points):
        total[int(np.argmin(np.abs(different[kept] - different[i])))] += counts[i]
    return different[kept], total


def _mixed(
    order: NDArray[np.float64],
    different: NDArray[np.float64],
    counts: NDArray[np.int64],
    points: NDArray[np.bool_],
    step: float,
) -> Margin:
    """Points, and quantile stretches between them."""
    n = len(order)
    size = max(FEW, n // _STRETCHES)
    lowest = float(order[order > MISSING][:FEW].mean())
    highest = float(order[-FEW:].mean())
    edges, low, high = [0.0], [], []
    ends = np.cumsum(counts)
    run_start = 0
    for i in [*np.flatnonzero(points).tolist(), len(different)]:
        run_end = int(ends[i] - counts[i]) if i < len(different) else n
        # The rows between the last point and this one.
        rows = order[run_start:run_end]
        if len(rows):
            parts = max(1, len(rows) // size)
            cuts = np.linspace(0, len(rows), parts + 1).round().astype(int)
            bounds = _between(rows, cuts)
            for b, x, y in zip(cuts[1:], bounds, bounds[1:], strict=False):
                edges.append((run_start + int(b)) / n)
                low.append(float(np.clip(x, lowest, highest)))
                high.append(float(np.clip(y, lowest, highest)))
        if i < len(different):
            run_start = int(ends[i])
            edges.append(run_start / n)
            value = float(different[i])
            low.append(value if value == MISSING else float(np.clip(value, lowest, highest)))
            high.append(low[-1])
    return Margin(np.array(edges), np.array(low), np.array(high), step)


def _between(rows: NDArray[np.float64], cuts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Bounds of stretches that are nobody's value: halfway between neighbours, and at the ends of
    the run the mean of a few.
    """
    inner = (rows[cuts[1:-1] - 1] + rows[cuts[1:-1]]) / 2
    return np.concatenate([[rows[:FEW].mean()], inner, [rows[-FEW:].mean()]])
