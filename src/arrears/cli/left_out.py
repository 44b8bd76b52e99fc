"""What a command reads of a file of conversations, and what it says of those that hold nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from arrears.synthesis.conversations import Conversation


def read_spoken(path: Path) -> "tuple[Conversation, ...]":
    """The conversations of a file or a run in which somebody spoke; how many others there are is
    told on stderr. Errors as `read_conversations`.
    """
    from arrears.synthesis.conversations import read_conversations, silent_in

    found = read_conversations(path)
    silent = silent_in(path, found)
    if silent:
        click.echo(f"{path}: {silent:,} conversations in which nobody spoke are left out", err=True)
    return found
