"""Rows that equal a real one: told without keeping the real ones.

The fingerprints are hashes of the rows that a model was fitted on. Who has them can test whether a
given row was among them, so they lie in a folder `private` of their own, to be kept where the table
is kept.
"""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from arrears.errors import BrokenFile
from arrears.files import replace_file
from arrears.synthesis.records.table import Column

_FILE: Final = Path("private") / "rows.npy"
_DIGITS: Final = 9


def fingerprints(data: NDArray[np.float64], columns: Sequence[Column]) -> NDArray[np.uint64]:
    """A hash of each row as it is written, shape (rows,)."""
    rounded = np.empty_like(data)
    for i, column in enumerate(columns):
        values = data[:, i]
        if column.kind == "numeric" and column.step:
            values = np.round(values / column.step)
        elif column.kind == "numeric":
            values = np.array([float(f"{v:.{_DIGITS}g}") for v in values])
        # −0.0 and 0.0, and every NaN, are one value.
        rounded[:, i] = np.where(np.isnan(values), np.nan, values + 0.0)
    hashes = [blake2b(row.tobytes(), digest_size=8).digest() for row in rounded]
    return np.frombuffer(b"".join(hashes), dtype="<u8")


def store_fingerprints(folder: Path, marks: NDArray[np.uint64]) -> None:
    """Write `private/rows.npy`."""
    path = folder / _FILE
    path.parent.mkdir(exist_ok=True)
    replace_file(path, lambda file: np.save(file, np.unique(marks)))


def load_fingerprints(folder: Path) -> NDArray[np.uint64] | None:
    """What was stored; None where it was taken away. BrokenFile."""
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        found: NDArray[np.uint64] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BrokenFile(path, f"holds no fingerprints ({error})") from error
    return found


def are_copies(
    data: NDArray[np.float64], columns: Sequence[Column], real: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Which rows equal a real one in every column."""
    return np.isin(fingerprints(data, columns), real)
