"""The ear: what a listener perceives in a message from its words alone.

`hear` finds cues, words and short phrases with a weight on a tone, and adds them up; `recognise`
says which strategy the words amount to. Both know nothing of the seat's own labels, so they hear
a built-in agent, a model and a person alike. The cues are data (`tone.yaml`).
"""

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final, NamedTuple

import yaml

from arrears.errors import BrokenFile
from arrears.strategies import Seat, strategies


class Tone(NamedTuple):
    """How a message sounds. Each tone 0 (absent) … 1 (unmistakable); the last two are counts."""

    warmth: float = 0.0
    """Empathy: a feeling is named, help is offered."""
    respect: float = 0.0
    """Politeness; abuse takes it away."""
    pressure: float = 0.0
    """Urgency, demands, ultimatums."""
    legal_threat: float = 0.0
    """Courts, lawsuits and enforcement are held out."""
    abuse: float = 0.0
    """Insults, harassment, threats of violence or of disclosure to family or employer."""
    ethics_appeal: float = 0.0
    """Promise, fairness, good name."""
    facts: float = 0.0
    """Amounts, days overdue, record, contract."""
    question: float = 0.0
    """The other side is asked about its finances or what happened."""
    identity: float = 0.0
    """It is asked or confirmed who is on the line."""
    trust: float = 0.0
    """The speaker introduces itself, can be verified, explains its purpose."""
    challenge: float = 0.0
    """A delay or a story is questioned, a commitment demanded."""
    offer: float = 0.0
    """Terms are proposed, accepted or refused."""
    clarity: float = 0.0
    """Consequences and options are explained plainly."""
    jargon: float = 0.0
    """Words that an ordinary reader would have to look up."""
    anger: float = 0.0
    """Irritation up to rage."""
    fear: float = 0.0
    """Worry about what may follow."""
    sadness: float = 0.0
    """Grief, exhaustion, shame."""
    evasion: float = 0.0
    """Nothing definite is said."""
    blame: float = 0.0
    """The debt is laid at somebody else's door."""
    complaint: float = 0.0
    """A complaint to a regulator, a platform or the press is held out."""
    willingness: float = 0.0
    """A wish to pay and to work it out."""
    hardship: float = 0.0
    """Illness, lost work, nothing left to live on."""
    gratitude: float = 0.0
    """Thanks."""
    disclosure: float = 0.0
    """The own situation is told, with its facts."""
    compliance: float = 0.0
    """A quick yes to everything."""
    abuse_count: int = 0
    """Number of abusive cues, each also in `abuse`."""
    words: int = 0
    """Length in words (for Chinese, in characters)."""


Cue = tuple[tuple[int, float], ...]
# Children by next word, the cue that ends here, and its length in words.
Node = tuple[dict[str, "Node"], Cue | None]

_TONES: Final = Tone._fields[:-2]
# Marks within the word pass that are no tones: what is asked about, a request, a negation.
_TOPIC, _ASKING, _NEGATION, _OR = range(len(_TONES), len(_TONES) + 4)
_MARKS: Final = (*_TONES, "topic", "asking", "negation", "or")
_ABUSE: Final = _TONES.index("abuse")
_QUESTION: Final = _TONES.index("question")
_RESPECT: Final = _TONES.index("respect")
_ANGER: Final = _TONES.index("anger")
_REACH = 4  # a negation covers this many positions, itself included
_NEGATED = 0.1  # what is left of a negated cue
_PLAIN = str.maketrans("!;:\n—–’‘“”\"()[]{}*_/…。！；？，：、", "... ..''         ...?,., ".ljust(0) or None) if False else None  # noqa: E501
