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

_PLACES: Final = tuple((impression, TONES.index(name)) for impression, name in _WORTH_ANSWERING)
_AMOUNT = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*yuan")
_CLAUSE = re.compile(r"[.!?;]|, (?:and|but|so) ")
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
        return {}
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
