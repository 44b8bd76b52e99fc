"""What a server turns down of a request's optional parts, and how it is asked since.

Servers differ in what they take, and change it: a temperature, a seed, one of two names for the
limit of an answer, a JSON schema, a system message. A refusal that names such a part is no answer
to what was asked. The request is sent again without the part, and where that is taken, so are all
that follow. Every change leaves less that could be changed, so there are few of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from arrears.models.chat import Message, Sampling
from arrears.models.providers import Endpoint
from arrears.models.transport import Fault

_REFUSED: Final = (400, 422)
_LIMITS: Final = ("max_tokens", "max_completion_tokens")
# What was asked is refused, or is too long: no part of a request can be left out for that.
_ABOUT_WORDS: Final = re.compile(
    r"content.?(?:filter|policy|management)|moderation|context.?(?:length|window|size)",
    re.IGNORECASE,
)
# The value is refused and not the part: it is for the user to choose another one.
_RANGE: Final = re.compile(
    r"too (?:large|high|big|long|low|small)|at (?:most|least)|between|\brange\b|maximum|minimum"
    r"|(?:less|greater|more|higher|lower) than|must be (?:in|within|strictly|positive|[<>])"
    r"|exceeds?|[<>]=?\s*\d",
    re.IGNORECASE,
)
_ONLY_ONE: Final = re.compile(r"\bonly\D{0,24}\b1(?:\.0+)?\b", re.IGNORECASE)
_SYSTEM: Final = re.compile(
    r"\bsystem['\"`]?[ _]?(?:role|message|prompt|instruction)|\brole\b.{0,40}\bsystem\b"
    r"|developer instruction|roles must alternate",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How requests are written for one server."""

    temperature: Literal["as asked", "1", "left out"] = "as asked"
    seed: bool = True
    """Whether a seed is sent, where the endpoint takes one at all."""
    other_limit: bool = False
    """Whether the limit of an answer goes by the other one of its two names."""
    system: bool = True
    """Whether there is a system message; else its text begins the first message of the user."""
    no_schema: frozenset[str] = frozenset()
    """Names of the schemas that are not sent; the prompt asks for JSON too."""

    def limit_field(self, endpoint: Endpoint) -> str:
        """The name by which the limit of an answer is sent."""
        field = endpoint.max_tokens_field
        return _LIMITS[field == _LIMITS[0]] if self.other_limit else field

    def joined(self, other: "Dialect") -> "Dialect":
        """Without all that either of the two leaves out."""
        rank = {"as asked": 0, "1": 1, "left out": 2}
        return Dialect(
            max(self.temperature, other.temperature, key=lambda sent: rank[sent]),
            self.seed and other.seed,
            self.other_limit or other.other_limit,
            self.system and other.system,
            self.no_schema | other.no_schema,
        )

    def written(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Messages as they are sent."""
        if self.system or not _has_system(messages):
            return messages
        system, first, *rest = messages
        whole = f"{system['content']}\n\n{first['content']}"
        return [Message(role="user", content=whole), *rest]


PLAIN: Final = Dialect()
"""Of a server that has turned nothing down yet."""


class Change(NamedTuple):
    """A request written in another way."""

    dialect: Dialect
    told: str
    """What the server does not take, and what is done about it."""


def change_after(
    fault: Fault,
    dialect: Dialect,
    endpoint: Endpoint,
    messages: Sequence[Message],
    sampling: Sampling,
) -> Change | None:
    """How to ask again after a refusal; None where no part of the request was to blame."""
    if fault.status not in _REFUSED or _ABOUT_WORDS.search(fault.words):
        return None

    def named(part: str) -> bool:
        return fault.names == part or re.search(rf"\b{part}\b", fault.words, re.I) is not None

    value_refused = _RANGE.search(fault.words) is not None
    if dialect.seed and endpoint.takes_seed and sampling.seed is not None and named("seed"):
        return Change(replace(dialect, seed=False), "takes no seed; none is sent")
    if endpoint.takes_temperature and dialect.temperature != "left out" and named("temperature"):
        if dialect.temperature == "as asked" and _ONLY_ONE.search(fault.words):
            return Change(replace(dialect, temperature="1"), "takes temperature 1 only; 1 is sent")
        if not value_refused:
            left_out = replace(dialect, temperature="left out")
            return Change(left_out, "takes no temperature; none is sent")
    field = dialect.limit_field(endpoint)
    if not dialect.other_limit and not value_refused and named(field):
        other = replace(dialect, other_limit=True)
        told = f"takes no {field}; {other.limit_field(endpoint)} is sent instead"
        return Change(other, told)
    if dialect.system and _has_system(messages) and _SYSTEM.search(fault.words):
        told = "takes no system message; its text begins the first message of the user"
        return Change(replace(dialect, system=False), told)
    schema = sampling.schema
    if schema is not None and schema.name not in dialect.no_schema and endpoint.schema != "none":
        # Refusals of a schema come in too many words to know them.
        without = replace(dialect, no_schema=dialect.no_schema | {schema.name})
        return Change(without, f"does not take the JSON schema {schema.name!r}; the prompt asks")
    return None


def advice_for(fault: Fault) -> str:
    """The option by which a user gets past a refused value; "" where there is none."""
    if fault.status not in _REFUSED or not _RANGE.search(fault.words):
        return ""
    if re.search(r"\btemperature\b", fault.words, re.I):
        return "; give another --temperature"
    if any(re.search(rf"\b{field}\b", fault.words, re.I) for field in _LIMITS):
        return "; give another --max-tokens"
    return ""


def _has_system(messages: Sequence[Message]) -> bool:
    roles = [message["role"] for message in messages[:2]]
    return roles == ["system", "user"]
