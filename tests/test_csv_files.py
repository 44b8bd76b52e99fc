"""csv, JSON lines and YAML that people bring: no line is lost, and what is wrong has its place."""

import csv
import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrears.errors import ArrearsError, BrokenFile
from arrears.tables.csv_file import CsvTable, read_csv, read_own_csv
from arrears.tables.json_lines import json_object, text_lines
from arrears.tables.yaml_file import read_yaml
from tests.damage import damage

ROWS: Final = [["A1", "12.50", "30", "call back"], ["A2", "7.25", "60", ""], ["A3", "9", "90", "x"]]
HEADER: Final = ["ID", "BALANCE", "DAYS", "NOTE"]


def text_of(rows: Sequence[Sequence[str]], delimiter: str = ",", end: str = "\n") -> str:
    """A csv as Python writes it."""
    out = StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    return out.getvalue()


def read(folder: Path, content: str | bytes) -> CsvTable:
    """What is read from a file of this content."""
    path = folder / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_csv(path)


def attempt(path: Path, delimiter: str | None = None) -> CsvTable | ArrearsError:
    """What is read, or why it is refused."""
    try:
        return read_csv(path, delimiter=delimiter)
    except ArrearsError as refused:
        return refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For tests that write one file many times."""
    return tmp_path_factory.mktemp("tables")


SOUND: Final = text_of([HEADER, *ROWS])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (SOUND, ()),
        (SOUND.replace("\n", "\r\n"), ()),
        (SOUND.replace("\n", "\r"), ()),
        (b"\xef\xbb\xbf" + SOUND.encode(), ()),
        (SOUND.encode("utf-16"), ("read as utf-16",)),
        (SOUND.encode("utf-32"), ("read as utf-32",)),
        (SOUND.encode("utf-16-le"), ("read as utf-16-le",)),
        (SOUND.encode("utf-16-be"), ("read as utf-16-be",)),
        ("\n \n" + SOUND, ("2 blank lines above the header left out",)),
        (",,,\n" + SOUND, ("1 blank lines above the header left out",)),
        ("sep=,\n" + SOUND, ("the line 'sep=,' is taken as Excel's",)),
        ("sep=;\n" + text_of([HEADER, *ROWS], ";"), ("the line 'sep=;' is taken as Excel's",)),
        ("\ufeffsep=\t\r\n" + text_of([HEADER, *ROWS], "\t", "\r\n"),
         ("the line 'sep=' is taken as Excel's",)),
        (SOUND.replace("\n", ",,\n"), ("2 columns without a name and without content left out",)),
        (SOUND.replace("call back\n", "call back,,\n"),
         ("1 rows have empty cells beyond the header; left out",)),
        (SOUND.replace("\nA2", "\n\nA2") + ",,,\n", ("2 blank lines left out",)),
    ],
)  # fmt: skip
def test_what_spreadsheets_put_around_a_table_is_passed_over_and_told(
    content: str | bytes, told: tuple[str, ...], tmp_path: Path
) -> None:
    table = read(tmp_path, content)
    assert table.header == tuple(HEADER)
    assert table.rows == ROWS
    assert table.repairs == told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (SOUND.replace("call back", '"call back'),
         "line 2: a quotation mark opens a cell here that nothing closes; 2 lines follow it"),
        (SOUND.replace("call back", '"call').replace("x", 'back"'),
         "line 2: a cell that begins here goes on to line 4, and line 3 in it looks like a row"),
        (SOUND.replace("call back", '"call').replace("A2", '"A2"').replace("60", '"60"'),
         "line 2: a quotation mark opens a cell here"),
        (SOUND.replace("call back", '"a "b" c"'),
         "line 2: a quotation mark stands within a quoted cell; write it twice"),
        (SOUND.replace("call back", '"x' + "y" * 140_000), "line 2: a cell begins here that is longer"),
        (SOUND.replace("NOTE", "DAYS"),
         "line 1: DAYS: stands twice in the header, in columns 3 and 4"),
        ("\n\n" + SOUND.replace("NOTE", "DAYS"), "line 3: DAYS: stands twice"),
        (SOUND.replace("A2,7.25", "A2"), "line 3: has 3 cells, the header has 4"),
        (SOUND.replace("call back", "call, back"), "line 2: has 5 cells, the header has 4"),
        (SOUND.replace("A2", "A\0"), "line 3: holds a NUL byte"),
        ("only\n1\n", r"line 1: has one column only \('only'\)"),
        ("", "is empty"),
        ("\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (",,,\n,,\n", "is empty"),
        (b"\x1f\x8b\x08\x00rest", r"is compressed \(gzip\)"),
        (b"PK\x03\x04rest", "is a zip archive or a spreadsheet"),
        (b"PAR1\x15\x04", "is a parquet file; let its name end in .parquet"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (SOUND.encode("utf-16")[:-1], "is not utf-16 text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(
    content: str | bytes, told: str, tmp_path: Path
) -> None:
    with pytest.raises(BrokenFile, match=told):
        read(tmp_path, content)


def test_lines_of_rows_are_those_of_the_file(tmp_path: Path) -> None:
    note = "first\nsecond"
    table = read(
        tmp_path, "\n" + text_of([HEADER, [*ROWS[0][:3], note], ["", "", "", ""], ROWS[1]])
    )
    assert table.rows == [[*ROWS[0][:3], note], ROWS[1]]
    assert table.lines == [3, 6]


def test_a_long_cell_that_is_closed_is_read_and_told(tmp_path: Path) -> None:
    long = "\n".join(["a line"] * 14)
    table = read(tmp_path, text_of([HEADER, [*ROWS[0][:3], long], ROWS[1]]))
    assert table.rows[0][3] == long
    assert table.repairs == ("line 2: a cell goes on over 14 lines",)


def test_a_first_cell_of_several_lines_is_no_hidden_row(tmp_path: Path) -> None:
    table = read(tmp_path, text_of([HEADER, ["Street 1\nTown", "5", "6", "7"], *ROWS]))
    assert table.rows[0] == ["Street 1\nTown", "5", "6", "7"]


def test_western_letters_are_not_read_as_chinese(tmp_path: Path) -> None:
    table = read(tmp_path, SOUND.replace("call back", "Müller zurückrufen").encode("cp1252"))
    assert table.rows[0][3] == "Müller zurückrufen"
    assert table.repairs[0].startswith("read as Windows-1252")
    table = read(tmp_path, SOUND.replace("call back", "请回电话").encode("gb18030"))
    assert (table.rows[0][3], table.repairs) == ("请回电话", ("read as GB18030",))


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match="cannot be read: No such file"):
        read_csv(tmp_path / "gone.csv")
    with pytest.raises(BrokenFile, match="cannot be read: it is a folder; give a file"):
        read_csv(tmp_path)
    with pytest.raises(BrokenFile, match="cannot be read: it is a folder"):
        list(text_lines(tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(SOUND)
    path.chmod(0)
    with pytest.raises(BrokenFile, match="cannot be read: Permission denied"):
        read_csv(path)


def test_a_table_of_our_own_form_takes_its_columns_only(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text_of([HEADER, *ROWS], ";"))
    assert read_own_csv(path, HEADER, "accounts").rows == ROWS
    with pytest.raises(BrokenFile, match="line 1: NOTE: is not a column of accounts; the columns"):
        read_own_csv(path, HEADER[:3], "accounts")
    path.write_text(SOUND.replace("NOTE", ""))
    with pytest.raises(BrokenFile, match="line 2: column 4 has no name in the header, and holds"):
        read_own_csv(path, HEADER, "accounts")
    path.write_bytes(SOUND.replace("call", "rück").encode("cp1252"))
    with pytest.raises(BrokenFile, match="line 2: is not UTF-8 text; save it as UTF-8"):
        read_own_csv(path, HEADER, "accounts")
    path.write_text('{"id": 1}\n')
    with pytest.raises(BrokenFile, match="holds JSON lines, not csv"):
        read_own_csv(path, HEADER, "accounts")


CELL: Final = st.text(st.sampled_from("ab1 ,;\t|\"'\n\r.é中"), max_size=6)


@given(
    st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_csv_writes_is_read_back_or_refused(
    folder: Path, rows: list[list[str]], delimiter: str, end: str
) -> None:
    out = StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        [["A", "B", "C"], *rows]
    )
    (folder / "b.csv").write_bytes(out.getvalue().encode())
    table = attempt(folder / "b.csv", delimiter)
    if isinstance(table, ArrearsError):
        # A cell that holds something like a row is taken for an open quotation mark.
        assert "looks like a row of its own" in str(table)
    else:
        assert table.rows == [row for row in rows if any(cell.strip() for cell in row)]


def said_to_be_left_out(table: CsvTable) -> int:
    """Lines that the reader says it has left out."""
    told = [r for r in table.repairs if "blank lines" in r]
    excel = [r for r in table.repairs if "Excel" in r]
    return sum(int(r.split()[0]) for r in told) + len(excel)


LONG: Final = text_of(
    [HEADER, *([f"A{i}", f"{i}.50", "30", f"call {i}"] for i in range(30))]
).encode()


@given(damage(LONG))
def test_each_line_of_a_damaged_csv_is_read_told_or_refused(folder: Path, data: bytes) -> None:
    """A line is the header, in a row, blank and counted, or the file is refused."""
    path = folder / "c.csv"
    path.write_bytes(data)
    table = attempt(path)
    if isinstance(table, ArrearsError):
        return
    ends = sum(
        cell.count("\n") + cell.count("\r") - cell.count("\r\n")
        for row in table.rows
        for cell in row
    )
    text = data.decode("utf-8-sig", "replace")
    in_header = sum(c.count("\n") for c in next(csv.reader(StringIO(text, newline="")), []))
    lines = len(list(StringIO(text, newline="")))
    assert lines <= 1 + in_header + len(table.rows) + ends + said_to_be_left_out(table)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_lines_are_found_in_any_encoding_with_a_mark(
    end: str, encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(end.join(['{"a": 1}', "", '{"b": "é\u2028"}']).encode(encoding))
    lines = list(text_lines(path))
    assert [(line.number, json_object(path, line)) for line in lines] == [
        (1, {"a": 1}), (3, {"b": "é\u2028"}),
    ]  # fmt: skip
    assert [line.whole for line in lines] == [True, False]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}\n', "line 1: a: stands twice in the same object"),
        ('{"x": [{"a": 1, "b": 1, "a": 1}]}\n', "line 1: a: stands twice"),
        ('[\n{"a": 1}\n]\n', "line 1: is no JSON object: an array begins here; write one object a line"),
        ('{\n"a": 1\n}\n', "line 1: is not JSON: an object is spread over several lines"),
        ("id,name\n1,2\n", "line 1: is not JSON .*a JSON object on each line"),
        ('{"a": 1}\n{"a": NaN}\n', "line 2: is not JSON"),
        ('{"a": 1}\n{"a"', "line 2: is not JSON .*; the last line is torn, remove it"),
        ('{"a": 1}\n7\n', "line 2: is no JSON object"),
        ('{"a": ' + "[" * 1020 + "]" * 1020 + "}\n", "line 1: is not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_line_of_json_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(BrokenFile, match=told):
        _ = [json_object(path, line) for line in text_lines(path)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: is not the YAML it should be: 'a' stands twice"),
        ("a:\n  b: 1\n  b: 2\n", "line 3: .*'b' stands twice"),
        ("a: [1\nb", "is not the YAML it should be"),
        ("a: \x01", "is not YAML"),
    ],
)
def test_yaml_that_says_two_things_is_refused(text: str, told: str) -> None:
    with pytest.raises(BrokenFile, match=told):
        read_yaml(text, Path("a.yaml"))


def test_yaml_is_read_as_ever() -> None:
    text = "base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  x: 3\n"
    assert read_yaml(text, Path("a.yaml"))["mine"] == {"x": 3, "y": 2}
