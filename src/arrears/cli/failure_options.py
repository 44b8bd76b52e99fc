"""How much may fail before a command ends with exit code 1; every command that can fail in part
has this option.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

from arrears.cli.numbers import Number
from arrears.errors import TooManyFailures

fail_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--fail-on-error",
    "most_failed",
    type=Number(0, 1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Largest share that may fail; more ends with exit code 1, after everything was stored.",
)
"""Gives a command the option; it receives `most_failed`, a share from 0 to 1."""


class Failed(NamedTuple):
    """How much of one thing failed."""

    failed: int
    total: int
    reason: str = ""
    """The most frequent reason, in the words of whoever failed."""


def refuse_failures(
    found: Mapping[str, Failed],
    most: float,
    what: str = "dialogues",
    again: str = "--retry-errors",
    beware: str = "",
) -> None:
    """TooManyFailures where more than `most` of anything failed. Call it after all is stored.

    `found`: by name, for example one collector each; `again`: what plays the failed ones again;
    `beware`: a sentence about when that will not do.
    """
    over = [(name, f) for name, f in found.items() if f.total and f.failed > most * f.total]
    if not over:
        return
    rows = "\n".join(
        f"  {name}: {f.failed:,} of {f.total:,} {what}" + (f"; {f.reason}" if f.reason else "")
        for name, f in over
    )
    raise TooManyFailures(
        f"more failed than --fail-on-error {most:g} allows:\n{rows}\n"
        "What failed is counted beside the figures and is in none of them. To try it again, "
        f"give the same command with {again}{beware}"
    )
