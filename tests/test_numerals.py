"""Numbers in national ways of writing: read exactly or refused, never read wrongly in silence."""

from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrears.debtors.record import MOST_YUAN
from arrears.economy.position import LARGEST_AMOUNT
from arrears.errors import BrokenFile
from arrears.tables.numerals import Decimal, can_be_read_twice, read_numbers

FILE: Final = Path("accounts.csv")
THIN: Final = "\u202f"


def column(*texts: str, decimal: Decimal | None = None) -> list[float]:
    """The numbers of a column whose first cell stands in line 2."""
    lines = range(2, 2 + len(texts))
    return read_numbers(FILE, "BALANCE", lines, texts, decimal=decimal).values


def attempt(*texts: str) -> list[float] | BrokenFile:
    """The numbers of a column, or why it is refused."""
    try:
        return column(*texts)
    except BrokenFile as refused:
        return refused


def grouped(digits: str, sign: str, sizes: Callable[[int], int]) -> str:
    """Digits in groups, counted from the right."""
    groups: list[str] = []
    while digits:
        size = sizes(len(groups))
        groups.insert(0, digits[-size:])
        digits = digits[:-size]
    return sign.join(groups)


def _threes(_: int) -> int:
    return 3


def _indian(group: int) -> int:
    return 2 if group else 3


# Decimal sign, sign between groups, sizes of the groups.
NATIONAL: Final = {
    "plain": (".", "", _threes),
    "plain with a comma": (",", "", _threes),
    "English, Chinese": (".", ",", _threes),
    "German, Spanish": (",", ".", _threes),
    "French": (",", THIN, _threes),
    "Polish, Russian": (",", "\u00a0", _threes),
    "ISO": (".", " ", _threes),
    "Swiss": (".", "\u2019", _threes),
    "Swiss, typed": (".", "'", _threes),
    "Indian": (".", ",", _indian),
}
NEGATIVE: Final = {
    "before": "-{}", "behind": "{}-", "brackets": "({})", "minus sign": "\u2212{}", "spaced": "- {}",
}  # fmt: skip
MONEY: Final = [
    "{}",
    "\u20ac {}",
    "{} \u20ac",
    "\uffe5{}",
    "{}\u5143",
    "CHF {}",
    "{}\u00a0kr",
    "${}",
]


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[str], list[float]]:
    """A column in one national way of writing, with a fixed number of decimals, and what it says."""
    sign, between, sizes = NATIONAL[draw(st.sampled_from(sorted(NATIONAL)))]
    decimals = draw(st.integers(0, 4))
    minus, money = NEGATIVE[draw(st.sampled_from(sorted(NEGATIVE)))], draw(st.sampled_from(MONEY))
    texts, values = [], []
    for units in draw(st.lists(st.integers(-(10**11), 10**11), min_size=1, max_size=8)):
        digits = str(abs(units)).rjust(decimals + 1, "0")
        whole, rest = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
        text = grouped(whole, between, sizes) if between else whole
        text = money.format(f"{text}{sign}{rest}" if decimals else text)
        texts.append(minus.format(text) if units < 0 else text)
        values.append(float(f"{'-' if units < 0 else ''}{whole}.{rest or 0}"))
    return texts, values


@given(columns())
def test_a_national_column_is_read_exactly_or_refused(
    drawn: tuple[list[str], list[float]],
) -> None:
    texts, values = drawn
    found = attempt(*texts)
    if isinstance(found, BrokenFile):
        assert "no cell of the column tells which" in str(found)
        assert any(can_be_read_twice(text) for text in texts)
    else:
        assert found == values


@given(columns(), st.sampled_from([".", ","]))
def test_a_column_that_tells_itself_is_not_overruled(
    drawn: tuple[list[str], list[float]], decimal: Decimal
) -> None:
    texts, _ = drawn
    itself = attempt(*texts)
    assert isinstance(itself, BrokenFile) or column(*texts, decimal=decimal) == itself


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_what_python_writes_is_read_back(values: list[float]) -> None:
    assert column(*map(repr, values), decimal=".") == values


@given(st.lists(st.text("0123456789.,'- ()eE\u20ac$\u202f", min_size=1, max_size=9), min_size=1))
def test_any_cells_are_numbers_or_refused_with_their_line(texts: list[str]) -> None:
    stripped = [text.strip() for text in texts]
    found = attempt(*stripped)
    if isinstance(found, BrokenFile):
        assert found.line in range(2, 2 + len(texts))
        assert found.field == "BALANCE"
    else:
        assert [isnan(value) for value in found] == [text == "" for text in stripped]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (("974,34", "7.990,15"), [974.34, 7990.15]),
        (("974,3", "8"), [974.3, 8.0]),
        (("1.234", "12,5"), [1234.0, 12.5]),
        (("1,234", "12.5"), [1234.0, 12.5]),
        (("1.234", "0.5"), [1.234, 0.5]),
        (("1,234", "1,234,567"), [1234.0, 1234567.0]),
        (("0,500", "1,234"), [0.5, 1.234]),
        (("12345,678",), [12345.678]),
        (("12,34,567.50",), [1234567.5]),
        (("1'234.-", "5.-"), [1234.0, 5.0]),
        (("1,5E+03",), [1500.0]),
        (("(12.50)", "12.50-", "-12.50"), [-12.5, -12.5, -12.5]),
        (("\uff11\uff12\uff0c\uff13\uff14\uff15\uff0e\uff15",), [12345.5]),
        (("\u00a53.50", "3.50\u5143", "CNY 3.50"), [3.5, 3.5, 3.5]),
        (("007", ".5", "5."), [7.0, 0.5, 5.0]),
    ],
)
def test_cells_that_tell_their_neighbours(texts: tuple[str, ...], values: list[float]) -> None:
    assert column(*texts) == values


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("12", "1.234"), r"line 3: BALANCE: '1\.234' is 1\.234 or 1234, and no cell .* `decimal"),
        (("9,800", "980"), "line 2: BALANCE: '9,800' is 9800 or 9.8"),
        (("1.5", "2,5"), "line 3: BALANCE: '2,5' has a decimal comma, and line 2 has a decimal point"),
        (("1", "inf"), "line 3: BALANCE: 'inf' is not a number"),
        (("1e999",), "'1e999' is too large a number"),
        (("1,2345.67",), "is not a number"),
        (("12 34",), "is not a number"),
        (("12%",), "is not a number"),
        (("10\u00b2",), "is not a number"),
        (("3\u4e07",), "is not a number"),
        (("1_000",), "is not a number"),
        (("--5",), "is not a number"),
        (("(5",), "is not a number"),
        (("\u20ac5", "7", "$5"), "line 4: BALANCE: '\\$5' is in another currency than line 2"),
        (("1" * 400,), "is too large a number"),
    ],
)  # fmt: skip
def test_what_is_no_number_or_could_be_two_is_refused(texts: tuple[str, ...], told: str) -> None:
    with pytest.raises(BrokenFile, match=told):
        column(*texts)


def test_an_open_column_is_settled_by_who_wrote_it_or_by_what_it_can_hold() -> None:
    assert column("1.234", decimal=",") == [1234.0]
    assert column("1.234", decimal=".") == [1.234]
    scores = read_numbers(FILE, "US", [2, 3], ["7.125", "6.875"], fits=lambda x: 1 <= x <= 10)
    assert scores.values == [7.125, 6.875]


def test_how_cells_were_read_is_told() -> None:
    texts = ["\u20ac 1.234,56", "7,50", "(8,00)"]
    assert read_numbers(FILE, "BALANCE", [2, 3, 4], texts).repairs == (
        "BALANCE has a decimal comma: '\u20ac 1.234,56' is read as 1234.56",
        "BALANCE: '(8,00)' is read as -8",
    )
    assert read_numbers(FILE, "AGE", [2, 3], ["36", "-1.5"]).repairs == ()


def test_the_largest_amount_of_a_record_is_that_of_the_projection() -> None:
    assert LARGEST_AMOUNT == MOST_YUAN * 100
