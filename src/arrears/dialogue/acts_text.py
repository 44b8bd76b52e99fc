"""The action line: `ask(disc_ratio=5%, inst_prds=12 months) accept(pmt_days=7)` to acts.

Read generously, refused precisely: what is not understood is an `ActSyntaxError` whose text tells
the writer, a model or a person, what to write instead. Nothing is guessed.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from arrears.dialogue.acts import LEAVE, NON, Act, Kind, act
from arrears.errors import ActSyntaxError, TermsError
from arrears.strategies import Seat
from arrears.terms import DIMENSIONS, RATIOS, Dimension, snap, written

SHAPE: Final = "ask(disc_ratio=5%, pmt_ratio=25%), accept(inst_prds=12), reject(pmt_days), non"

# Full-width signs and digits that Chinese input methods write.
TO_HALF: Final = str.maketrans(
    {chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}
    | {"。": ".", "、": ",", "【": "[", "】": "]", "“": '"', "”": '"', "\u3000": " ", "−": "-"}
)
_KINDS: Final[Mapping[str, Kind]] = {
    "ask": "ask", "propose": "ask", "offer": "ask", "request": "ask", "提出": "ask", "询问": "ask",
    "提议": "ask", "请求": "ask", "要求": "ask",
    "accept": "accept", "agree": "accept", "同意": "accept", "接受": "accept",
    "reject": "reject", "refuse": "reject", "decline": "reject", "拒绝": "reject",
    "不同意": "reject", "不接受": "reject",
    "non": "non", "none": "non", "no action": "non", "na": "non", "无": "non", "无动作": "non",
    "没有": "non", "暂无": "non", "无操作": "non",
    "leave": "leave", "离开": "leave",
}  # fmt: skip
_KEYS: Final[Mapping[str, Dimension]] = {
    **{d: d for d in DIMENSIONS},
    "discount": "disc_ratio", "discount_ratio": "disc_ratio", "折扣": "disc_ratio",
    "折扣比例": "disc_ratio", "折扣率": "disc_ratio", "减免": "disc_ratio",
    "减免比例": "disc_ratio", "discount_rate": "disc_ratio",
    "immediate_payment_ratio": "pmt_ratio", "payment_ratio": "pmt_ratio",
    "upfront_ratio": "pmt_ratio", "down_payment": "pmt_ratio", "upfront_payment": "pmt_ratio",
    "首付": "pmt_ratio", "首付比例": "pmt_ratio", "立即还款比例": "pmt_ratio",
    "首付款比例": "pmt_ratio", "首期比例": "pmt_ratio",
    "immediate_payment_days": "pmt_days", "payment_days": "pmt_days", "immediate_payment_time":
    "pmt_days", "付款天数": "pmt_days", "还款天数": "pmt_days", "首付天数": "pmt_days",
    "payment_time": "pmt_days",
    "installment_periods": "inst_prds", "instalment_periods": "inst_prds", "inst_prd": "inst_prds",
    "installments": "inst_prds", "instalments": "inst_prds", "分期": "inst_prds",
    "分期期数": "inst_prds", "分期数": "inst_prds", "期数": "inst_prds", "分期月数": "inst_prds",
    "installment_months": "inst_prds", "instalment_months": "inst_prds",
}  # fmt: skip
_CALL: Final = re.compile(
    r"(no action|[a-z]+|[\u4e00-\u9fff]{1,4})\s{0,4}(?:\(([^()]{0,400})\))?", re.ASCII
)
_BETWEEN: Final = re.compile(r"[\s,;.&+*`\"'\[\]|/>-]*(?:(?:and|then|和|并)[\s,;*`]+)*")
_PAIR: Final = re.compile(r"^([^=:]{1,40}?)\s{0,4}[=:]\s{0,4}(.{1,80})$")
_NUMBER: Final = re.compile(
    r"^(百分之)?\s*([+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30}))\s*(.{0,24})$"
)
# Tried only where a line could not be read as it stands: what writers put around acts.
_MENDS: Final = tuple(
    (re.compile(pattern, re.MULTILINE), by)
    for pattern, by in (
        ("[\u200b-\u200d\u2060\ufeff*`]", ""),
        ("[\u2010-\u2015]", "-"),
        ("\xa0", " "),
        (r"\s(?:#|//).*$", ""),
        (r"^\s{0,8}(?:\d{1,2}[.)]|[•·●])\s{0,4}", ""),
        (r"^([a-z]{3,8}|[\u4e00-\u9fff]{1,4})\s?[\[{]([^\[\](){}]{0,400})[\]}]", r"\1(\2)"),
        # `ask disc_ratio=5%` and `ask: disc_ratio=5%`
        (r"^([a-z]{3,8}|[\u4e00-\u9fff]{2,3})\s?[:\s]\s?([a-z_\u4e00-\u9fff]{2,30}\s?=[^()]{1,300})$",
         r"\1(\2)"),
        (r"\)\s{0,4}(?:并且|以及|同时|和|并)\s{0,4}", ") "),
        (r"^n/a\b", "non"),
    )
)  # fmt: skip
_PERCENT: Final = frozenset({"%", "percent", "pct", "per cent", "个百分点", "%%"})
_UNITS: Final[Mapping[Dimension, frozenset[str]]] = {
    "disc_ratio": frozenset({"off", "discount"}),
    "pmt_ratio": frozenset({"upfront", "down"}),
    "pmt_days": frozenset({"day", "days", "d", "天", "日"}),
    "inst_prds": frozenset(
        {
            "month",
            "months",
            "m",
            "installments",
            "instalments",
            "periods",
            "payments",
            "monthly installments",
            "monthly instalments",
            "monthly payments",
            "个月",
            "月",
            "期",
            "monthly",
        }
    ),
}


class ReadActs(NamedTuple):
    """The acts of a line, and notes of what had to be mended."""

    acts: tuple[Act, ...]
    repairs: tuple[str, ...]


def read_acts(text: str, seat: Seat) -> ReadActs:
    """The acts on an action line, in their order. ActSyntaxError says what cannot be read."""
    line = text.translate(TO_HALF).lower().strip()
    try:
        return _read_line(line, seat)
    except ActSyntaxError as error:
        mended = line
        for pattern, by in _MENDS:
            mended = pattern.sub(by, mended)
        if mended == line:
            raise
        try:
            return _read_line(mended.strip(), seat)
        except ActSyntaxError:
            # What is told is about the line that was written.
            raise error from None


def _read_line(line: str, seat: Seat) -> ReadActs:
    acts: list[Act] = []
    repairs: list[str] = []
    at = _after(line, 0)
    while at < len(line):
        call = _CALL.match(line, at)
        # A bracket that is not closed, or that holds another one, is not read over.
        broken = call is not None and call[2] is None and line.startswith("(", call.end())
        if call is None or broken or call[1] not in _KINDS:
            raise ActSyntaxError(
                f"The action {_piece(line, at)!r} cannot be read. Write it like: {SHAPE}."
            )
        acts += _acts(_KINDS[call[1]], call[1], call[2], seat, repairs)
        at = _after(line, call.end())
    if not acts:
        raise ActSyntaxError(f"The action is empty. Write `non` or something like: {SHAPE}.")
    # `non` beside something means nothing.
    meant = [a for a in acts if a.kind != "non"]
    return ReadActs(tuple(meant or acts[:1]), tuple(repairs))


def acts_from_json(value: Any, seat: Seat) -> ReadActs:
    """The same from JSON: text, a list, `{"ask": {"disc_ratio": "5%"}}` or
    `{"type": "ask", "disc_ratio": 0.05}`.
    """
    lines = list(_as_lines(value))
    if not lines:
        raise ActSyntaxError(f"The action is empty. Write `non` or something like: {SHAPE}.")
    return read_acts(" ".join(lines), seat)


def _as_lines(value: Any) -> Iterator[str]:
    """JSON spelled out as an action line: one grammar, one reader."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _as_lines(item)
    elif isinstance(value, dict):
        rest = dict(value)
        named = next((k for k in ("type", "action", "act", "kind", "name") if k in rest), None)
        if named is not None and isinstance(rest[named], str):
            kind = rest.pop(named)
            inner = next((rest.pop(k) for k in _ARGUMENTS if k in rest), None)
            term = next((rest.pop(k) for k in _TERM if isinstance(rest.get(k), str)), None)
            if term is not None:
                rest = {term: rest.pop("value", None), **rest}
            yield f"{kind}({_pairs(inner if isinstance(inner, dict | list) else rest)})"
        else:
            # A form that is filled in names every kind; an empty one is not done.
            done = {k: v for k, v in rest.items() if v is not False and v not in (None, "", [], {})}
            for kind, inner in (done or {k: v for k, v in rest.items() if v is not False}).items():
                yield f"{kind}({_pairs(inner)})"
    elif value is not None:
        raise ActSyntaxError(f"The action {value!r} cannot be read. Write it like: {SHAPE}.")


_ARGUMENTS: Final = ("args", "arguments", "terms", "params", "parameters")
_TERM: Final = ("dimension", "dim", "term", "key", "field", "param")


def _pairs(inner: Any) -> str:
    if isinstance(inner, dict):
        return ", ".join(str(k) if v is None else f"{k}={v}" for k, v in inner.items())
    if isinstance(inner, list):
        return ", ".join(_pairs(i) if isinstance(i, dict) else str(i) for i in inner)
    return "" if inner is None or isinstance(inner, bool) else str(inner)


def _acts(kind: Kind, word: str, inside: str | None, seat: Seat, repairs: list[str]) -> list[Act]:
    if kind == "non":
        return [NON]
    if kind == "leave":
        if seat == "collector":
            raise ActSyntaxError("Only the debtor can leave the talk. Write `non` instead.")
        return [LEAVE]
    arguments = [a for a in re.split(r"[,;]|\band\b", inside or "") if a.strip(" \"'`*")]
    if not arguments:
        example = "reject(pmt_days)" if kind == "reject" else f"{kind}(disc_ratio=5%)"
        raise ActSyntaxError(f"{word}() names no term. Write for example {example}.")
    return [_one(kind, a.strip(" \"'`*{}"), repairs) for a in arguments]


def _one(kind: Kind, argument: str, repairs: list[str]) -> Act:
    pair = _PAIR.match(argument)
    if pair is None:
        if kind == "reject":
            return act("reject", _dimension(argument))
        raise ActSyntaxError(
            f"{kind}({argument}) has no value. Write key=value, for example {kind}(inst_prds=12)."
        )
    dim = _dimension(pair[1])
    proposed = _value(dim, pair[2].strip(" \"'`*"))
    try:
        value, repair = snap(dim, proposed)
    except TermsError as error:
        raise ActSyntaxError(f"{error}. Write a number, for example {_example(dim)}.") from None
    if not repair:
        return act(kind, dim, value)
    repairs.append(f"{dim}: {pair[2].strip()} {repair} to {written(dim, value)}")
    return Act(kind, dim, value, said=proposed)


def _dimension(name: str) -> Dimension:
    key = "_".join(name.strip(" \"'`*").replace("-", " ").replace("_", " ").split())
    if key not in _KEYS:
        close = next((d for d in DIMENSIONS if d.replace("_", "") == key.replace("_", "")), None)
        if close is not None:
            return close
        raise ActSyntaxError(
            f"{name.strip()!r} is not a term. The terms are {', '.join(DIMENSIONS)}."
        )
    return _KEYS[key]


def _value(dim: Dimension, text: str) -> float:
    """The number as it was written; ratios as fractions, a bare one from 1 on is percent."""
    found = _NUMBER.match(text)
    if found is None:
        in_words = number_in_words(dim, text)
        if in_words is not None:
            return in_words
        raise ActSyntaxError(
            f"{dim}={text} is not a number. Write a number, for example {_example(dim)}."
        )
    number, unit = float(found[2]), found[3].strip(" .").lower()
    percent = found[1] is not None
    for sign in _PERCENT:
        if unit == sign or unit.startswith(f"{sign} "):
            percent, unit = True, unit[len(sign) :].strip()
            break
    if (unit and unit not in _UNITS[dim]) or (percent and dim not in RATIOS):
        in_words = None if percent else number_in_words(dim, text)
        if in_words is not None:
            return in_words
        raise ActSyntaxError(
            f"{dim}={text} is not a value of {dim}. Write for example {_example(dim)}."
        )
    if dim in RATIOS and (percent or abs(number) >= 1):
        number = round(number / 100, 12)
    return number


# Numbers in words: read only where no number is written in digits with a usual unit.
_TEENS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ENGLISH: Final[Mapping[str, int]] = {
    **{word: n for n, word in enumerate(_TEENS)},
    **{word: 10 * n for n, word in enumerate(_TENS, 2)},
}
_DIGITS: Final = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_CHINESE: Final = re.compile(r"^([一二两三四五六七八九])?十([一二三四五六七八九])?$")
_PARTS_OF: Final = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4,
    "fourths": 4, "fifth": 5, "fifths": 5, "tenth": 10, "tenths": 10,
}  # fmt: skip
# Spans of time by their unit, in days and in months. A month is no number of days, and a quarter
# no number of months: who writes that is asked for a number.
_SPANS: Final[Mapping[Dimension, Mapping[str, int]]] = {
    "pmt_days": {
        "day": 1, "days": 1, "天": 1, "日": 1, "week": 7, "weeks": 7, "周": 7, "星期": 7,
        "个星期": 7, "礼拜": 7, "个礼拜": 7, "fortnight": 14,
    },
    "inst_prds": {
        "month": 1, "months": 1, "个月": 1, "月": 1, "期": 1, "installments": 1, "instalments": 1,
        "periods": 1, "payments": 1, "monthly payments": 1, "monthly installments": 1,
        "monthly instalments": 1, "year": 12, "years": 12, "年": 12,
    },
}  # fmt: skip
_ZH_PART: Final = re.compile(
    r"^([一二两三四五六七八九十\d]{1,3})分之([一二两三四五六七八九十\d]{1,3})$", re.ASCII
)
_SLASH: Final = re.compile(r"^(\d{1,3})\s?/\s?(\d{1,3})$")


def number_in_words(dim: Dimension, text: str) -> float | None:
    """The number that words mean, ratios as fractions; None where they mean none for certain.

    `five percent`, `a quarter`, `百分之十五`, `一半`; `two weeks`, `七天`; `a year`, `十二期`.
    """
    if len(text) > 40:
        return None
    words = " ".join(text.lower().replace("-", " ").split()).strip(" .")
    return _ratio_in_words(words) if dim in RATIOS else _span_in_words(dim, words)


def _ratio_in_words(words: str) -> float | None:
    for ending in (" off", " discount", " upfront", " down"):
        words = words.removesuffix(ending)
    for sign in _PERCENT:
        if words.endswith(sign):
            number = _count(words.removesuffix(sign).strip())
            return None if number is None else number / 100
    if words.startswith("百分之"):
        number = _count(words.removeprefix("百分之"))
        return None if number is None else number / 100
    if words in ("half", "a half", "one half", "一半"):
        return 0.5
    if words.endswith("成") and len(words) == 2 and words[0] in _DIGITS:
        return _DIGITS[words[0]] / 10
    part = _SLASH.match(words)
    if part is not None:
        return _share(int(part[1]), int(part[2]))
    part = _ZH_PART.match(words)
    if part is not None:
        return _share(_count(part[2]), _count(part[1]))
    count, _, name = words.rpartition(" ")
    if name in _PARTS_OF:
        return _share(1 if count in ("a", "") else _count(count), _PARTS_OF[name])
    number = _count(words)
    # As with digits: a bare number from 1 on is percent.
    return None if number is None else number / 100


def _share(over: float | None, under: float | None) -> float | None:
    return None if over is None or not under else over / under


def _span_in_words(dim: Dimension, words: str) -> float | None:
    if dim == "pmt_days":
        words = words.removeprefix("within ").removeprefix("in ").removeprefix("第")
        for ending in ("之内", "以内", "内"):
            words = words.removesuffix(ending)
    else:
        words = words.removeprefix("分")
        if words in ("half a year", "半年"):
            return 6
        if words == "一年半":
            return 18
    number = _count(words)
    if number is not None:
        return number
    unit = max((u for u in _SPANS[dim] if words.endswith(u)), key=len, default="")
    if not unit:
        return None
    count = words.removesuffix(unit).strip()
    number = 1 if count in ("a", "an") else _count(count)
    return None if number is None else number * _SPANS[dim][unit]


def _count(words: str) -> float | None:
    """`12`, `7.5`, `twelve`, `twenty four`, `十二`, `二十四`; None for anything else."""
    if re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", words, re.ASCII):
        return float(words)
    if words in _ENGLISH:
        return _ENGLISH[words]
    tens, _, ones = words.partition(" ")
    if tens in _TENS and 0 < _ENGLISH.get(ones, 0) < 10:
        return _ENGLISH[tens] + _ENGLISH[ones]
    if words in _DIGITS:
        return _DIGITS[words]
    chinese = _CHINESE.match(words)
    if chinese is not None:
        return 10 * _DIGITS[chinese[1] or "一"] + _DIGITS[chinese[2] or "零"]
    return None


def _example(dim: Dimension) -> str:
    return f"{dim}={ {'disc_ratio': '5%', 'pmt_ratio': '25%', 'pmt_days': '7'}.get(dim, '12') }"


def _after(line: str, at: int) -> int:
    found = _BETWEEN.match(line, at)
    return found.end() if found else at


def _piece(line: str, at: int) -> str:
    rest = line[at : at + 40]
    return rest if len(line) - at <= 40 else f"{rest}…"
