"""What went wrong with the players themselves, by rules that can be checked; charged to a seat.

A collector must not be credited, or blamed, for a debtor who forgets who it is. What rules cannot
see (tone, understanding, style) is the persona judge's to say. Rules are built to miss rather than
to accuse: docs/simulator-checks.md says what each of them takes for a failure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

from arrears.agents.listening import facts_in
from arrears.debtors.record import Debtor
from arrears.dialogue.record import Dialogue, Turn
from arrears.strategies import Seat
from arrears.terms import RATIOS

FAULTS: Final[Mapping[str, str]] = {
    "broke_character": "spoke as a program, an assistant or an actor",
    "leaked_instructions": "spoke of its instructions or of the notation of acts",
    "turned_around": "took the other side's part: a debtor that collects, a collector that owes",
    "words_against_acts": "the numbers it spoke are not those that it put on the table",
    "yes_without_act": "said that it agrees and did nothing",
    "money_off_record": "named money of its own that its record does not bear out",
    "changed_its_story": "named its own money twice, far apart",
    "facts_off_record": "named an age, or a debt, that is not the record's",
    "off_persona": "a persona judge finds it against its profile (1 of 5)",
    "unreadable": "could not bring out a readable message",
}
"""Every kind of failure of a player and what it means.

A dialogue that failed from outside the negotiation (`Row.failure`) is no player's failing.
"""

# People round, forget and leave out; only figures beyond these factors count.
_OFF = 2.5
_CHANGED = 2.0
_DEBT_OFF = 0.02

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s?(%|percent|months?\b|days?\b|个月|期|天)")
_KIND: Final[Mapping[str, str]] = {
    "%": "ratio", "percent": "ratio", "month": "inst_prds", "months": "inst_prds",
    "个月": "inst_prds", "期": "inst_prds", "day": "pmt_days", "days": "pmt_days", "天": "pmt_days",
}  # fmt: skip
_AGE = re.compile(
    r"\b(?:i am|i'm|i’m) (\d{2})(?: years old\b|, (?:and|not)\b)|我(?:今年)?(\d{2})岁"
)
_OWED = re.compile(
    r"\b(?:you owe|you still owe|outstanding (?:amount|balance) (?:is|of)|debt of|amount of) "
    r"(?:about )?([\d,]+(?:\.\d+)?) ?yuan"
    r"|(?:欠款|待还|欠了?|未还)(?:金额)?(?:共|为|是)?([\d,]+(?:\.\d+)?)元"
)
_SEATS: Final[tuple[Seat, Seat]] = ("collector", "debtor")


def faults_of(dialogue: Dialogue, debtor: Debtor) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the collector's and what the debtor's seat did wrong: keys of `FAULTS`, each once."""
    found: dict[Seat, list[str]] = {"collector": [], "debtor": []}
    for seat in _SEATS:
        turns = [turn for turn in dialogue.turns if turn.seat == seat]
        text = "\n".join([turn.dialogue for turn in turns]).lower()
        found[seat] += _phrases(seat, text)
        found[seat] += [fault for _, fault in _numbers(seat, dialogue.turns)]
    found["debtor"] += _money(dialogue.turns, debtor)
    found["debtor"] += _facts(dialogue.turns, debtor, "debtor")
    found["collector"] += _facts(dialogue.turns, debtor, "collector")
    if dialogue.ending == "malformed":
        whose: Seat = "debtor" if dialogue.detail.startswith("debtor:") else "collector"
        found[whose].append("unreadable")
    return tuple(dict.fromkeys(found["collector"])), tuple(dict.fromkeys(found["debtor"]))


def _phrases(seat: Seat, text: str) -> Iterator[str]:
    """Tell-tale phrases; `text` in lower case."""
    for fault, phrases in _tells()[seat].items():
        for phrase in phrases:
            if phrase in text:
                yield fault
                break


def spoken_faults(turns: Sequence[Turn]) -> tuple[str, ...]:
    """What the words of the last of these turns say that its acts do not: keys of `FAULTS`."""
    last = len(turns) - 1
    return tuple(fault for at, fault in _numbers(turns[last].seat, turns) if at == last)


def _numbers(seat: Seat, turns: Sequence[Turn]) -> Iterator[tuple[int, str]]:
    """Spoken terms that are not those of the acts, and agreement that is spoken only; each with
    the place of its turn."""
    live: dict[str, set[float]] = {}
    yes = _tells()["yes"]
    for at, turn in enumerate(turns):
        acts = _values(turn)
        if turn.seat == seat:
            words = turn.dialogue.lower()
            if acts:
                spoken: dict[str, set[float]] = {}
                for number, unit in _NUMBER.findall(words):
                    spoken.setdefault(_KIND[unit], set()).add(float(number))
                if any(
                    kind in acts and not numbers & (acts[kind] | live.get(kind, set()))
                    for kind, numbers in spoken.items()
                ):
                    yield at, "words_against_acts"
            accepts = any(act.kind == "accept" for act in turn.acts)
            if live and not accepts and any(phrase in words for phrase in yes):
                yield at, "yes_without_act"
        for kind, values in acts.items():
            live.setdefault(kind, set()).update(values)


def _values(turn: Turn) -> dict[str, set[float]]:
    """The values of a turn's acts by what they are spoken as; ratios in percent."""
    values: dict[str, set[float]] = {}
    for act in turn.acts:
        if act.dim is None or act.value is None:
            continue
        kind, scale = ("ratio", 100.0) if act.dim in RATIOS else (str(act.dim), 1.0)
        for value in (act.value, act.said):
            if value is not None:
                values.setdefault(kind, set()).add(round(value * scale, 6))
    return values


def _money(turns: Sequence[Turn], debtor: Debtor) -> Iterator[str]:
    """Own money that the debtor named, against its record and against itself."""
    record = {
        "assets": debtor.finances.assets,
        "income": debtor.finances.avg_daily_income,
        "expense": debtor.finances.avg_daily_expense,
    }
    before: dict[str, float] = {}
    for turn in turns:
        if turn.seat != "debtor":
            continue
        words = turn.dialogue
        if "yuan" not in words and "元" not in words:
            continue
        for kind, amount in facts_in(words).items():
            true = record[kind]
            if amount > 0 and true > 0 and not 1 / _OFF <= amount / true <= _OFF:
                yield "money_off_record"
            first = before.setdefault(kind, amount)
            if first > 0 and amount > 0 and not 1 / _CHANGED <= amount / first <= _CHANGED:
                yield "changed_its_story"


def _facts(turns: Sequence[Turn], debtor: Debtor, seat: Seat) -> Iterator[str]:
    """An age or a debt that is not the record's."""
    known = (debtor.background.need_coll_amt, debtor.background.bal_due)
    for turn in turns:
        if turn.seat != seat:
            continue
        words = turn.dialogue
        if "yuan" in words or "元" in words:
            for found in _OWED.findall(words.lower()):
                amount = float((found[0] or found[1]).replace(",", ""))
                if all(abs(amount - k) > _DEBT_OFF * k for k in known):
                    yield "facts_off_record"
        if seat == "debtor" and ("I" in words or "我" in words):
            for found in _AGE.findall(words.lower()):
                if int(found[0] or found[1]) != debtor.background.age:
                    yield "facts_off_record"


@cache
def _tells() -> Mapping[str, Any]:
    text = (resources.files("arrears.scoring") / "simulator.yaml").read_text(encoding="utf-8")
    tells: Mapping[str, Any] = yaml.safe_load(text)
    return tells
