"""What the seats of a set of talks do and how they sound, each with an interval over debtors.

A row of each table is one debtor with all its dialogues, so that a bootstrap draws whole debtors;
where nobody knows whose a dialogue is, it is one dialogue.
"""

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np

from arrears.dialogue.tone import hear
from arrears.scoring.statistics import Floats, Interval, bootstrap, share
from arrears.strategies import Seat
from arrears.synthesis.realism.talks import Talk
from arrears.synthesis.realism.words import count, tokens

MANNERS: Final = ("please", "thanks", "sorry", "insults", "curses")


def lengths(talks: Sequence[Talk], seat: Seat, rng: np.random.Generator) -> dict[str, Interval]:
    """Tokens of a message: mean, standard deviation, and three quantiles without an interval."""
    by_talk = [[len(tokens(s.text)) for s in talk.said if s.seat == seat] for talk in talks]
    if not any(by_talk):
        return {}
    sums = _by_debtor([[len(c), sum(c), sum(n * n for n in c)] for c in by_talk], talks)
    sums = sums[sums[:, 0] > 0]

    def moments(table: Floats) -> Floats:
        n, total, squares = np.moveaxis(table.sum(axis=-2), -1, 0)
        mean = total / n
        return np.stack([mean, np.sqrt(np.maximum(squares / n - mean**2, 0.0))], axis=-1)

    mean, deviation = bootstrap(sums, moments, rng)
    low, middle, high = np.quantile([n for c in by_talk for n in c], [0.05, 0.5, 0.95])
    points = {"p5": low, "p50": middle, "p95": high}
    exact = {name: Interval(float(v), float(v), float(v)) for name, v in points.items()}
    return {"mean": mean, "sd": deviation, **exact}


def manners(talks: Sequence[Talk], seat: Seat, rng: np.random.Generator) -> dict[str, Interval]:
    """Polite and coarse words in 100 tokens. Insults are what the ear hears as abuse."""
    rows = []
    for talk in talks:
        texts = [s.text for s in talk.said if s.seat == seat]
        rows.append(
            [
                sum(len(tokens(text)) for text in texts),
                *(sum(_manner(kind, text) for text in texts) for kind in MANNERS),
            ]
        )
    return _ratios(_by_debtor(rows, talks), MANNERS, rng, 100.0)


def rudeness(talks: Sequence[Talk], seat: Seat) -> dict[str, Interval]:
    """Share of dialogues in which a seat insults or curses once at least, 0 … 1."""
    own = [[s.text for s in talk.said if s.seat == seat] for talk in talks]
    return _share(
        [
            [
                bool(texts),
                any(_manner(kind, text) for text in texts for kind in ("insults", "curses")),
            ]
            for texts in own
        ],
        talks,
    )


def _manner(kind: str, text: str) -> int:
    return hear(text).abuse_count if kind == "insults" else count(kind, text)


def push_back(talks: Sequence[Talk], seat: Seat, rng: np.random.Generator) -> dict[str, Interval]:
    """Share of a seat's turns that push back, and of the dialogues in which one does, 0 … 1.

    Nothing where no talk has acts.
    """
    talks = [t for t in talks if t.has_acts]
    own = [[s.pushes_back for s in t.said if s.seat == seat] for t in talks]
    return {
        **_ratios(_by_debtor([[len(t), sum(t)] for t in own], talks), ("turns",), rng, 1.0),
        **_share([[bool(t), any(t)] for t in own], talks),
    }


def act_entropy(talks: Sequence[Talk], seat: Seat, rng: np.random.Generator) -> dict[str, Interval]:
    """Entropy of the acts of a seat, bits: over kinds, and over kinds with their dimension.

    Nothing where no talk has acts.
    """
    talks = [t for t in talks if t.has_acts]
    acts = [[a for s in t.said if s.seat == seat for a in s.acts] for t in talks]
    whose = [t.unit for t in talks]
    terms = [[f"{a.kind} {a.dim}" for a in row] for row in acts]
    found = {
        "kinds": entropy([[a.kind for a in row] for row in acts], rng, whose),
        "kinds and terms": entropy(terms, rng, whose),
    }
    return {name: value for name, value in found.items() if value is not None}


def strategy_entropy(
    talks: Sequence[Talk], seat: Seat, rng: np.random.Generator
) -> Interval | None:
    """Entropy of the strategies that a seat named, bits; None where it named none."""
    named = [[s.strategy for s in t.said if s.seat == seat and s.strategy] for t in talks]
    whose = [talk.unit for talk in talks]
    return entropy([[str(key) for key in row] for row in named], rng, whose)


def ending_entropy(talks: Sequence[Talk], rng: np.random.Generator) -> Interval | None:
    """Entropy of how talks end, bits; None where nobody knows."""
    talks = [talk for talk in talks if talk.ending]
    return entropy([[talk.ending] for talk in talks], rng, [talk.unit for talk in talks])


def entropy(
    labels: Sequence[Sequence[str]],
    rng: np.random.Generator,
    whose: Sequence[Hashable] | None = None,
) -> Interval | None:
    """Shannon entropy of labels that come in dialogues, bits, as counted (no correction for small
    samples, which makes few talks look more uniform than they are). None without a label.

    `whose` names the debtor of each dialogue; without it each has a debtor of its own.
    """
    kinds = sorted({label for row in labels for label in row})
    if not kinds:
        return None
    counts = [[row.count(kind) for kind in kinds] for row in labels]
    table = _added(counts, range(len(labels)) if whose is None else whose)
    table = table[table.sum(axis=1) > 0]

    def bits(rows: Floats) -> Floats:
        counts = rows.sum(axis=-2)
        share = counts / counts.sum(axis=-1, keepdims=True)
        logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
        return np.asarray(-(share * logs).sum(axis=-1, keepdims=True) + 0.0)

    return bootstrap(table, bits, rng)[0]


def _by_debtor(rows: Sequence[Sequence[float]], talks: Sequence[Talk]) -> Floats:
    """A row for each debtor: the sum of those of its talks."""
    return _added(rows, [talk.unit for talk in talks])


def _added(rows: Sequence[Sequence[float]], whose: Sequence[Hashable]) -> Floats:
    """Rows of the same one added up, in the order in which they first occur."""
    places: dict[Hashable, int] = {}
    at = [places.setdefault(who, len(places)) for who in whose]
    table = np.zeros((len(places), len(rows[0]) if rows else 0))
    for place, row in zip(at, rows, strict=True):
        table[place] += row
    return table


def _share(rows: Sequence[Sequence[float]], talks: Sequence[Talk]) -> dict[str, Interval]:
    """Share of dialogues: rows of whether it counts, and whether it is one. None of 60 is no
    certainty, so the interval is Wilson's.
    """
    table = _by_debtor(rows, talks)
    if not table.size or not table[:, 0].any():
        return {}
    return {"dialogues": share(table[:, 1], table[:, 0])}


def _ratios(
    table: Floats, names: Sequence[str], rng: np.random.Generator, scale: float
) -> dict[str, Interval]:
    """`scale` times the sum of each further column over the sum of the first."""
    if not table.size or not table[:, 0].any():
        return {}
    table = table[table[:, 0] > 0]

    def ratios(rows: Floats) -> Floats:
        sums = rows.sum(axis=-2)
        return np.asarray(scale * sums[..., 1:] / sums[..., :1])

    return dict(zip(names, bootstrap(table, ratios, rng), strict=True))
