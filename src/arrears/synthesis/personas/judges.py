"""Judges of behaviour by name: the built-in one, or a model."""

from collections.abc import Callable
from typing import Final

from arrears.agents.briefing import heard_of, profile_text, transcript_text
from arrears.agents.seating import Place
from arrears.debtors.record import Debtor
from arrears.dialogue.record import Dialogue
from arrears.errors import UnknownName
from arrears.models.backends import Backends, is_model
from arrears.models.chat import ChatModel, Message, Purpose, Sampling, Schema
from arrears.models.json_answers import ask_json
from arrears.models.providers import providers
from arrears.prompts.library import prompt, words
from arrears.rng import rng_for
from arrears.synthesis.personas.attributes import characters, styles
from arrears.synthesis.personas.changes import DIMENSIONS, Verdict, read_verdict
from arrears.synthesis.personas.draft import COGNITION
from arrears.synthesis.personas.setup import THRESHOLD, Judge, Setup

READER: Final = "scripted/reader"


def judge_named(spec: str) -> Callable[[Backends, Setup], Judge]:
    """The judge of a name. UnknownName."""
    if spec == READER:
        from arrears.synthesis.personas.listening_judge import ListeningJudge

        return ListeningJudge
    if not is_model(spec):
        raise UnknownName("judge", spec, (READER, *(f"{p}/NAME" for p in providers())))
    return ModelJudge


class ModelJudge:
    """A model as the judge of behaviour."""

    def __init__(self, models: Backends, setup: Setup) -> None:
        self._models, self._setup = models, setup

    async def verdict(self, person: Debtor, dialogue: Dialogue, place: Place) -> Verdict:
        """As `Judge.verdict`."""
        language = self._setup.language
        comma = "、" if language == "zh" else ", "
        mind = person.cognition
        levels = [f"{words(language)['traits'][n]} {getattr(mind, n).level}" for n in COGNITION]
        filled = prompt("refine", language).fill(
            {
                "persona": profile_text(person, language),
                "levels": comma.join(levels),
                "transcript": transcript_text(heard_of(dialogue.turns), language),
                "characters": comma.join(characters()),
                "styles": comma.join(styles()),
                "threshold": f"{THRESHOLD:g}",
            }
        )
        rng = rng_for(self._setup.seed, "refine", place.debtor, place.repeat, "judge")
        model: ChatModel = self._models.model(
            self._setup.judge, Purpose(place.case, "judge", "refine")
        )
        answer = await ask_json(
            model,
            [
                Message(role="system", content=filled.system),
                Message(role="user", content=filled.ask),
            ],
            Sampling(0.0, int(rng.integers(1 << 31)), schema=SCHEMA),
            lambda found: read_verdict(found, person, THRESHOLD),
        )
        return answer.value


SCHEMA = Schema(
    "refine",
    {
        "type": "object",
        "properties": {
            **{name: {"type": "number"} for name in DIMENSIONS},
            "changes": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "field": {"type": "string"},
                        "value": {},
                        "description": {"type": "string"},
                        "reason": {"type": "string"},
                    },
                    "required": ["field", "value", "reason"],
                },
            },
            "reason": {"type": "string"},
        },
        "required": [*DIMENSIONS, "changes", "reason"],
    },
)
