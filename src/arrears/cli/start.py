"""One command, from its words to its exit code; what goes wrong is told in a sentence."""

import sys

import click

from arrears.characters import visible, whole
from arrears.cli.commands import cli
from arrears.cli.streams import OutputLost, give_up_stdout, settle_streams
from arrears.errors import ArrearsError, UsageError

INTERRUPTED = 130


def start() -> None:
    """Run the command that stands in `sys.argv` and leave with its exit code."""
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
