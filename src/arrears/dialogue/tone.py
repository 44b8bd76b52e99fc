"""The ear: what a listener perceives in a message from its words alone.

`hear` finds cues, words and short phrases with a weight on a tone, and adds them up; `recognise`
says which strategy the words amount to. Both know nothing of the seat's own labels, so they hear
a built-in agent, a model and a person alike. The cues are data (`tone.yaml`).
"""

from functools import cache, lru_cache
from typing import Final, NamedTuple

from arrears.dialogue.cues import Lexicon, Mark, load_lexicon, plain_words
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
_RESPECT, _ABUSE, _QUESTION, _ANGER = map(TONES.index, ("respect", "abuse", "question", "anger"))
_REACH: Final = 8  # words a negation reaches at most, itself included; a clause ends it sooner
_NEGATED: Final = 0.1  # what a negated cue still weighs: the thing was mentioned


# Looked up once: a member of an enumeration costs a Python call with every access.
_NEGATION_MARK, _TOPIC_MARK, _ASKING_MARK, _OR_MARK, _CLAUSE_MARK, _QUESTION_MARK = map(
    int, (Mark.NEGATION, Mark.TOPIC, Mark.ASKING, Mark.OR, Mark.CLAUSE, Mark.QUESTION)
)


@cache
def _lexicon() -> Lexicon:
    return load_lexicon(TONES)


@lru_cache(maxsize=256)
def hear(text: str) -> Tone:
    """The tone of a message in English or Chinese. Pure: the same text always sounds the same."""
    levels = [0.0] * _COUNT
    lexicon = _lexicon()
    words = plain_words(text)
    abused = _listen(words, lexicon, levels)
    length = len(words)
    if not text.isascii() and max(text) >= "\u3400":
        more, length = _listen_chinese(text, lexicon, levels)
        abused += more
    if levels[_ANGER]:
        levels[_ANGER] += 0.08 * text.count("!")
    levels[_RESPECT] = max(0.0, levels[_RESPECT] - levels[_ABUSE])
    if max(levels) > 1.0:
        levels = [x if x < 1.0 else 1.0 for x in levels]
    return Tone._make([*levels, abused, length])


def recognise(text: str, seat: Seat) -> str:
    """Key of the strategy of that seat that the words amount to.

    The strategy whose weighted tones sum highest; the seat's default where nothing is heard.
    """
    tone = hear(text)
    rule = _lexicon().rules[seat]
    best, key = rule.floor, rule.default
    for strategy, weights in rule.scores:
        score = 0.0
        for index, weight in weights:
            score += weight * tone[index]
        if score > best:
            best, key = score, strategy
    return key


def _listen(words: list[str], lexicon: Lexicon, levels: list[float]) -> int:
    """Add the cues of a sequence of words to the levels; the number of abusive ones.

    At each place the longest phrase counts, and its words are spent. A question counts as such
    where what is asked about (`topic`) and the asking stand in one sentence.
    """
    find = lexicon.roots.get
    words.append(".")
    spent, negated, abused, topic, asking = 0, 0, 0, 0.0, False
    for at, word in enumerate(words):
        if at < spent:
            continue
        node = find(word)
        if node is None:
            continue
        children, cue = node
        stop = after = at + 1
        # The full stop that was appended begins no longer phrase, so no index runs over.
        while children:
            node = children.get(words[after])
            if node is None:
                break
            children, here = node
            after += 1
            if here is not None:
                cue, stop = here, after
        if cue is None:
            continue
        mark, weighed = cue
        if weighed:
            share = 1.0 if at >= negated else _NEGATED
            for index, weight in weighed:
                levels[index] += share * weight
                if index == _ABUSE and at >= negated:
                    abused += 1
        if mark:
            if mark == _NEGATION_MARK:
                negated = at + _REACH
            elif mark == _TOPIC_MARK:
                topic += 0.35
            elif mark == _ASKING_MARK:
                asking = True
            elif mark == _OR_MARK:
                negated = at + _REACH if negated else 0
            else:
                negated = 0
                if mark != _CLAUSE_MARK:
                    if asking or mark == _QUESTION_MARK:
                        levels[_QUESTION] += topic
                    topic, asking = 0.0, False
        spent = stop
    words.pop()
    return abused


def _listen_chinese(text: str, lexicon: Lexicon, levels: list[float]) -> tuple[int, int]:
    """The same by substrings, for text without spaces; abusive cues and length in characters."""
    abused, topic, asking = 0, 0.0, False
    for cue, (mark, weighed) in lexicon.chinese:
        place = text.find(cue)
        if place < 0:
            continue
        denied = any(no in text[max(0, place - 3) : place] for no in "不没别勿")
        for index, weight in weighed:
            levels[index] += weight * (_NEGATED if denied else 1.0)
            abused += index == _ABUSE and not denied
        topic += 0.35 * (mark == _TOPIC_MARK)
        asking |= mark == _ASKING_MARK
    if asking or "?" in text or "？" in text:
        levels[_QUESTION] += topic
    return abused, sum(char >= "\u3400" for char in text)
