"""A dozen talks worth reading, and how one is laid out on the page."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from arrears.bench.figures import assets_under_agreement
from arrears.characters import visible
from arrears.debtors.record import CATEGORIES, EMOTIONS, Debtor
from arrears.dialogue.record import ENDINGS, Dialogue, Turn
from arrears.economy.position import Money, money_of
from arrears.scoring.row import Row
from arrears.strategies import strategies
from arrears.terms import Terms, payment_plan

DOZEN = 12
_EFFECTS: Mapping[str, str] = {
    "asked": "",
    "sealed": "agreed",
    "reopened": "opened again",
    "kept": "still agreed",
    "counted_as_ask": "counts as an ask",
    "withdrawn": "refused",
    "no_effect": "without effect",
    "outside_mandate": "outside the mandate",
    "none": "",
}
_ENDINGS: Mapping[str, str] = {
    "agreed": "agreed",
    "max_turns": "out of turns",
    "walked_away": "debtor left",
    "malformed": "unreadable message",
    "error": "error",
}


class Candidate(NamedTuple):
    """One talk that could be shown."""

    row: Row
    regret: float | None
    """Own CCI of the best legal agreement less this one's; None without agreement."""
    false_compliance: bool
    """The debtor agreed without meaning to pay."""


class Message(NamedTuple):
    """One bubble and what stays beside it."""

    seat: str
    speaker: str
    strategy: str
    words: str
    acts: list[tuple[str, str, str]]
    """(the act, its effect's key, its effect in words)"""
    aside: str
    thoughts: str
    notes: list[tuple[str, str]]
    """Reasoning, and what planner and judge said: (who, words)."""
    feelings: list[tuple[str, float]]
    beliefs: str
    open: bool


class Talk(NamedTuple):
    """One transcript, ready for the page."""

    why: str
    subtitle: str
    tags: list[tuple[str, str]]
    story: str
    facts: list[tuple[str, str]]
    picture: str
    messages: list[Message]
    detail: str


def choose(candidates: Sequence[Candidate]) -> list[tuple[str, Candidate]]:
    """At most twelve talks, each with the reason why it is shown; none twice.

    Every ending and every category that occurs, an empty promise, the best and the worst regret,
    the highest and the lowest satisfaction. Among equals one of middling length.
    """
    chosen: list[tuple[str, Candidate]] = []
    taken: set[str] = set()
    for why, fitting, key in _wishes():
        pool = [c for c in candidates if c.row.case not in taken and fitting(c)]
        if pool and len(chosen) < DOZEN:
            pick = min(pool, key=lambda c: (key(c), abs(c.row.turns - 5), c.row.case))
            taken.add(pick.row.case)
            chosen.append((why, pick))
    return chosen


_Wish = tuple[str, Callable[[Candidate], bool], Callable[[Candidate], float]]


def _wishes() -> Iterator[_Wish]:
    def level(c: Candidate) -> float:
        return 0.0

    def regret(c: Candidate) -> float:
        return c.regret if c.regret is not None else 9.0

    yield "Close to the best there was", lambda c: c.row.success and c.row.turns > 2, regret
    yield "An empty promise", lambda c: c.false_compliance and c.row.turns > 2, level
    yield (
        "The debtor hangs up",
        lambda c: c.row.ending == "walked_away" and c.row.turns > 2,
        level,
    )
    yield (
        "Far from the best there was",
        lambda c: c.regret is not None and c.row.turns > 2,
        lambda c: -regret(c),
    )
    for category in CATEGORIES:
        yield (
            f"{category.capitalize()}, and still an agreement",
            lambda c, wanted=category: c.row.category == wanted and c.row.success,  # type: ignore[misc]
            level,
        )
    for ending in ENDINGS[1:]:
        yield (
            {"max_turns": "Talked out", "walked_away": "Another who left"}.get(
                ending, f"Ended as {ending}"
            ),
            lambda c, wanted=ending: c.row.ending == wanted,  # type: ignore[misc]
            level,
        )
    yield "Most satisfied", lambda c: _number(c.row.us) is not None, lambda c: -_satisfied(c)
    yield "Least satisfied", lambda c: _number(c.row.us) is not None, _satisfied
    for _ in range(DOZEN):
        yield "One more agreement", lambda c: bool(c.row.agreed), level


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _satisfied(c: Candidate) -> float:
    return _number(c.row.us) or 0.0


def lay_out(why: str, candidate: Candidate, dialogue: Dialogue, debtor: Debtor) -> Talk:
    """One talk as the page shows it."""
    row = candidate.row
    return Talk(
        why=why,
        subtitle=f"{row.collector} and {debtor.background.name} ({debtor.id})",
        tags=_tags(candidate, dialogue.exchanges),
        story=debtor.scenario.story if debtor.scenario else "",
        facts=_facts(debtor, dialogue.terms),
        picture=_picture(money_of(debtor), dialogue.terms),
        messages=[_message(turn, debtor, opened=turn.number <= 2) for turn in dialogue.turns],
        detail=visible(dialogue.detail),
    )


def _tags(candidate: Candidate, turns: int) -> list[tuple[str, str]]:
    row = candidate.row
    if row.agreed:
        kind = "kept" if row.success else "fails"
        ending = "agreed, plan holds" if row.success else "agreed, plan fails"
    else:
        kind, ending = row.ending, _ENDINGS[row.ending]
    tags = [(kind, ending), ("", f"{turns} turns")]
    if row.category:
        tags.append(("", row.category))
    satisfied = _number(row.us)
    if satisfied is not None:
        tags.append(("", f"satisfaction {satisfied:.1f} (rubric)"))
    if candidate.regret is not None:
        tags.append(("", f"regret {candidate.regret:.2f}"))
    if candidate.false_compliance:
        tags.append(("warn", "does not mean to pay"))
    return tags


def _facts(debtor: Debtor, terms: Terms | None) -> list[tuple[str, str]]:
    b, f = debtor.background, debtor.finances
    facts = [
        ("Debt", f"{b.need_coll_amt:,.0f} yuan, {b.overdue_days} days overdue"),
        ("Person", f"{b.sex}, {b.age}" + (f", {debtor.scenario.work}" if debtor.scenario else "")),
        (
            "Purse (hidden)",
            f"{f.assets:,.0f} yuan; {f.avg_daily_income:,.0f} in and "
            f"{f.avg_daily_expense:,.0f} out a day",
        ),
    ]
    if not debtor.scenario:
        facts.append(("Reason", f.overdue_reason.text))
    if debtor.personality:
        p = debtor.personality
        facts.append(("Temper", f"{', '.join(p.character)}; {p.mbti}; speaks {', '.join(p.style)}"))
    if terms is not None:
        facts.append(("Agreement", _in_words(terms)))
    return facts


def _in_words(terms: Terms) -> str:
    discount = f"{terms.disc_ratio:.0%} off" if terms.disc_ratio else "no discount"
    return (
        f"{discount}, {terms.pmt_ratio:.0%} within {terms.pmt_days} days, "
        f"the rest over {terms.inst_prds} months"
    )


def _picture(money: Money, terms: Terms | None) -> str:
    if terms is None:
        return ""
    due = dict.fromkeys(range(731), 0)
    for payment in payment_plan(money.need_coll_amt, terms):
        if payment.day <= 730:
            due[payment.day] += payment.amount
    paid, days, assets, free = 0, [], [], []
    for day in range(731):
        paid += due[day]
        # A payment day and the day before it keep the steps upright on the page.
        if day % 10 == 0 or due[day] or due.get(day + 1):
            days.append(day)
            untouched = money.assets + day * money.daily_surplus
            assets.append((untouched - paid) / 100)
            free.append(untouched / 100)
    return assets_under_agreement(days, assets, free)


def _message(turn: Turn, debtor: Debtor, *, opened: bool) -> Message:
    known = strategies(turn.seat)
    key = turn.strategy or ""
    named = known[key].name if key in known else key.replace("_", " ")
    mine = turn.seat == "collector"
    private = dict(turn.private)
    feelings = [
        (name, level) for name in EMOTIONS if isinstance(level := private.pop(name, None), float)
    ]
    return Message(
        seat=turn.seat,
        speaker=f"{turn.number} · {'Collector' if mine else debtor.background.name}",
        strategy=named,
        words=visible(turn.dialogue),
        acts=[
            (str(act), effect, _EFFECTS[effect])
            for act, effect in zip(turn.acts, turn.effects, strict=False)
            if act.kind != "non"
        ],
        aside="What the collector thinks" if mine else "What the debtor feels and believes",
        thoughts=turn.thoughts,
        notes=[
            *([("reasoning", turn.reasoning)] if turn.reasoning else ()),
            *((note.role, note.text) for note in turn.notes),
        ],
        feelings=feelings,
        beliefs=_beliefs(private.items()),
        open=opened,
    )


def _beliefs(private: Iterable[tuple[str, float | str | bool | None]]) -> str:
    """Key and value pairs in reading order: reservations and levels as terms, the rest plainly."""
    words = []
    for key, value in private:
        name = key.replace("_", " ")
        if isinstance(value, bool):
            words.append(f"{name}: {'yes' if value else 'no'}")
        elif value is not None:
            words.append(
                f"{name}: {value:g}" if isinstance(value, float | int) else f"{name}: {value}"
            )
    return " · ".join(words)
