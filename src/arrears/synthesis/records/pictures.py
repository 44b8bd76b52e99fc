"""The pictures of the evidence."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.bench.svg import Drawing, linear
from arrears.synthesis.records.evidence import Evidence
from arrears.synthesis.records.table import Column, Table

WIDTH: Final = 960.0
REAL, MADE = "c0", "c1"
_BINS: Final = 24
_ACROSS: Final = 4
_MOST_COLUMNS: Final = 40


def plane(found: Evidence) -> str:
    """Both sets in the real rows' first two principal components, side by side."""
    height, side = 420.0, 380.0
    picture = Drawing(WIDTH, height, "Real and synthetic rows in two principal components")
    both = np.vstack(found.pca)
    low, high = np.quantile(both, 0.002, axis=0), np.quantile(both, 0.998, axis=0)
    for place, (title, points, colour) in enumerate(
        (("real (holdout)", found.pca[0], REAL), ("synthetic", found.pca[1], MADE))
    ):
        left = 50.0 + place * (side + 90)
        x = linear(float(low[0]), float(high[0]), left, left + side)
        y = linear(float(low[1]), float(high[1]), 26 + side - 20, 26)
        picture.box(left, 20, side, side - 8, "rule", opacity=0.18)
        picture.text(left, 14, title, "head")
        inside = points[((points >= low) & (points <= high)).all(axis=1)]
        for a, b in inside.tolist():
            picture.dot(x(a), y(b), 1.7, colour)
        first, second = found.explained
        picture.text(left, height - 10, f"component 1 ({first:.0%} of the variance)", "axis")
        picture.text(left + side, height - 10, f"up: component 2 ({second:.0%})", "axis", "end")
    return str(picture)


def margins(made: Table, real: Table) -> str:
    """Each column's distribution: real as bars, synthetic as a line."""
    columns = real.columns[:_MOST_COLUMNS]
    each, tall = (WIDTH - 20.0) / _ACROSS, 118.0
    lines = -(-len(columns) // _ACROSS)
    picture = Drawing(WIDTH, lines * tall + 6, "Distribution of each column")
    for i, column in enumerate(columns):
        left, top = 10 + (i % _ACROSS) * each, (i // _ACROSS) * tall
        _margin(picture, column, real.column(column.name), made.column(column.name), left, top,
                each - 22)  # fmt: skip
    return str(picture)


def _margin(
    picture: Drawing,
    column: Column,
    real: NDArray[np.float64],
    made: NDArray[np.float64],
    left: float,
    top: float,
    width: float,
) -> None:
    base = top + 92
    picture.text(left, top + 14, column.name, "head")
    labels: tuple[str, str]
    if column.kind == "categorical":
        count = len(column.levels)
        shares = [np.bincount(v[~np.isnan(v)].astype(int), minlength=count) / len(v)
                  for v in (real, made)]  # fmt: skip
        labels = (column.levels[0], column.levels[-1])
    else:
        there = real[~np.isnan(real)]
        low, high = (float(q) for q in np.quantile(there, (0.01, 0.99)))
        if high <= low:
            low, high = low - 0.5, high + 0.5
        few = np.unique(there[(there >= low) & (there <= high)])
        edges = np.linspace(low, high, _BINS + 1)
        if 1 < len(few) <= _BINS:
            middle = (few[1:] + few[:-1]) / 2
            edges = np.concatenate([[low - 0.5], middle, [high + 0.5]])
        shares = [
            np.histogram(np.clip(v[~np.isnan(v)], low, high), edges)[0] / len(v)
            for v in (real, made)
        ]
        count = len(edges) - 1
        labels = (f"{low:,.0f}", f"{high:,.0f}")
    most = max(float(max(s.max() for s in shares)), 1e-9)
    bar = width / count
    for k in range(count):
        tall = 62 * float(shares[0][k]) / most
        picture.box(left + k * bar, base - tall, bar - 0.8, tall, REAL, opacity=0.45,
                    tip=f"real {shares[0][k]:.1%}, synthetic {shares[1][k]:.1%}")  # fmt: skip
    steps = [
        (left + (k + end) * bar, base - 62 * float(shares[1][k]) / most)
        for k in range(count)
        for end in (0, 1)
    ]
    picture.line(steps, MADE, 1.8)
    picture.text(left, base + 13, labels[0])
    picture.text(left + width, base + 13, labels[1], anchor="end")


def matrices(found: Evidence, columns: tuple[Column, ...]) -> str:
    """Associations of all pairs: real, synthetic, and where they differ."""
    real, made = found.associations
    k = len(columns)
    side = 290.0
    cell = side / k
    picture = Drawing(WIDTH, side + 40, "Correlations of real and synthetic rows")
    gap = np.abs(np.nan_to_num(real) - np.nan_to_num(made))
    for place, (title, values) in enumerate(
        (("real", real), ("synthetic", made), ("difference, four times as strong", 4 * gap))
    ):
        left = 10 + place * (side + 34)
        picture.text(left, 14, title, "head")
        for i in range(k):
            for j in range(k):
                value = float(np.nan_to_num(values[i, j]))
                colour = "bad" if place == 2 else "c0" if value >= 0 else "c1"
                tip = f"{columns[i].name} and {columns[j].name}: {real[i, j]:.2f}, {made[i, j]:.2f}"
                picture.box(left + j * cell, 22 + i * cell, cell, cell, colour, tip=tip,
                            opacity=min(0.999, abs(value)))  # fmt: skip
    return str(picture)


def nearness(found: Evidence) -> str:
    """How near each row lies to the closest fitted row."""
    picture = Drawing(WIDTH, 210, "Distance to the closest fitted row")
    ours, theirs = found.privacy.made.nearest, found.privacy.holdout.nearest
    high = float(np.quantile(np.concatenate([ours, theirs]), 0.99)) or 1.0
    edges = np.linspace(0, high, 61)
    shares = [np.histogram(np.clip(v, 0, high), edges)[0] / len(v) for v in (theirs, ours)]
    most = max(float(s.max()) for s in shares)
    x, y = linear(0, high, 50, WIDTH - 20), linear(0, most, 170, 16)
    for share, low, up in zip(shares[0], edges, edges[1:], strict=False):
        picture.box(x(low), y(share), x(up) - x(low) - 0.8, 170 - y(share), REAL, opacity=0.45)
    middle = (edges[1:] + edges[:-1]) / 2
    picture.line([(x(m), y(s)) for m, s in zip(middle.tolist(), shares[1].tolist(), strict=True)],
                 MADE, 2.0)  # fmt: skip
    for at in np.linspace(0, high, 6):
        picture.text(x(float(at)), 188, f"{at:.2f}", anchor="middle")
    picture.text(50, 206, "0 is a copy; to the right, less like anybody", "axis")
    return str(picture)
