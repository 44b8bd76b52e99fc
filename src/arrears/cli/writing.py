"""A command that writes over time keeps others from writing there until it ends."""

from pathlib import Path

import click

from arrears.runs.lock import lock_file, lock_folder


def alone_in(folder: Path) -> None:
    """Lock a folder, made where there is none, until the command ends.

    RunMismatch where another process writes it; UnwritablePlace, StorageError.
    """
    click.get_current_context().with_resource(lock_folder(folder))


def alone_on(file: Path) -> None:
    """The same for a file, and for what lies beside it under its name."""
    click.get_current_context().with_resource(lock_file(file))
