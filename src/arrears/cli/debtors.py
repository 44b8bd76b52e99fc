"""`arrears debtors`: make, show, describe and export debtors."""

import sys
from pathlib import Path
from typing import Any

import click

from arrears.cli.ablate import ablate
from arrears.cli.analyse import analyse
from arrears.cli.numbers import SEED
from arrears.cli.personas import enrich, extract, refine
from arrears.cli.records import fit, sample
from arrears.debtors.pick import pick_debtor, pick_debtors
from arrears.debtors.record import EMOTIONS, Debtor
from arrears.debtors.suites import SPLITS, SUITES
from arrears.errors import UsageError

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_SPLIT = click.option(
    "--split", default="test", show_default=True, help=f"Of a suite: {' or '.join(SPLITS)}."
)


@click.group()
def debtors() -> None:
    """Make, inspect and export debtors.

    WHO is an id such as debtbench-test-0017 or FILE:N, a file's N-th debtor. MANY is a suite (dcn,
    debtbench) or a file (.jsonl, .csv, .parquet).
    """


for command in (fit, sample, extract, enrich, refine, analyse, ablate):
    debtors.add_command(command)


@debtors.command()
@click.option("--suite", default="debtbench", show_default=True, help=f"{' or '.join(SUITES)}.")
@click.option("-n", "n", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--seed", type=SEED, default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help=".jsonl .csv .parquet")
@_AS_JSON
def make(suite: str, n: int, seed: int, out: Path, as_json: bool) -> None:
    """Make a fresh population, drawn as a suite's is.

    \b
    arrears debtors make --suite debtbench -n 500 --seed 3 --out people.jsonl
    """
    from arrears.debtors.population import make_population
    from arrears.debtors.store import format_of, write_debtors

    format_of(out)
    made = write_debtors(out, make_population(suite, n, seed))
    _done({"debtors": made, "suite": suite, "seed": seed, "file": str(out)}, as_json)


@debtors.command()
@click.argument("who")
@_AS_JSON
def show(who: str, as_json: bool) -> None:
    """One debtor, whole.

    \b
    arrears debtors show debtbench-test-0017
    arrears debtors show people.csv:3
    """
    debtor = pick_debtor(who)
    if as_json:
        click.echo(debtor.model_dump_json(indent=2))
    else:
        _card(debtor)


@debtors.command()
@click.argument("many")
@_SPLIT
@_AS_JSON
def stats(many: str, split: str, as_json: bool) -> None:
    """What a population looks like: money, shares, feelings by category.

    \b
    arrears debtors stats debtbench
    arrears debtors stats people.jsonl
    """
    from arrears.debtors.statistics import describe_population

    figures = describe_population(pick_debtors(many, split))
    if as_json:
        _print_json(figures)
    else:
        _tables(many, figures)


@debtors.command()
@click.argument("many")
@_SPLIT
@click.option("--format", "form", help="jsonl, csv or parquet; default: by the name of --out.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="A file; default: stdout (not parquet)."
)
@_AS_JSON
def export(many: str, split: str, form: str | None, out: Path | None, as_json: bool) -> None:
    """Write a suite or a file in another format.

    \b
    arrears debtors export debtbench --split train --out train.parquet
    arrears debtors export people.jsonl --format csv > people.csv
    """
    from arrears.debtors.store import FORMATS, as_text, format_of, write_debtors
    from arrears.errors import UnknownName

    if form is not None and form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    if out is None:
        if form == "parquet" or as_json:
            raise UsageError("say where to with --out FILE")
        # A data file like any other, so UTF-8 on every terminal.
        click.echo(as_text(pick_debtors(many, split), form or "jsonl").encode(), nl=False)
        return
    written = write_debtors(out, pick_debtors(many, split), form or format_of(out))
    _done({"debtors": written, "file": str(out)}, as_json)


def _done(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(document)
    else:
        click.echo(f"{document['debtors']:,} debtors in {document['file']}")


def _print_json(document: dict[str, Any]) -> None:
    import orjson

    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def _card(debtor: Debtor) -> None:
    from rich.table import Table

    from arrears.bench.screen import Screen

    account, money = debtor.background, debtor.finances
    lines: list[tuple[str, str]] = [
        ("account", f"{account.sex}, {account.age}; {account.overdue_days} days overdue"),
        ("debt", f"{account.need_coll_amt:,.2f} of {account.bal_due:,.2f} yuan borrowed"),
        ("assets", f"{money.assets:,.0f} yuan"),
        (
            "a day",
            f"earns {money.avg_daily_income:,.1f}, spends {money.avg_daily_expense:,.1f}, "
            f"keeps {money.avg_daily_balance:,.1f} yuan",
        ),
        ("reason", f"{money.overdue_reason.text} ({money.overdue_reason.category})"),
    ]
    if person := debtor.personality:
        felt = ", ".join(f"{name} {getattr(person.emotions, name)}" for name in EMOTIONS)
        lines += [
            ("category", debtor.category or ""),
            ("character", f"{', '.join(person.character)}; {person.mbti}"),
            ("speaks", ", ".join(person.style)),
            ("feels", f"{felt}; resilience {person.emotional_resilience.replace('_', ' ')}"),
        ]
    if mind := debtor.cognition:
        lines += [
            (name.replace("_", " "), f"{trait['level']}: {trait['description']}")
            for name, trait in mind.model_dump().items()
        ]
    if life := debtor.scenario:
        lines += [("lives", f"{life.work}; {life.household}"), ("story", life.story)]
    table = Table(title=f"{debtor.id} · {account.name}", show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for label, text in lines:
        table.add_row(label, text)
    Screen().print(table)


def _tables(name: str, figures: dict[str, Any]) -> None:
    from rich.table import Table

    from arrears.bench.screen import Screen

    screen = Screen()
    money = Table(title=f"{name}: {figures['people']:,} debtors, {figures['male']:.0%} male")
    money.add_column("")
    for level in figures["quantile_levels"]:
        money.add_column(f"{level:.0%}", justify="right")
    for row, values in figures["quantiles"].items():
        money.add_row(row, *(f"{value:,.0f}" for value in values))
    screen.print_grid(money)
    if figures["by_category"]:
        feelings = Table(title="means by category (emotions 0 to 10, the rest 1 to 5)")
        feelings.add_column("")
        for category, share in figures["categories"].items():
            feelings.add_column(f"{category} {share:.1%}", justify="right")
        for trait in next(iter(figures["by_category"].values())):
            cells = [f"{figures['by_category'][c][trait]:.2f}" for c in figures["categories"]]
            feelings.add_row(trait, *cells)
        screen.print_grid(feelings)
    for section in ("reasons", "mbti", "character", "style"):
        if figures[section]:
            listed = ", ".join(f"{k} {v:.1%}" for k, v in figures[section].items())
            head = screen.text(section, "bold")
            screen.print(head.append(f" ({len(figures[section])}): {screen.shown(listed)}\n", ""))
