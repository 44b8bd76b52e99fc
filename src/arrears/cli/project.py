"""`arrears project`: two-year projection and best terms of one debtor."""

from pathlib import Path
from typing import Any

import click

from arrears.cli.numbers import Number
from arrears.economy.position import Money, money_from, money_of
from arrears.economy.projection import Projection, project_without_agreement
from arrears.economy.projection import project as project_agreement
from arrears.economy.search import (
    OBJECTIVES,
    best,
    feasible,
    own_cci,
    own_cri,
    own_dhi,
    pareto_front,
    regret,
)
from arrears.errors import UsageError
from arrears.terms import DIMENSIONS, GRID, Terms, payment_plan
from arrears.terms_text import parse_terms

_AMOUNTS = ("--debt", "--assets", "--income", "--expense")


@click.command()
@click.argument("debtor", required=False)
@click.option(
    "--terms",
    "texts",
    multiple=True,
    metavar="TERMS",
    help="An agreement, key=value for all four terms; may be repeated.",
)
@click.option("--debt", type=Number(), help="Amount to be collected, yuan, in place of DEBTOR.")
@click.option("--assets", type=Number(), help="Assets today, yuan.")
@click.option("--income", type=Number(), help="Average daily income, yuan.")
@click.option("--expense", type=Number(), help="Average daily expense, yuan.")
@click.option(
    "--figure",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the plans side by side into a .png, .svg or .pdf file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def project(
    debtor: str | None,
    texts: tuple[str, ...],
    debt: float | None,
    assets: float | None,
    income: float | None,
    expense: float | None,
    figure: Path | None,
    as_json: bool,
) -> None:
    """What an agreement does to a debtor in two years, and the best agreement there is.

    DEBTOR is the id of a debtor of a shipped suite or FILE.jsonl:LINE. Without --terms only the
    best agreements are shown.

    \b
    arrears project dcn-test-0001 \\
        --terms "disc_ratio=0,pmt_ratio=25%,pmt_days=7,inst_prds=6" --figure plans.png
    """
    plans = tuple(parse_terms(text) for text in texts)
    name, money = _whose(debtor, (debt, assets, income, expense))
    document = _document(name, money, plans)
    if figure is not None:
        from arrears.economy.figure import save_plans

        title = f"{name}: {money.need_coll_amt / 100:,.2f} yuan to collect"
        document["figure"] = str(save_plans(figure, money, _to_draw(money, plans), title=title))
    if as_json:
        import orjson

        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(document)


def _whose(debtor: str | None, amounts: tuple[float | None, ...]) -> tuple[str, Money]:
    """The name to show and the money of the debtor, from a record or from four amounts."""
    missing = [f for f, a in zip(_AMOUNTS, amounts, strict=True) if a is None]
    if debtor is None:
        debt, assets, income, expense = amounts
        if debt is None or assets is None or income is None or expense is None:
            raise UsageError(f"give a DEBTOR or all of {', '.join(_AMOUNTS)}")
        return "your debtor", money_from(debt, assets, income - expense)
    if len(missing) < len(_AMOUNTS):
        raise UsageError(f"give a DEBTOR or {', '.join(_AMOUNTS)}, not both")
    from arrears.debtors.pick import pick_debtor

    record = pick_debtor(debtor)
    return record.id, money_of(record)


def _to_draw(money: Money, plans: tuple[Terms, ...]) -> tuple[Terms, ...]:
    """The plans of the picture: several as they are, one beside its shorter and longer sister.

    Without any, the best agreement for each objective that something can be kept for.
    """
    if len(plans) > 1:
        return plans
    if not plans:
        found = (best(money, objective) for objective in OBJECTIVES)
        shown = tuple(dict.fromkeys(b.terms for b in found if b is not None))
        if not shown:
            raise UsageError("no agreement can be kept; give --terms to draw one that fails")
        return shown
    (terms,) = plans
    months = [int(m) for m in GRID["inst_prds"]]
    at = min(max(months.index(terms.inst_prds), 1), len(months) - 2)
    return tuple(
        Terms(terms.disc_ratio, terms.pmt_ratio, terms.pmt_days, m) for m in months[at - 1 : at + 2]
    )


def _document(name: str, money: Money, plans: tuple[Terms, ...]) -> dict[str, Any]:
    """Everything that is shown, as plain values; amounts in yuan."""
    found = {objective: best(money, objective) for objective in OBJECTIVES}
    path = project_without_agreement(money)
    return {
        "debtor": name,
        "money": {field: amount / 100 for field, amount in money._asdict().items()},
        "agreements": [_agreement(money, terms) for terms in plans],
        "without_agreement": _in_yuan(path._asdict()),
        "feasible": int(feasible(money).sum()),
        "best": {
            objective: None
            if b is None
            else {"terms": _terms(b.terms), "value": b.value, **_figures(b.projection)}
            for objective, b in found.items()
        },
        "pareto_front": [
            {"terms": _terms(point.terms), "cri": point.cri, "dhi": point.dhi}
            for point in pareto_front(money)
        ],
    }


def _agreement(money: Money, terms: Terms) -> dict[str, Any]:
    plan = payment_plan(money.need_coll_amt, terms)
    return {
        "terms": _terms(terms),
        "plan": [
            {
                "day": p.day,
                "principal": p.principal / 100,
                "fee": p.fee / 100,
                "amount": p.amount / 100,
            }
            for p in plan
        ],
        **_figures(project_agreement(money, terms)),
        "regret": {objective: regret(money, terms, objective) for objective in OBJECTIVES},
    }


def _figures(projection: Projection) -> dict[str, Any]:
    return {
        "projection": _in_yuan(projection._asdict()),
        "own": {
            "cri": own_cri(projection),
            "dhi": own_dhi(projection),
            "cci": own_cci(projection),
        },
    }


def _in_yuan(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "min_assets": fields["min_assets"] / 100}


def _terms(terms: Terms) -> dict[str, float | int]:
    return {d: getattr(terms, d) for d in DIMENSIONS}


def _print(document: dict[str, Any]) -> None:
    """The document as tables on stdout."""
    from arrears.bench.screen import Screen

    screen = Screen()
    money = document["money"]
    screen.print(
        screen.text(document["debtor"], "bold").append(
            f": {money['need_coll_amt']:,.2f} yuan to collect, "
            f"assets {money['assets']:,.2f}, surplus {money['daily_surplus']:,.2f} a day",
            "not bold",
        )
    )
    for agreement in document["agreements"]:
        _print_agreement(screen, agreement)
    _print_best(screen, document)
    if "figure" in document:
        screen.print(f"Drawn into {document['figure']}", soft_wrap=True)


def _print_agreement(screen: Any, agreement: dict[str, Any]) -> None:
    from rich.table import Table

    p, own = agreement["projection"], agreement["own"]
    plan = Table("day", "principal", "fee", "payment", title=_line(agreement["terms"]))
    for column in plan.columns:
        column.justify = "right"
    rows = agreement["plan"]
    for row in rows:
        plan.add_row(str(row["day"]), *(f"{row[f]:,.2f}" for f in ("principal", "fee", "amount")))
    plan.add_section()
    sums = (sum(round(r[f] * 100) for r in rows) / 100 for f in ("principal", "fee", "amount"))
    plan.add_row("sum", *(f"{amount:,.2f}" for amount in sums))
    screen.print()
    screen.print_grid(plan)
    verdict, style, why = (
        ("The plan can be kept", "green", f"{p['recovery']:.0%} of the debt is recovered.")
        if p["success"]
        else ("The plan fails", "red", "assets do not stay above 500.")
    )
    screen.print(screen.text(verdict, style).append(f": {why}", "default"))
    screen.print(
        f"A quarter repaid on day {p['qrd']}, half on day {p['hrd']}, all on day {p['cd']}. "
        f"Lowest assets {p['min_assets']:,.2f}; {p['l1d']} days in tier 1, {p['l2d']} in tier 2; "
        f"tier variance {p['atv']:.3f}."
    )
    screen.print(f"Own CRI {own['cri']:.3f}, DHI {own['dhi']:.3f}, CCI {own['cci']:.3f}.")
    screen.print(
        "Regret: " + ", ".join(f"{o} {value:.3f}" for o, value in agreement["regret"].items())
    )


def _print_best(screen: Any, document: dict[str, Any]) -> None:
    from rich.table import Table

    screen.print()
    if not document["feasible"]:
        screen.print(screen.text("None of the 5,880 legal agreements can be kept.", "red"))
        return
    table = Table("best for", "terms", "value", "CRI", "DHI", "CCI", title="Best legal agreements")
    for objective, found in document["best"].items():
        own = (f"{found['own'][index]:.3f}" for index in ("cri", "dhi", "cci"))
        table.add_row(objective, _line(found["terms"]), f"{found['value']:.3f}", *own)
    screen.print_grid(table)
    screen.print(
        f"{document['feasible']:,} of the 5,880 legal agreements can be kept, "
        f"{len(document['pareto_front'])} of them on the front of recovery against health."
    )


def _line(terms: dict[str, float | int]) -> str:
    return (
        f"{terms['disc_ratio']:.0%} off, {terms['pmt_ratio']:.0%} on day {terms['pmt_days']}, "
        f"{terms['inst_prds']} months"
    )
