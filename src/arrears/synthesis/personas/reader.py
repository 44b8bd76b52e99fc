"""`scripted/reader`: the built-in extractor, which answers as a model would, without one.

It has listened to talks of the built-in seats with people that it knew, and learned which words and
tones go with which person: linear models over words, tones and strategies. So it reads the built-in
debtor, in English, and nobody else; for that it is a yardstick: what can be told from these talks
by words alone. Where it can't tell it says `unknown`.
"""

import re
from collections.abc import Coroutine, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrears.agents.registry import COLLECTORS, make_collector, make_debtor_seat
from arrears.debtors.distributions import distributions
from arrears.debtors.life import describe
from arrears.debtors.persona import voice_family
from arrears.debtors.population import make_population
from arrears.debtors.record import EMOTIONS, RESILIENCE_LEVELS, Debtor
from arrears.dialogue.loop import negotiate
from arrears.dialogue.tone import TONES, hear, recognise
from arrears.rng import Draws, rng_for
from arrears.strategies import strategies
from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.extras import one_thread
from arrears.synthesis.personas.attributes import UNKNOWN
from arrears.synthesis.personas.draft import COGNITION
from arrears.terms import Mandate

READER: Final = "scripted/reader"
_TALKS: Final = 3_000
_SEED: Final = 1_000_003
"""Of the people that it has listened to: no suite has them."""
_NUMBERS: Final = (*EMOTIONS, "resilience", *COGNITION)
_SURE: Final = 0.62
"""A letter of a type is told from this probability on."""
_DIRECTIONS: Final = 150
_ALPHAS: Final = (1.0, 3.0, 10.0, 30.0)
_TELLS: Final = 0.15
"""A number that correlates less with what it is guessed from, over fresh talks, is unknown."""
_CHARACTERS: Final = 3
_QUOTE: Final = 80
# Which tones show what; the utterance with most of them is the evidence.
_SHOWN_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "category": ("anger", "evasion", "sadness", "willingness"),
    "character": ("anger", "blame", "fear", "willingness"),
    "emotions": ("anger", "fear", "sadness", "abuse"),
    "resilience": ("anger", "fear", "sadness", "abuse"),
    "style": ("evasion", "anger", "sadness", "gratitude"),
    "legal_awareness": ("legal_threat", "complaint"),
    "financial_literacy": ("offer", "facts"),
    "responsibility": ("blame", "willingness", "ethics_appeal"),
    "credit_awareness": ("ethics_appeal", "facts"),
    "mbti": ("disclosure", "evasion"),
}


class Reading(NamedTuple):
    """What it makes of one conversation."""

    category: str
    numbers: Mapping[str, float]
    """Emotions 0 … 10; resilience and cognition 1 … 5; not rounded."""
    families: Mapping[str, float]
    """Probability of each voice family."""
    letters: tuple[float, float, float, float]
    """Probability of E, S, T and J."""
    reason: str
    """Kind, or `unknown` where no sentence tells."""
    told: str
    """That sentence."""
    heard: frozenset[str]
    """The numbers that can be told from talks at all; the others are guesses."""

    @property
    def family(self) -> str:
        """The likeliest voice family."""
        return max(self.families, key=lambda name: self.families[name])


class Reader:
    """Reads conversations of the built-in debtor. Making one takes some seconds."""

    def __init__(self, talks: int = _TALKS) -> None:
        people, heard = _listen(talks)
        with one_thread():
            self._learn(people, heard)

    def _learn(self, people: Sequence[Debtor], heard: Sequence[Conversation]) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression, RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        def words() -> Any:
            counted = TfidfVectorizer(ngram_range=(1, 2), min_df=5, sublinear_tf=True)
            # The few directions that matter; all ten thousand columns take a minute to fit.
            return make_pipeline(counted, TruncatedSVD(_DIRECTIONS, random_state=0))

        self._words, self._first, self._scale = words(), words(), StandardScaler()
        self._words.fit([_text(t) for t in heard])
        self._first.fit([_text(t, 2) for t in heard])
        self._scale.fit(np.array([_sound(t) for t in heard]))
        seen = self._features(heard)
        numbers = np.array([_numbers(person) for person in people])
        fresh = len(heard) * 4 // 5
        tried = RidgeCV(alphas=_ALPHAS).fit(seen[:fresh], numbers[:fresh])
        guessed = tried.predict(seen[fresh:])
        pairs = zip(guessed.T, numbers[fresh:].T, strict=True)
        told = [float(np.corrcoef(a, b)[0, 1]) for a, b in pairs]
        self.heard = frozenset(n for n, r in zip(_NUMBERS, told, strict=True) if r >= _TELLS)
        self._numbers = RidgeCV(alphas=_ALPHAS).fit(seen, numbers)

        def classes(values: Sequence[Any]) -> Any:
            return LogisticRegression(C=1.0, max_iter=400).fit(seen, values)

        self._category = classes([person.category for person in people])
        self._reasons = _reason_reader(people, heard)
        persons = [person.personality for person in people if person.personality is not None]
        self._family = classes([voice_family(person.style) for person in persons])
        self._letters = [
            classes([person.mbti[place] == letter for person in persons])
            for place, letter in enumerate("ESTJ")
        ]

    def read(self, talks: Sequence[Conversation]) -> tuple[Reading, ...]:
        """Readings of conversations, in order."""
        with one_thread():
            return self._read(talks)

    def _read(self, talks: Sequence[Conversation]) -> tuple[Reading, ...]:
        seen = self._features(talks)
        numbers = self._numbers.predict(seen)
        letters = np.column_stack([model.predict_proba(seen)[:, 1] for model in self._letters])
        return tuple(
            Reading(
                str(category),
                dict(zip(_NUMBERS, row.tolist(), strict=True)),
                dict(zip(self._family.classes_.tolist(), family.tolist(), strict=True)),
                (float(four[0]), float(four[1]), float(four[2]), float(four[3])),
                *self._reason(talk),
                self.heard,
            )
            for talk, category, row, family, four in zip(
                talks,
                self._category.predict(seen),
                numbers,
                self._family.predict_proba(seen),
                letters,
                strict=True,
            )
        )

    def _reason(self, talk: Conversation) -> tuple[str, str]:
        """The surest sentence about a reason: kind and sentence."""
        said = [part for text in talk.of("debtor") for part in _sentences(text)]
        if not said:
            return UNKNOWN, ""
        odds = self._reasons.predict_proba(said)
        kinds = list(self._reasons.classes_)
        odds[:, kinds.index(UNKNOWN)] = 0.0
        at = int(odds.max(axis=1).argmax())
        if odds[at].max() < _SURE:
            return UNKNOWN, ""
        return str(kinds[int(odds[at].argmax())]), said[at]

    def _features(self, talks: Sequence[Conversation]) -> NDArray[np.float64]:
        sound = self._scale.transform(np.array([_sound(t) for t in talks])) / 4
        parts = (
            self._words.transform([_text(t) for t in talks]),
            self._first.transform([_text(t, 2) for t in talks]),
            sound,
        )
        return np.hstack(parts)


def _reason_reader(people: Sequence[Debtor], heard: Sequence[Conversation]) -> Any:
    """Kinds of reasons by sentence, learned from what people were given to tell, and from what else
    they said.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, kinds = [], []
    for person, talk in zip(people, heard, strict=True):
        reason = person.finances.overdue_reason
        texts.append(reason.text)
        kinds.append(reason.category)
        other = [s for text in talk.of("debtor") for s in _sentences(text)]
        other = [s for s in other if s not in reason.text and reason.text not in s]
        texts += other[:3]
        kinds += [UNKNOWN] * len(other[:3])
    counted = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    return make_pipeline(counted, LogisticRegression(C=20.0, max_iter=200)).fit(texts, kinds)


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+", text) if part.strip()]


@cache
def built_in() -> Reader:
    """The reader, trained once a process."""
    return Reader()


def answers(reading: Reading, talk: Conversation) -> dict[str, dict[str, Any]]:
    """By attribute: the JSON object that a model would answer."""
    n = reading.numbers
    marks = {
        name: within(n[name], 0, 10) if name in reading.heard else UNKNOWN for name in EMOTIONS
    }
    letters = [
        pair[0] if p >= 0.5 else pair[1]
        for pair, p in zip(("EI", "SN", "TF", "JP"), reading.letters, strict=True)
    ]
    sure = all(max(p, 1 - p) >= _SURE for p in reading.letters)
    level = RESILIENCE_LEVELS[within(n["resilience"], 1, 5) - 1]
    found: dict[str, dict[str, Any]] = {
        "category": {"category": reading.category},
        "character": {"character": _characters(n)},
        "mbti": {"mbti": "".join(letters) if sure else UNKNOWN},
        "emotions": dict(marks),
        "resilience": {"resilience": level},
        "style": {"style": [style_of_family(reading.family)]},
        "scenario": {"work": UNKNOWN, "household": UNKNOWN, "story": UNKNOWN},
    }
    for name in COGNITION:
        if name not in reading.heard:
            found[name] = {"level": UNKNOWN, "description": ""}
            continue
        mark = within(n[name], 1, 5)
        found[name] = {"level": mark, "description": described(name, mark, talk.id)}
    found["reason"] = {"category": reading.reason, "text": reading.told}
    for name, answer in found.items():
        nothing = all(value in (UNKNOWN, "") for value in answer.values())
        if nothing:
            answer["evidence"] = ""
        else:
            shown = reading.told if name == "reason" else _evidence(name, talk)
            answer["evidence"] = shown[:_QUOTE]
    return found


def _evidence(name: str, talk: Conversation) -> str:
    """The beginning of the utterance that shows most of what an attribute is shown by."""
    shown = _SHOWN_BY[name]
    said = talk.of("debtor")

    def loudness(text: str) -> float:
        tone = hear(text)
        return sum(float(getattr(tone, name)) for name in shown)

    return max(said, key=loudness)[:_QUOTE] if said else ""


def _listen(count: int) -> tuple[list[Debtor], list[Conversation]]:
    """Built-in talks with people of the built-in population; those without a word left out."""

    async def talk(i: int, debtor: Debtor) -> Conversation:
        spec = COLLECTORS[i % len(COLLECTORS)]
        dialogue = await negotiate(
            case=debtor.id,
            suite="reader",
            debtor=debtor,
            collector=make_collector(
                spec, rng_for(_SEED, i, "collector"), debtor.background, Mandate()
            ),
            debtor_seat=make_debtor_seat("scripted/debtor", rng_for(_SEED, i, "debtor"), debtor),
            collector_spec=spec,
            debtor_spec="scripted/debtor",
        )
        said = tuple(Utterance(t.seat, t.dialogue) for t in dialogue.turns)
        return Conversation(debtor.id, said)

    people = list(make_population("debtbench", count, _SEED))

    return people, [_at_once(talk(i, debtor)) for i, debtor in enumerate(people)]


def _at_once(talk: Coroutine[Any, Any, Conversation]) -> Conversation:
    """Built-in seats never wait: no loop is needed, and one may be running already."""
    try:
        talk.send(None)
    except StopIteration as done:
        found: Conversation = done.value
        return found
    raise AssertionError("a built-in seat waited for something")


def _numbers(debtor: Debtor) -> list[float]:
    person, mind = debtor.personality, debtor.cognition
    assert person is not None
    assert mind is not None
    return [
        *(float(getattr(person.emotions, name)) for name in EMOTIONS),
        1.0 + RESILIENCE_LEVELS.index(person.emotional_resilience),
        *(float(getattr(mind, name).level) for name in COGNITION),
    ]


def _text(talk: Conversation, first: int | None = None) -> str:
    return " \n ".join(talk.of("debtor")[:first])


def _sound(talk: Conversation) -> NDArray[np.float64]:
    """Tones (mean, most, first, last), strategies, and lengths of what the debtor said."""
    said = talk.of("debtor") or ("",)
    tones = np.array([hear(text)[: len(TONES)] for text in said], dtype=float)
    names = list(strategies("debtor"))
    used = np.zeros(len(names))
    for text in said:
        used[names.index(recognise(text, "debtor"))] += 1 / len(said)
    lengths = np.array([len(text.split()) for text in said], dtype=float)
    return np.concatenate(
        [
            tones.mean(axis=0), tones.max(axis=0), tones[0], tones[-1], used,
            [len(said), lengths.mean(), lengths.std()],
        ]
    )  # fmt: skip


def within(value: float, low: int, high: int) -> int:
    """Rounded, and not beyond the ends of its scale."""
    return int(min(high, max(low, round(value))))


def _characters(numbers: Mapping[str, float]) -> list[str]:
    """The words that the population's own pulls would most likely give such a person."""
    d = distributions()
    latents = []
    for name in d.latents:
        if name in EMOTIONS:
            latents.append((numbers[name] - d.emotions[name]["mean"]) / d.emotions[name]["sd"])
        else:
            latents.append(numbers[name] - 3.0)
    pulled = sorted(
        d.characters, key=lambda word: -sum(weight * latents[i] for i, weight in word.on)
    )
    chosen: list[str] = []
    for word in pulled:
        if len(chosen) == _CHARACTERS:
            break
        if not any(word.text in d.excluded[other] for other in chosen):
            chosen.append(word.text)
    return chosen


def style_of_family(family: str) -> str:
    """A way of speaking that stands for a voice family."""
    return next(word.text for word in distributions().styles if word.family == family)


def described(name: str, level: int, address: str) -> str:
    """A sentence for a level of a cognitive attribute; the same for the same address."""
    return describe(Draws(rng_for(_SEED, address, name)), name, level)
