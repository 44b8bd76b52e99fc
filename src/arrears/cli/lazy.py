"""Groups of commands of which only the one that is called is loaded."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class Entry(NamedTuple):
    """Where a command lives and what it is for."""

    place: str
    """Module and name of the click command, `module:name`."""
    purpose: str


class LazyGroup(click.Group):
    """A group that knows its commands by a table and loads only the one that is called."""

    def __init__(self, *args: Any, table: Mapping[str, Entry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, loaded now; None if there is none."""
        if cmd_name not in self._table:
            return None
        module, name = self._table[cmd_name].place.split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.purpose) for name, entry in self._table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but an unknown name is answered with the known ones."""
        if args and args[0] not in self._table and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}; known: {', '.join(self._table)}")
        return super().resolve_command(ctx, args)
