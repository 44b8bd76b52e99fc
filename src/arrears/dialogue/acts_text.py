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
    "accept": "accept", "agree": "accept", "同意": "accept", "接受": "accept",
    "reject": "reject", "refuse": "reject", "decline": "reject", "拒绝": "reject",
    "non": "non", "none": "non", "no action": "non", "无": "non",
    "leave": "leave", "离开": "leave",
}  # fmt: skip
_KEYS: Final[Mapping[str, Dimension]] = {
    **{d: d for d in DIMENSIONS},
    "discount": "disc_ratio", "discount_ratio": "disc_ratio", "折扣": "disc_ratio",
    "折扣比例": "disc_ratio", "减免比例": "disc_ratio",
    "immediate_payment_ratio": "pmt_ratio", "payment_ratio": "pmt_ratio",
    "首付": "pmt_ratio", "首付比例": "pmt_ratio", "立即还款比例": "pmt_ratio",
    "immediate_payment_days": "pmt_days", "payment_days": "pmt_days", "immediate_payment_time":
    "pmt_days", "付款天数": "pmt_days", "还款天数": "pmt_days", "首付天数": "pmt_days",
    "installment_periods": "inst_prds", "instalment_periods": "inst_prds", "inst_prd": "inst_prds",
    "installments": "inst_prds", "instalments": "inst_prds", "分期": "inst_prds",
    "分期期数": "inst_prds",
}  # fmt: skip
_CALL: Final = re.compile(
    r"(no action|[a-z]+|[\u4e00-\u9fff]{1,2})\s{0,4}(?:\(([^()]{0,400})\))?", re.ASCII
)
_BETWEEN: Final = re.compile(r"[\s,;.&+*`\"'\[\]|/>-]*(?:(?:and|then|和|并)[\s,;*`]+)*")
_PAIR: Final = re.compile(r"^([^=:]{1,40}?)\s{0,4}[=:]\s{0,4}(.{1,80})$")
_NUMBER: Final = re.compile(
    r"^(百分之)?\s*([+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30}))\s*(.{0,24})$"
)
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
    acts: list[Act] = []
    repairs: list[str] = []
    at = _after(line, 0)
    while at < len(line):
        call = _CALL.match(line, at)
        if call is None or call[1] not in _KINDS:
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
            inner = rest.pop("args", rest.pop("arguments", rest.pop("terms", None)))
            yield f"{kind}({_pairs(inner if isinstance(inner, dict) else rest)})"
        else:
            for kind, inner in rest.items():
                yield f"{kind}({_pairs(inner)})"
    elif value is not None:
        raise ActSyntaxError(f"The action {value!r} cannot be read. Write it like: {SHAPE}.")


def _pairs(inner: Any) -> str:
    if isinstance(inner, dict):
        return ", ".join(str(k) if v is None else f"{k}={v}" for k, v in inner.items())
    if isinstance(inner, list):
        return ", ".join(map(str, inner))
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
        raise ActSyntaxError(
            f"{name.strip()!r} is not a term. The terms are {', '.join(DIMENSIONS)}."
        )
    return _KEYS[key]


def _value(dim: Dimension, text: str) -> float:
    """The number as it was written; ratios as fractions, a bare one from 1 on is percent."""
    found = _NUMBER.match(text)
    if found is None:
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
        raise ActSyntaxError(
            f"{dim}={text} is not a value of {dim}. Write for example {_example(dim)}."
        )
    if dim in RATIOS and (percent or abs(number) >= 1):
        number = round(number / 100, 12)
    return number


def _example(dim: Dimension) -> str:
    return f"{dim}={ {'disc_ratio': '5%', 'pmt_ratio': '25%', 'pmt_days': '7'}.get(dim, '12') }"


def _after(line: str, at: int) -> int:
    found = _BETWEEN.match(line, at)
    return found.end() if found else at


def _piece(line: str, at: int) -> str:
    rest = line[at : at + 40]
    return rest if len(line) - at <= 40 else f"{rest}…"
