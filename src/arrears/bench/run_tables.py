"""Tables about the run itself: what it cost, and what its repeats tell."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from arrears.bench.folder import CALLS
from arrears.bench.sheets import Sheet
from arrears.bench.stored import StoredRun
from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.bench.unplayed import causes_told, not_played
from arrears.models.budget import read_calls
from arrears.models.usage import Usage
from arrears.scoring.repeats import (
    Components,
    Floats,
    Pass,
    components,
    components_with_judges,
    pass_hat,
)
from arrears.scoring.row import Row, played
from arrears.scoring.unscored import Unscored

_SPENT = ("seat", "role", "model")


def cost_table(runs: Sequence[StoredRun]) -> Table | None:
    """Tokens and money by seat, role and model; None where no model was called."""
    spent: dict[tuple[str, str, str], list[float]] = {}
    usage: dict[tuple[str, str, str], Usage] = {}
    priced = True
    for run in runs:
        for call in read_calls(run.path / CALLS):
            key = (call.purpose.seat, call.purpose.role, call.model.partition("@")[0])
            sums = spent.setdefault(key, [0.0, 0.0, 0.0, 0.0])
            sums[0] += not call.rejected
            sums[1] += call.cost or 0.0
            sums[2] += max(0, call.tries - 1)
            sums[3] += call.cached
            priced &= call.cost is not None
            usage[key] = usage.get(key, Usage()) + call.usage
    if not spent:
        return None
    rows = [
        TableRow(
            f"{seat}: {role}",
            [
                Cell(model),
                Cell(f"{calls:,.0f}"),
                Cell(f"{again:,.0f}"),
                Cell(f"{kept:,.0f}"),
                Cell(f"{usage[seat, role, model].tokens_in:,}"),
                Cell(f"{usage[seat, role, model].tokens_cached:,}"),
                Cell(f"{usage[seat, role, model].tokens_out:,}"),
                Cell(f"{cost:,.4f}" if priced or cost else "–"),
            ],
        )
        for (seat, role, model), (calls, cost, again, kept) in sorted(spent.items())
    ]
    total = sum(sums[1] for sums in spent.values())
    return Table(
        "Calls, tokens and money",
        "What the models were called for",
        "for",
        [
            Column(title)
            for title in (
                "model", "calls", "retries", "from cache", "tokens in", "of them cached",
                "tokens out", "cost",
            )
        ],
        rows,
        f"In all {total:,.4f} by the price table."
        + ("" if priced else " Models without a price are not in it.")
        + " Calls of dialogues that were interrupted are counted too.",
    )  # fmt: skip


def repeats_table(
    suite: str, lines: Mapping[str, Sequence[Row]], sheets: Mapping[str, Sequence[Sheet]]
) -> Table | None:
    """pass^k and variance components, of dialogues that were played; None without repeats.

    `sheets` are the judgements of the run that each line stands in.
    """
    rows = []
    most = 0
    for name, found in lines.items():
        by_debtor: dict[tuple[str, str], list[Row]] = {row.unit: [] for row in found}
        for row in played(found):
            by_debtor[row.unit].append(row)
        passes = pass_hat({who: [r.success for r in runs] for who, runs in by_debtor.items()})
        if len(passes) < 2:
            continue
        most = max(most, len(passes))
        repeats = Counter(row.unit for row in found)
        pending = len(repeats) * max(repeats.values()) - len(found)
        debtors = [str(one.cases) for one in passes.values()]
        rows.append(
            (
                name,
                [_percent(one) for one in passes.values()],
                [
                    Cell(debtors[0] if len(set(debtors)) == 1 else ", ".join(debtors)),
                    not_played(found, pending),
                    *_spread(list(by_debtor.values()), sheets.get(name, ())),
                ],
            )
        )
    if not rows:
        return None
    return Table(
        "What repeats tell",
        f"Talks on {suite} repeated with the same debtors",
        "collector",
        [
            *(Column(f"pass^{k} %", "chance that so many talks all hold", 1)
              for k in range(1, most + 1)),
            Column("debtors", "with at least so many repeats that were played: 1, 2, …"),
            Column("missing (why)", "failed from outside the negotiation, or not played yet"),
            Column("spread of own CCI"),
            Column("spread of US"),
        ],
        [
            TableRow(name, [*cells, *[Cell("–")] * (most - len(cells)), *more])
            for name, cells, more in rows
        ],
        "pass^k is of the debtors with k repeats that were played; where debtors are told by "
        "repeat, pass^2 is not of the same ones as pass^1. Intervals over debtors. Spread: shares "
        "of the variance between cases, between repeats of a case, and, where several judges have "
        "scored the run, between judges."
        + causes_told([row for found in lines.values() for row in found]),
    )  # fmt: skip


def _percent(found: Pass) -> Cell:
    value, low, high = (f"{100 * x:.1f}" for x in found[:3])
    return Cell(value, f"{low}…{high}", hint=f"over {found.cases:,} debtors")


def _spread(by_debtor: Sequence[Sequence[Row]], sheets: Sequence[Sheet]) -> list[Cell]:
    """Where own CCI and US come from; US by the judges where there are two, else by the rubric."""
    most = max(map(len, by_debtor))

    def of(*scores: Callable[[Row], float]) -> Floats:
        """(debtors, repeats, scores), NaN where a repeat or a score is missing."""
        table = np.full((len(by_debtor), most, len(scores)), np.nan)
        for at, rows in enumerate(by_debtor):
            for repeat, row in enumerate(rows):
                table[at, repeat] = [score(row) for score in scores]
        return table

    nan = float("nan")
    judges = [sheet.column("US") for sheet in sheets if sheet.kind == "experience"]
    own = _shares(lambda: components(of(lambda r: r.own_cci)[:, :, 0]))
    by_judges = of(*(lambda r, given=given: given.get(r.case, nan) for given in judges))
    if len(judges) >= 2 and (~np.isnan(by_judges)).all(axis=2).any():
        return [own, _shares(lambda: components_with_judges(by_judges))]
    rubric = of(lambda r: nan if isinstance(r.us, Unscored) else float(r.us))
    return [own, _shares(lambda: components(rubric[:, :, 0]))]


def _shares(found: Callable[[], Components]) -> Cell:
    """Shares of the variance; a dash where too little was scored to tell them apart."""
    try:
        cases, repeats, judge = found().shares()
    except ValueError as error:
        return Cell("–", hint=str(error))
    text = f"cases {cases:.0%}, repeats {repeats:.0%}"
    return Cell(text + (f", judges {judge:.0%}" if judge is not None else ""))
