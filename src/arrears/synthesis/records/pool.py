"""A method whose rows are all made when it is fitted: they are stored, the net or matrix is not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.errors import BrokenFile
from arrears.files import replace_file
from arrears.synthesis.records.table import Column

_FILE: Final = "pool.npz"


@dataclass(frozen=True)
class PoolModel:
    """Synthetic rows in a random order."""

    columns: tuple[Column, ...]
    data: NDArray[np.float64]

    def rows(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """As `Synthesizer.rows`: another seed shuffles them anew."""
        order = rng.permutation(len(self.data))
        found: NDArray[np.float64] = self.data[order[:n]]
        return found

    def store(self, folder: Path) -> None:
        """Write `pool.npz`."""
        replace_file(folder / _FILE, lambda file: np.savez_compressed(file, data=self.data))


def load_pool(folder: Path, columns: tuple[Column, ...]) -> PoolModel:
    """What `store` wrote. BrokenFile."""
    path = folder / _FILE
    try:
        with np.load(path, allow_pickle=False) as stored:
            data = np.asarray(stored["data"], dtype=float)
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise BrokenFile(path, f"is no pool of rows that was stored here ({error})") from error
    if data.ndim != 2 or data.shape[1] != len(columns):
        raise BrokenFile(path, "its rows have not the columns of the model")
    return PoolModel(columns, data)
