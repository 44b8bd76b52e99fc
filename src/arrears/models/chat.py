"""What every model is to the rest of the house: messages in, a completion out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol, TypedDict

from arrears.models.reasoning import split_reasoning as split_reasoning
from arrears.models.usage import Usage

Role = Literal["system", "user", "assistant"]


class Message(TypedDict):
    """One message of a conversation, as the protocol has it."""

    role: Role
    content: str


class Schema(NamedTuple):
    """A JSON schema that the answer should follow, where the server can be asked for one."""

    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn."""

    temperature: float = 0.0
    seed: int | None = None
    """Which draw this is: calls that are to be drawn apart have different ones. It is sent where
    the endpoint takes a seed, and is part of the cache's key where it takes none."""
    max_tokens: int | None = None
    """Of the answer; None: 1,024, and 4,096 for a model that reasons first."""
    schema: Schema | None = None
    drawn: tuple[str, str] | None = None
    """Only what lies between these two texts is drawn at the temperature; before and behind, the
    likeliest token is taken. For local models alone; others take no notice."""

    def second(self) -> "Sampling":
        """The same for a second draw of what may be the very same request: another seed."""
        return self if self.seed is None else replace(self, seed=self.seed ^ 1)


class Completion(NamedTuple):
    """One answer."""

    text: str
    """Without any reasoning block; may be empty."""
    reasoning: str
    """What the model wrote before its answer, "" where it wrote none."""
    usage: Usage
    cut: bool = False
    """The answer ended because it had reached its most tokens."""


class ChatModel(Protocol):
    """One model. A backend implements this and nothing more."""

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """The answer to a conversation. ModelError where none could be had."""


class Purpose(NamedTuple):
    """What a call is made for: by this it is counted."""

    case: str
    seat: str
    role: str
    """`speaker`, `planner`, `judge`, or the kind of a score."""
