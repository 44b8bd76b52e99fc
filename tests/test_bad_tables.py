"""Broken tables: a clear message and exit code 2, or a repair that is told."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from arrears.errors import BrokenFile, UsageError
from arrears.synthesis.records.mapping import TableFormat, read_mapping
from arrears.synthesis.records.reading import read_cells
from arrears.synthesis.records.table import read_table
from tests.accounts import HEADER, MAPPING, rows, write
from tests.commands import arrears

pytestmark = pytest.mark.synthesis

Body = list[list[str]]


def fit(path: Path, mapping: str = "mapping.toml", *words: str) -> tuple[int, str]:
    """Exit code and what was told."""
    done = arrears("debtors", "fit", str(path), "--map", str(path.parent / mapping),
                   "--out", str(path.parent / "model"), *words)  # fmt: skip
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a sound table; not to be changed."""
    folder = tmp_path_factory.mktemp("sound")
    assert fit(write(folder / "a.csv", rows(200)))[0] == 0
    return folder / "model"


def _cell(row: int, column: str, text: str) -> Callable[[Body], Body]:
    def change(body: Body) -> Body:
        body[row][HEADER.index(column)] = text
        return body

    return change


def _each(column: str, text: str) -> Callable[[Body], Body]:
    def change(body: Body) -> Body:
        for row in body:
            row[HEADER.index(column)] = text
        return body

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda body: body[:10], "has 10 rows that can be used; 100 are the least"),
        (lambda body: [], "has 0 rows that can be used"),
        (_cell(4, "BALANCE", "about nine thousand"), "line 6: BALANCE: 'about nine thousand' is not"),
        (_each("SEX", "x"), "SEX: none of its cells is one of its codes; it has 'x'"),
        (_each("AGE", ""), "has 0 rows that can be used"),
        (lambda body: [[*row[:7], f"street {i}"] for i, row in enumerate(body)],
         "REGION: no value occurs 5 times; such a column names persons"),
        (lambda body: [row if i != 30 else [*row, "more"] for i, row in enumerate(body)],
         "line 32: has 9 cells, the header has 8"),
    ],
)  # fmt: skip
def test_what_cannot_be_mended_is_refused_with_its_place(
    change: Callable[[Body], Body], told: str, tmp_path: Path
) -> None:
    code, words = fit(write(tmp_path / "a.csv", change(rows(300))))
    assert code == 2, words
    assert told in words
    assert not (tmp_path / "model").exists()


def test_a_wrong_delimiter_is_told_with_the_right_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows(200), delimiter=";")
    wrong = '[table]\ndelimiter = ","\n' + MAPPING
    (tmp_path / "wrong.toml").write_text(wrong)
    code, words = fit(path, "wrong.toml")
    assert code == 2
    assert "has one column only" in words
    assert "the cells seem to be divided by ';'" in words


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(delimiter: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows(120), delimiter=delimiter)
    table, repairs = read_table(path, read_mapping(tmp_path / "mapping.toml"))
    assert len(table) == 120
    assert (f"cells are divided by {delimiter!r}" in repairs) == (delimiter != ",")


def test_a_missing_column_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows(200), header=[h.replace("AGE", "YEARS") for h in HEADER])
    code, words = fit(path)
    assert code == 2
    assert "AGE: there is no such column; the header has ID, BALANCE, LENT, MONTHS, YEARS" in words


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings_are_found_out(encoding: str, tmp_path: Path) -> None:
    body = [[*row[:7], "县城" if row[7] == "county" else "城市"] for row in rows(200)]
    path = write(tmp_path / "a.csv", body, encoding=encoding)
    table, repairs = read_table(path, read_mapping(tmp_path / "mapping.toml"))
    assert set(table.columns[-1].levels) == {"县城", "城市"}
    assert any("read as" in r for r in repairs) == (encoding in ("gb18030", "utf-16"))


def test_lines_in_another_encoding_are_read_and_counted(tmp_path: Path) -> None:
    body = [[*row[:7], "县城" if row[7] == "county" else "城市"] for row in rows(200)]
    path = write(tmp_path / "a.csv", body)
    lines = path.read_bytes().split(b"\n")
    lines[1:41] = [line.decode("utf-8").encode("gb18030") for line in lines[1:41]]
    path.write_bytes(b"\n".join(lines))
    table, repairs = read_table(path, read_mapping(tmp_path / "mapping.toml"))
    assert set(table.columns[-1].levels) == {"县城", "城市"}
    assert "encodings are mixed: 40 lines read as GB18030, the rest as UTF-8" in repairs


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows(200))
    lines = path.read_bytes().split(b"\n")
    lines[7] = lines[7] + b"\xff\xff\xff"
    path.write_bytes(b"\n".join(lines))
    code, words = fit(path)
    assert code == 2
    assert "line 8: is neither UTF-8 nor GB18030 text" in words


def test_a_column_of_one_value_is_repeated_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", _each("SCORE", "600")(rows(300)))
    code, words = fit(path)
    assert code == 0, words
    assert "SCORE has one value only; it is repeated, not learned" in words
    done = arrears("debtors", "sample", str(tmp_path / "model"), "-n", "30",
                   "--table", str(tmp_path / "t.csv"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "t.csv").read_text().splitlines()
    place = lines[0].split(",").index("SCORE")
    assert {line.split(",")[place] for line in lines[1:]} == {"600"}


def test_forty_percent_missing_are_learned_as_missing(tmp_path: Path) -> None:
    body = rows(400)
    for i, row in enumerate(body):
        if i % 5 < 2:
            row[HEADER.index("SCORE")] = ("", "NA")[i % 2]
    code, words = fit(write(tmp_path / "a.csv", body))
    assert code == 0, words
    assert "SCORE is missing in 40% of the rows; learned as such" in words
    arrears("debtors", "sample", str(tmp_path / "model"), "-n", "200",
            "--table", str(tmp_path / "t.csv"))  # fmt: skip
    lines = (tmp_path / "t.csv").read_text().splitlines()
    place = lines[0].split(",").index("SCORE")
    empty = sum(not line.split(",")[place] for line in lines[1:])
    assert 50 < empty < 110


def test_rows_without_what_is_needed_are_left_out_and_counted(tmp_path: Path) -> None:
    body = rows(300)
    for row in body[:60]:
        row[HEADER.index("BALANCE")] = "-"
    table, repairs = read_table(
        write(tmp_path / "a.csv", body), read_mapping(tmp_path / "mapping.toml")
    )
    assert len(table) == 240
    assert any(r.startswith("60 rows left out") for r in repairs)


def test_amounts_as_people_write_them_are_read(tmp_path: Path) -> None:
    body = [[*r[:1], f'"¥{float(r[1]):,.2f}"', *r[2:]] for r in rows(150)]
    table, _ = read_table(write(tmp_path / "a.csv", body), read_mapping(tmp_path / "mapping.toml"))
    assert table.column("need_coll_amt")[0] == float(rows(150)[0][1])


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("[account\n", "is not TOML"),
        ("[account]\nage = 'AGE'\n", "account.need_coll_amt: Field required; [account] needs"),
        (MAPPING.replace('"SCORE"', '"AGE"'), "column 'AGE' is named twice"),
        (MAPPING.replace("[other]", "[others]"), "others: Extra inputs are not permitted"),
        (MAPPING.replace("factor = 30", "factor = -1"), "factor"),
        (MAPPING + '\n[strata]\ncolumns = ["colour"]\n', "'colour' is no column of the mapping"),
        (MAPPING.replace(', codes = { "1" = "male", "2" = "female" }', ""), "say which is which"),
    ],
)
def test_a_wrong_mapping_is_told(mapping: str, told: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows(150))
    (tmp_path / "mapping.toml").write_text(mapping)
    code, words = fit(path)
    assert code == 2
    assert told in words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--method", "magic"), "unknown method 'magic'; known: copula, gaussian, ctgan"),
        (("--rows", "290", "--holdout", "90"), "are more than the 300 rows"),
        (("--rows", "295"), "--holdout must leave 50 rows at least, not 5"),
    ],
)
def test_wrong_options_are_told(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    code, said = fit(write(tmp_path / "a.csv", rows(300)), "mapping.toml", *words)
    assert code == 2
    assert told in said


def test_files_that_are_no_tables_are_told(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", rows(150))
    for name, content, told in (
        ("gone.csv", None, "cannot be read"),
        ("empty.csv", b"", "is empty"),
        ("book.xlsx", b"PK", "is a spreadsheet; save the sheet as csv"),
        ("odd.parquet", b"PAR1 no", "is no parquet file"),
    ):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        code, words = fit(path)
        assert code == 2, name
        assert told in words, words


def test_a_parquet_table_is_read_like_a_csv(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    body = rows(150)
    columns = {name: [row[i] for row in body] for i, name in enumerate(HEADER)}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    write(tmp_path / "a.csv", body)
    from_parquet = read_cells(tmp_path / "a.parquet", TableFormat(), HEADER)
    assert from_parquet.columns == read_cells(tmp_path / "a.csv", TableFormat(), HEADER).columns


def test_an_existing_model_is_not_written_over(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", rows(200))
    assert fit(path)[0] == 0
    before = (tmp_path / "model" / "model.json").read_bytes()
    code, words = fit(path)
    assert code == 2
    assert "holds a model already" in words
    assert (tmp_path / "model" / "model.json").read_bytes() == before


@pytest.mark.parametrize("name", ["model.json", "copula.json.xz", "private/rows.npy"])
def test_a_broken_model_is_told(name: str, model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / name).write_bytes(b"{broken")
    done = arrears("debtors", "sample", str(tmp_path / "model"), "--out", str(tmp_path / "p.jsonl"))
    assert done.returncode == 2, done.stderr
    assert Path(name).name in done.stderr


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("sex", "write sex=female"),
        ("colour=red", "unknown column 'colour'"),
        ("sex=other", "unknown value of sex 'other'; known: female, male"),
        ("sex>female", "sex can be compared with = only"),
        ("age=old", "'old' is not a number"),
        ("age>200", "draws gave 0 such rows, not 50"),
    ],
)
def test_conditions_that_cannot_be_met_are_told(where: str, told: str, model: Path) -> None:
    from arrears.synthesis.records.model import load_model
    from arrears.synthesis.records.sampling import sample

    with pytest.raises(UsageError, match=re.escape(told)):
        sample(load_model(model), 50, 1, where=(where,))


def _german(text: str, group: str = "") -> str:
    """A number with two decimals, as German programs write it."""
    return f"{float(text):,.2f}".replace(",", "_").replace(".", ",").replace("_", group)


@pytest.mark.parametrize("group", ["", ".", "\u202f"])
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_give_the_table_that_points_give(
    group: str, delimiter: str, tmp_path: Path
) -> None:
    body = rows(150)
    european = [[r[0], _german(r[1], group), _german(r[2], group), *r[3:]] for r in body]
    mapping = read_mapping(write(tmp_path / "a.csv", body).parent / "mapping.toml")
    plain, _ = read_table(tmp_path / "a.csv", mapping)
    found, repairs = read_table(write(tmp_path / "b.csv", european, delimiter=delimiter), mapping)
    assert (found.data == plain.data).all()
    assert found.columns == plain.columns
    assert any(r.startswith("BALANCE has a decimal comma: '") for r in repairs)


def test_a_column_that_tells_no_decimal_sign_is_refused_until_it_is_said(tmp_path: Path) -> None:
    body = _each("SCORE", "1.234")(rows(150))
    path = write(tmp_path / "a.csv", body)
    code, words = fit(path)
    assert code == 2
    assert "line 2: SCORE: '1.234' is 1.234 or 1234, and no cell of the column tells" in words
    assert 'say `decimal = ","` or `decimal = "."` in [table] of the mapping' in words
    (tmp_path / "mapping.toml").write_text('[table]\ndecimal = ","\n' + MAPPING)
    table, _ = read_table(path, read_mapping(tmp_path / "mapping.toml"))
    assert set(table.column("SCORE")) == {1234.0}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_cell(3, "BALANCE", "inf"), "line 5: BALANCE: 'inf' is not a number"),
        (_cell(3, "BALANCE", "1e300"), "line 5: BALANCE: 1e+300 is outside of what can be"),
        (_cell(3, "MONTHS", "2000"), "line 5: MONTHS: 2000 × 30 is outside of what can be"),
        (_each("AGE", "1985"), "line 2: AGE: 1985 is outside of what can be: age is from 18 to 100"),
        (_each("LENT", "-5"), "line 2: LENT: -5 is outside of what can be: bal_due is from 0.01"),
        (_each("BALANCE", "-50.5"),
         "line 2: BALANCE: -50.5 is not a debt of 1 yuan or more, and 0 of 300 rows are debtors"),
        (_each("MONTHS", "0"), "line 2: MONTHS: 0 is not a day overdue, and 0 of 300 rows"),
        (_cell(7, "REGION", '"city'), "line 9: a quotation mark opens a cell here that nothing closes"),
    ],
)  # fmt: skip
def test_what_no_record_could_hold_is_refused_with_its_line(
    change: Callable[[Body], Body], told: str, tmp_path: Path
) -> None:
    code, words = fit(write(tmp_path / "a.csv", change(rows(300))))
    assert code == 2, words
    assert told in words
    assert not (tmp_path / "model").exists()


def test_what_is_no_debtor_or_no_age_is_left_out_and_told(tmp_path: Path) -> None:
    body = rows(300)
    for row in body[:20]:
        row[HEADER.index("BALANCE")] = "-3.00"
    for row in body[20:30]:
        row[HEADER.index("AGE")] = "999"
    table, repairs = read_table(
        write(tmp_path / "a.csv", body), read_mapping(tmp_path / "mapping.toml")
    )
    assert len(table) == 290
    told = "\n".join(repairs)
    assert (
        "AGE: 10 cells are outside of what can be (age is from 18 to 100; line 22 has 999)" in told
    )
    assert "10 rows left out" in told
    assert "20 of 290 rows owe nothing or are not late" in told


def test_a_blank_line_or_a_cell_of_several_lines_moves_no_line_number(tmp_path: Path) -> None:
    body = _cell(9, "AGE", "old")(rows(150))
    body[2][HEADER.index("REGION")] = '"city\nof old"'
    path = write(tmp_path / "a.csv", body)
    path.write_text("\n" + path.read_text())
    code, words = fit(path)
    assert code == 2
    assert "line 13: AGE: 'old' is not a number" in words


def test_parquet_columns_of_other_types_are_read_or_refused_with_their_row(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    body = rows(150)
    write(tmp_path / "a.csv", body)
    mapping = read_mapping(tmp_path / "mapping.toml")
    plain, _ = read_table(tmp_path / "a.csv", mapping)

    def read(**changed: object) -> None:
        columns: dict[str, object] = {n: [row[i] for row in body] for i, n in enumerate(HEADER)}
        columns |= {n: [float(row[HEADER.index(n)]) for row in body] for n in ("BALANCE", "SCORE")}
        columns["REGION"] = pa.array(columns["REGION"]).dictionary_encode()
        pq.write_table(pa.table({**columns, **changed}), tmp_path / "a.parquet")
        found, _ = read_table(tmp_path / "a.parquet", mapping)
        for name in ("need_coll_amt", "age", "REGION"):
            assert (found.column(name) == plain.column(name)).all()

    read()
    # Numbers of the file itself need no second look at their decimal sign.
    read(SCORE=[1.234] * 150)
    for column, told in (
        ([1.0] * 149 + [float("inf")], "row 150: SCORE: 'inf' is not a number"),
        ([[1.0]] * 150, "row 1: SCORE: holds list values"),
        ([b"1"] * 150, "row 1: SCORE: holds bytes values"),
        ([True] * 150, "row 1: SCORE: 'True' is not a number"),
    ):
        with pytest.raises(BrokenFile, match=re.escape(told)):
            read(SCORE=column)


def test_the_same_column_twice_in_parquet_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write(tmp_path / "a.csv", rows(150))
    table = pa.Table.from_arrays([pa.array(["1"])] * 2, names=["AGE", "AGE"])
    pq.write_table(table, tmp_path / "a.parquet")
    code, words = fit(tmp_path / "a.parquet")
    assert code == 2
    assert "AGE: is the name of two columns" in words
