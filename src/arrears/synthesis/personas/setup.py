"""How personas are refined, and what a judge of their behaviour is."""

from typing import Final, NamedTuple, Protocol

from arrears.agents.seating import Place
from arrears.debtors.record import Debtor
from arrears.dialogue.record import Dialogue
from arrears.prompts.library import Language
from arrears.synthesis.personas.changes import Verdict

THRESHOLD: Final = 4.0
"""A dimension fits from this score on."""


class Judge(Protocol):
    """Scores one conversation, and says what it contradicts."""

    async def verdict(self, person: Debtor, dialogue: Dialogue, place: Place) -> Verdict:
        """ModelError where there is none."""


class Setup(NamedTuple):
    """How people are refined; two equal setups go on with each other's work."""

    collector: str
    debtor_seat: str
    judge: str
    max_rounds: int
    seed: int
    language: Language
    max_turns: int
    temperature: float
