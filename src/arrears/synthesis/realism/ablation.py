"""What the parts of a debtor's prompt are worth (DebtBench Table 4, in its design).

The same debtors are played with four prompts of their seat, each a run folder of its own; then a
judge compares each with the naive one, pair by pair, in both orders. A pair of which a dialogue or
the judgement failed is on neither side of a comparison; it is counted beside it. Everything is
resumed by the same call: runs as `bench.run`, judgements as `bench.judging`.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from math import comb
from pathlib import Path
from typing import Final, NamedTuple

from arrears.agents.briefing import DebtorPrompt
from arrears.bench.folder import CALLS
from arrears.bench.judging import judge_run
from arrears.bench.plan import Plan, Populations
from arrears.bench.run import Progress, run, silent
from arrears.bench.sheets import PAIRWISE, Sheet
from arrears.bench.stored import open_run
from arrears.bench.tables import Cell, Column, Mark, Table, TableRow
from arrears.models.backends import Settings, check_model
from arrears.models.budget import read_calls
from arrears.models.unanswered import Why, causes_text
from arrears.scoring.row import Row
from arrears.scoring.statistics import SIGNIFICANT, Interval, holm, share, totals

VARIANTS: Final[tuple[DebtorPrompt, ...]] = ("naive", "strategies", "profile", "both")
"""In the order in which they are played, each in a folder of its name."""
BASELINE: Final[DebtorPrompt] = "naive"
MEASURES: Final = {"human_likeness": "human-likeness", "realism": "realism"}
_TITLES: Final[Mapping[DebtorPrompt, str]] = {
    "naive": "naive",
    "strategies": "with strategies",
    "profile": "with profile",
    "both": "with both",
}


class Tally(NamedTuple):
    """One variant against the naive one, by one measure."""

    win: int
    """Pairs with more than ½: the judge preferred the variant in both orders, or in one and called
    the other a tie."""
    tie: int
    """Exactly ½: no difference, or the same place preferred in both orders."""
    loss: int
    unscored: int
    """Pairs that the judge could not be brought to compare, or in which nobody spoke."""
    causes: Mapping[Why, int]
    """Those by who failed."""
    preference: Interval | None
    """Mean score of the variant, 0 … 1, with an interval over debtors; None without a pair."""
    p: float | None
    """Two-sided sign test of debtors won against debtors lost, ties left out; None without a pair.
    Where a debtor has several pairs, their mean decides."""


Tallies = Mapping[DebtorPrompt, Mapping[str, Tally]]
"""By variant (without the naive one) and measure."""


class Ablated(NamedTuple):
    """What came of the four prompts."""

    tallies: Tallies
    rows: Mapping[DebtorPrompt, Sequence[Row]]
    """The dialogues of each prompt, those that failed among them."""
    details: Mapping[DebtorPrompt, str]
    """Why the first of those that failed did, where any has."""
    sheets: Mapping[DebtorPrompt, Sheet]
    """The judgements of each prompt against the naive one."""


Watch = Callable[[str], AbstractContextManager[Progress]]


def _unwatched(what: str) -> AbstractContextManager[Progress]:
    del what
    return nullcontext(silent)


def ablate(
    plans: Mapping[DebtorPrompt, Plan],
    populations: Populations,
    out: Path,
    judge: str,
    settings: Settings,
    *,
    retry_errors: bool = False,
    watch: Watch = _unwatched,
) -> Ablated:
    """Play what is owed, judge what is owed, and count.

    `plans` differ in their `debtor_prompt` alone. `settings.max_cost` bounds all folders together.
    `retry_errors` plays and judges again what failed before.
    `watch` is opened for each step in turn, with words for it, and told how far that has come.
    Errors as `run` and `judge_run`.
    """
    check_model(judge, settings)
    folders = {variant: out / variant for variant in VARIANTS}
    rows: dict[DebtorPrompt, Sequence[Row]] = {}
    details: dict[DebtorPrompt, str] = {}
    for variant, folder in folders.items():
        mine = _left(settings, folder, folders)
        with watch(f"{variant}: dialogues") as progress:
            rows[variant] = run(
                plans[variant], populations, folder,
                settings=mine, retry_errors=retry_errors, progress=progress,
            ).rows  # fmt: skip
        for row in rows[variant]:
            if row.failure is not None:
                details[variant] = open_run(folder).dialogue(row.case).detail
                break
    baseline = open_run(folders[BASELINE])
    found: dict[DebtorPrompt, dict[str, Tally]] = {}
    given: dict[DebtorPrompt, Sheet] = {}
    for variant, folder in folders.items():
        if variant == BASELINE:
            continue
        plan = plans[variant]
        played = open_run(folder)
        units = {row.case: row.unit for row in played.rows}
        with watch(f"{variant}: judgements") as progress:
            sheets = judge_run(
                played,
                judge,
                (),
                _left(settings, folder, folders),
                language=plan.lang,
                against=baseline,
                retry_errors=retry_errors,
                progress=progress,
            )
        against = str(baseline.path)
        (sheet,) = [s for s in sheets if s.kind == PAIRWISE and s.against == against]
        given[variant] = sheet
        found[variant] = {name: tally(sheet, name, units) for name in MEASURES}
    return Ablated(found, rows, details, given)


def _left(settings: Settings, folder: Path, all_of: Mapping[DebtorPrompt, Path]) -> Settings:
    """The same with the money that the other folders have left; a folder counts its own."""
    if settings.max_cost is None:
        return settings
    others = (other for other in all_of.values() if other != folder)
    spent = sum(call.cost or 0.0 for other in others for call in read_calls(other / CALLS))
    return replace(settings, max_cost=max(0.0, settings.max_cost - spent))


def tally(sheet: Sheet, measure: str, units: Mapping[str, Hashable]) -> Tally:
    """Wins, ties and losses of one measure in a sheet of pairwise judgements.

    `units` says by case whose each pair is; a case that is not there stands for itself.
    """
    column = sheet.column(measure)
    scores = list(column.values())
    win, loss = sum(s > 0.5 for s in scores), sum(s < 0.5 for s in scores)
    sums, counts = totals(scores, [units.get(case, case) for case in column])
    return Tally(
        win,
        len(scores) - win - loss,
        loss,
        len(sheet.judged) - len(scores),
        sheet.unscored,
        share(sums, counts) if scores else None,
        sign_test(int((sums > counts / 2).sum()), int((sums < counts / 2).sum()))
        if scores
        else None,
    )


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact p of a fair coin giving so uneven a split; 1 where nothing was decided."""
    n, most = wins + losses, max(wins, losses)
    tail: float = sum(comb(n, k) for k in range(most, n + 1)) / 2**n
    return min(1.0, 2.0 * tail)


def ablation_table(found: Tallies, judge: str) -> Table:
    """The table, in the shape of DebtBench's Table 4; p after Holm over the whole table."""
    heads: list[Column] = []
    for title in MEASURES.values():
        heads += [
            Column(f"{title}: win"),
            Column("tie"),
            Column("lose"),
            Column("preferred", "mean score, 0 … 1, with 95 % interval over debtors"),
            Column("p", "sign test of debtors won against debtors lost, after Holm"),
        ]
    heads.append(Column("not compared", "pairs that failed, by cause; they are on neither side"))
    tallies = [t for by_measure in found.values() for t in by_measure.values()]
    # A prompt of which nothing could be compared makes no test of the others any stricter.
    adjusted = iter(holm([t.p for t in tallies if t.p is not None]))
    rows = [
        TableRow(_TITLES[BASELINE], [Cell("–") for _ in heads]),
        *(
            TableRow(
                _TITLES[variant],
                [
                    *(cell for t in by_measure.values() for cell in _cells(t, adjusted)),
                    _not_compared(by_measure),
                ],
            )
            for variant, by_measure in found.items()
        ),
    ]
    return Table(
        "Prompts of the debtor",
        f"Prompts of the debtor's seat against the naive one, judged by {judge} in both orders",
        "prompt",
        heads,
        rows,
        "Win: more than ½ over the two orders; a leaning (¾) is one. Tie: exactly ½, also where "
        "the judge preferred the same place twice. A pair of which a dialogue or the comparison "
        "failed is on neither side; it is counted beside. Bold: p < 0.05 after Holm's correction "
        "over the table.",
    )


def _not_compared(by_measure: Mapping[str, Tally]) -> Cell:
    # The judge is asked for all measures at once, so they lack the same pairs.
    found = next(iter(by_measure.values()))
    causes = causes_text(Counter(found.causes))
    return Cell(f"{found.unscored:,}" + (f" ({causes})" if causes else ""))


def _cells(found: Tally, adjusted: Iterator[float]) -> Sequence[Cell]:
    mean, p = found.preference, None if found.p is None else next(adjusted)
    preferred = Cell("–")
    if mean is not None:
        mark: Mark = ""
        if p is not None and p < SIGNIFICANT:
            mark = "better" if mean.value > 0.5 else "worse"
        preferred = Cell(f"{mean.value:.2f}", f"{mean.low:.2f}…{mean.high:.2f}", mark)
    counts = [Cell(f"{n:,}") for n in (found.win, found.tie, found.loss)]
    return [*counts, preferred, Cell("–") if p is None else Cell(f"{p:.3g}")]
