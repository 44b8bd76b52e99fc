"""How much each part of the foresight reward counts, as commands take it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from arrears.errors import UsageError

if TYPE_CHECKING:
    from arrears.training.reward import Weights


def weights_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--weights 0.5,0.5`."""
    return click.option(
        "--weights",
        default="0.5,0.5",
        show_default=True,
        help="Of the agreement's quality and of the experience in the foresight reward.",
    )(command)


def weights_of(text: str) -> "Weights":
    """The two numbers. UsageError unless both are finite, none negative and one positive."""
    from math import isfinite

    from arrears.training.reward import Weights

    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--weights takes two numbers, such as 0.5,0.5, not {text!r}") from None
    if not (isfinite(first + second) and min(first, second) >= 0 and first + second > 0):
        raise UsageError(f"--weights are not negative, and one is positive; not {text!r}")
    return Weights(first, second)
