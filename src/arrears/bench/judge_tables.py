"""Judges as tables: what each gave, how far they agree, and how near to people they come."""

from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from itertools import compress
from typing import NamedTuple

import numpy as np

from arrears.bench.people import Marks
from arrears.bench.sheets import PAIRWISE, Judged, Sheet
from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.bench.unplayed import causes_told, not_played
from arrears.models.unanswered import REASONS, causes_text, counted
from arrears.rng import rng_for
from arrears.scoring.agreement import (
    Floats,
    fleiss_kappa,
    krippendorff_alpha,
    spearman,
    with_interval,
    within_sd,
)
from arrears.scoring.row import Row
from arrears.scoring.statistics import Interval, mean_interval, share, totals

_SEED = 1
_Key = tuple[int, str]
"""A dialogue: which run, which case."""
_Scores = Mapping[str, Mapping[_Key, float]]
"""By judge or rater, by dialogue."""


class JudgedRun(NamedTuple):
    """One run with what judges gave."""

    name: str
    """As it is shown where there are several."""
    rows: Sequence[Row]
    sheets: Sequence[Sheet]


def judge_tables(runs: Sequence[JudgedRun], people: Marks | None = None) -> list[Table]:
    """Everything that can be said of these judgements; intervals are over debtors.

    What was judged of a dialogue that failed from outside is in no figure.
    """
    units = {(at, row.case): row.unit for at, run in enumerate(runs) for row in run.rows}
    failed = {(at, row.case) for at, run in enumerate(runs) for row in run.rows if row.failure}
    kinds = dict.fromkeys(sheet.kind for run in runs for sheet in run.sheets)
    tables = [_given(kind, runs) for kind in kinds]
    columns = _columns(runs, failed)
    agreement = _among(columns, units)
    if agreement.rows:
        tables.append(agreement)
    if people is not None:
        tables.append(_with_people(columns, _by_dialogue(people, runs, failed), units))
    return tables


def _by_dialogue(
    people: Marks, runs: Sequence[JudgedRun], failed: Set[_Key]
) -> dict[str, dict[str, dict[_Key, float]]]:
    """What people gave by dialogue instead of by case, which several runs may have."""
    places: dict[str, list[_Key]] = {}
    for at, run in enumerate(runs):
        for row in run.rows:
            places.setdefault(row.case, []).append((at, row.case))
    return {
        name: {
            rater: {
                key: mark
                for case, mark in marks.items()
                for key in places.get(case, [(0, case)])
                if key not in failed
            }
            for rater, marks in raters.items()
        }
        for name, raters in people.items()
    }


def _columns(
    runs: Sequence[JudgedRun], failed: Set[_Key]
) -> dict[str, dict[str, dict[_Key, float]]]:
    """Scores by name, by judge, by dialogue; pairwise votes stay out."""
    columns: dict[str, dict[str, dict[_Key, float]]] = {}
    for at, run in enumerate(runs):
        for sheet in run.sheets:
            if sheet.kind == PAIRWISE:
                continue
            for name in _names(sheet):
                given = columns.setdefault(name, {}).setdefault(sheet.judge, {})
                for case, score in sheet.column(name).items():
                    if (at, case) not in failed:
                        given[at, case] = score
    return columns


def _names(sheet: Sheet) -> list[str]:
    """The main scores of a sheet, in the order in which the judge gives them."""
    names: dict[str, None] = {}
    for judged in sheet.judged.values():
        names |= dict.fromkeys(name for name in judged.scores if "." not in name)
    return list(names)


def _given(kind: str, runs: Sequence[JudgedRun]) -> Table:
    """Means of one kind, judge by judge."""
    found = [(run, sheet) for run in runs for sheet in run.sheets if sheet.kind == kind]
    names = list(dict.fromkeys(name for _, sheet in found for name in _names(sheet)))
    failures = any(row.failure for run, _ in found for row in run.rows)
    rows = []
    for run, sheet in found:
        known = {row.case: row for row in run.rows}
        judged = {
            case: given
            for case, given in sorted(sheet.judged.items())
            if case not in known or known[case].failure is None
        }
        cells = []
        for name in names:
            values = {c: j.scores[name] for c, j in judged.items() if name in j.scores}
            units = [known[case].unit if case in known else case for case in values]
            rng = rng_for(_SEED, "judges", kind, sheet.judge, name)
            cells.append(_mean(list(values.values()), units, rng, votes=kind == PAIRWISE))
        cells.append(_counts(judged))
        if failures:
            cells.append(not_played(run.rows))
        against = f" against {sheet.against}" if sheet.against else ""
        where = f" ({run.name})" if len(runs) > 1 else ""
        rows.append(TableRow(f"{sheet.judge}{against}{where}", cells))
    note = (
        "Shares of the votes that prefer this run, both orders asked; a tie is a half. "
        if kind == PAIRWISE
        else "What could not be judged is counted, never taken for 0. "
    )
    heads = [*(Column(name) for name in names), Column("scored / unscored")]
    return Table(
        f"Judged: {kind}",
        f"Judgements of kind {kind}",
        "judge",
        [*heads, *([Column("not played (why)")] if failures else [])],
        rows,
        f"{note}Means with 95 % intervals over debtors, whose repeats are drawn together."
        + causes_told([row for run, _ in found for row in run.rows]),
    )


def _mean(
    values: Sequence[float], units: Sequence[Hashable], rng: np.random.Generator, votes: bool
) -> Cell:
    """Mean with its interval; of votes as of a share, so that ten of ten are no certainty."""
    if not values:
        return Cell("–")
    if votes:
        return _cell(share(*totals(values, units)))
    return _cell(mean_interval(values, rng, clusters=units))


def _counts(judged: Mapping[str, Judged]) -> Cell:
    """How many were scored, and how many not, by who failed."""
    unscored = counted(one.failure for one in judged.values() if one.failure is not None)
    missing = sum(bool(one.unscored) for one in judged.values())
    causes = causes_text(unscored)
    text = f"{len(judged) - missing:,} / {missing:,}" + (f" ({causes})" if causes else "")
    return Cell(text, hint="; ".join(f"{cause}: {REASONS[cause]}" for cause in unscored))


def _among(columns: Mapping[str, _Scores], units: Mapping[_Key, Hashable]) -> Table:
    """Agreement of several judges on the same dialogues."""
    rows = []
    for name, judges in columns.items():
        if len(judges) < 2:
            continue
        table, whose = _table(judges, units)
        if len(table):
            rows.append(TableRow(name, [*_agreement(table, whose, name), Cell(f"{len(table):,}")]))
    return Table(
        "Agreement of the judges",
        "How far the judges agree on the same dialogues",
        "score",
        [Column("Fleiss κ"), Column("Krippendorff α"), Column("Spearman ρ"), Column("dialogues")],
        rows,
        "κ of marks rounded to whole ones; α for interval scales; ρ as the mean over pairs of "
        "judges; 95 % bootstrap intervals over debtors, whose repeats are drawn together.",
    )


def _with_people(
    columns: Mapping[str, _Scores], people: Mapping[str, _Scores], units: Mapping[_Key, Hashable]
) -> Table:
    """Each judge against the people who scored the same dialogues."""
    rows = []
    for name, raters in people.items():
        among, whose = _table(raters, units)
        if len(raters) > 1 and len(among):
            rows.append(
                TableRow(f"{name}: people among themselves ({len(raters)})",
                         [Cell("–"), *_agreement(among, whose, name), Cell(f"{len(among):,}")])
            )  # fmt: skip
        for judge, given in columns.get(name, {}).items():
            table, whose = _table({"": given, **{f"p {r}": m for r, m in raters.items()}}, units)
            both = ~np.isnan(table[:, 0]) & ~np.isnan(table[:, 1:]).all(axis=1)
            if not both.any():
                continue
            table, whose = table[both], list(compress(whose, both))
            cells = _beside_people(table, whose, judge, name)
            rows.append(TableRow(f"{name}: {judge}", [*cells, Cell(f"{len(table):,}")]))
    return Table(
        "Judges and people",
        "How near the judges come to people",
        "score: judge",
        [
            Column("within 1 human sd, %"),
            Column("Fleiss κ"),
            Column("Krippendorff α"),
            Column("Spearman ρ"),
            Column("dialogues"),
        ],
        rows,
        "The judge against the mean of the people; DebtBench reports that nearly 73 % of the "
        "model's scores lie within one human standard deviation. 95 % bootstrap intervals over "
        "debtors, whose repeats are drawn together.",
    )


def _beside_people(table: Floats, whose: Sequence[Hashable], judge: str, name: str) -> list[Cell]:
    """Share within one deviation, κ, α and ρ of a judge, first column, and people."""
    rng = rng_for(_SEED, "people", judge, name)

    def found(of: Callable[[Floats], float]) -> Interval:
        return with_interval(of, table, rng, clusters=whose)

    # A share, so that eight of eight are no certainty; the deviation is taken as it is.
    within = share(*totals(list(within_sd(table[:, 0], table[:, 1:])), whose))
    mean = found(_rho_with_people)
    alpha = found(lambda t: krippendorff_alpha(_two(t)))
    kappa = found(lambda t: fleiss_kappa(np.round(_two(t))))
    return [_cell(within, 100), _cell(kappa), _cell(alpha), _cell(mean)]


def _two(table: Floats) -> Floats:
    """The judge's marks and the mean of the people's."""
    return np.stack([table[:, 0], np.nanmean(table[:, 1:], axis=1)], axis=1)


def _rho_with_people(table: Floats) -> float:
    two = _two(table)
    return spearman(two[:, 0], two[:, 1])


def _agreement(table: Floats, whose: Sequence[Hashable], name: str) -> list[Cell]:
    rng = rng_for(_SEED, "agreement", name)
    return [
        _cell(with_interval(lambda t: fleiss_kappa(np.round(t)), table, rng, clusters=whose)),
        _cell(with_interval(krippendorff_alpha, table, rng, clusters=whose)),
        _cell(with_interval(_mean_rho, table, rng, clusters=whose)),
    ]


def _mean_rho(table: Floats) -> float:
    found = [
        spearman(table[:, i], table[:, j])
        for i in range(table.shape[1])
        for j in range(i + 1, table.shape[1])
    ]
    known = [rho for rho in found if rho == rho]
    return float(np.mean(known)) if known else float("nan")


def _table(raters: _Scores, units: Mapping[_Key, Hashable]) -> tuple[Floats, list[Hashable]]:
    """Dialogues that at least two raters have scored, by raters, and whose each is.

    NaN where a rater has not scored.
    """
    keys = sorted({key for marks in raters.values() for key in marks})
    rows = [[marks.get(key, float("nan")) for marks in raters.values()] for key in keys]
    table = np.array(rows, dtype=np.float64).reshape(len(keys), len(raters))
    there = (~np.isnan(table)).sum(axis=1) >= 2
    return table[there], [units.get(key, key) for key in compress(keys, there)]


def _cell(found: Interval, scale: float = 1.0) -> Cell:
    if found.value != found.value:
        return Cell("–", hint="undefined: too few scores, or all of them alike")
    digits = 1 if scale == 100 else 2
    value, low, high = (f"{v * scale:.{digits}f}" for v in found)
    return Cell(value, f"{low}…{high}" if found.low == found.low else "")
