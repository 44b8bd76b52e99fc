"""What a stub model says: canned talks that end, and the built-in seats behind a server."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from arrears.agents.briefing import collector_system, debtor_system, style_of
from arrears.agents.registry import make_collector, make_debtor_seat
from arrears.debtors.record import Debtor
from arrears.dialogue.acts_text import read_acts
from arrears.dialogue.ledger import Ledger
from arrears.dialogue.parser import parse_message
from arrears.dialogue.record import Turn
from arrears.dialogue.render import render_message
from arrears.dialogue.views import CollectorView, DebtorView, Heard
from arrears.rng import rng_for
from arrears.strategies import Seat
from arrears.terms import Mandate

_MONTHS = (24, 18, 12, 9, 6, 3)
# Which seat a request comes from: the collector's prompts fix limits that nobody can move.
_COLLECTOR = re.compile(r"nobody (?:on the line|in this chat) can move|谁也动不了")


def seat_of(request: Mapping[str, Any]) -> Seat:
    """The seat that a request speaks for."""
    system = request["messages"][0]["content"]
    return "collector" if _COLLECTOR.search(system) else "debtor"


def canned(request: Mapping[str, Any]) -> str:
    """A talk of three to eight exchanges that ends in an agreement, after the system prompt.

    The next message follows from the request alone: any try of it is answered alike.
    """
    system = request["messages"][0]["content"]
    said = sum(m["role"] == "assistant" for m in request["messages"])
    name = re.search(r"[A-Z][a-z]+(?= \d|, \d)|[0-9,]{3,}", system)
    draw = crc32(system.encode())
    if seat_of(request) == "collector":
        months, share = _MONTHS[(draw + said) % 6], 5 + 5 * ((draw + said) % 10)
        return (
            f"Thoughts: exchange {said + 1}\nStrategy: repayment negotiation\n"
            f"Action: ask(disc_ratio=0%, pmt_ratio={share}%, pmt_days=7, inst_prds={months})\n"
            f"Dialogue: {share}% within a week and {months} months, {name[0] if name else ''}?"
        )
    asked = request["messages"][-1]["content"]
    if said + 1 >= 3 + draw % 6:
        values = re.search(r"action: ask\(.*", asked)
        if values is None:
            return "Action: non\nDialogue: What do you propose?"
        return f"Action: {values[0][8:].replace('ask', 'accept')}\nDialogue: Fine, I take that."
    return f"Action: ask(inst_prds={_MONTHS[draw % 6]})\nDialogue: I need {said + 2} more days."


_HEARD = re.compile(
    r'(?:The collector|The customer) says:\n"""\n(?P<words>.*)\n"""\n'
    r"(?:The collector|The customer)'s action: (?P<acts>.*)\nWhere the terms stand:",
    re.DOTALL,
)


class BuiltIn:
    """The built-in seats as a model: all they know is what stands in the request."""

    def __init__(
        self, suite: str, debtors: Sequence[Debtor], *, seed: int, max_turns: int = 12
    ) -> None:
        self._suite, self._seed, self._max_turns = suite, seed, max_turns
        mandate = Mandate()
        self._known: dict[str, Debtor] = {}
        for debtor in debtors:
            self._known[debtor_system(debtor, max_turns, "en")] = debtor
            system = collector_system(style_of(debtor), debtor.background, mandate, max_turns, "en")
            self._known[system] = debtor

    def __call__(self, request: Mapping[str, Any]) -> str:
        # A built-in seat never waits, and the server's loop is running already.
        turn = self._turn(request)
        try:
            turn.send(None)
        except StopIteration as done:
            return str(done.value)
        raise AssertionError("a built-in seat waited for something")

    async def _turn(self, request: Mapping[str, Any]) -> str:
        messages = request["messages"]
        debtor, seat = self._known[messages[0]["content"]], seat_of(request)
        address = (self._suite, debtor.id, 1)
        if seat == "collector":
            rng = rng_for(self._seed, *address, "collector", request["model"])
            agent = make_collector(request["model"], rng, debtor.background, Mandate())
        else:
            rng = rng_for(self._seed, *address, "debtor")
            agent = make_debtor_seat(request["model"], rng, debtor)
        ledger, heard, own = Ledger(Mandate()), [], []
        for message in messages[1:]:
            if message["role"] == "user":
                other = _HEARD.search(message["content"])
                if other is not None:
                    who: Seat = "debtor" if seat == "collector" else "collector"
                    acts = read_acts(other["acts"], who).acts
                    ledger.apply(who, acts)
                    heard.append(Heard(who, other["words"], acts))
                number = len(own) + 1
                if seat == "collector":
                    view: Any = CollectorView(
                        debtor.background, Mandate(), tuple(heard), tuple(own), ledger.table(),
                        number, self._max_turns,
                    )  # fmt: skip
                else:
                    view = DebtorView(
                        debtor, tuple(heard), tuple(own), ledger.table(), number, self._max_turns
                    )
                turn: Turn = await agent.reply(view)
                text = render_message(turn)
            else:
                assert message["content"] == text, "the seat was told other words than it said"
                said = parse_message(text, seat)
                ledger.apply(seat, said.acts)
                heard.append(Heard(seat, said.dialogue, said.acts))
                own.append(turn)
        return text


EXPERIENCE = {
    "satisfaction": ["empathy", "respect", "transparency", "feasibility"],
    "emotion_support": ["identification", "comforting", "experience", "impact"],
    "communication": ["consistency", "role", "expression", "humanness"],
}


def verdict(request: Mapping[str, Any]) -> str:
    """A judge whose marks follow from the conversation, and lean by the judge's name."""
    asked = request["messages"][0]["content"]
    draw = crc32(request["messages"][1]["content"].encode())
    lean = 1 if request["model"] == "kind" else 0
    if "human_likeness" in asked:
        return json.dumps({"human_likeness": "A", "realism": "A", "reason": "the first, always"})
    if '"satisfaction"' in asked:
        mark = 3 + draw % 5 + lean
        parts = {
            part: {**dict.fromkeys(criteria, mark), "score": mark}
            for part, criteria in EXPERIENCE.items()
        }
        return "```json\n" + json.dumps({**parts, "reason": "r"}) + "\n```"
    if '"naturalness"' in asked:
        names = ("naturalness", "alignment", "plausibility", "fluency")
        return json.dumps({**dict.fromkeys(names, 1 + draw % 5), "reason": "r"})
    if '"broke_character"' in asked:
        names = ("emotion", "cognition", "style", "scenario")
        flags = dict.fromkeys(("broke_character", "leaked_instructions", "turned_collector"), False)
        return json.dumps({**dict.fromkeys(names, 1 + draw % 5), **flags, "reason": "r"})
    return json.dumps({"score": 1 + draw % 5, "reason": "r"})


# What a planner answers
PLAN = {
    "category": 4, "reason": "little now",
    "disc_ratio": {"open": "0%", "limit": "0%"}, "pmt_ratio": {"open": "30%", "limit": "20%"},
    "pmt_days": {"open": 5, "limit": 10}, "inst_prds": {"open": 6, "limit": 9},
}  # fmt: skip
