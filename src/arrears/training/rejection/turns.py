"""Questions and answers: each message of a kept talk with all that went before it.

What planners and judges said on the way stays out (DCN §6.3), and so does a style's paragraph: the
model learns to talk so when it is briefed as usual. Of a built-in collector's thoughts what it
heard stays.
"""

from collections.abc import Sequence
from typing import NamedTuple

from arrears.agents.briefing import Wording, style_of
from arrears.debtors.record import Debtor
from arrears.dialogue.record import Dialogue
from arrears.models.backends import is_model
from arrears.models.chat import Message
from arrears.rng import rng_for
from arrears.training.conversations import Answered, Briefing, answers, brief
from arrears.training.rejection.filters import Candidate
from arrears.training.rejection.plan import SamplePlan

Key = tuple[str, int]


class Item(NamedTuple):
    """One question and its answer, which may become a row."""

    candidate: Candidate
    dialogue: Dialogue
    debtor: Debtor
    number: int
    """The exchange, from 1."""
    prompt: list[Message]
    """System and all that was said; the user's message is the last."""
    answer: Message

    @property
    def key(self) -> Key:
        """What its rejected answer is stored by."""
        return self.candidate.case, self.number


def items_of(
    plan: SamplePlan, candidate: Candidate, dialogue: Dialogue, debtor: Debtor
) -> list[Item]:
    """The collector's messages in order, briefed as the plan's rows are."""
    return [
        Item(candidate, dialogue, debtor, asked.number, asked.prompt, asked.answer)
        for asked in _asked(plan, dialogue, debtor, plan.wording)
    ]


def weak_prompt(plan: SamplePlan, item: Item) -> list[Message]:
    """The same question as the weak model is briefed, still without a defect."""
    wording = plan.weak_wording()
    if wording == plan.wording:
        return item.prompt
    return _asked(plan, item.dialogue, item.debtor, wording)[item.number - 1].prompt


def draw_order(plan: SamplePlan, items: Sequence[Item]) -> list[int]:
    """Positions of items in the order in which they are drawn. It is the same for a supervised and
    a preference set of the same talks.
    """
    marks = rng_for(plan.seed, "pairs").random(len(items))
    return sorted(range(len(items)), key=lambda at: float(marks[at]))


def _asked(
    plan: SamplePlan, dialogue: Dialogue, debtor: Debtor, wording: Wording
) -> list[Answered]:
    briefing = Briefing(style_of(debtor), wording, plan.lang, dialogue.mandate, plan.max_turns)
    own = is_model(plan.generator)
    turns = dialogue.turns if own else [brief(turn) for turn in dialogue.turns]
    return list(answers(turns, debtor.background, briefing))
