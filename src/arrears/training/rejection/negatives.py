"""Rejected answers: the same question, a defective prompt, a weak model (DCN §6.3, appendix H.3).

Only the weak model is shown the defective prompt; the pair keeps the sound one. An answer that
cannot be read, or that is the chosen one over again, is asked for anew, at most twice; then its
turn is left out and counted.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import orjson

from arrears.agents.briefing import Style, style_of
from arrears.agents.llm_seat import TRIES
from arrears.agents.registry import make_collector
from arrears.dialogue.loop import Remembers
from arrears.dialogue.parser import parse_message
from arrears.dialogue.record import Turn
from arrears.dialogue.rewind import collector_moments
from arrears.errors import ActSyntaxError, ModelError
from arrears.models.chat import ChatModel, Message, Sampling
from arrears.prompts.library import prompt, words
from arrears.rng import rng_for
from arrears.training.conversations import brief, written
from arrears.training.rejection.defects import choose_defect, defective_system
from arrears.training.rejection.plan import SamplePlan
from arrears.training.rejection.turns import Item, Key, weak_prompt

Why = Literal["", "unreadable", "same", "failed"]


class Negative(NamedTuple):
    """What the weak side had to say to one question."""

    answer: str
    """As a collector's message is written; "" where there is none that could be used."""
    defect: str
    """Name of the defect in the prompt; "" for a built-in seat, which reads none."""
    tries: int
    """How often it was asked."""
    why: Why = ""
    """Why there is no answer: what the last try was."""
    detail: str = ""
    """The model's or the parser's words, where there is none."""


async def ask_model(plan: SamplePlan, item: Item, model: ChatModel) -> Negative:
    """A model's answer under a defective prompt; a model that fails is a reason, not an error."""
    style, address = style_of(item.debtor), _address(plan, item)
    rng = rng_for(plan.seed, *address, "defect")
    defect = choose_defect(style, plan.weak_wording(), plan.lang, rng)
    system, *said = weak_prompt(plan, item)
    talk = [Message(role="system", content=defective_system(defect, system["content"])), *said]
    why: Why = "unreadable"
    detail = ""
    for attempt in range(1, TRIES + 1):
        luck = rng_for(plan.seed, *address, "weak", attempt)
        sampling = Sampling(plan.temperature, int(luck.integers(1 << 31)))
        try:
            completion = await model.complete(talk, sampling)
        except ModelError as error:
            return Negative("", defect.name, attempt, "failed", str(error))
        text = completion.text
        try:
            if completion.cut:
                # Half a message would teach how long messages are, and not which are good.
                raise ActSyntaxError(words(plan.lang)["cut"])
            answer = _read(text, style)
        except ActSyntaxError as error:
            why, detail = "unreadable", str(error)
            again = prompt("unreadable", plan.lang).fill({"error": detail}).system
            talk.append(Message(role="assistant", content=text or "…"))
            talk.append(Message(role="user", content=again))
            continue
        if answer != item.answer["content"]:
            return Negative(answer, defect.name, attempt)
        why, detail = "same", ""
    return Negative("", defect.name, TRIES, why, detail)


async def ask_built_in(plan: SamplePlan, item: Item) -> Negative:
    """What a built-in collector says at this point of a talk that another one held."""
    dialogue, account = item.dialogue, item.debtor.background
    for attempt in range(1, TRIES + 1):
        luck = rng_for(plan.seed, *_address(plan, item), "weak", attempt)
        seat = make_collector(plan.weak, luck, account, dialogue.mandate)
        for before in collector_moments(dialogue.turns, account, dialogue.mandate, plan.max_turns):
            if before.turn.number == item.number:
                answer = written(brief(await seat.reply(before.view)), style_of(item.debtor))
                if answer != item.answer["content"]:
                    return Negative(answer, "", attempt)
                break
            if isinstance(seat, Remembers):
                await seat.remember(before.view, before.turn)
    return Negative("", "", TRIES, "same")


def line_for(item: Item, negative: Negative) -> bytes:
    """An answer as it is stored, newline included."""
    whole = {"case": item.candidate.case, "turn": item.number, **negative._asdict()}
    return orjson.dumps(whole, option=orjson.OPT_APPEND_NEWLINE)


def key_of_line(line: Any) -> Key:
    """What a stored line is found by."""
    return str(line["case"]), int(line["turn"])


def negative_of_line(line: bytes) -> Negative:
    """The answer of a stored line."""
    found = orjson.loads(line)
    return Negative(**{name: found[name] for name in Negative._fields})


def _read(text: str, style: Style) -> str:
    """A model's message in the one form in which messages are written."""
    message = parse_message(text, "collector")
    turn = Turn("collector", message.dialogue, message.acts, message.thoughts, message.strategy)
    return written(turn, style)


def _address(plan: SamplePlan, item: Item) -> Sequence[str | int]:
    """The place of a question's luck: the talk's, and the exchange."""
    candidate = item.candidate
    style = plan.styles[candidate.style]
    return plan.suite.name, item.debtor.id, style, candidate.repeat, item.number
