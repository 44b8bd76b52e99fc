"""What is to be said, before it is put into words: the seam between deciding and speaking.

A behavioural agent decides on a line; a voice finds the words. The acts of a line are the acts of
the message, so numbers said and numbers acted cannot differ.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from arrears.dialogue.acts import Act

Register = Literal["warm", "neutral", "firm"]
# What a collector makes of the debtor's last words.
Impression = Literal[
    "", "anger", "fear", "sadness", "vague", "hardship", "blame", "complaint", "willing"
]
Mood = Literal["angry", "afraid", "sad", "calm", "warm"]
Stage = Literal["", "open", "revise", "hold", "final"]
Gap = Literal["", "legal", "financial", "credit", "responsibility"]


class CollectorLine(NamedTuple):
    """A collector's message to be."""

    strategy: str
    """Key of the collector strategy."""
    register: Register
    """How it is said."""
    impression: Impression = ""
    """What to react to first, if anything."""
    acts: tuple[Act, ...] = ()
    """The acts, spoken with their numbers."""
    stage: Stage = ""
    """Where the bargaining is, when asks are among the acts."""
    used: int = 0
    """How often this strategy was used before in this talk."""
    greet: bool = False
    """The first message of the talk."""
    closing: bool = False
    """The acts complete the agreement: thank and sum up."""


class DebtorLine(NamedTuple):
    """A debtor's message to be."""

    strategy: str
    """Key of the debtor strategy."""
    mood: Mood
    """The feeling that carries the words."""
    heat: float = 0.5
    """How strongly it does, 0 … 1."""
    claims: Mapping[str, float] = {}
    """Facts told with the numbers claimed (not always the true ones), yuan: any of `assets`,
    `income` (a day), `expense` (a day); and, with any number, `reason`, `work`, `household`."""
    gap: Gap = ""
    """A gap in knowledge that shows."""
    acts: tuple[Act, ...] = ()
    """The acts, spoken with their numbers."""
    answers_identity: bool = False
    """The collector has asked who is on the line."""
    leaving: bool = False
    """These are the last words: the debtor hangs up."""
    used: int = 0
    """How often this strategy was used before in this talk."""
