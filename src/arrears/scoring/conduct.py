"""How a talk was held: what the rubric looks at, as numbers from words, acts and persona."""

from collections.abc import Sequence
from typing import NamedTuple

from arrears.debtors.record import Debtor
from arrears.dialogue.record import Dialogue, Turn
from arrears.dialogue.tone import Tone, hear
from arrears.scoring.debtbench import W_LONG, W_SHORT
from arrears.terms import CREDITOR_PREFERS, Dimension, Value

_FULL_TALK = 12


class Features(NamedTuple):
    """Meanings stand in `rubric.yaml`. 0 … 1, `relief` −1 … 1."""

    warmth: float
    comfort: float
    respect: float
    pressure: float
    threat: float
    abuse: float
    clarity: float
    jargon: float
    presented: float
    asked: float
    feasible: float
    backtrack: float
    repetition: float
    distress: float
    hostility: float
    relief: float
    goodwill: float
    stonewalled: float
    agreed: float
    long: float


def features(dialogue: Dialogue, debtor: Debtor, upset_from: float) -> Features:
    """The conduct of one dialogue in which both seats have spoken."""
    ours: list[Turn] = []
    said: list[Tone] = []
    answered: list[Tone] = []
    comfort: list[float] = []
    upset = False
    for turn in dialogue.turns:
        tone = hear(turn.dialogue)
        if turn.seat == "debtor":
            answered.append(tone)
            upset = _upset(tone) >= upset_from
        else:
            ours.append(turn)
            said.append(tone)
            if upset:
                comfort.append(tone.warmth)
    n = len(said)
    # Column sums of all tones at once: one pass in C instead of ten in Python.
    mean = Tone._make([total / n for total in map(sum, zip(*said, strict=True))])
    other = Tone._make([t / len(answered) for t in map(sum, zip(*answered, strict=True))])
    mind = debtor.cognition
    simple = 2.0 if mind is not None and mind.financial_literacy.level <= 2 else 1.0
    feasible, backtrack = _offers(ours, debtor)
    late = answered[-max(1, len(answered) // 3) :]
    return Features(
        mean.warmth,
        sum(comfort) / len(comfort) if comfort else mean.warmth,
        mean.respect,
        mean.pressure,
        mean.legal_threat,
        min(1.0, mean.abuse_count * n / 2),
        mean.clarity,
        min(1.0, simple * mean.jargon),
        _before_money(said, "trust"),
        _before_money(said, "question"),
        feasible,
        backtrack,
        _repetition(ours),
        min(1.0, sum(tone.anger + tone.fear + tone.sadness for tone in late) / len(late)),
        min(1.0, other.anger + other.blame + other.complaint),
        _relief(answered),
        min(1.0, sum(tone.willingness + tone.gratitude for tone in late) / len(late)),
        other.evasion,
        1.0 if dialogue.terms is not None else 0.0,
        min(1.0, dialogue.exchanges / _FULL_TALK),
    )


def _upset(tone: Tone) -> float:
    return max(tone.anger, tone.fear, tone.sadness, tone.complaint)


def _before_money(said: Sequence[Tone], name: str) -> float:
    """1 where that tone sounds before or with the first offer."""
    for tone in said:
        if getattr(tone, name) >= 0.35:
            return 1.0
        if tone.offer >= 0.35:
            return 0.0
    return 0.0


def _offers(ours: Sequence[Turn], debtor: Debtor) -> tuple[float, float]:
    """Share of offers within the debtor's means (1 without any), share that take back."""
    live: dict[Dimension, Value] = {}
    fits, offers, back, asks = 0, 0, 0, 0
    debt, money = debtor.background.need_coll_amt, debtor.finances
    assets, balance = money.assets, money.avg_daily_balance
    for turn in ours:
        asked = False
        for act in turn.acts:
            if act.kind != "ask" or act.dim is None or act.value is None:
                continue
            asked, asks = True, asks + 1
            before = live.get(act.dim)
            if before is not None and (act.value - before) * CREDITOR_PREFERS[act.dim] > 0:
                back += 1
            live[act.dim] = act.value
        if asked:
            offers += 1
            fits += _within_means(live, debt, assets, balance)
    return (fits / offers if offers else 1.0), (back / asks if asks else 0.0)


def _within_means(live: dict[Dimension, Value], debt: float, assets: float, balance: float) -> bool:
    """Whether an offer can be carried, by the margins of SA and LS on what is left each month."""
    owed = debt * (1.0 - live.get("disc_ratio", 0.0))
    pmt, days = live.get("pmt_ratio", 0.05), live.get("pmt_days", 14)
    if owed * pmt > W_SHORT * (assets + balance * days):
        return False
    months = live.get("inst_prds", 24)
    return owed * (1.0 - pmt) / months <= W_LONG * 30.0 * balance


def _repetition(ours: Sequence[Turn]) -> float:
    """Share of the collector's sentences that it said before, word for word."""
    before: set[str] = set()
    again, total = 0, 0
    for turn in ours:
        for sentence in turn.dialogue.replace("?", ".").replace("!", ".").split("."):
            text = sentence.strip()
            if len(text) < 20:
                continue
            total += 1
            if text in before:
                again += 1
            before.add(text)
    return again / total if total else 0.0


def _relief(answered: Sequence[Tone]) -> float:
    """Negative feeling in the first half less that in the second."""
    if len(answered) < 2:
        return 0.0
    middle = len(answered) // 2
    felt = [min(1.0, tone.anger + tone.fear + tone.sadness) for tone in answered]
    return sum(felt[:middle]) / middle - sum(felt[middle:]) / (len(felt) - middle)
