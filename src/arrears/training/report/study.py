"""Everything that is compared, reckoned once: tables, page and JSON only show it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from arrears.bench.tables import Measure
from arrears.debtors.record import CATEGORIES
from arrears.rng import rng_for
from arrears.training.report.failed import Failures, kept_of
from arrears.training.report.lines import Compared, Key
from arrears.training.report.paired import Change, adjusted, changes
from arrears.training.report.scores import (
    LEARNT,
    Columns,
    Seen,
    category_columns,
    dcn_columns,
    debtbench_columns,
    given_columns,
    seen_of,
    table_of,
)
from arrears.training.reward import Weights

Changes = dict[str, Change]
"""By the key of the measure."""


class Group(NamedTuple):
    """Figures that belong in one table, and their changes."""

    measures: tuple[Measure, ...]
    changes: Changes


class Versus(NamedTuple):
    """One collector after, held against the one before."""

    name: str
    main: Group
    """The metrics of the suite's own paper, form and reward."""
    other: Group
    """Those of the other paper."""
    given: Group
    """What was given away."""
    categories: Mapping[str, Group]
    """By the debtor's category; empty where debtors have none."""
    failures: Failures
    """Dialogues that are in none of the figures."""


class Section(NamedTuple):
    """One suite, its debtors answered for by one seat."""

    suite: str
    seat: str
    title: str
    keys: tuple[Key, ...]
    versus: tuple[Versus, ...]


class Study(NamedTuple):
    """One comparison, without what models say of themselves (`drift`, `curves`)."""

    compared: Compared
    seen: Mapping[str, Mapping[Key, Seen]]
    """By the name of the line."""
    sections: tuple[Section, ...]
    weights: Weights
    """Of the parts of the reward."""


def study_of(compared: Compared, weights: Weights | None = None) -> Study:
    """Reckon everything, by default with both parts of the reward alike.

    BrokenFile where a dialogue cannot be read.
    """
    weights = weights or Weights()
    seen = {line.name: seen_of(line, weights) for line in compared.lines}
    parts = compared.keys()
    several = len({seat for _, seat in parts}) > 1
    sections = []
    for (suite, seat), keys in parts.items():
        title = f"{suite} against {seat}" if several else suite
        sections.append(
            Section(suite, seat, title, tuple(keys), _versus(compared, seen, suite, seat, keys))
        )
    return Study(compared, seen, tuple(sections), weights)


def before_of(section: Section, key: str) -> float | None:
    """A figure of the collector before: of the first comparison that has one."""
    found = (versus.main.changes[key].before for versus in section.versus)
    return next((value for value in found if value is not None), None)


def _versus(
    compared: Compared,
    seen: Mapping[str, Mapping[Key, Seen]],
    suite: str,
    seat: str,
    keys: Sequence[Key],
) -> tuple[Versus, ...]:
    first = seen[compared.before.name]
    seed = compared.before.run.plan.seed
    own, other = debtbench_columns(LEARNT), dcn_columns()
    if suite == "dcn":
        own, other = dcn_columns(LEARNT), debtbench_columns()
    groups: dict[str, Columns] = {"main": own, "other": other, "given": given_columns()}
    found: dict[tuple[str, str], Group] = {}
    kinds = _categories(first, keys)
    failures: dict[str, Failures] = {}
    for line in compared.after:
        kept, failures[line.name] = kept_of(compared.before, line, keys)
        for part, columns in groups.items():
            rng = rng_for(seed, "before and after", suite, seat, part)
            tests = len(columns.measures) * len(compared.after)
            found[line.name, part] = _group(columns, first, seen[line.name], kept, rng, tests)
        for category in kinds:
            rng = rng_for(seed, "before and after", suite, seat, category)
            some = [key for key in kept if first[key].row.category == category]
            columns = category_columns()
            tests = len(columns.measures) * len(compared.after) * len(kinds)
            found[line.name, category] = _group(columns, first, seen[line.name], some, rng, tests)
    # One correction a table: over all collectors and, where there are any, all categories.
    for part in groups:
        _correct(found, [(line.name, part) for line in compared.after])
    _correct(found, [(line.name, kind) for line in compared.after for kind in kinds])
    return tuple(
        Versus(
            line.name,
            found[line.name, "main"],
            found[line.name, "other"],
            found[line.name, "given"],
            {kind: found[line.name, kind] for kind in kinds},
            failures[line.name],
        )
        for line in compared.after
    )


def _categories(first: Mapping[Key, Seen], keys: Sequence[Key]) -> list[str]:
    there = {first[key].row.category for key in keys}
    return [category for category in CATEGORIES if category in there]


def _group(
    columns: Columns,
    first: Mapping[Key, Seen],
    second: Mapping[Key, Seen],
    keys: Sequence[Key],
    rng: np.random.Generator,
    tests: int,
) -> Group:
    if not keys:
        nothing = Change(None, None, None, None, None, None)
        return Group(columns.measures, {m.key: nothing for m in columns.measures})
    before, repeats = table_of(columns, first, keys)
    after, _ = table_of(columns, second, keys)
    found = changes(before, after, rng, derive=columns.derive, repeats=repeats, comparisons=tests)
    counts = [
        dict(zip(columns.names, (~np.isnan(table)).sum(axis=0), strict=True))
        for table in (before, after)
    ]

    def scored(key: str, side: int) -> int:
        # An index is made from averages over all talks.
        return int(counts[side].get(key, counts[side].get(f"dcn {key}", len(keys))))

    return Group(
        columns.measures,
        {
            m.key: one._replace(scored=(scored(m.key, 0), scored(m.key, 1)))
            for m, one in zip(columns.measures, found, strict=True)
        },
    )


def _correct(found: dict[tuple[str, str], Group], places: Sequence[tuple[str, str]]) -> None:
    """Holm over all figures of these groups, in place."""
    tested = iter(adjusted([one for place in places for one in found[place].changes.values()]))
    for place in places:
        group = found[place]
        found[place] = group._replace(changes={key: next(tested) for key in group.changes})
