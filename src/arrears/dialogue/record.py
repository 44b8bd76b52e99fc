"""What is stored of a dialogue: turns and how it ended. One whole `Dialogue` is one JSON line.

"Turn" has two uses in the papers. Here a `Turn` is one message of one seat, and `number` counts
exchanges: a collector's message and the debtor's answer carry the same number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from arrears.dialogue.acts import Act
from arrears.dialogue.failures import Failure, failure_told
from arrears.models.usage import Usage
from arrears.strategies import Seat
from arrears.terms import Mandate, Terms

Ending = Literal["agreed", "max_turns", "walked_away", "malformed", "error"]
ENDINGS: tuple[Ending, ...] = ("agreed", "max_turns", "walked_away", "malformed", "error")

Effect = Literal[
    "asked",  # the value became the side's live ask
    "sealed",  # the value stands agreed
    "reopened",  # the ask differed from the seal and opened it again
    "kept",  # the ask repeated the sealed value; the seal stays
    "counted_as_ask",  # an accept of what the other side had not asked
    "withdrawn",  # the other side's ask, and any seal, fell
    "no_effect",  # a reject of a value that was not on the table
    "outside_mandate",  # would have sealed, but the creditor's limits forbid it
    "none",  # non, leave
]


@dataclass(frozen=True, slots=True)
class Note:
    """What a module beside the speaker had to say on a turn. It never reaches the other side."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    role: Literal["planner", "judge", "draft"]
    """`draft` is the speaker's own first version, where a judge made it write another."""
    text: str
    usage: Usage | None = None
    """Tokens, where a model spoke; those of a draft are counted with its turn."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of one seat, whole: what was said and what stays with the seat."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    seat: Seat
    """Who wrote it."""
    dialogue: str
    """What the other side hears."""
    acts: tuple[Act, ...]
    """What the other side sees done; never empty (`non` is an act)."""
    thoughts: str = ""
    """Private to the seat."""
    strategy: str | None = None
    """Key of the strategy that the seat named; private to the seat."""
    number: int = 0
    """The exchange, from 1; set by the loop."""
    effects: tuple[Effect, ...] = ()
    """What each act did on the ledger; set by the loop."""
    repairs: tuple[str, ...] = ()
    """Readable notes of what the parser had to mend."""
    usage: Usage | None = None
    """Tokens of the speaker, all its tries together, where a model spoke."""
    reasoning: str = ""
    """What a model wrote before its message, in a block of its own; private to the seat."""
    notes: tuple[Note, ...] = ()
    """What planner and judge said on the way to this message; private to the seat."""
    private: Mapping[str, float | str | bool | None] = field(default_factory=dict)
    """What a built-in seat felt and believed. For reports; never for a seat or a judge."""


class Dialogue(BaseModel):
    """One negotiation from first word to ending: the unit of storage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    """Unique within a run: `suite/collector/debtor seat/debtor/repeat`."""
    suite: str
    """Where the debtor comes from."""
    debtor_id: str
    """The debtor's id within the suite."""
    collector: str
    """The collector seat's spec, for example `scripted/firm`."""
    debtor_seat: str
    """The debtor seat's spec, for example `scripted/debtor`."""
    mandate: Mandate
    """The limits under which the collector negotiated."""
    turns: tuple[Turn, ...]
    """Every message in order."""
    ending: Ending
    """How it ended."""
    terms: Terms | None
    """The agreement; None unless `ending` is `agreed`."""
    detail: str = ""
    """Why, for `malformed` and `error`."""
    failure: Failure | None = Field(default=None, exclude_if=lambda found: found is None)
    """Who failed; None unless `ending` is `error`, and in dialogues of an older arrears."""

    @property
    def failed(self) -> Failure | None:
        """Who failed where it ended as `error`, from outside the negotiation; else None."""
        if self.ending != "error":
            return None
        return self.failure or failure_told(self.detail)

    @property
    def exchanges(self) -> int:
        """Number of turns as the papers count them (AT): collector messages."""
        return self.turns[-1].number if self.turns else 0


DIALOGUE_ADAPTER: TypeAdapter[Dialogue] = TypeAdapter(Dialogue)


def as_line(dialogue: Dialogue) -> bytes:
    """A dialogue as it is stored: one line of JSON, its newline included."""
    return DIALOGUE_ADAPTER.dump_json(dialogue) + b"\n"
