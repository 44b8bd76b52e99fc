"""The `arrears` command. Subcommands are imported when they are called, so that help is instant."""

import sys
from typing import Final

import click

from arrears import __version__
from arrears.cli.lazy import Entry, LazyGroup
from arrears.errors import ArrearsError

INTERRUPTED = 130


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


def main() -> None:
    """Run the command and leave with its exit code.

    0 done, 1 something failed, 2 the request cannot be carried out as it stands, 130 interrupted.
    """
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        sys.exit(error.exit_code)
    except ArrearsError as error:
        print(f"arrears: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        print("\narrears: interrupted; resume with the same command", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of a pipe has left; there is no one to tell.
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
