"""A parquet file as columns of Python values."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from arrears.errors import BrokenFile
from arrears.tables.text import cannot_read


def read_parquet(path: Path, columns: Collection[str] | None = None) -> dict[str, list[Any]]:
    """Columns by name, one value a row and None for null; all of them, or those of the names given
    that there are. BrokenFile: unreadable, no parquet, or a name that stands twice.
    """
    # Heavy, and most tables are text.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as source:
            file = pq.ParquetFile(source)
            names = list(file.schema_arrow.names)
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise BrokenFile(path, "is the name of two columns", field=twice)
            wanted = names if columns is None else [name for name in names if name in columns]
            table = file.read(columns=wanted)
            return {name: table.column(name).to_pylist() for name in wanted}
    except OSError as error:
        if error.errno is not None:
            raise cannot_read(path, error) from error
        raise BrokenFile(path, f"is no parquet file ({error})") from error
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise BrokenFile(path, f"is no parquet file ({error})") from error


def names_of(path: Path) -> tuple[str, ...]:
    """The names of all columns, in order. BrokenFile."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as source:
            return tuple(pq.ParquetFile(source).schema_arrow.names)
    except OSError as error:
        if error.errno is not None:
            raise cannot_read(path, error) from error
        raise BrokenFile(path, f"is no parquet file ({error})") from error
    except (pa.ArrowException, ValueError) as error:
        raise BrokenFile(path, f"is no parquet file ({error})") from error
