"""Debtors on disk: exact round trips, and errors that say where."""

from pathlib import Path

import pytest

from arrears.debtors.pick import pick_debtor, pick_debtors
from arrears.debtors.record import Debtor
from arrears.debtors.store import read_debtors, write_debtors
from arrears.debtors.suites import load_suite
from arrears.errors import BrokenFile, StorageError, UnknownName, UsageError


@pytest.fixture(scope="module")
def people() -> tuple[Debtor, ...]:
    """Records with and without a persona."""
    return load_suite("dcn")[:5] + load_suite("debtbench")[:20]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_what_is_written_is_read_back(
    form: str, people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    file = tmp_path / f"people.{form}"
    assert write_debtors(file, people) == 25
    assert read_debtors(file) == people
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_a_broken_line_is_named_with_its_field(people: tuple[Debtor, ...], tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    write_debtors(file, people)
    lines = file.read_text().splitlines()
    lines[6] = lines[6].replace('"age":', '"age":-')
    file.write_text("\n".join(lines))
    with pytest.raises(BrokenFile, match=r"people\.jsonl, line 7: background\.age: ") as caught:
        read_debtors(file)
    assert (caught.value.line, caught.value.field) == (7, "background.age")
    assert caught.value.exit_code == 2


def test_a_broken_cell_is_named_with_its_column(people: tuple[Debtor, ...], tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    write_debtors(file, people)
    lines = file.read_text().split("\n")
    cells = lines[2].split(",")
    cells[2] = "thirty"
    lines[2] = ",".join(cells)
    file.write_text("\n".join(lines))
    with pytest.raises(BrokenFile, match=r"line 3: background\.age: 'thirty' is not a number"):
        read_debtors(file)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no debtors"),
        ("{}\n", r"line 1: id: Field required \(and 2 more\)"),
        ("not json\n", "line 1: is not JSON .*a JSON object on each line"),
        (b"\xff\xfe\x00".decode("latin1"), "."),
    ],
)
def test_what_is_no_debtors_file_is_refused(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_text(text, encoding="latin1")
    with pytest.raises(BrokenFile, match=why):
        read_debtors(file)


def test_csv_columns_that_are_none_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("id,colour\n1,red\n")
    with pytest.raises(BrokenFile, match="line 1: colour: is not a column of debtors"):
        read_debtors(file)


def test_a_short_csv_line_is_refused(people: tuple[Debtor, ...], tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    write_debtors(file, people[:2])
    file.write_text(file.read_text() + "someone,else\n")
    with pytest.raises(BrokenFile, match="line 4: has 2 cells, the header has 34"):
        read_debtors(file)


def test_an_id_occurs_once(people: tuple[Debtor, ...], tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    write_debtors(file, (*people, people[3]))
    with pytest.raises(BrokenFile, match=r"line 26: id: .* was there already in line 4"):
        read_debtors(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match="cannot be read: No such file"):
        read_debtors(tmp_path / "none.jsonl")


def test_an_unknown_ending_is_answered_with_the_formats(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"known: \.jsonl, \.csv, \.parquet"):
        read_debtors(tmp_path / "people.xls")


def test_a_place_that_cannot_be_written(people: tuple[Debtor, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write"):
        write_debtors(tmp_path / "file" / "people.jsonl", people)


def test_debtors_are_picked_by_id_or_by_file_and_number(
    people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    file = tmp_path / "people.jsonl"
    write_debtors(file, people)
    assert pick_debtor("dcn-test-0003") == people[2]
    assert pick_debtor(f"{file}:3") == people[2]
    assert pick_debtors(str(file)) == people
    with pytest.raises(UsageError, match="has debtors 1 to 25"):
        pick_debtor(f"{file}:26")
    with pytest.raises(UnknownName, match="dcn-test-0001 … 0390"):
        pick_debtor("dcn-test-0391")
    with pytest.raises(UnknownName, match=r"dcn, debtbench, FILE\.jsonl"):
        pick_debtors("people")
