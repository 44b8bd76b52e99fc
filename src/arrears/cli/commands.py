"""The commands of `arrears`. Each is imported when it is called, so that help is instant."""

from typing import Final

import click

from arrears import __version__
from arrears.cli.lazy import Entry, LazyGroup

COMMANDS: Final = {
    "bench": Entry("arrears.cli.bench:bench", "Run collectors against debtors, score, report."),
    "chat": Entry("arrears.cli.chat:chat", "Sit at the table yourself, in the terminal."),
    "debtors": Entry("arrears.cli.debtors:debtors", "Make, inspect and export debtors."),
    "export": Entry("arrears.cli.export:export", "Write a trained collector for other programs."),
    "judge": Entry("arrears.cli.judge:judge", "Score a stored run again, with models as judges."),
    "project": Entry("arrears.cli.project:project", "Two-year projection and best terms."),
    "prompts": Entry("arrears.cli.prompts:prompts", "See exactly what is said to a model."),
    "report": Entry("arrears.cli.report:report", "Tables and one html file from stored runs."),
    "strategies": Entry(
        "arrears.cli.strategies:strategies", "Mine strategies from conversations, label with them."
    ),
    "train": Entry("arrears.cli.train:train", "Collectors that learn: data, training, proof."),
}


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="arrears")
def cli() -> None:
    """An open laboratory for debt-collection negotiation with language-model agents."""
