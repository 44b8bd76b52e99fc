"""The `arrears` command. Subcommands are imported when they are called, so that help is instant."""

import sys
from importlib import import_module
from typing import Final, NamedTuple

import click

from arrears import __version__
from arrears.errors import ArrearsError

INTERRUPTED = 130


class Entry(NamedTuple):
    """Where a subcommand lives and what it is for."""

    place: str
    """Module and name of the click command, `module:name`."""
    purpose: str


COMMANDS: Final = {
    "bench": Entry("arrears.cli.bench:bench", "Run collectors against debtors, score, report."),
    "chat": Entry("arrears.cli.chat:chat", "Sit at the table yourself, in the terminal."),
    "debtors": Entry("arrears.cli.debtors:debtors", "Make, inspect and export debtors."),
    "judge": Entry("arrears.cli.judge:judge", "Score a stored run again, with models as judges."),
    "project": Entry("arrears.cli.project:project", "Two-year projection and best terms."),
    "prompts": Entry("arrears.cli.prompts:prompts", "See exactly what is said to a model."),
    "report": Entry("arrears.cli.report:report", "Tables and one html file from stored runs."),
    "strategies": Entry(
        "arrears.cli.strategies:strategies", "Mine strategies from conversations, label with them."
    ),
}


class LazyGroup(click.Group):
    """A group that knows its commands by a table and loads only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, loaded now; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].place.split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.purpose) for name, entry in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but an unknown name is answered with the known ones."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}; known: {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
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
