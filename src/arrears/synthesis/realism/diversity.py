"""Sets of talks side by side: how uniform, how long, how polite, how contrary. Tables of it."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from arrears.bench.tables import Cell, Column, Figure, Measure, Table, TableRow, measured
from arrears.rng import rng_for
from arrears.scoring.statistics import Interval
from arrears.strategies import Seat
from arrears.synthesis.realism import conduct, uniformity
from arrears.synthesis.realism.talks import Talk
from arrears.synthesis.realism.words import tokens

SEATS: Final[tuple[Seat, ...]] = ("collector", "debtor")


class Section(NamedTuple):
    """One table of measures, and how to read it."""

    title: str
    measures: tuple[Measure, ...]
    reading: str


SECTIONS: Final = (
    Section(
        "Uniformity of words",
        (
            Measure("distinct-1", "distinct-1", "different words of all", 0, 3),
            Measure("distinct-2", "distinct-2", "different pairs of words of all", 0, 3),
            Measure("distinct-3", "distinct-3", "different triples of words of all", 0, 3),
            Measure("self-BLEU", "self-BLEU", "0 nothing shared … 100 the same words", 0, 1),
            Measure("repeats", "repeats %", "utterances said word for word twice", 0, 1, True),
        ),
        f"distinct-n is of {uniformity.BUDGET:,} tokens drawn by whole dialogues, over "
        f"{uniformity.SUBSAMPLES} draws; self-BLEU holds {uniformity.SAMPLED} utterances against "
        f"{uniformity.REFERENCES} of other dialogues each (BLEU-4, exponential smoothing); repeats "
        f"are of {uniformity.REPEATED_AMONG} utterances. So sets of any size compare, and one that "
        "is too small has a dash. People: high distinct-2 and -3, low self-BLEU; what they repeat "
        "word for word is short (a greeting, a yes).",
    ),
    Section(
        "Length of a message",
        (
            Measure("length mean", "mean", "tokens of a message", 0, 1),
            Measure("length sd", "sd", "standard deviation of that", 0, 1),
            Measure("length p5", "5 %", "5 % of messages are no longer", 0, 0),
            Measure("length p50", "50 %", "half of the messages are no longer", 0, 0),
            Measure("length p95", "95 %", "95 % of messages are no longer", 0, 0),
        ),
        "In tokens: words and numbers; in Chinese each character. People vary from a word to a "
        "paragraph, so look at the spread, not at the mean.",
    ),
    Section(
        "Manners, in 100 words",
        (
            *(
                Measure(f"manners {kind}", kind, f"{kind} in 100 tokens", 0, 2)
                for kind in conduct.MANNERS
            ),
            Measure("rude dialogues", "rude, % of talks", "with an insult or a curse", 0, 1, True),
        ),
        "please, thanks, sorry and curses are counted words; insults are what the ear hears as "
        "abuse. A debtor under pressure who is never rude is too polite to be a person.",
    ),
    Section(
        "What is done",
        (
            Measure("acts kinds", "acts, bits", "entropy over kinds of acts; 2.32 at most", 0, 2),
            Measure("acts kinds and terms", "acts and terms, bits", "3.81 at most", 0, 2),
            Measure("strategies", "strategies, bits", "entropy of the strategies named", 0, 2),
            Measure("endings", "endings, bits", "entropy of how talks end", 0, 2),
            Measure("push turns", "pushes back, % of turns", "of this seat's turns", 0, 1, True),
            Measure("push dialogues", "% of dialogues", "in which it does so once", 0, 1, True),
        ),
        "Entropy is 0 where always the same is done. A seat pushes back where it rejects, asks for "
        "something else than the other side's live wish, or leaves; what is refused in words alone "
        "is not seen. A dash where talks carry no acts, as those of a plain file.",
    ),
)

Figures = Mapping[str, Figure]
"""By the key of the measure; what has no value is not there."""


def measure(talks: Sequence[Talk], seat: Seat, seed: int = 1) -> Figures:
    """Everything that can be measured of a seat in a set of talks.

    The same talks give the same figures beside whatever else they stand.
    """

    def rng(what: str) -> np.random.Generator:
        return rng_for(seed, "diversity", seat, what)

    own = [(talk.unit, [s.text for s in talk.said if s.seat == seat]) for talk in talks]
    whose = [unit for unit, texts in own if texts]
    spoken = [texts for _, texts in own if texts]
    found: dict[str, Interval | None] = {}
    for n, share in enumerate(uniformity.distinct(spoken, rng("distinct")) or (), 1):
        found[f"distinct-{n}"] = share
    found["self-BLEU"] = uniformity.self_bleu(spoken, rng("self-bleu"), whose=whose)
    found["repeats"] = uniformity.repeats(spoken, rng("repeats"))
    for prefix, part in (
        ("length", conduct.lengths(talks, seat, rng("lengths"))),
        ("manners", conduct.manners(talks, seat, rng("manners"))),
        ("rude", conduct.rudeness(talks, seat)),
        ("acts", conduct.act_entropy(talks, seat, rng("acts"))),
        ("push", conduct.push_back(talks, seat, rng("push"))),
    ):
        found |= {f"{prefix} {name}": value for name, value in part.items()}
    found["strategies"] = conduct.strategy_entropy(talks, seat, rng("strategies"))
    found["endings"] = conduct.ending_entropy(talks, rng("endings"))
    return {key: Figure(value.value, *_ends(key, value)) for key, value in found.items() if value}


def _ends(key: str, value: Interval) -> tuple[float | None, float | None]:
    return (None, None) if key.startswith("length p") else value.ends


def diversity(sets: Mapping[str, Sequence[Talk]], seed: int = 1) -> dict[str, dict[str, Figures]]:
    """Figures by set and seat; a seat that says nothing in a set is left out."""
    return {
        name: {
            seat: measure(talks, seat, seed)
            for seat in SEATS
            if any(s.seat == seat for talk in talks for s in talk.said)
        }
        for name, talks in sets.items()
    }


def diversity_tables(
    sets: Mapping[str, Sequence[Talk]], figures: Mapping[str, Mapping[str, Figures]]
) -> list[Table]:
    """The tables, a row for each set and seat; intervals hold 95 %, over debtors where it is known
    whose each talk is.
    """
    lines = {
        f"{name}: {seat}": found for name, seats in figures.items() for seat, found in seats.items()
    }
    return [
        _sizes(sets),
        *(
            measured(s.title, s.title, "talks: seat", s.measures, lines, note=s.reading)
            for s in SECTIONS
            if any(m.key in found for m in s.measures for found in lines.values())
        ),
    ]


def _sizes(sets: Mapping[str, Sequence[Talk]]) -> Table:
    rows = []
    for name, talks in sets.items():
        for seat in SEATS:
            texts = [s.text for talk in talks for s in talk.said if s.seat == seat]
            total = sum(len(tokens(text)) for text in texts)
            figures = (len(talks), len(texts), total)
            rows.append(TableRow(f"{name}: {seat}", [Cell(f"{n:,}") for n in figures]))
    columns = [Column("talks"), Column("messages"), Column("tokens")]
    note = (
        "Tokens are words and numbers; in Chinese each character is one. Intervals in the tables "
        "below are over debtors, whose talks are drawn together; over talks where a file does not "
        "say whose they are."
    )
    return Table("What was measured", "What was measured", "talks: seat", columns, rows, note)


def with_intervals(table: Table) -> Table:
    """The same with each interval beside its value, for a terminal, which shows no second line."""
    rows = [
        row._replace(
            cells=[
                cell._replace(text=f"{cell.text} ({cell.interval})", interval="")
                if cell.interval
                else cell
                for cell in row.cells
            ]
        )
        for row in table.rows
    ]
    return table._replace(rows=rows)
