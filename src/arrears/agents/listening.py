"""What a collector makes of a debtor's words: a mood to answer, and facts with numbers."""

import re
from collections.abc import Mapping
from typing import Final

from arrears.agents.words.lines import Impression
from arrears.dialogue.tone import TONES, Tone, hear

# The tone of a debtor's words that deserves an answer, strongest first among equals.
_WORTH_ANSWERING: Final[tuple[tuple[Impression, str], ...]] = (
    ("complaint", "complaint"),
    ("anger", "anger"),
    ("fear", "fear"),
    ("sadness", "sadness"),
    ("hardship", "hardship"),
    ("blame", "blame"),
    ("vague", "evasion"),
    ("willing", "willingness"),
)

_HARDSHIP: Final = 0.25
_PLACES: Final = tuple((impression, TONES.index(name)) for impression, name in _WORTH_ANSWERING)
_AMOUNT = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*yuan")
# A point between digits is a decimal's.
_CLAUSE = re.compile(r"[.!?;](?!\d)|, (?:and|but|so) ")
_SPENDING = (
    "spend",
    "expense",
    "cost",
    "goes on",
    "go on",
    "goes out",
    "eat up",
    "bills",
    "outgoing",
    "i need",
    "to live",
)
_EARNING = ("earn", "make", "making", "income", "wage", "pay", "bring", "come in", "comes in",
            "take home", "coming in", "get")  # fmt: skip
# The same in Chinese; an amount may stand in ten thousands.
_YUAN = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*(万)?\s*[元块]")
_CLAUSE_ZH = re.compile(r"[。！？；，!?;]")
_SPENDING_ZH = ("花", "支出", "开销", "开支", "用掉")
_EARNING_ZH = ("挣", "赚", "收入", "工资", "进账", "进", "到手")
_DAILY_ZH = ("每天", "一天", "每日", "天天")
_NOT_OWNED_ZH = ("月", "欠", "还", "债", "期", "首付")
_REASONS_ZH = (
    "因为", "失业", "下岗", "裁员", "没工作", "没有工作", "丢了工作", "生病", "住院", "手术",
    "生意", "亏", "倒闭", "关门", "工资", "离婚", "去世", "孩子", "老人", "被骗", "车祸", "困难",
    "周转",
)  # fmt: skip
_REASONS = (
    "because", "lost my job", "lost the job", "laid off", "let go", "out of work", "no work",
    "hospital", "surgery", "operation", "illness", "fell ill", "got sick", "business", "shop",
    "wages", "salary", "divorce", "passed away", "cheated", "scam", "accident", "cut my hours",
    "hours were cut", "shifts", "school fees", "rent",
)  # fmt: skip
_DAILY = ("a day", "per day", "each day", "every day", "daily", "/day", "day")


def impression_of(words: str) -> Impression:
    """The tone that stands out, or none."""
    return impression_in(hear(words))


def impression_in(tone: Tone) -> Impression:
    """The same, of a tone already heard."""
    best: Impression = ""
    strongest = 0.25
    for impression, place in _PLACES:
        value = tone[place]
        if value > strongest:
            best, strongest = impression, value
    return best


def facts_in(words: str) -> Mapping[str, float]:
    """Amounts that a debtor states about itself: `assets`, `income` and `expense` a day, yuan.

    Read from numbers followed by "yuan" and the words of the same clause. What is not clearly one
    of the three is left out.
    """
    if "yuan" not in words:
        return _facts_in_chinese(words) if "元" in words or "块" in words else {}
    found: dict[str, float] = {}
    for clause in _CLAUSE.split(words.lower()):
        for match in _AMOUNT.finditer(clause):
            amount = float(match[1].replace(",", ""))
            near = clause
            if any(mark in near for mark in _DAILY):
                if any(mark in near for mark in _SPENDING):
                    found.setdefault("expense", amount)
                elif any(mark in near for mark in _EARNING):
                    found.setdefault("income", amount)
            elif "month" not in near and "owe" not in near and "debt" not in near:
                found.setdefault("assets", amount)
    return found


def _facts_in_chinese(words: str) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for clause in _CLAUSE_ZH.split(words):
        for match in _YUAN.finditer(clause):
            amount = float(match[1].replace(",", "")) * (10_000 if match[2] else 1)
            if any(mark in clause for mark in _DAILY_ZH):
                if any(mark in clause for mark in _SPENDING_ZH):
                    found.setdefault("expense", amount)
                elif any(mark in clause for mark in _EARNING_ZH):
                    found.setdefault("income", amount)
            elif not any(mark in clause for mark in _NOT_OWNED_ZH):
                found.setdefault("assets", amount)
    return found


def reason_given(words: str) -> bool:
    """Whether a debtor has said anything of why it is overdue, or what it has."""
    low = words.lower()
    if facts_in(words) or any(cue in low for cue in (*_REASONS, *_REASONS_ZH)):
        return True
    return hear(words).hardship >= _HARDSHIP
