"""What a model sees in conversations: pairs of a strategy, in its own words, and the words that
show it. A pair whose words nobody said is refused, and asked for again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from arrears.bench.run import Progress
from arrears.errors import ModelError, UsageError
from arrears.models.chat import Schema
from arrears.models.unanswered import Unanswered, causes_text, counted, most_frequent
from arrears.strategies import Seat
from arrears.synthesis.asking import Clerk, Question, ask_all
from arrears.synthesis.conversations import Conversation
from arrears.synthesis.taxonomy.talking import numbered, one_line

_LONGEST_PHRASE: Final = 80


class Pair(NamedTuple):
    """One strategy that a model saw in one turn."""

    strategy: str
    """A short phrase."""
    utterance: str
    """A part of the turn's text."""
    seat: Seat
    conversation: str
    turn: int
    """From 0."""

    @property
    def text(self) -> str:
        """What is embedded."""
        return f"{self.strategy}: {self.utterance}"


class Pairs(NamedTuple):
    """All pairs of all conversations that could be read."""

    found: list[Pair]
    failures: Mapping[str, Unanswered]
    """Conversations without an answer, and why; nothing of them is grouped or counted as noise."""


def extract_pairs(
    clerk: Clerk, conversations: Sequence[Conversation], store: Path, progress: Progress
) -> Pairs:
    """Pairs of conversations that hold no personal data any more; stored in `store`.

    Errors as `ask_all`; where the model saw no strategy at all UsageError, or ModelError if some of
    the conversations failed.
    """
    questions = [
        Question(
            talk.id,
            clerk.ask("mine_pairs", {"transcript": numbered(talk, clerk.language)}),
            PAIRS_SCHEMA,
            lambda raw, talk=talk: read_pairs(raw, talk),  # type: ignore[misc]
        )
        for talk in conversations
    ]
    asked = ask_all(clerk, "pairs", questions, store, progress)
    # In the order of the conversations, whatever the order of the answers.
    found = [p for talk in conversations for p in asked.answers.get(talk.id, [])]
    if not found:
        seen = f"{clerk.model} saw no strategy in {len(asked.answers):,} conversations"
        if asked.failures:
            raise ModelError(f"{seen}, and {failed_text(asked.failures)}")
        raise UsageError(seen)
    return Pairs(found, asked.failures)


def failed_text(failures: Mapping[str, Unanswered]) -> str:
    """What to tell where too little was left because conversations failed."""
    return (
        f"{len(failures):,} more have no answer ({causes_text(counted(failures.values()))}): "
        f"{most_frequent(failures.values())}\nTo ask again, give the same command with "
        "--retry-errors"
    )


def read_pairs(raw: dict[str, Any], talk: Conversation) -> list[Pair]:
    """The pairs of an answer. ValueError, KeyError or TypeError where one cannot be taken."""
    if not isinstance(raw["pairs"], list):
        raise ValueError("pairs must be a list")
    return [_pair(row, talk) for row in raw["pairs"]]


def _pair(row: Any, talk: Conversation) -> Pair:
    turn, strategy, span = row["turn"], row["strategy"], row["utterance"]
    if type(turn) is not int or not 1 <= turn <= len(talk.utterances):
        raise ValueError(f"turn {turn!r} is none of 1 to {len(talk.utterances)}")
    if not isinstance(strategy, str) or not 0 < len(strategy.strip()) <= _LONGEST_PHRASE:
        raise ValueError(f"a strategy is a phrase of at most {_LONGEST_PHRASE} characters")
    if not isinstance(span, str) or not span.strip():
        raise ValueError("an utterance must not be empty")
    said = talk.utterances[turn - 1]
    words = one_line(span)
    if words.lower() not in one_line(said.text).lower():
        raise ValueError(f"turn {turn} does not contain {span.strip()[:80]!r}; copy the words")
    return Pair(" ".join(strategy.lower().split()), words, said.seat, talk.id, turn - 1)


PAIRS_SCHEMA: Final = Schema(
    "pairs",
    {
        "type": "object",
        "properties": {
            "pairs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "turn": {"type": "integer"},
                        "strategy": {"type": "string"},
                        "utterance": {"type": "string"},
                    },
                    "required": ["turn", "strategy", "utterance"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["pairs"],
        "additionalProperties": False,
    },
)
