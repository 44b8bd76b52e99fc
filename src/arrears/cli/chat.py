"""`arrears chat`: sit at the table yourself, in the terminal."""

import asyncio
from pathlib import Path
from typing import Any

import click
import orjson
from rich.panel import Panel
from rich.table import Table as Grid

from arrears.agents.human import HumanAgent
from arrears.agents.registry import check_collector, check_debtor_seat, models_of
from arrears.agents.seating import Place, Seating
from arrears.bench.screen import Screen
from arrears.cli.numbers import SEED
from arrears.debtors.pick import pick_debtor
from arrears.debtors.record import Debtor
from arrears.dialogue.failures import CAUSES
from arrears.dialogue.loop import Agent, negotiate
from arrears.dialogue.record import Dialogue, as_line
from arrears.dialogue.views import CollectorView, DebtorView
from arrears.errors import ActSyntaxError, TooManyFailures, cannot_write
from arrears.models.backends import Backends, Settings, check_model
from arrears.terms import DIMENSIONS, TITLES, Mandate, Value, written

_HELP = (
    "Say something, then do something: ask(disc_ratio=5%, pmt_ratio=30%), accept(pmt_days=7), "
    "reject(disc_ratio), several with ';', or nothing (enter). /quit leaves."
)


_QUIT = "/quit"


class TerminalPrompter:
    """Talks with the person on stderr and reads from stdin."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown = 0

    def show(self, view: CollectorView | DebtorView) -> None:
        """New messages of the other side, then the table."""
        for heard in view.heard[self._shown :]:
            acts = "; ".join(str(a) for a in heard.acts)
            side = "cyan" if heard.seat == "collector" else "yellow"
            title, subtitle = self._screen.text(heard.seat), self._screen.text(acts)
            self._screen.print(
                Panel(heard.dialogue, title=title, subtitle=subtitle, border_style=side)
            )
        self._shown = len(view.heard)
        grid = Grid(title=f"turn {view.number} of {view.max_turns}")
        for column in ("", "collector asks", "debtor asks", "agreed"):
            grid.add_column(column)
        for dim, position in zip(DIMENSIONS, view.table, strict=True):
            grid.add_row(f"{dim} ({TITLES[dim]})", *(_cell(dim, value) for value in position))
        self._screen.print_grid(grid)

    def ask(self, question: str) -> str:
        """One line, with the question as its prompt."""
        self._screen.print(self._screen.text(f"{question}>", "bold"), end=" ")
        try:
            line = input()
        except EOFError:
            line = _QUIT
        if line.strip() == _QUIT:
            raise KeyboardInterrupt
        return line

    def complain(self, error: ActSyntaxError) -> None:
        """What could not be read, and how it should look."""
        self._screen.print(self._screen.text(str(error), "red"))
        self._screen.print(_HELP)


def _cell(dim: Any, value: Value | None) -> str:
    return "" if value is None else written(dim, value)


@click.command()
@click.option("--as", "seat", type=click.Choice(["collector", "debtor"]), default="collector",
              show_default=True, help="The seat that you take.")  # fmt: skip
@click.option("--against", default=None,
              help="Who sits opposite: scripted/debtor, a collector, or a model.")  # fmt: skip
@click.option("--debtor", "debtor_id", default="debtbench-test-0001", show_default=True,
              help="The debtor at the table: an id of a suite, or FILE:N.")  # fmt: skip
@click.option("--seed", type=SEED, default=1, show_default=True, help="Luck of the built-in seat.")
@click.option("--max-turns", default=12, show_default=True, help="Turns before the talk ends.")
@click.option("--save", type=click.Path(path_type=Path), default=None,
              help="Append the finished dialogue to this jsonl file.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the finished dialogue as JSON.")
def chat(
    seat: str,
    against: str | None,
    debtor_id: str,
    seed: int,
    max_turns: int,
    save: Path | None,
    as_json: bool,
) -> None:
    """Sit at the table yourself, in the terminal, against a built-in agent or a model."""
    screen = Screen(stderr=True)
    debtor = pick_debtor(debtor_id)
    try:
        dialogue = _play(screen, seat, against, debtor, seed, max_turns)
    except KeyboardInterrupt:
        screen.print("\nYou have left the table; nothing was agreed and nothing is kept.")
        return
    if dialogue.failed is None:
        _conclude(screen, dialogue, debtor)
    line = as_line(dialogue)
    if save is not None:
        try:
            with save.open("ab") as file:
                file.write(line)
        except OSError as error:
            raise cannot_write(save, error) from error
    if as_json:
        click.echo(orjson.dumps(orjson.loads(line), option=orjson.OPT_INDENT_2).decode())
    if dialogue.failed is not None:
        raise TooManyFailures(
            f"the dialogue broke off, which is no result: {CAUSES[dialogue.failed.cause]}. "
            f"{dialogue.detail}"
        )


def _play(
    screen: Screen, seat: str, against: str | None, debtor: Debtor, seed: int, max_turns: int
) -> Dialogue:
    """Seat both sides and let them talk."""
    person = HumanAgent("collector" if seat == "collector" else "debtor", TerminalPrompter(screen))
    screen.print(_HELP)
    if seat == "collector":
        other = against or "scripted/debtor"
        check_debtor_seat(other)
        account = debtor.background
        screen.print(
            f"You call {account.name}, {account.age}, {account.sex}: "
            f"{account.need_coll_amt:,.2f} yuan, {account.overdue_days} days overdue."
        )
        specs = ("human", other)
    else:
        other = against or "scripted/typical"
        check_collector(other)
        screen.print(Panel(_card(debtor), title="you are"))
        specs = (other, "human")
    settings = Settings(concurrency=1)
    for spec in models_of(specs[:1], specs[1:], None, None):
        check_model(spec, settings)
    return asyncio.run(_talk(person, specs, debtor, seed, max_turns, settings))


async def _talk(
    person: HumanAgent,
    specs: tuple[str, str],
    debtor: Debtor,
    seed: int,
    max_turns: int,
    settings: Settings,
) -> Dialogue:
    """The talk itself; `human` of the specs is the person."""
    case = f"chat/{specs[0]}/{specs[1]}/{debtor.id}/1"
    place = Place(case, "chat", debtor.id, 1)
    async with Backends(settings) as models:
        seating = Seating(seed, Mandate(), max_turns, models=models)
        collector: Agent = person
        debtor_seat: Agent = person
        if specs[0] == "human":
            debtor_seat = seating.debtor(specs[1], place, debtor)
        else:
            collector = seating.collector(specs[0], place, debtor)
        return await negotiate(
            case=case,
            suite="chat",
            debtor=debtor,
            collector=collector,
            debtor_seat=debtor_seat,
            collector_spec=specs[0],
            debtor_spec=specs[1],
            max_turns=max_turns,
        )


def _card(debtor: Debtor) -> str:
    """What the person who plays a debtor needs to know."""
    who, money = debtor.background, debtor.finances
    lines = [
        f"{who.name}, {who.age}, {who.sex}. You owe {who.need_coll_amt:,.2f} yuan "
        f"and are {who.overdue_days} days overdue.",
        f"You have {money.assets:,.0f} yuan, earn {money.avg_daily_income:,.0f} and spend "
        f"{money.avg_daily_expense:,.0f} a day. {money.overdue_reason.text}",
    ]
    if debtor.personality is not None:
        lines.append(
            f"You are {', '.join(debtor.personality.character)}; you speak "
            f"{', '.join(debtor.personality.style)}."
        )
    if debtor.scenario is not None:
        lines.append(debtor.scenario.story)
    return "\n\n".join(lines)


def _conclude(screen: Screen, dialogue: Dialogue, debtor: Debtor) -> None:
    """How it ended, and what the agreement does to both sides."""
    if dialogue.turns:
        last = dialogue.turns[-1]
        screen.print(Panel(last.dialogue, title=screen.text(f"last words: {last.seat}")))
    if dialogue.terms is None:
        screen.print(f"No agreement ({dialogue.ending}). {dialogue.detail}")
        return
    from arrears.economy.position import money_of
    from arrears.economy.projection import project

    seen = project(money_of(debtor), dialogue.terms)
    verdict = "can be kept" if seen.success else "fails: assets fall to 500 yuan or less"
    screen.print(
        f"Agreed on {dialogue.terms}. The plan {verdict}. A quarter of the debt is back on day "
        f"{seen.qrd}, half on day {seen.hrd}, all on day {seen.cd}; the debtor spends {seen.l1d} "
        f"days in tier 1 and {seen.l2d} in tier 2."
    )
