"""Scores on disk: `scores.parquet`, one row a dialogue in case order."""

from collections.abc import Sequence
from pathlib import Path

from arrears.bench.folder import SCORES
from arrears.errors import BrokenFile
from arrears.files import replace_file
from arrears.scoring.row import Row, columns_of, row_from

# Columns by kind; every other column is text.
_WHOLE = frozenset(
    {"turns", "pmt_days", "inst_prds", "qrd", "hrd", "cd", "l1d", "l2d", "refused_by_mandate",
     "repairs", "abuse"}
)  # fmt: skip
_FLAGS = frozenset({"agreed", "success"})
_NUMBERS = frozenset(
    {"disc_ratio", "pmt_ratio", "recovery", "atv", "atv_365", "own_cri", "own_dhi", "own_cci",
     "dc", "ce", "sa", "ls", "us", "es", "ca", "ds"}
)  # fmt: skip


def write_scores(folder: Path, rows: Sequence[Row]) -> None:
    """Write the scores whole or not at all. StorageError where the folder cannot be written.

    An unscored value is null, its reason in the column `NAME_unscored`.
    """
    # Heavy, and only needed when a run is complete.
    import pyarrow as pa
    import pyarrow.parquet as pq

    def kind(name: str) -> pa.DataType:
        if name in _WHOLE:
            return pa.int64()
        if name in _FLAGS:
            return pa.bool_()
        return pa.float64() if name in _NUMBERS else pa.string()

    columns = columns_of(rows)
    table = pa.table({name: pa.array(v, type=kind(name)) for name, v in columns.items()})
    replace_file(folder / SCORES, lambda out: pq.write_table(table, out, compression="zstd"))


def read_scores(folder: Path) -> list[Row]:
    """The scores of a run folder: none where there are none, or where an older arrears wrote them
    with other columns. BrokenFile where they cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / SCORES
    if not path.exists():
        return []
    try:
        table = pq.read_table(path)
        if table.column_names != list(columns_of([])):
            return []
        return [row_from(row) for row in table.to_pylist()]
    except (OSError, pa.ArrowInvalid, KeyError, TypeError) as error:
        why = f"not the scores of a run ({error}); remove it to have them made again"
        raise BrokenFile(path, why) from error
