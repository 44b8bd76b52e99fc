"""The pictures of a report, each a small multiple: one panel a collector, the same axes in all."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import log10, sqrt
from typing import NamedTuple

import numpy as np

from arrears.bench.svg import Drawing, linear
from arrears.terms import DIMENSIONS, GRID, Dimension, Value, written

WIDTH = 960.0
_GAP = 26.0
OUTCOMES: Mapping[str, str] = {
    "kept": "agreed, plan holds for two years",
    "fails": "agreed, plan fails",
    "max_turns": "no agreement in time",
    "walked_away": "debtor left",
    "broken": "unreadable message",
}
"""What can become of a talk, in the order in which it is stacked."""
TIERS = (2_000, 5_000, 10_000, 20_000)
RUIN = 500


class Bands(NamedTuple):
    """Assets over time under one collector's agreements, yuan; arrays over `days`."""

    name: str
    days: np.ndarray
    low: np.ndarray
    """10th percentile of the debtors."""
    middle: np.ndarray
    """Median."""
    high: np.ndarray
    """90th percentile."""
    agreements: int


def _columns(count: int, width: float = WIDTH, left: float = 44.0) -> tuple[list[float], float]:
    """Left edges of so many panels beside each other, and their width."""
    each = (width - left - _GAP * (count - 1)) / count
    return [left + at * (each + _GAP) for at in range(count)], each


def assets_over_time(panels: Sequence[Bands]) -> str:
    """Median and 80 % band of assets after the agreement, on a log scale, tiers behind.

    The first weeks are where plans fail; a log scale shows them, and makes the five tiers about
    equally high.
    """
    height, top, bottom = 250.0, 26.0, 218.0
    picture = Drawing(WIDTH, height, "Assets over two years by collector")
    lefts, each = _columns(len(panels), left=52.0)
    ceiling = max((float(p.high.max()) for p in panels), default=1e5)
    raw = linear(log10(400), log10(max(ceiling * 1.1, 30_000)), bottom, top)

    def y(amount: float) -> float:
        return max(top, min(bottom, raw(log10(max(amount, 1.0)))))

    for at, (panel, left) in enumerate(zip(panels, lefts, strict=True)):
        x = linear(0, 730, left, left + each)
        edges = [bottom, *(y(t) for t in TIERS), top]
        for tier, (below, above) in enumerate(pairwise(edges), 1):
            picture.box(left, above, each, below - above, f"tier{tier}")
        picture.line([(left, y(RUIN)), (left + each, y(RUIN))], "bad", 1, "3 3")
        upper = [(x(d), y(a)) for d, a in zip(panel.days, panel.high, strict=True)]
        lower = [(x(d), y(a)) for d, a in zip(panel.days, panel.low, strict=True)]
        picture.area([*upper, *reversed(lower)], f"c{at % 8}", 0.28)
        middle = [(x(d), y(a)) for d, a in zip(panel.days, panel.middle, strict=True)]
        picture.line(middle, f"c{at % 8}", 2.2)
        picture.text(left, 16, panel.name, "head")
        picture.text(left + each, 16, f"{panel.agreements} agreements", "tick", "end")
        for day in (0, 180, 365, 545, 730):
            picture.text(x(day), bottom + 15, str(day), "tick", "middle")
        if at == 0:
            for amount in (RUIN, *TIERS):
                picture.text(left - 6, y(amount) + 3.5, f"{amount:,}", "tick", "end")
    picture.text(WIDTH / 2, height - 2, "days after the agreement", "axis", "middle")
    return str(picture)


def terms_agreed(panels: Mapping[str, Mapping[Dimension, Mapping[Value, int]]]) -> str:
    """How often each legal value was agreed: a row a collector, a column a dimension."""
    row, top = 88.0, 30.0
    picture = Drawing(WIDTH, top + row * len(panels) + 22, "Agreed terms by collector")
    lefts, each = _columns(len(DIMENSIONS), left=130.0)
    titles = ("discount", "paid at once", "days until then", "months for the rest")
    for title, left in zip(titles, lefts, strict=True):
        picture.text(left, 14, title, "head")
    for at, (name, counts) in enumerate(panels.items()):
        base = top + row * (at + 1) - 20
        picture.text(0, base - 20, name, "head")
        agreements = sum(counts[DIMENSIONS[0]].values())
        picture.text(0, base - 5, f"{agreements} agreements", "tick")
        for dim, left in zip(DIMENSIONS, lefts, strict=True):
            grid = GRID[dim]
            step = each / len(grid)
            picture.line([(left, base), (left + each, base)], "rule")
            for k, value in enumerate(grid):
                share = counts[dim].get(value, 0) / agreements if agreements else 0.0
                tall = sqrt(share) * (row - 34)
                tip = f"{name}: {dim}={written(dim, value)} in {share:.1%} of agreements"
                picture.box(left + k * step + 1, base - tall, step - 2, tall, f"c{at % 8}", tip=tip)
                if len(grid) <= 7 or k % 2 == 1:
                    words = written(dim, value)
                    picture.text(left + (k + 0.5) * step, base + 12, words, "tick", "middle")
    return str(picture)


def outcomes(groups: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """Stacked shares of what became of the talks: category, then collector, then outcome."""
    bar, lead = 19.0, 150.0
    rows = sum(len(collectors) for collectors in groups.values())
    picture = Drawing(WIDTH, rows * bar + len(groups) * 26 + 6, "Outcome by category")
    y = 0.0
    for group, collectors in groups.items():
        y += 18
        picture.text(0, y, group, "head")
        y += 8
        for name, counts in collectors.items():
            total = sum(counts.values())
            picture.text(lead - 8, y + 12, name, "tick", "end")
            x = lead
            for outcome, meaning in OUTCOMES.items():
                share = counts.get(outcome, 0) / total if total else 0.0
                wide = share * (WIDTH - lead)
                tip = f"{name}, {group}: {meaning}, {counts.get(outcome, 0)} of {total}"
                picture.box(x, y, wide, bar - 4, f"o-{outcome}", tip=tip)
                if wide > 34:
                    picture.text(x + wide / 2, y + 11.5, f"{share:.0%}", "inbar", "middle")
                x += wide
            y += bar
    return str(picture)


def satisfaction_and_recovery(
    panels: Mapping[str, Mapping[tuple[float, float], int]],
    means: Mapping[str, tuple[float, float]],
) -> str:
    """Discs at (user satisfaction, share of the debt recovered), as large as they are frequent.

    `panels`: by collector, counts of (satisfaction in half points, recovered share); `means`: the
    collector's (mean satisfaction, mean recovered share).
    """
    height, top, bottom = 258.0, 28.0, 214.0
    picture = Drawing(WIDTH, height, "Satisfaction against recovery by collector")
    lefts, each = _columns(len(panels), left=52.0)
    y = linear(0, 1, bottom, top + 6)
    for at, ((name, counts), left) in enumerate(zip(panels.items(), lefts, strict=True)):
        x = linear(1, 10, left + 6, left + each - 6)
        total = sum(counts.values()) or 1
        picture.text(left, 14, name, "head")
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            picture.line([(left, y(share)), (left + each, y(share))], "rule", 0.7)
            if at == 0:
                picture.text(left - 6, y(share) + 3.5, f"{share:.0%}", "tick", "end")
        for level in (1, 4, 7, 10):
            picture.text(x(level), bottom + 16, str(level), "tick", "middle")
        for (satisfied, share), count in sorted(counts.items(), key=lambda item: -item[1]):
            tip = f"{name}: rubric satisfaction {satisfied:g}, {share:.0%} recovered: {count} talks"
            radius = 26 * sqrt(count / total)
            picture.dot(x(satisfied), y(share), radius, f"c{at % 8}", tip=tip)
        if name in means:
            mx, my = x(means[name][0]), y(means[name][1])
            picture.line([(mx - 6, my), (mx + 6, my)], "ink", 1.8)
            picture.line([(mx, my - 6), (mx, my + 6)], "ink", 1.8)
    words = "user satisfaction by the rubric, 1 … 10   (+ marks the mean)"
    picture.text(WIDTH / 2, height - 6, words, "axis", "middle")
    return str(picture)


def endings_by_turn(panels: Mapping[str, Mapping[int, Mapping[str, int]]], max_turns: int) -> str:
    """In which turn talks end, and how; shares of all of a collector's talks."""
    height, top, bottom = 214.0, 28.0, 172.0
    picture = Drawing(WIDTH, height, "Endings by turn and collector")
    lefts, each = _columns(len(panels), left=44.0)
    shares = [
        sum(by_outcome.values()) / (sum(sum(c.values()) for c in turns.values()) or 1)
        for turns in panels.values()
        for by_outcome in turns.values()
    ]
    y = linear(0, max(shares, default=1.0) or 1.0, 0, bottom - top)
    for (name, turns), left in zip(panels.items(), lefts, strict=True):
        picture.text(left, 14, name, "head")
        picture.line([(left, bottom), (left + each, bottom)], "rule")
        total = sum(sum(c.values()) for c in turns.values()) or 1
        step = each / max_turns
        for turn in range(1, max_turns + 1):
            base = bottom
            for outcome, meaning in OUTCOMES.items():
                count = turns.get(turn, {}).get(outcome, 0)
                tall = y(count / total)
                tip = f"{name}, turn {turn}: {meaning}, {count} of {total}"
                left_edge = left + (turn - 1) * step + 1
                picture.box(left_edge, base - tall, step - 2, tall, f"o-{outcome}", tip=tip)
                base -= tall
            if max_turns <= 6 or turn % 2 == 0:
                x = left + (turn - 0.5) * step
                picture.text(x, bottom + 14, str(turn), "tick", "middle")
    top_share = max(shares, default=0.0)
    picture.text(lefts[0] - 6, top + 4, f"{top_share:.0%}", "tick", "end")
    picture.text(WIDTH / 2, height - 6, "turn in which the talk ended", "axis", "middle")
    return str(picture)


def assets_under_agreement(
    days: Sequence[int], assets: Sequence[float], no_plan: Sequence[float]
) -> str:
    """One debtor's assets with the agreed plan and without any, for a transcript."""
    width, height, top, bottom, left = 420.0, 150.0, 8.0, 128.0, 46.0
    picture = Drawing(width, height, "Assets under this agreement")
    ceiling = max(max(no_plan), 6_000.0)
    floor = min(0.0, min(assets))
    x, y = linear(0, 730, left, width - 6), linear(floor, ceiling, bottom, top)
    edges = [floor, *(t for t in TIERS if t < ceiling), ceiling]
    for tier, (below, above) in enumerate(pairwise(edges), 1):
        picture.box(left, y(above), width - 6 - left, y(below) - y(above), f"tier{tier}")
    picture.line([(x(d), y(a)) for d, a in zip(days, no_plan, strict=True)], "faint", 1.2, "4 3")
    picture.line([(x(d), y(a)) for d, a in zip(days, assets, strict=True)], "ink", 1.8)
    for amount in (0.0, ceiling / 2, ceiling):
        picture.text(left - 5, y(amount) + 3.5, f"{amount:,.0f}", "tick", "end")
    for day in (0, 365, 730):
        picture.text(x(day), bottom + 14, f"day {day}", "tick", "middle" if day else "start")
    return str(picture)
