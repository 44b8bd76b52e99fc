"""Tables about the run itself: what it cost, and what its repeats tell."""

from collections.abc import Mapping, Sequence

import numpy as np

from arrears.bench.folder import CALLS
from arrears.bench.sheets import Sheet
from arrears.bench.stored import StoredRun
from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.models.budget import read_calls
from arrears.models.usage import Usage
from arrears.rng import rng_for
from arrears.scoring.repeats import Components, components, components_with_judges, pass_hat
from arrears.scoring.row import Row
from arrears.scoring.statistics import bootstrap

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
    suite: str, lines: Mapping[str, Sequence[Row]], sheets: Sequence[Sheet] = ()
) -> Table | None:
    """pass^k and variance components; None without repeats."""
    rows = []
    most = 0
    for name, found in lines.items():
        by_case: dict[str, list[Row]] = {}
        for row in found:
            by_case.setdefault(row.debtor_id, []).append(row)
        fewest = min(len(r) for r in by_case.values())
        if fewest < 2:
            continue
        most = max(most, fewest)
        outcome = np.array([[float(r.success) for r in c[:fewest]] for c in by_case.values()])
        passes = pass_hat({case: [r.success for r in rows] for case, rows in by_case.items()})
        ends = _pass_intervals(outcome, suite, name)
        cells = [
            Cell(f"{100 * passes[k]:.1f}", f"{100 * ends[k - 1][0]:.1f}…{100 * ends[k - 1][1]:.1f}")
            for k in passes
        ]
        rows.append((name, cells, _spread(by_case, fewest, sheets)))
    if not rows:
        return None
    return Table(
        "What repeats tell",
        f"Talks on {suite} repeated with the same debtors",
        "collector",
        [
            *(Column(f"pass^{k} %", "chance that so many talks all hold", 1)
              for k in range(1, most + 1)),
            Column("spread of own CCI"),
            Column("spread of US"),
        ],
        [
            TableRow(name, [*cells, *[Cell("–")] * (most - len(cells)), *spread])
            for name, cells, spread in rows
        ],
        "Spread: shares of the variance between cases, between repeats of a case, and, where "
        "several judges have scored the run, between judges.",
    )  # fmt: skip


def _pass_intervals(
    outcome: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", suite: str, name: str
) -> list[tuple[float, float]]:
    """Ends of the 95 % intervals of pass^k over debtors."""
    from math import comb

    n = outcome.shape[1]
    counts = outcome.sum(axis=1).astype(int)
    table = np.array([[comb(int(c), k) / comb(n, k) for k in range(1, n + 1)] for c in counts])
    rng = rng_for(1, "pass", suite, name)
    return [(i.low, i.high) for i in bootstrap(table, lambda t: t.mean(axis=-2), rng)]


def _spread(
    by_case: Mapping[str, Sequence[Row]], fewest: int, sheets: Sequence[Sheet]
) -> list[Cell]:
    own = np.array([[r.own_cci for r in rows[:fewest]] for rows in by_case.values()])
    if len(own) < 2:
        return [Cell("–"), Cell("–")]
    judges = [s.column("US") for s in sheets if s.kind == "experience"]
    whole = [
        [[j[r.case] for j in judges] for r in rows[:fewest]]
        for rows in by_case.values()
        if all(r.case in j for j in judges for r in rows[:fewest])
    ]
    if len(judges) >= 2 and len(whole) >= 2:
        return [_shares(components(own)), _shares(components_with_judges(np.array(whole)))]
    plain = [
        [float(r.us) for r in rows[:fewest] if isinstance(r.us, float)] for rows in by_case.values()
    ]
    scored = [marks for marks in plain if len(marks) == fewest]
    us = _shares(components(np.array(scored))) if len(scored) >= 2 else Cell("–")
    return [_shares(components(own)), us]


def _shares(found: Components) -> Cell:
    cases, repeats, judge = found.shares()
    text = f"cases {cases:.0%}, repeats {repeats:.0%}"
    return Cell(text + (f", judges {judge:.0%}" if judge is not None else ""))
