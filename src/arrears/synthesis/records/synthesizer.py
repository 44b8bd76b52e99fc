"""What every method is to the rest: fitted on a table, asked for rows, stored in a folder.

A method is one file of this room and one line of `METHODS`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from arrears.errors import UnknownName, UsageError
from arrears.synthesis.records.table import Column, Table


class Synthesizer(Protocol):
    """A fitted method."""

    def rows(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """`n` fresh rows, shape (n, columns), categories as places of their levels, NaN missing.

        A method with a pool gives it in a random order, and no more than it holds; each call draws
        from the whole pool again.
        """

    def store(self, folder: Path) -> None:
        """Write what `load` reads."""


class Method(NamedTuple):
    """One method by name."""

    purpose: str
    licence: str
    """Of what it needs beyond the base install."""
    pool: bool
    """Whether its rows are made when it is fitted, or as many as are asked for at any time."""


METHODS: Final[Mapping[str, Method]] = {
    "copula": Method(
        "vine copulas, one for each kind of row; the default", "MIT (pyvinecopulib)", pool=False
    ),
    "gaussian": Method("a normal and nearest neighbours, as DebtBench", "BSD", pool=True),
    "ctgan": Method("a generative adversarial net, as DCN", "BUSL-1.1 (ctgan)", pool=True),
}


def fit_method(method: str, table: Table, rng: np.random.Generator, pool: int) -> Synthesizer:
    """A method fitted on a table; `pool` is how many rows a method with a pool keeps.

    UnknownName for a method, UsageError where what it needs is not installed.
    """
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    extra = "ctgan" if method == "ctgan" else "synthesis"
    try:
        if method == "copula":
            from arrears.synthesis.records.kinds import fit_kinds

            return fit_kinds(table, rng)
        if method == "gaussian":
            from arrears.synthesis.records.gaussian import fit_gaussian

            return fit_gaussian(table, rng, pool)
        from arrears.synthesis.records.gan import fit_ctgan

        return fit_ctgan(table, rng, pool)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--method {method} needs {error.name}: pip install 'arrears[{extra}]'"
        ) from error


def load_method(method: str, folder: Path, columns: tuple[Column, ...]) -> Synthesizer:
    """What `store` wrote. UnknownName, BrokenFile, UsageError."""
    if method == "copula":
        try:
            from arrears.synthesis.records.kinds import load_kinds

            return load_kinds(folder, columns)
        except ModuleNotFoundError as error:
            raise UsageError(
                f"a copula needs {error.name}: pip install 'arrears[synthesis]'"
            ) from error
    if method not in METHODS:
        raise UnknownName("method", method, METHODS)
    from arrears.synthesis.records.pool import load_pool

    return load_pool(folder, columns)
