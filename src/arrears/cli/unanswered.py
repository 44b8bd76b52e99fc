"""Commands that ask models for many things: how much of it may fail, and how to ask again."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from arrears.characters import visible
from arrears.cli.failure_options import Failed, refuse_failures
from arrears.errors import TooManyFailures

if TYPE_CHECKING:
    from arrears.models.unanswered import Unanswered


retry_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--retry-errors", is_flag=True, help="Ask again what failed before."
)
"""Gives a command the option; it receives `retry_errors`."""


class Outcome(NamedTuple):
    """What came of one thing that was asked for many times."""

    answered: int
    failures: "Iterable[Unanswered]"


def refuse_unanswered(found: Mapping[str, Outcome], most: float, what: str) -> None:
    """TooManyFailures where a larger share than `most` failed from outside, or where nothing at
    all was answered. Call it after everything is stored.

    What a model answered and nobody could read is its own failing: it is counted where the command
    tells its figures, and not here, unless there is nothing else.
    """
    from arrears.models.unanswered import causes_text, counted, most_frequent

    failed: dict[str, Failed] = {}
    for name, (answered, all_of_them) in found.items():
        asked = [one for one in all_of_them if one.cause != "not_asked"]
        if asked and not answered:
            raise TooManyFailures(
                f"{name}: none of {len(asked):,} {what} could be used "
                f"({causes_text(counted(asked))}); {most_frequent(asked)}\n"
                "There is nothing to report of it. To ask again, give the same command with "
                "--retry-errors"
            )
        outside = [one for one in asked if one.outside]
        failed[name] = Failed(len(outside), answered + len(asked), most_frequent(outside))
    refuse_failures(failed, most, what)


def failures_text(failures: "Iterable[Unanswered]", what: str) -> str:
    """What to tell of failures in one line: how many of what, by who failed, and why the most."""
    from arrears.models.unanswered import causes_text, counted, most_frequent

    found = list(failures)
    return f"{len(found):,} {what} ({causes_text(counted(found))}): {visible(most_frequent(found))}"
