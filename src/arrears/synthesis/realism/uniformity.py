"""How much a set of talks repeats itself.

Variety grows with less text and falls with more, so every measure here takes samples of one fixed
size; sets of any size then compare, and a set that is too small for a sample has no value.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np

from arrears.scoring.statistics import Interval, mean_interval
from arrears.synthesis.extras import extra
from arrears.synthesis.realism.words import ngrams, tokens

BUDGET: Final = 2000
"""Tokens of a sample for distinct-n."""
REPEATED_AMONG: Final = 500
"""Utterances of a sample for exact repeats."""
SAMPLED: Final = 200
"""Most utterances that self-BLEU marks, one a dialogue."""
REFERENCES: Final = 50
"""Utterances of other dialogues that each of them is held against."""
SUBSAMPLES: Final = 100

Spoken = Sequence[Sequence[str]]
"""What one seat said: utterances by dialogue."""


def distinct(
    spoken: Spoken, rng: np.random.Generator, budget: int = BUDGET, most: int = 3
) -> list[Interval] | None:
    """distinct-1 … distinct-`most` (Li et al. 2016): different n-grams of all, 0 … 1.

    A sample takes whole dialogues in random order until `budget` tokens are reached, and is cut
    there; n-grams do not cross utterances. The value is the mean over samples and the interval
    holds 95 % of them: drawing dialogues with replacement, as a bootstrap does, would itself make
    repeats. None where there are fewer tokens than `budget`.
    """
    cut = [[tokens(text) for text in dialogue] for dialogue in spoken]
    if sum(len(words) for dialogue in cut for words in dialogue) < budget:
        return None
    shares = []
    for _ in range(SUBSAMPLES):
        left, sample = budget, []
        for at in rng.permutation(len(cut)):
            for words in cut[at]:
                sample.append(words[:left])
                left -= len(sample[-1])
            if not left:
                break
        shares.append([_distinct(sample, n) for n in range(1, most + 1)])
    return _spread(np.array(shares))


def _distinct(sample: Sequence[Sequence[str]], n: int) -> float:
    found = [gram for words in sample for gram in ngrams(words, n)]
    return len(set(found)) / len(found) if found else float("nan")


def repeats(
    spoken: Spoken, rng: np.random.Generator, among: int = REPEATED_AMONG
) -> Interval | None:
    """Share of `among` utterances, drawn at random, that another of them repeats word for word.

    The interval holds 95 % of the samples. None where there are fewer utterances.
    """
    said = [" ".join(tokens(text)) for dialogue in spoken for text in dialogue]
    said = [text for text in said if text]
    if len(said) < among:
        return None
    shares = []
    for _ in range(SUBSAMPLES):
        drawn = Counter(said[i] for i in rng.permutation(len(said))[:among])
        shares.append([sum(n for n in drawn.values() if n > 1) / among])
    return _spread(np.array(shares))[0]


def self_bleu(
    spoken: Spoken,
    rng: np.random.Generator,
    sampled: int = SAMPLED,
    references: int = REFERENCES,
    whose: Sequence[Hashable] | None = None,
) -> Interval | None:
    """Self-BLEU (Zhu et al. 2018), 0 … 100: how much an utterance is made of others' pieces.

    One utterance of each of at most `sampled` dialogues, held against `references` utterances, each
    from a different other dialogue: BLEU-4 over our tokens with sacreBLEU's exponential smoothing
    and effective order. The interval is a bootstrap over debtors; `whose` names the debtor of each
    dialogue; without it each has a debtor of its own. None where there are not `references`
    other dialogues.
    """
    own = [
        (who, kept)
        for who, dialogue in zip(whose or range(len(spoken)), spoken, strict=True)
        if (kept := [said for text in dialogue if (said := " ".join(tokens(text)))])
    ]
    cut = [kept for _, kept in own]
    if len(cut) <= references:
        return None
    bleu = extra("sacrebleu.metrics").BLEU(
        tokenize="none", smooth_method="exp", effective_order=True
    )

    def one(place: int) -> str:
        return cut[place][int(rng.integers(len(cut[place])))]

    marks, debtors = [], []
    for place in rng.permutation(len(cut))[:sampled]:
        others = rng.choice(len(cut) - 1, references, replace=False)
        against = [one(int(i) + (i >= place)) for i in others]
        marks.append(bleu.sentence_score(one(int(place)), against).score)
        debtors.append(own[place][0])
    return mean_interval(marks, rng, clusters=debtors)


def _spread(samples: np.ndarray) -> list[Interval]:
    """Mean and the middle 95 % of each column."""
    low, high = np.quantile(samples, [0.025, 0.975], axis=0)
    return [
        Interval(float(v), float(a), float(b))
        for v, a, b in zip(samples.mean(axis=0), low, high, strict=True)
    ]
