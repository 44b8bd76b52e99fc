"""From scores to the figures of a report: counting, no drawing."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from arrears.bench import figures
from arrears.bench.figures import OUTCOMES, Bands
from arrears.debtors.record import CATEGORIES
from arrears.economy.position import Money
from arrears.scoring.row import Row, played
from arrears.terms import DEFAULT_FEES, DIMENSIONS, Dimension, Value

Lines = Mapping[str, Sequence[Row]]
"""Scores by the name under which a collector stands in the report."""
Purses = Mapping[str, Money]
"""Money by debtor id."""
_DAYS = np.arange(0, 731, 5)


class Picture(NamedTuple):
    """One figure of the page."""

    title: str
    svg: str
    caption: str
    legend: list[tuple[str, str]]
    """(custom property of the colour, words)"""


def pictures(lines: Lines, purses: Purses, max_turns: int) -> list[Picture]:
    """The figures of a suite: five, less those that nothing can be drawn in.

    What failed from outside is in none of them, and a collector with nothing else has no panel.
    """
    lines = {name: there for name, rows in lines.items() if (there := played(rows))}
    if not lines:
        return []
    agreed = any(row.agreed for rows in lines.values() for row in rows)
    satisfied = any(isinstance(row.us, int | float) for rows in lines.values() for row in rows)
    return [
        *([_assets(lines, purses), _terms(lines)] if agreed else ()),
        _outcomes(lines),
        *([_satisfaction(lines)] if satisfied else ()),
        _endings(lines, max_turns),
    ]


def outcome(row: Row) -> str:
    """What became of a talk, a key of `figures.OUTCOMES`."""
    if row.agreed:
        return "kept" if row.success else "fails"
    return row.ending if row.ending in OUTCOMES else "broken"


_OUTCOME_LEGEND = [(f"o-{key}", words) for key, words in OUTCOMES.items()]


def _assets(lines: Lines, purses: Purses) -> Picture:
    panels = []
    for name, rows in lines.items():
        agreed = [row for row in rows if row.agreed]
        if not agreed:
            continue
        low, middle, high = np.percentile(asset_paths(agreed, purses, _DAYS), (10, 50, 90), axis=0)
        panels.append(Bands(name, _DAYS, low, middle, high, len(agreed)))
    return Picture(
        "Assets over two years",
        figures.assets_over_time(panels),
        "What the agreements do to the people who made them: median assets and the band that holds "
        "80 % of the debtors, yuan on a log scale. The bands behind are the five tiers; below the "
        "dashed line, at 500 yuan, a plan has failed.",
        [],
    )


def asset_paths(rows: Sequence[Row], purses: Purses, days: np.ndarray) -> np.ndarray:
    """Assets on the given days under each row's agreement, yuan; shape (rows, days).

    Payments are not rounded to the cent here: this is for pictures.
    """
    money = np.array([purses[row.debtor_id] for row in rows], dtype=float) / 100
    disc = np.array([row.disc_ratio for row in rows], dtype=float)
    pmt = np.array([row.pmt_ratio for row in rows], dtype=float)
    first = np.array([row.pmt_days for row in rows], dtype=int)[:, None]
    months = np.array([row.inst_prds for row in rows], dtype=int)
    owed = money[:, 0] * (1 - disc)
    fee = np.array([DEFAULT_FEES[int(m)] for m in months]) / 10_000
    each = (owed * (1 - pmt) * (1 + fee) / months)[:, None]
    instalments = np.clip((days[None, :] - first) // 30, 0, months[:, None])
    paid = np.where(days[None, :] >= first, (owed * pmt)[:, None] + instalments * each, 0.0)
    kept = money[:, 1][:, None] + money[:, 2][:, None] * days[None, :] - paid
    return np.asarray(kept)


def _terms(lines: Lines) -> Picture:
    panels: dict[str, dict[Dimension, Counter[Value]]] = {
        name: {dim: Counter(getattr(row, dim) for row in rows if row.agreed) for dim in DIMENSIONS}
        for name, rows in lines.items()
    }
    return Picture(
        "What was agreed",
        figures.terms_agreed(panels),
        "How often each legal value stands in an agreement. Heights grow with the root of the "
        "share, so that rare values can be seen; the exact share shows on hovering.",
        [],
    )


def _outcomes(lines: Lines) -> Picture:
    groups: dict[str, dict[str, Counter[str]]] = {}
    for category in (None, *CATEGORIES):
        counted = {
            name: Counter(outcome(r) for r in rows if category is None or r.category == category)
            for name, rows in lines.items()
        }
        if any(counted.values()):
            groups[category or "all debtors"] = counted
    return Picture(
        "What became of the talks",
        figures.outcomes(groups),
        "Shares of all talks, by category of debtor where there is one.",
        _OUTCOME_LEGEND,
    )


def _satisfaction(lines: Lines) -> Picture:
    panels: dict[str, Counter[tuple[float, float]]] = {}
    means: dict[str, tuple[float, float]] = {}
    for name, rows in lines.items():
        points = [(float(r.us), float(r.recovery)) for r in rows if isinstance(r.us, int | float)]
        panels[name] = Counter((round(us * 2) / 2, round(rr, 2)) for us, rr in points)
        if points:
            means[name] = (
                sum(us for us, _ in points) / len(points),
                sum(rr for _, rr in points) / len(points),
            )
    return Picture(
        "Satisfaction against recovery",
        figures.satisfaction_and_recovery(panels, means),
        "Each disc holds the talks with about the same satisfaction (by the built-in rubric) and "
        "the same share of the debt recovered; its area is their number. Talks without agreement, "
        "and plans that fail, recover nothing.",
        [],
    )


def _endings(lines: Lines, max_turns: int) -> Picture:
    panels: dict[str, dict[int, Counter[str]]] = {}
    for name, rows in lines.items():
        turns: dict[int, Counter[str]] = defaultdict(Counter)
        for row in rows:
            turns[max(row.turns, 1)][outcome(row)] += 1
        panels[name] = turns
    return Picture(
        "When talks end, and how",
        figures.endings_by_turn(panels, max_turns),
        "Share of all talks by the turn in which they ended.",
        _OUTCOME_LEGEND,
    )
