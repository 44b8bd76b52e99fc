"""Columns of numbers as people and their programs write them.

A decimal point or a decimal comma, thousands in groups (by comma, point, space or apostrophe, and
India's), signs of money, minus signs before or behind and brackets for what is negative. Which of
point and comma is the decimal sign is decided for the whole column: a cell such as 1.234 does not
tell, its neighbours may. Where none does, the column is refused.
"""

import re
from collections.abc import Callable, Collection, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import Final, Literal, NamedTuple

from arrears.errors import BrokenFile

Decimal = Literal[".", ","]

_SURE: Final = re.compile(
    r"-?(?:0|[1-9]\d*|(?:0|[1-9]\d{3,})\.\d+|\d+\.(?:\d{1,2}|\d{4,}))", re.ASCII
)
"""A number that can be read in one way only, and that Python reads so."""
_SIGNS: Final = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
                        "\u202f\u205f\u3000\t", " "),
        **dict.fromkeys("\u2019\u02bc\u2018\uff07", "'"),
        **dict.fromkeys("\u2212\ufe63\uff0d", "-"),
        "\uff0c": ",", "\uff0e": ".", "\uff08": "(", "\uff09": ")", "\uff0b": "+",
    }
)  # fmt: skip
"""Spaces, apostrophes, minus signs and full-width signs to the plain ones."""
_MONEY: Final = {
    **dict.fromkeys(("¥", "￥", "元", "圆", "CNY", "RMB", "CN¥"), "¥"),
    **dict.fromkeys(("円", "JPY"), "JPY"),
    **dict.fromkeys(("€", "EUR"), "€"),
    **dict.fromkeys(("£", "GBP"), "£"),
    **dict.fromkeys(("CHF", "Fr."), "CHF"),
    **dict.fromkeys(("₹", "INR", "Rs.", "Rs"), "₹"),
    **dict.fromkeys(("₽", "RUB", "руб."), "₽"),
    **dict.fromkeys(("zł", "PLN"), "zł"), **dict.fromkeys(("Kč", "CZK"), "Kč"),
    **dict.fromkeys(("R$", "BRL"), "R$"), **dict.fromkeys(("₺", "TRY"), "₺"),
    **{name: name for name in ("$", "USD", "US$", "HK$", "HKD", "NT$", "TWD", "S$", "SGD", "A$",
                               "AUD", "C$", "CAD", "NZD", "MXN", "ZAR", "kr", "kr.", "SEK", "NOK",
                               "DKK", "HUF", "Ft", "KRW", "THB", "IDR", "PHP", "VND")},
}  # fmt: skip
"""Signs and names of money that may stand beside a number, and what they have in common."""
_CURRENCY: Final = "|".join(re.escape(name) for name in sorted(_MONEY, key=len, reverse=True))
_SHAPE: Final = re.compile(
    rf"(?P<m1>{_CURRENCY})? ?(?P<open>\()? ?(?P<m2>{_CURRENCY})? ?(?P<sign>[+-])? ?"
    rf"(?P<m3>{_CURRENCY})? ?(?P<body>[\d.,][\d.,' ]*(?:[eE][+-]?\d+)?) ?"
    rf"(?P<m4>{_CURRENCY})? ?(?P<after>[+-])? ?(?P<m5>{_CURRENCY})? ?(?P<close>\))? ?"
    rf"(?P<m6>{_CURRENCY})?"
)
_LONGEST: Final = 60
_SHOWN: Final = 3
BY_MAPPING: Final = 'say `decimal = ","` or `decimal = "."` in [table] of the mapping'


class Numbers(NamedTuple):
    """One column that was read."""

    values: list[float]
    """NaN where a cell holds nothing."""
    repairs: tuple[str, ...]
    """How cells that are not plain were read, in sentences."""


class _Cell(NamedTuple):
    """One way of writing, taken apart."""

    point: float | None
    """What it is if the decimal sign is a point; None if it can't be."""
    comma: float | None
    """What it is if the decimal sign is a comma."""
    money: str
    """The currency beside it; "" for none."""
    dressed: bool
    """Whether there is more to it than digits, a decimal sign and a minus before them."""

    def read(self, decimal: Decimal) -> float | None:
        return self.point if decimal == "." else self.comma


def read_numbers(
    path: Path,
    field: str,
    lines: Sequence[int],
    texts: Sequence[str],
    *,
    missing: Collection[str] = ("",),
    decimal: Decimal | None = None,
    fits: Callable[[float], bool] | None = None,
    remedy: str = BY_MAPPING,
) -> Numbers:
    """The numbers of a column of stripped cells; `lines` are those of the file, for errors.

    `decimal` says which sign it is where the column itself leaves it open, and so does `fits`,
    which tells whether a number can stand in this column. Where all leave it open the column is
    refused, with `remedy`. BrokenFile, with the line, for this and for a cell that is no number.
    """
    there = [(line, text) for line, text in zip(lines, texts, strict=True) if text not in missing]
    if all(_SURE.fullmatch(text) for _, text in there):
        found = [nan if text in missing else float(text) for text in texts]
        _refuse_endless(path, field, lines, found, texts, missing)
        return Numbers(found, ())
    cells = {text: _taken_apart(text) for text in dict.fromkeys(text for _, text in there)}
    _refuse_strangers(path, field, there, cells)
    chosen = _decimal(path, field, there, cells, decimal, fits, remedy)
    values = {text: cell.read(chosen) for text, cell in cells.items() if cell is not None}
    found = [nan if text in missing else _known(values[text]) for text in texts]
    _refuse_endless(path, field, lines, found, texts, missing)
    return Numbers(found, _told(field, cells, chosen))


def can_be_read_twice(text: str) -> bool:
    """Whether a number as Python writes it could be another with a decimal comma, as 1.234."""
    cell = _taken_apart(text)
    return cell is not None and None not in (cell.point, cell.comma) and cell.point != cell.comma


def _refuse_endless(
    path: Path, field: str, lines: Sequence[int], found: Sequence[float], texts: Sequence[str],
    missing: Collection[str],
) -> None:  # fmt: skip
    for line, value, text in zip(lines, found, texts, strict=True):
        if not isfinite(value) and text not in missing:
            raise BrokenFile(path, f"{text[:40]!r} is too large a number", line, field)


def _refuse_strangers(
    path: Path, field: str, there: Sequence[tuple[int, str]], cells: dict[str, _Cell | None]
) -> None:
    """BrokenFile for a cell that is no number, and for a second currency."""
    first = ("", 0)
    for line, text in there:
        cell = cells[text]
        if cell is None or (cell.point is None and cell.comma is None):
            raise BrokenFile(path, f"{text[:40]!r} is not a number", line, field)
        if not cell.money:
            continue
        if first[0] and cell.money != first[0]:
            why = f"{text[:40]!r} is in another currency than line {first[1]}; bring all to one"
            raise BrokenFile(path, why, line, field)
        first = first if first[0] else (cell.money, line)


def _decimal(
    path: Path, field: str, there: Sequence[tuple[int, str]], cells: dict[str, _Cell | None],
    asked: Decimal | None, fits: Callable[[float], bool] | None, remedy: str,
) -> Decimal:  # fmt: skip
    """The decimal sign under which all cells can be read."""
    all_ways: tuple[Decimal, ...] = (".", ",")
    ways = [way for way in all_ways if all(_reading(cells, t, way) is not None for _, t in there)]
    if not ways:
        raise _both_ways(path, field, there, cells)
    open_ = next(
        ((line, t) for line, t in there if _reading(cells, t, ".") != _reading(cells, t, ",")), None
    )
    if len(ways) == 1 or open_ is None:
        return ways[0]
    if fits is not None:
        fitting = [w for w in ways if all(fits(_known(_reading(cells, t, w))) for _, t in there)]
        ways = fitting if len(fitting) == 1 else ways
    if len(ways) == 1:
        return ways[0]
    if asked is not None:
        return asked
    line, text = open_
    either = " or ".join(_shown(_known(_reading(cells, text, way))) for way in all_ways)
    why = f"{text!r} is {either}, and no cell of the column tells which; {remedy}"
    raise BrokenFile(path, why, line, field)


def _both_ways(
    path: Path, field: str, there: Sequence[tuple[int, str]], cells: dict[str, _Cell | None]
) -> BrokenFile:
    """What to tell where some cells have a decimal point, and some a decimal comma."""
    point = next((line, t) for line, t in there if _reading(cells, t, ",") is None)
    comma = next((line, t) for line, t in there if _reading(cells, t, ".") is None)
    (other, _), (line, text) = sorted((point, comma))
    sign, wrong = ("point", "comma") if text == point[1] else ("comma", "point")
    why = f"{text!r} has a decimal {sign}, and line {other} has a decimal {wrong}"
    return BrokenFile(path, f"{why}; write the column in one way", line, field)


def _reading(cells: dict[str, _Cell | None], text: str, way: Decimal) -> float | None:
    cell = cells[text]
    return None if cell is None else cell.read(way)


def _known(value: float | None) -> float:
    assert value is not None
    return value


def _told(field: str, cells: dict[str, _Cell | None], chosen: Decimal) -> tuple[str, ...]:
    """What cells that are not plain were read as: one example for each way of writing."""
    commas = [t for t, cell in cells.items() if cell is not None and cell.point != cell.comma]
    shown = commas[:1] if chosen == "," else []
    told = [
        f"{field} has a decimal comma: {text!r} is read as "
        f"{_shown(_known(_reading(cells, text, chosen)))}"
        for text in shown
    ]
    kinds: dict[frozenset[str], str] = {}
    for text, cell in cells.items():
        # The same signs, however many digits stand between them.
        signs = frozenset(c for c in text if not c.isdigit())
        if cell is not None and cell.dressed and signs - {chosen, "-"} and text not in shown:
            kinds.setdefault(signs, text)
    for text in list(kinds.values())[: _SHOWN - len(told)]:
        value = _known(_reading(cells, text, chosen))
        told.append(f"{field}: {text!r} is read as {_shown(value)}")
    return tuple(told)


def _shown(value: float) -> str:
    return f"{value:.15g}"


def _taken_apart(text: str) -> _Cell | None:
    """Both readings of one cell; None where it is no number in any way of writing."""
    plain = text.translate(_SIGNS).strip()
    shape = _SHAPE.fullmatch(plain) if len(plain) <= _LONGEST else None
    if shape is None:
        return None
    signs = [sign for sign in (shape["sign"], shape["after"], shape["open"]) if sign]
    money = [name for name in (shape[f"m{i}"] for i in range(1, 7)) if name]
    if len(signs) > 1 or len(money) > 1 or bool(shape["open"]) != bool(shape["close"]):
        return None
    body, after = shape["body"].strip(), shape["after"]
    if after == "-" and body[-1] in ".,":
        # 5.- is a whole amount in Switzerland, 5,- in Norway; neither is negative.
        body, after, signs = f"{body}0", None, []
    negative = bool(signs) and signs != ["+"]
    ways: list[float | None] = []
    for way in (".", ","):
        digits = _digits(body, way)
        value = None if digits is None else float(digits)
        ways.append(-value if value is not None and negative else value)
    point, comma = ways
    dressed = re.fullmatch(r"-?\d*\.?\d+(?:[eE][+-]?\d+)?", text) is None
    return _Cell(point, comma, _MONEY[money[0]] if money else "", dressed)


def _digits(body: str, decimal: str) -> str | None:
    """A number without groups and with a decimal point; None where it is none of this way."""
    mantissa, power, exponent = re.sub("E", "e", body).partition("e")
    whole, _, rest = mantissa.partition(decimal)
    if rest and not _all_digits(rest):
        return None
    if whole and not _all_digits(whole):
        ungrouped = None if power else _ungrouped(whole, decimal)
        if ungrouped is None:
            return None
        whole = ungrouped
    if not whole and not rest:
        return None
    return f"{whole or 0}.{rest or 0}{power}{exponent}"


def _ungrouped(whole: str, decimal: str) -> str | None:
    """Groups of three digits, or India's, put together; None where they are no such groups."""
    between = {c for c in whole if not c.isdecimal()}
    if len(between) != 1 or decimal in between:
        return None
    first, *others = whole.split(between.pop())
    if not all(_all_digits(group) for group in (first, *others)) or first.startswith("0"):
        return None
    sizes = [len(group) for group in others]
    if len(first) <= 3 and set(sizes) == {3}:
        return first + "".join(others)
    indian = "," in whole and len(first) <= 2 and sizes[-1] == 3 and set(sizes[:-1]) <= {2}
    return first + "".join(others) if indian else None


def _all_digits(text: str) -> bool:
    return text.isdecimal()
