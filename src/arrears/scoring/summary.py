"""A collector's figures over a suite: every metric of both papers, with intervals and counts.

A dialogue that was broken off from outside (`Row.failure`) is in none of them; it is counted beside
them by who broke it off.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.debtors.record import CATEGORIES
from arrears.dialogue.failures import Cause
from arrears.scoring import dcn
from arrears.scoring.debtbench import collection_rate
from arrears.scoring.row import Row, played
from arrears.scoring.statistics import (
    RESAMPLES,
    Difference,
    Interval,
    bootstrap,
    holm,
    paired,
    share,
    stacked,
)
from arrears.scoring.unscored import Unscored

Floats = NDArray[np.float64]

# What a row brings to a plain mean; NaN is unscored and left out.
_DEBTBENCH: Final[Mapping[str, Callable[[Row], float]]] = {
    "SR": lambda r: float(r.agreed),
    "AT": lambda r: float(r.turns),
    "CR": lambda r: collection_rate(r.disc_ratio),
    "CE": lambda r: _or_nan(r.ce),
    "SA": lambda r: _or_nan(r.sa),
    "LS": lambda r: _or_nan(r.ls),
    "US": lambda r: _or_nan(r.us),
    "ES": lambda r: _or_nan(r.es),
    "CA": lambda r: _or_nan(r.ca),
}
_TALK: Final[Mapping[str, Callable[[Row], float]]] = {
    "DC": lambda r: r.dc,
    "DS": lambda r: _or_nan(r.ds),
}
# Of yes and no. Resampling sixteen times yes gives yes each time and an interval of no width, so
# shares have Wilson's interval.
_SHARES: Final = frozenset({"SR", "SA", "LS"})


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a summary."""

    value: float | None
    """None where nothing could be scored."""
    low: float | None
    high: float | None
    """Ends of the 95 % interval over debtors: Wilson's for SR, SA, LS, else of a bootstrap, which
    has none of a single debtor."""
    scored: int
    unscored: int
    """Dialogues that this metric has no score of; shown beside the mean, never counted as 0."""


_NOTHING: Final = Metric(None, None, None, 0, 0)


@dataclass(frozen=True, slots=True)
class Summary:
    """All figures of one collector over the same suite."""

    collector: str
    debtor_seat: str
    """Who answered for the debtors; several names with commas."""
    suite: str
    dialogues: int
    """Dialogues that were played to an end of their own; all figures are over these."""
    agreements: int
    failed: int
    """Dialogues that were broken off from outside; in no figure."""
    failures: Mapping[Cause, int]
    """The same by who failed, keys of `failures.CAUSES`."""
    dcn: Mapping[str, Metric]
    """DC, DS, SR, RR, QRD, HRD, CD, L1D, L2D, ATV, CRI, DHI, CCI. SR is DCN's: the plan holds."""
    debtbench: Mapping[str, Metric]
    """SR, AT, CR, CE, SA, LS, US, ES, CA. SR is DebtBench's: an agreement was reached."""
    by_category: Mapping[str, Mapping[str, Metric]]
    """The same nine by debtor category; empty for a suite without categories."""


def summarise(rows: Sequence[Row], rng: np.random.Generator, resamples: int = RESAMPLES) -> Summary:
    """The figures of one collector. ValueError for no rows: nothing has no average."""
    if not rows:
        raise ValueError("no dialogues to summarise")
    failures = Counter(row.failure for row in rows if row.failure is not None)
    everyone, rows = rows, played(rows)
    return Summary(
        collector=everyone[0].collector,
        debtor_seat=", ".join(dict.fromkeys(row.debtor_seat for row in everyone)),
        suite=everyone[0].suite,
        dialogues=len(rows),
        agreements=sum(row.agreed for row in rows),
        failed=failures.total(),
        failures=failures,
        dcn={**_plain(rows, _TALK, rng, resamples), **_of_suite(rows, rng, resamples)},
        debtbench=_plain(rows, _DEBTBENCH, rng, resamples),
        by_category={
            category: _plain(found, _DEBTBENCH, rng, resamples)
            for category in CATEGORIES
            if (found := [row for row in rows if row.category == category])
        },
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two collectors over the same debtors, one metric."""

    metric: str
    a: str
    b: str
    difference: Difference
    """Of the means, a − b."""
    p_adjusted: float
    """Holm over all comparisons that were made together."""


# Compared pair by pair: DebtBench's metrics and each dialogue's own indices of DCN.
_COMPARED: Final[Mapping[str, Callable[[Row], float]]] = {
    **_DEBTBENCH,
    "RR": lambda r: r.recovery,
    "own DHI": lambda r: r.own_dhi,
    "own CCI": lambda r: r.own_cci,
}


def compare(
    by_collector: Mapping[str, Sequence[Row]],
    rng: np.random.Generator,
    metrics: Sequence[str] = ("SR", "CR", "US", "own DHI", "own CCI"),
    resamples: int = RESAMPLES,
) -> list[Comparison]:
    """Every pair of collectors on debtors and repeats that both met.

    A pair with an unscored side is left out of that metric, one with a failed side out of all; a
    metric without pairs is left out.
    """
    names = list(by_collector)
    asked = [
        (metric, a, b, pairs)
        for metric in metrics
        for a, b in combinations(names, 2)
        if (pairs := _pairs(by_collector[a], by_collector[b], _COMPARED[metric]))
    ]
    found: list[tuple[str, str, str, Difference]] = []
    for metric, a, b, pairs in asked:
        left, right = zip(*pairs, strict=True)
        found.append((metric, a, b, paired(left, right, rng, resamples, len(asked))))
    adjusted = holm([difference.p for *_, difference in found])
    return [Comparison(*one, p) for one, p in zip(found, adjusted, strict=True)]


def _pairs(
    a: Sequence[Row], b: Sequence[Row], of: Callable[[Row], float]
) -> list[tuple[float, float]]:
    """One pair a debtor: each side's mean over the repeats that both have played."""
    others = {_met(row): of(row) for row in played(b)}
    both: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in played(a):
        met = _met(row)
        if met in others:
            pair = (of(row), others[met])
            if pair[0] == pair[0] and pair[1] == pair[1]:
                both.setdefault(met[:2], []).append(pair)
    return [
        (sum(x for x, _ in found) / len(found), sum(y for _, y in found) / len(found))
        for found in both.values()
    ]


def _met(row: Row) -> tuple[str, str, str]:
    """Suite, debtor and repeat: what two dialogues of different collectors have in common."""
    return row.suite, row.debtor_id, row.case.rpartition("/")[2]


def _plain(
    rows: Sequence[Row],
    of: Mapping[str, Callable[[Row], float]],
    rng: np.random.Generator,
    resamples: int,
) -> dict[str, Metric]:
    if not rows:
        return dict.fromkeys(of, _NOTHING)
    table = np.array([[take(row) for take in of.values()] for row in rows], dtype=np.float64)
    table, repeats = stacked(table, [row.unit for row in rows])
    intervals = bootstrap(table, dcn.means, rng, resamples, repeats)
    counts = (~np.isnan(table)).sum(axis=0)
    return {
        name: _metric(_sharp(name, interval, column, repeats), int(count), len(rows))
        for name, interval, count, column in zip(of, intervals, counts, table.T, strict=True)
    }


def _of_suite(rows: Sequence[Row], rng: np.random.Generator, resamples: int) -> dict[str, Metric]:
    """DCN's averages and indices, the indices from the averages of each resample."""
    names = (*dcn.COLUMNS, "CRI", "DHI", "CCI")
    if not rows:
        return dict.fromkeys(names, _NOTHING)
    table, repeats = stacked(dcn.columns(rows), [row.unit for row in rows])

    def all_of(values: Floats) -> Floats:
        averages = dcn.means(values)
        return np.concatenate([averages, dcn.indices(averages)], axis=-1)

    intervals = bootstrap(table, all_of, rng, resamples, repeats)
    agreed = int((~np.isnan(table[:, 2])).sum())
    over_agreements = {"QRD", "HRD", "CD"}
    return {
        # SR is the first column, and the only share.
        name: _metric(_sharp(name, interval, table[:, 0], repeats), n, len(rows))
        for name, interval in zip(names, intervals, strict=True)
        for n in [agreed if name in over_agreements else len(rows)]
    }


def _sharp(name: str, interval: Interval, column: Floats, repeats: int) -> Interval:
    """A share's interval by Wilson; every other as it is, and what nothing was scored of too."""
    there = ~np.isnan(column.reshape(-1, repeats))
    if name not in _SHARES or not there.any():
        return interval
    wide = np.where(there, column.reshape(-1, repeats), 0.0)
    return share(wide.sum(axis=1), there.sum(axis=1).astype(np.float64))


def _metric(interval: Interval, count: int, n: int) -> Metric:
    if interval.value != interval.value:
        return Metric(None, None, None, 0, n)
    return Metric(interval.value, *interval.ends, count, n - count)


def _or_nan(score: float | Unscored) -> float:
    return float("nan") if isinstance(score, Unscored) else score
