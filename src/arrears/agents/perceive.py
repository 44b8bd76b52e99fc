"""What a debtor makes of a collector's message: words through the ear, acts through the table."""

from collections.abc import Mapping
from typing import NamedTuple

from arrears.agents.feelings import Impact
from arrears.agents.goodness import goodness
from arrears.dialogue.tone import hear, recognise
from arrears.dialogue.views import Heard, Table
from arrears.terms import DIMENSIONS, Dimension, Value

# Moves that wear patience when they come a second time. Warmth and offers do not.
_WEARING = frozenset(
    {
        "identity_verification",
        "financial_assessment",
        "statement_of_facts",
        "constructive_challenge",
        "ethical_appeal",
        "legal_deterrent",
    }
)


class Perceived(NamedTuple):
    """A message as the debtor takes it."""

    impact: Impact
    strategy: str
    """Key of the collector strategy that the words amount to."""
    asks_identity: bool
    asks_situation: bool


def perceive(
    heard: Heard,
    table: Table,
    asks_before: Mapping[Dimension, Value],
    moves_before: Mapping[str, int],
) -> Perceived:
    """The impact of a message, given the collector's earlier asks and moves."""
    tone = hear(heard.dialogue)
    strategy = recognise(heard.dialogue, "collector")
    kinds = {a.kind for a in heard.acts}
    repeated = strategy in _WEARING and moves_before.get(strategy, 0) > 0
    asked = tone.question > 0.2
    return Perceived(
        Impact(
            tone.warmth,
            tone.respect,
            tone.clarity,
            tone.pressure,
            tone.legal_threat,
            tone.challenge,
            tone.abuse,
            tone.facts,
            tone.trust,
            asked,
            repeated,
            "accept" in kinds or _moved_toward_debtor(table, asks_before),
            "reject" in kinds,
        ),
        strategy,
        tone.identity > 0.3,
        asked,
    )


def _moved_toward_debtor(table: Table, before: Mapping[Dimension, Value]) -> bool:
    if not before:
        return False
    for dim, position in zip(DIMENSIONS, table, strict=True):
        now, then = position.collector, before.get(dim)
        if now is not None and then is not None and goodness(dim, now) > goodness(dim, then):
            return True
    return False
