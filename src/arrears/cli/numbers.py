"""Numbers on the command line: a range without NaN and infinity, which no comparison stops."""

from math import isfinite
from typing import Any, Final

import click


class Number(click.FloatRange):
    """A finite number in a range. NaN passes every limit, and with it every safeguard is off."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number; a usage error for what is none."""
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


SEED: Final = click.IntRange(-(2**63), 2**63 - 1)
"""A whole number that a plan can store."""
