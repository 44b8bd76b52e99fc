"""`arrears debtors analyse`: what a population and its talks look like, beside others."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from arrears.debtors.suites import SPLITS
from arrears.errors import UsageError


@click.command()
@click.argument("many")
@click.option("--against", help="A second population, side by side: a suite or a file.")
@click.option(
    "--split", default="test", show_default=True, help=f"Of a suite: {' or '.join(SPLITS)}."
)
@click.option(
    "--dialogues", type=click.Path(path_type=Path), help="Talks to measure: a run or a .jsonl."
)
@click.option("--dialogues-against", type=click.Path(path_type=Path), help="Talks beside them.")
@click.option("--html", type=click.Path(path_type=Path), help="Write one file with pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def analyse(
    many: str,
    against: str | None,
    split: str,
    dialogues: Path | None,
    dialogues_against: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """How varied a population and its talks are, and how like another.

    \b
    arrears debtors analyse people.jsonl --against debtbench --html people.html
    arrears debtors analyse debtbench --dialogues runs/x --dialogues-against talks.jsonl
    """
    from arrears.bench.terminal import print_table
    from arrears.debtors.pick import pick_debtors
    from arrears.synthesis.realism.analysis import analyse as measure
    from arrears.synthesis.realism.analysis import document, notes_of, tables_of
    from arrears.synthesis.realism.diversity import with_intervals
    from arrears.synthesis.realism.page import write_page
    from arrears.synthesis.realism.talks import Talk, failed_in, read_talks

    if dialogues is None and dialogues_against is not None:
        raise UsageError("--dialogues-against needs --dialogues beside it")
    people = {_name(many): pick_debtors(many, split)}
    if against is not None:
        people[_other(_name(against), people)] = pick_debtors(against, split)
    talks: dict[str, tuple[Talk, ...]] = {}
    failed: dict[str, int] = {}
    for path in filter(None, (dialogues, dialogues_against)):
        name = path.stem if path.is_file() else path.resolve().name
        name = _other(name, talks)
        talks[name], failed[name] = read_talks(path), failed_in(path)
    found = measure(people, talks, failed=failed)
    if html is not None:
        write_page(found, html)
    if as_json:
        import orjson

        text = {**document(found), "page": str(html) if html else None}
        sys.stdout.write(orjson.dumps(text, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    for table in tables_of(found):
        print_table(with_intervals(table))
    for note in notes_of(found):
        click.echo(f"\n{note}")
    if html is not None:
        click.echo(f"\npage: {html}")


def _name(many: str) -> str:
    return Path(many).stem if "." in many else many


def _other(name: str, taken: Mapping[str, object]) -> str:
    """A name for the second of two that may be called alike."""
    return f"{name} (other)" if name in taken else name
