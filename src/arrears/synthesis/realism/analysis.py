"""Everything that `arrears debtors analyse` says: tables, pictures, and one document of figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from arrears.bench.tables import Cell, Column, Table, TableRow
from arrears.debtors.record import EMOTIONS
from arrears.debtors.statistics import COGNITION
from arrears.rng import rng_for
from arrears.synthesis.realism import population
from arrears.synthesis.realism.cloud import word_cloud
from arrears.synthesis.realism.diversity import Figures, diversity, diversity_tables
from arrears.synthesis.realism.drawings import Panel, bars, columns, scatter
from arrears.synthesis.realism.population import TRAITS, Plane, Populations, Shares
from arrears.synthesis.realism.talks import Talk

Talks = Mapping[str, Sequence[Talk]]
"""Sets of talks by the name under which they stand on the page."""


class Figure(NamedTuple):
    """One picture of the page, or several beside each other."""

    title: str
    svgs: Sequence[str]
    caption: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found out about one or two populations, and about talks."""

    populations: Populations
    plane: Plane
    shares: Mapping[str, Mapping[str, Shares]]
    """By population, by subject."""
    talks: Talks
    diversity: Mapping[str, Mapping[str, Figures]]
    """By set of talks, by seat."""
    failed: Mapping[str, int]
    """By set of talks: dialogues that failed from outside and are in no figure."""


def analyse(
    populations: Populations, talks: Talks, seed: int = 1, failed: Mapping[str, int] | None = None
) -> Analysis:
    """Measure everything. UsageError where an extra is missing.

    `failed` counts, by set of talks, dialogues that are not among them because they failed.
    """
    return Analysis(
        populations,
        population.plane(populations),
        {name: population.distributions(people) for name, people in populations.items()},
        talks,
        diversity(talks, seed),
        failed or {},
    )


def tables_of(found: Analysis) -> list[Table]:
    """Background and finances, then what was measured of talks."""
    talks = diversity_tables(found.talks, found.diversity) if found.talks else []
    return [_money(found), *talks]


def document(found: Analysis) -> dict[str, Any]:
    """Every figure, as plain values."""
    names = list(found.populations)
    return {
        "populations": {
            name: {
                "people": len(people),
                "with_persona": population.personas(people),
                "medians": population.medians(people),
                "distributions": {s: v._asdict() for s, v in found.shares[name].items()},
                "vocabulary": {
                    kind: dict(words.most_common())
                    for kind, words in population.vocabulary(people).items()
                },
            }
            for name, people in found.populations.items()
        },
        "pca": {
            "explained": list(found.plane.explained),
            "loadings": {name: list(v) for name, v in found.plane.loadings.items()},
            "means": {
                name: [round(float(m), 4) for m in points.mean(axis=0)]
                for name, points in found.plane.points.items()
            },
        },
        "distances": population.distances(*found.populations.values()) if len(names) > 1 else None,
        "talks": {
            name: {
                "talks": len(found.talks[name]),
                "failed": found.failed.get(name, 0),
                "seats": {
                    seat: {key: {"value": f.value, "low": f.low, "high": f.high}
                           for key, f in figures.items()}
                    for seat, figures in seats.items()
                },
            }
            for name, seats in found.diversity.items()
        },
    }  # fmt: skip


def figures_of(found: Analysis, seed: int = 1) -> list[Figure]:
    """The pictures of the populations, less those of what no record has."""
    return [
        _plane(found),
        *_clouds(found, seed),
        *(
            figure
            for figure in (
                _panels(found, "cognition", COGNITION, 4, _COGNITION),
                _panels(found, "emotion", EMOTIONS, 3, _EMOTION),
                _one(found, "resilience", "Emotional resilience", _RESILIENCE, lying=True),
                _one(found, "mbti", "MBTI types", _MBTI),
                _one(found, "category", "Behavioural categories", _CATEGORY, lying=True),
                _one(found, "reason", "Why debts are overdue", _REASON, lying=True),
            )
            if figure is not None
        ),
    ]


def notes_of(found: Analysis) -> list[str]:
    """What is missing in the records and among the talks, in sentences."""
    notes = []
    for name, people in found.populations.items():
        there = population.personas(people)
        if not there:
            notes.append(f"{name}: none of {len(people):,} records has a persona.")
        elif there < len(people):
            notes.append(
                f"{name}: {len(people) - there:,} of {len(people):,} records have no persona; what "
                "is said of personas is of the others."
            )
    for name, count in found.failed.items():
        if count:
            notes.append(
                f"{name}: {count:,} of {count + len(found.talks[name]):,} dialogues ended as "
                "error, from outside the negotiation; they are in none of the figures."
            )
    return notes


_COGNITION: Final = (
    "Share of people at each level, 1 nothing … 5 all of it. A population in which everybody "
    "stands at 4 and 5 understands its loan better than debtors do."
)
_EMOTION: Final = (
    "Share of people at each strength as the call begins, 0 absent … 10 overwhelming. One single "
    "peak, the same in every panel, would be a population that feels one thing."
)
_RESILIENCE: Final = "How well feelings are kept in hand: share of people at each of five levels."
_MBTI: Final = "Share of each type. Models that invent people like a few types; look for gaps."
_CATEGORY: Final = "Share of each category; it steers the built-in debtor and no seat is shown it."
_REASON: Final = "Share of each kind of reason, the most frequent of the first population on top."


def _plane(found: Analysis) -> Figure:
    plane = found.plane
    explained = [*plane.explained, 0.0, 0.0][:2]
    heaviest = [
        ", ".join(
            trait.words
            for trait in sorted(TRAITS, key=lambda t: -abs(plane.loadings[t.name][axis]))[:3]
        )
        if axis < len(plane.explained)
        else ""
        for axis in (0, 1)
    ]
    axes = tuple(
        f"direction {i + 1}, {share:.0%} of the variance ({what})"
        for i, (share, what) in enumerate(zip(explained, heaviest, strict=True))
    )
    beside = (
        "Clouds of the same place and shape are people of the same kind; a cloud inside the other "
        "lacks the rarer people."
        if len(found.populations) > 1
        else "Give a second population with --against to hold it beside this one."
    )
    return Figure(
        "Background and finances on one plane",
        [scatter(plane.points, (axes[0], axes[1]))],
        f"Each dot is a person, on the two directions in which all people here differ most: "
        f"principal components of {len(TRAITS)} traits, money on a log scale, fitted on everybody "
        f"together, {sum(explained):.0%} of the variance. The cross is the mean. {beside}",
    )


def _clouds(found: Analysis, seed: int) -> list[Figure]:
    titles = {"character": "Character", "style": "Ways of speaking"}
    figures = []
    for kind, title in titles.items():
        svgs = []
        for at, (name, people) in enumerate(found.populations.items()):
            counts = population.vocabulary(people).get(kind)
            if counts:
                label = f"{title}: {name}"
                rng = rng_for(seed, "cloud", kind, name)
                svgs.append(word_cloud(counts, f"c{at}", label, rng))
        if svgs:
            caption = "The more people have a word, the larger it stands; the count shows on "
            caption += "hovering. A few huge words among crumbs are a population of types."
            figures.append(Figure(title, svgs, caption))
    return figures


def _shown(found: Analysis, subject: str) -> dict[str, Mapping[str, float]]:
    """Shares of a subject by population, with the same labels in the same order in each."""
    there = {n: s[subject].shares for n, s in found.shares.items() if subject in s}
    labels = list(dict.fromkeys(label for shares in there.values() for label in shares))
    return {n: {label: shares.get(label, 0.0) for label in labels} for n, shares in there.items()}


def _panels(
    found: Analysis, what: str, names: Sequence[str], across: int, caption: str
) -> Figure | None:
    panels = [
        Panel(name.replace("_", " "), shares)
        for name in names
        if (shares := _shown(found, f"{what} {name}"))
    ]
    if not panels:
        return None
    title = {"cognition": "What people understand", "emotion": "What people feel"}[what]
    return Figure(title, [columns(panels, list(found.populations), title, across)], caption)


def _one(
    found: Analysis, subject: str, title: str, caption: str, *, lying: bool = False
) -> Figure | None:
    names = list(found.populations)
    shares = _shown(found, subject)
    if not shares:
        return None
    panel = Panel(
        "", {n: {k.replace("_", " "): v for k, v in s.items()} for n, s in shares.items()}
    )
    svg = bars(panel, names, title) if lying else columns([panel], names, title, 1)
    return Figure(title, [svg], caption)


def _money(found: Analysis) -> Table:
    names = list(found.populations)
    middle = [population.medians(people) for people in found.populations.values()]
    apart = population.distances(*found.populations.values()) if len(names) > 1 else None
    heads = [
        *(Column(name, "median; for male, the share") for name in names),
        *([Column("distance", "Kolmogorov–Smirnov, 0 the same … 1 apart")] if apart else []),
        *(Column(f"direction {i}", "weight") for i in range(1, len(found.plane.explained) + 1)),
    ]
    rows = [
        TableRow(
            trait.words,
            [
                *(Cell(_number(m[trait.name])) for m in middle),
                *([Cell(f"{apart[trait.name]:.3f}")] if apart else []),
                *(
                    Cell(f"{round(weight, 2) + 0.0:+.2f}")
                    for weight in found.plane.loadings[trait.name]
                ),
            ],
        )
        for trait in TRAITS
    ]
    people = ", ".join(
        f"{n}: {len(p):,} people, {population.personas(p):,} with a persona"
        for n, p in found.populations.items()
    )
    explained = " and ".join(f"{share:.1%}" for share in found.plane.explained)
    return Table(
        "Background and finances",
        f"Background and finances ({people})",
        "median (male: share)",
        heads,
        rows,
        f"Yuan, days, years. The directions are those of the picture; they hold {explained} of "
        "the variance. "
        + ("A distance below 0.1 is hard to see in a picture; above 0.3 people are of another kind."
           if apart else ""),
    )  # fmt: skip


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}".rstrip("0").rstrip(".")
