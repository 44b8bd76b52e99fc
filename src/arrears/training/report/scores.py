"""Numbers of a talk, in columns that can be averaged: both papers' metrics, form, reward, room."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from arrears.bench.tables import DCN, DEBTBENCH, Measure
from arrears.economy.position import money_of
from arrears.scoring import dcn
from arrears.scoring.debtbench import collection_rate
from arrears.scoring.row import Row
from arrears.scoring.statistics import Floats
from arrears.scoring.unscored import Score, Unscored
from arrears.training.report.given_away import Spare, spare
from arrears.training.report.lines import Key, Line
from arrears.training.report.paired import Derive
from arrears.training.reward import Reward, Weights, foresight_reward

LEARNT: Final = (
    Measure("format", "format %", "talks not ended by an unreadable message of the collector", 1,
            1, percent=True),
    Measure("repairs", "repairs", "what the parser mended in the collector's messages of a talk",
            -1, 2),
    Measure("reward", "reward", "foresight reward: f(α) and experience, weighed; 0 where the "
            "collector's message was unreadable", 1, 3, rubric=True),
    Measure("quality", "f(α)", "present value of what is paid, share of the debt; 0 where it is "
            "not kept", 1, 3),
    Measure("experience", "experience", "satisfaction of the debtor, brought to 0 … 1", 1, 3,
            rubric=True),
)  # fmt: skip
"""How messages are formed, and what the talk is worth by the reward that is trained for."""
GIVEN: Final = (
    Measure("any", "gave away %", "kept agreements with room left in any of the three", -1, 1,
            percent=True),
    Measure("discount", "discount, points", "discount that the debtor could have done without", -1,
            2, percent=True),
    Measure("months", "months", "months of instalments that it could have done without", -1, 2),
    Measure("upfront", "paid at once, points", "larger share that it could have paid at once", -1,
            2, percent=True),
    Measure("ruin", "not kept %", "agreements, of all, that the debtor cannot keep for two years",
            -1, 1, percent=True),
)  # fmt: skip
"""Too much given away, and the other side of it: too much taken."""
BY_CATEGORY: Final = ("CR", "SR", "US", "reward")
"""What is told category by category, in DebtBench's meaning."""
_AVERAGED: Final = len(dcn.COLUMNS)


class Seen(NamedTuple):
    """One talk with all that is compared of it."""

    row: Row
    reward: Reward
    unreadable: bool
    """It ended with a message of the collector that nobody could read."""
    repairs: int
    """Of the collector's messages."""
    spare: Spare | None
    """None without an agreement that is kept."""


class Columns(NamedTuple):
    """What a table is made of."""

    measures: tuple[Measure, ...]
    """In the order of the figures that `derive` gives."""
    names: tuple[str, ...]
    """Of the columns, before anything is derived."""
    derive: Derive


def seen_of(line: Line, weights: Weights) -> dict[Key, Seen]:
    """Every talk of a line, read once. BrokenFile."""
    people = {(name, d.id): d for name, found in line.run.populations.items() for d in found}
    seen = {}
    for key, row in line.rows.items():
        dialogue = line.run.dialogue(row.case)
        debtor = people[key.suite, key.debtor]
        kept = dialogue.terms if row.success else None
        seen[key] = Seen(
            row,
            foresight_reward(dialogue, debtor, weights, row.us),
            dialogue.ending == "malformed" and not dialogue.detail.startswith("debtor:"),
            sum(len(turn.repairs) for turn in dialogue.turns if turn.seat == "collector"),
            None if kept is None else spare(money_of(debtor), kept),
        )
    return seen


def debtbench_columns(more: Sequence[Measure] = ()) -> Columns:
    """DebtBench's nine, and more."""
    measures = (*DEBTBENCH, *more)
    return Columns(measures, tuple(m.key for m in measures), lambda of: of)


def dcn_columns(more: Sequence[Measure] = ()) -> Columns:
    """DCN's thirteen, the indices from the averages, and more."""
    averaged = tuple(m for m in DCN if m.key in dcn.COLUMNS)
    talk = tuple(m for m in DCN[:2])
    measures = (*talk, *averaged, *DCN[-3:], *more)

    def derive(of: Floats) -> Floats:
        at = len(talk) + _AVERAGED
        return np.concatenate(
            [of[..., :at], dcn.indices(of[..., len(talk) : at]), of[..., at:]], axis=-1
        )

    names = (*(m.key for m in talk), *(f"dcn {m.key}" for m in averaged))
    return Columns(measures, (*names, *(m.key for m in more)), derive)


def given_columns() -> Columns:
    """What was given away, over agreements that are kept; `not kept` over all agreements."""
    return Columns(GIVEN, tuple(m.key for m in GIVEN), lambda of: of)


def category_columns() -> Columns:
    """What is told category by category."""
    known = {m.key: m for m in (*DEBTBENCH, *LEARNT)}
    return Columns(tuple(known[key] for key in BY_CATEGORY), BY_CATEGORY, lambda of: of)


def table_of(columns: Columns, seen: Mapping[Key, Seen], keys: Sequence[Key]) -> tuple[Floats, int]:
    """(debtors × repeats, k) and the repeats: a debtor's talks in a row, NaN where unscored.

    The same keys give the same places, so that two collectors' tables are pairs.
    """
    people: dict[str, list[Key]] = {}
    for key in keys:
        people.setdefault(key.debtor, []).append(key)
    repeats = max(map(len, people.values()))
    table = np.full((len(people), repeats, len(columns.names)), np.nan)
    for at, found in enumerate(people.values()):
        for place, key in enumerate(found):
            of = dict(_numbers(seen[key]))
            table[at, place] = [of[name] for name in columns.names]
    return table.reshape(-1, len(columns.names)), repeats


def _numbers(seen: Seen) -> Iterator[tuple[str, float]]:
    """Every column of one talk."""
    row, reward, room = seen.row, seen.reward, seen.spare
    yield "SR", float(row.agreed)
    yield "AT", float(row.turns)
    yield "CR", collection_rate(row.disc_ratio)
    for name in ("CE", "SA", "LS", "US", "ES", "CA", "DS"):
        yield name, _or_nan(getattr(row, name.lower()))
    yield "DC", row.dc
    for name, value in zip(dcn.COLUMNS, dcn.columns([row])[0], strict=True):
        yield f"dcn {name}", float(value)
    yield "format", float(not seen.unreadable)
    yield "repairs", float(seen.repairs)
    # Left out, a collector that breaks off would look the better for it.
    yield "reward", 0.0 if seen.unreadable else _or_nan(reward.total)
    yield "quality", reward.agreement
    yield "experience", _or_nan(reward.experience)
    nan = float("nan")
    yield "any", nan if room is None else float(room.anything)
    yield "discount", nan if room is None else room.discount
    yield "months", nan if room is None else float(room.months)
    yield "upfront", nan if room is None else room.upfront
    yield "ruin", float(not row.success) if row.agreed else nan


def _or_nan(score: Score) -> float:
    return float("nan") if isinstance(score, Unscored) else float(score)
