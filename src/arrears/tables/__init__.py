"""Files that people bring: csv, parquet and JSON lines, read whole or refused with the place."""
