"""The ear: what a listener perceives in a message from its words alone.

`hear` finds cues, words and short phrases with a weight on a tone, and adds them up; `recognise`
says which strategy the words amount to. Both know nothing of the seat's own labels, so they hear
a built-in agent, a model and a person alike. The cues are data (`tone.yaml`).
"""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final, NamedTuple

import numpy as np

from arrears.dialogue.cues import Lexicon, Mark, load_lexicon, plain_text
from arrears.strategies import Seat


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
    """Number of abusive cues heard, not counting negated ones."""
    words: int = 0
    """Length in words; in characters where the text is Chinese."""


TONES: Final = Tone._fields[:-2]
_COUNT: Final = len(TONES)
_RESPECT, _ABUSE, _QUESTION = map(TONES.index, ("respect", "abuse", "question"))
# As the compiled ear takes them.
_PLACES: Final = (_COUNT, _ABUSE, _QUESTION, TONES.index("anger"), _RESPECT)


class _Ear(NamedTuple):
    """What `hear` needs, loaded once."""

    lexicon: Lexicon
    listen: Callable[..., tuple[np.ndarray, int, int]]
    table: np.ndarray
    weights: np.ndarray


@cache
def _ear() -> _Ear:
    # Compiled code takes a moment to load; nothing that does not listen should wait for it.
    from arrears.dialogue.ear import listen, packed

    lexicon = load_lexicon(TONES)
    return _Ear(lexicon, listen, *packed(dict(lexicon.roots)))


@lru_cache(maxsize=256)
def hear(text: str) -> Tone:
    """The tone of a message in English or Chinese. Pure: the same text always sounds the same."""
    ear = _ear()
    plain = text if text.isascii() else plain_text(text)
    heard, abused, length = ear.listen(
        np.frombuffer(plain.encode(), dtype=np.uint8), ear.table, ear.weights, _PLACES
    )
    levels = heard.tolist()
    if plain is not text and max(text) >= "\u3400":
        more, length = _listen_chinese(text, ear.lexicon, levels)
        abused += more
        levels[_RESPECT] = max(0.0, levels[_RESPECT] - levels[_ABUSE])
        levels = [min(level, 1.0) for level in levels]
    return Tone._make([*levels, abused, length])


def recognise(text: str, seat: Seat) -> str:
    """Key of the strategy of that seat that the words amount to.

    The strategy whose weighted tones sum highest; the seat's default where nothing is heard.
    """
    tone = hear(text)
    rule = _ear().lexicon.rules[seat]
    best, key = rule.floor, rule.default
    for strategy, weights in rule.scores:
        if not tone[weights[0][0]] and weights[1:] and weights[1][1] < 0:
            continue  # Its one tone is silent; what is left only speaks against it.
        score = 0.0
        for index, weight in weights:
            score += weight * tone[index]
        if score > best:
            best, key = score, strategy
    return key


def _listen_chinese(text: str, lexicon: Lexicon, levels: list[float]) -> tuple[int, int]:
    """The same by substrings, for text without spaces; abusive cues and length in characters."""
    abused, topic, asking = 0, 0.0, False
    for cue, (mark, weighed) in lexicon.chinese:
        place = text.find(cue)
        if place < 0:
            continue
        denied = any(no in text[max(0, place - 3) : place] for no in "不没别勿")
        for index, weight in weighed:
            levels[index] += weight * (0.1 if denied else 1.0)
            abused += index == _ABUSE and not denied
        topic += 0.35 * (mark == Mark.TOPIC)
        asking |= mark == Mark.ASKING
    if asking or "?" in text or "？" in text:
        levels[_QUESTION] += topic
    return abused, sum(char >= "\u3400" for char in text)
