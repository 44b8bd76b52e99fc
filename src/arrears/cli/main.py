"""The `arrears` command. Subcommands are imported when they are called, so that help is instant."""

import sys
from typing import Final

import click

from arrears import __version__
from arrears.characters import visible, whole
from arrears.cli.lazy import Entry, LazyGroup
from arrears.cli.streams import OutputLost, give_up_stdout, settle_streams
from arrears.errors import ArrearsError, UsageError

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
    settle_streams()
    try:
        code = _run()
        sys.stdout.flush()
    except OutputLost as lost:
        give_up_stdout()
        code = lost.exit_code
        if code:
            _tell(str(lost))
    if code:
        sys.exit(code)


def _run() -> int:
    """The command and its exit code; what went wrong is told on stderr."""
    try:
        _check_words(sys.argv[1:])
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except OutputLost:
        raise
    except ArrearsError as error:
        _tell(str(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _tell("interrupted; resume with the same command", before="\n")
        return INTERRUPTED
    except SystemExit as error:
        # Nothing of arrears does so; a seat of the user's may, in a task that it has left behind.
        _tell(
            f"the program was ended from within (SystemExit: {error.code}), by a seat's own code "
            "or a library. Finished dialogues are kept; resume with the same command"
        )
        return 1
    return 0


def _check_words(words: list[str]) -> None:
    """UsageError for bytes that are no text: they could not be stored, shown or named again."""
    for word in words:
        if whole(word) != word:
            raise UsageError(
                f"{whole(word)!r} on the command line is not valid {sys.getfilesystemencoding()}; "
                "if it names a file or a folder, rename it"
            )


def _tell(text: str, before: str = "") -> None:
    """An error as a person reads it; it may hold a provider's words or a file's."""
    print(f"{before}arrears: {visible(text)}", file=sys.stderr)


if __name__ == "__main__":
    main()
