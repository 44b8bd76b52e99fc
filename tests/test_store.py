"""Debtors on disk: exact round trips, and errors that say where."""

import csv
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from io import StringIO
from math import inf, nan
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrears.debtors.flat import COLUMNS, flatten
from arrears.debtors.pick import pick_debtor, pick_debtors
from arrears.debtors.record import Debtor
from arrears.debtors.store import as_text, read_debtors, write_debtors
from arrears.debtors.suites import load_suite
from arrears.errors import ArrearsError, BrokenFile, StorageError, UnknownName, UsageError
from tests.damage import damage


@pytest.fixture(scope="module")
def people() -> tuple[Debtor, ...]:
    """Records with and without a persona."""
    return load_suite("dcn")[:5] + load_suite("debtbench")[:20]


@pytest.fixture(scope="module")
def sound(people: tuple[Debtor, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three debtors in each format; others may be put beside them."""
    folder = tmp_path_factory.mktemp("sound")
    for form in ("jsonl", "csv", "parquet"):
        write_debtors(folder / f"a.{form}", people[4:7])
    return folder


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


def _rewritten(path: Path, old: str, new: str) -> Path:
    """A file with one thing in its text replaced, once."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"age":36', '"age":36.9', "line 1: background.age: .*fractional part, not 36.9"),
        ('"age":36', '"age":true', "line 1: background.age: must be a number, not true or false"),
        ('"age":36', '"age":36,"age":30', "line 1: age: stands twice in the same object"),
        ('"assets":', '"assets":NaN,"a":', "line 1: finances.assets: .*finite number"),
        ('"assets":', '"assets":1e300,"a":', "line 1: finances.assets: .*less than or equal to"),
        ('"assets":', '"assets":-1e300,"a":', "line 1: finances.assets: .*greater than or equal to"),
        ('"need_coll_amt":', '"need_coll_amt":0.001,"n":', "line 1: background.need_coll_amt: "),
        ('"overdue_days":', '"overdue_days":1000000,"o":', "line 1: background.overdue_days: "),
    ],
)  # fmt: skip
def test_a_number_that_no_record_can_hold_is_refused_in_jsonl(
    old: str, new: str, told: str, people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    write_debtors(tmp_path / "a.jsonl", people[:1])
    with pytest.raises(BrokenFile, match=told):
        read_debtors(_rewritten(tmp_path / "a.jsonl", old, new))


def test_whole_numbers_and_amounts_may_be_written_as_other_programs_do(
    people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    write_debtors(tmp_path / "a.jsonl", people[:1])
    path = _rewritten(tmp_path / "a.jsonl", '"age":36', '"age":36.0')
    assert read_debtors(path) == people[:1]
    assert read_debtors(_rewritten(path, '"age":36.0', '"age":"36"')) == people[:1]
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r"))
    assert read_debtors(path) == people[:1]


def test_a_csv_that_a_european_spreadsheet_saved_is_read(
    people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    rows = [*csv.reader(StringIO(as_text(people, "csv")))]
    money = [i for i, name in enumerate(rows[0]) if COLUMNS[name] is float]
    for row in rows[1:]:
        for i in money:
            row[i] = f"{float(row[i]):.2f}".replace(".", ",")
    out = StringIO()
    csv.writer(out, delimiter=";").writerows(rows)
    (tmp_path / "a.csv").write_text(out.getvalue(), encoding="utf-16")
    assert read_debtors(tmp_path / "a.csv") == people


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.replace("background.name", "id", 1), "line 1: id: stands twice in the header"),
        (lambda t: t.replace(",36,", ",36.9,", 1), "line 2: background.age: 36.9 is not a whole"),
        (lambda t: t.replace(",36,", ",1.234,", 1), r"line 2: .*write 1\.2340 or 1234"),
        (
            lambda t: t.replace(",male,", ',"male,', 1),
            "line 2: a quotation mark stands within a quoted cell",
        ),
        (lambda t: t.splitlines()[0], "holds no debtors"),
        (lambda t: "", "is empty"),
    ],
)
def test_a_csv_that_would_lose_something_is_refused(
    change: Callable[[str], str], told: str, people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    write_debtors(path, people[:3])
    path.write_text(change(path.read_text()))
    with pytest.raises(BrokenFile, match=told):
        read_debtors(path)


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_amounts_and_texts_that_invite_mistakes_are_read_back(
    form: str, people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    """85.125 is not 85125, and a text may hold line ends, quotation marks and delimiters."""
    person = people[-1]
    assert person.scenario is not None
    story = 'one\rtwo\nthree\r\n"four", five; six\t '
    odd = person.model_copy(
        update={
            "finances": person.finances.model_copy(update={"assets": 85.125}),
            "scenario": person.scenario.model_copy(update={"story": story}),
        }
    )
    path = tmp_path / f"a.{form}"
    write_debtors(path, [odd])
    assert read_debtors(path) == (odd,)


def _parquet(path: Path, people: tuple[Debtor, ...], column: str, values: list[Any]) -> Path:
    rows = [{**flatten(p), column: value} for p, value in zip(people, values, strict=True)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("background.age", [36.0, 36.9], "row 2: background.age: 36.9 is not a whole number"),
        ("background.age", [36.0, inf], "row 2: background.age: inf is not a whole number"),
        ("background.age", [36.0, nan], "row 2: background.age: nan is not a whole number"),
        ("background.age", [None, None], "row 1: background.age: Field required"),
        ("background.age", [True, True], "row 1: background.age: True is not a whole number"),
        ("background.age", [date(1990, 1, 1)] * 2, "row 1: background.age: .* is not a whole number"),
        ("finances.assets", [1.0, inf], "row 2: finances.assets: .*finite number"),
        ("finances.assets", ["1.5", "2,5"], "row 2: finances.assets: '2,5' has a decimal comma"),
        ("id", [1.5, 2.5], "row 1: id: 1.5 is not a text"),
        ("id", [b"a", b"b"], "row 1: id: b'a' is not a text"),
        ("background.sex", [["male"], ["male"]], "row 1: background.sex: .* is not a text"),
        ("colour", ["red", "red"], "colour: is not a column of debtors"),
        ("id", ["a", "a"], "row 2: id: 'a' was there already in row 1"),
    ],
)  # fmt: skip
def test_a_parquet_cell_of_another_kind_is_refused_with_row_and_field(
    column: str, values: list[Any], told: str, people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    with pytest.raises(BrokenFile, match=told):
        read_debtors(_parquet(tmp_path / "a.parquet", people[:2], column, values))


def test_a_parquet_cell_that_says_the_same_otherwise_is_read(
    people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    two = people[-2:]
    ages = [p.background.age for p in two]
    for column, values in (
        ("background.age", [float(age) for age in ages]),
        ("background.age", [Decimal(age) for age in ages]),
        ("background.age", [str(age) for age in ages]),
        ("personality.style", [list(p.personality.style) for p in two if p.personality]),
    ):
        assert read_debtors(_parquet(tmp_path / "a.parquet", two, column, values)) == two


def test_files_that_are_no_debtors_are_told(people: tuple[Debtor, ...], tmp_path: Path) -> None:
    write_debtors(tmp_path / "a.parquet", people[:1])
    (tmp_path / "a.csv").write_bytes((tmp_path / "a.parquet").read_bytes())
    (tmp_path / "b.jsonl").write_bytes(b"\x1f\x8b\x08\x00")
    (tmp_path / "c.parquet").write_text("id\n")
    for form in ("jsonl", "csv", "parquet"):
        (tmp_path / f"folder.{form}").mkdir()
        with pytest.raises(BrokenFile, match="it is a folder"):
            read_debtors(tmp_path / f"folder.{form}")
        with pytest.raises(BrokenFile, match="No such file"):
            read_debtors(tmp_path / f"gone.{form}")
    for name, told in (
        ("a.csv", "is a parquet file; let its name end in .parquet"),
        ("b.jsonl", "is compressed"),
        ("c.parquet", "is no parquet file"),
    ):
        with pytest.raises(BrokenFile, match=told):
            read_debtors(tmp_path / name)


def test_a_file_is_named_with_a_colon_or_with_a_number_that_is_none(
    people: tuple[Debtor, ...], tmp_path: Path
) -> None:
    write_debtors(tmp_path / "a:1.jsonl", people[:1])
    assert pick_debtor(str(tmp_path / "a:1.jsonl")) == people[0]
    with pytest.raises(UsageError, match="has debtors 1 to 1"):
        pick_debtor(f"{tmp_path / 'a:1.jsonl'}:\u00b2")


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
@given(data=st.data())
def test_a_damaged_file_gives_debtors_or_a_reason(
    form: str, data: st.DataObject, sound: Path
) -> None:
    """Never another error than one that says what is wrong, never fewer debtors than lines."""
    damaged = data.draw(damage((sound / f"a.{form}").read_bytes()))
    path = sound / f"damaged.{form}"
    path.write_bytes(damaged)
    try:
        found = read_debtors(path)
    except ArrearsError:
        return
    if form == "jsonl":
        assert len(found) == sum(bool(line.strip()) for line in damaged.splitlines())
