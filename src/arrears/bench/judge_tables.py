"""Judges as tables: what each gave, how far they agree, and how near to people they come."""

from collections.abc import Mapping, Sequence

import numpy as np

from arrears.bench.people import Marks
from arrears.bench.sheets import PAIRWISE, Sheet
from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.models.unanswered import REASONS, causes_text
from arrears.rng import rng_for
from arrears.scoring.agreement import (
    Floats,
    fleiss_kappa,
    krippendorff_alpha,
    share_within_sd,
    spearman,
    with_interval,
)
from arrears.scoring.statistics import Interval, mean_interval

_SEED = 1


def judge_tables(sheets: Sequence[Sheet], people: Marks | None = None) -> list[Table]:
    """Everything that can be said of these judgements."""
    tables = [_given(kind, found) for kind, found in _by_kind(sheets).items()]
    columns = _columns(sheets)
    agreement = _among(columns)
    if agreement.rows:
        tables.append(agreement)
    if people is not None:
        tables.append(_with_people(columns, people))
    return tables


def _by_kind(sheets: Sequence[Sheet]) -> dict[str, list[Sheet]]:
    kinds: dict[str, list[Sheet]] = {}
    for sheet in sheets:
        kinds.setdefault(sheet.kind, []).append(sheet)
    return kinds


def _columns(sheets: Sequence[Sheet]) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by name, by judge, by case; pairwise votes stay out."""
    columns: dict[str, dict[str, dict[str, float]]] = {}
    for sheet in sheets:
        if sheet.kind == PAIRWISE:
            continue
        for name in _names(sheet):
            columns.setdefault(name, {})[sheet.judge] = sheet.column(name)
    return columns


def _names(sheet: Sheet) -> list[str]:
    """The main scores of a sheet, in the order in which the judge gives them."""
    names: dict[str, None] = {}
    for judged in sheet.judged.values():
        names |= dict.fromkeys(name for name in judged.scores if "." not in name)
    return list(names)


def _given(kind: str, sheets: Sequence[Sheet]) -> Table:
    """Means of one kind, judge by judge."""
    names = list(dict.fromkeys(name for sheet in sheets for name in _names(sheet)))
    rows = []
    for sheet in sheets:
        cells = []
        for name in names:
            values = list(sheet.column(name).values())
            rng = rng_for(_SEED, "judges", kind, sheet.judge, name)
            cells.append(_cell(mean_interval(values, rng)) if values else Cell("–"))
        cells.append(_counts(sheet))
        against = f" against {sheet.against}" if sheet.against else ""
        rows.append(TableRow(f"{sheet.judge}{against}", cells))
    note = (
        "Shares of the votes that prefer this run, both orders asked; a tie is a half."
        if kind == PAIRWISE
        else "Means with 95 % intervals; what could not be judged is counted, never taken for 0."
    )
    return Table(
        f"Judged: {kind}",
        f"Judgements of kind {kind}",
        "judge",
        [*(Column(name) for name in names), Column("scored / unscored")],
        rows,
        note,
    )


def _counts(sheet: Sheet) -> Cell:
    """How many were scored, and how many not, by who failed."""
    missing = len(sheet.judged) - sheet.scored
    causes = causes_text(sheet.unscored)
    text = f"{sheet.scored:,} / {missing:,}" + (f" ({causes})" if causes else "")
    return Cell(text, hint="; ".join(f"{cause}: {REASONS[cause]}" for cause in sheet.unscored))


def _among(columns: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table:
    """Agreement of several judges on the same dialogues."""
    rows = []
    for name, judges in columns.items():
        if len(judges) < 2:
            continue
        table = _table(judges)
        if len(table):
            rows.append(TableRow(name, [*_agreement(table, name), Cell(f"{len(table):,}")]))
    return Table(
        "Agreement of the judges",
        "How far the judges agree on the same dialogues",
        "score",
        [Column("Fleiss κ"), Column("Krippendorff α"), Column("Spearman ρ"), Column("dialogues")],
        rows,
        "κ of marks rounded to whole ones; α for interval scales; ρ as the mean over pairs of "
        "judges; 95 % bootstrap intervals over dialogues.",
    )


def _with_people(columns: Mapping[str, Mapping[str, Mapping[str, float]]], people: Marks) -> Table:
    """Each judge against the people who scored the same dialogues."""
    rows = []
    for name, raters in people.items():
        among = _table(raters)
        if len(raters) > 1 and len(among):
            rows.append(
                TableRow(f"{name}: people among themselves ({len(raters)})",
                         [Cell("–"), *_agreement(among, name), Cell(f"{len(among):,}")])
            )  # fmt: skip
        for judge, given in columns.get(name, {}).items():
            table = _table({"": given, **{f"p {r}": marks for r, marks in raters.items()}})
            table = table[~np.isnan(table[:, 0]) & ~np.isnan(table[:, 1:]).all(axis=1)]
            if not len(table):
                continue
            rng = rng_for(_SEED, "people", judge, name)
            within = with_interval(lambda t: share_within_sd(t[:, 0], t[:, 1:]), table, rng)
            mean = with_interval(_rho_with_people, table, rng)
            alpha = with_interval(lambda t: krippendorff_alpha(_two(t)), table, rng)
            kappa = with_interval(lambda t: fleiss_kappa(np.round(_two(t))), table, rng)
            cells = [_cell(within, 100), _cell(kappa), _cell(alpha), _cell(mean)]
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
        "model's scores lie within one human standard deviation.",
    )


def _two(table: Floats) -> Floats:
    """The judge's marks and the mean of the people's."""
    return np.stack([table[:, 0], np.nanmean(table[:, 1:], axis=1)], axis=1)


def _rho_with_people(table: Floats) -> float:
    two = _two(table)
    return spearman(two[:, 0], two[:, 1])


def _agreement(table: Floats, name: str) -> list[Cell]:
    rng = rng_for(_SEED, "agreement", name)
    return [
        _cell(with_interval(lambda t: fleiss_kappa(np.round(t)), table, rng)),
        _cell(with_interval(krippendorff_alpha, table, rng)),
        _cell(with_interval(_mean_rho, table, rng)),
    ]


def _mean_rho(table: Floats) -> float:
    found = [
        spearman(table[:, i], table[:, j])
        for i in range(table.shape[1])
        for j in range(i + 1, table.shape[1])
    ]
    known = [rho for rho in found if rho == rho]
    return float(np.mean(known)) if known else float("nan")


def _table(raters: Mapping[str, Mapping[str, float]]) -> Floats:
    """Dialogues that at least two raters have scored, by raters; NaN where one has not."""
    cases = sorted({case for marks in raters.values() for case in marks})
    rows = [[marks.get(case, float("nan")) for marks in raters.values()] for case in cases]
    table = np.array(rows, dtype=np.float64).reshape(len(cases), len(raters))
    there: Floats = table[(~np.isnan(table)).sum(axis=1) >= 2]
    return there


def _cell(found: Interval, scale: float = 1.0) -> Cell:
    if found.value != found.value:
        return Cell("–", hint="undefined: too few scores, or all of them alike")
    digits = 1 if scale == 100 else 2
    value, low, high = (f"{v * scale:.{digits}f}" for v in found)
    return Cell(value, f"{low}…{high}" if found.low == found.low else "")
