"""The evidence on a terminal."""

from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.bench.terminal import print_table
from arrears.synthesis.records.evidence import Evidence
from arrears.synthesis.records.page import verdict_of


def print_findings(found: Evidence, title: str) -> None:
    """One line a figure."""
    heads = ("synthetic", "real", "limit", "")
    rows = []
    for finding in found.findings:
        name, *cells, _ = verdict_of(finding)
        rows.append(TableRow(name, [Cell(cell) for cell in cells]))
    print_table(Table("", title, "figure", [Column(head) for head in heads], rows))
