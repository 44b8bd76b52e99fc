"""The whole course of a set (DCN §6.3): play, filter, take apart, draw, and write.

A folder holds the plan (`sample.json`), every candidate (`dialogues.jsonl`), for preferences every
answer of the weak side (`negatives.jsonl`), and the rows. A killed process plays and asks nothing
twice, and ends with the same bytes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self

from arrears.bench.run import Progress, silent
from arrears.bench.waiting import run_to_end
from arrears.debtors.record import Debtor
from arrears.dialogue.parser import parse_message
from arrears.dialogue.record import Dialogue
from arrears.errors import BrokenFile, UsageError
from arrears.models.backends import Backends, Settings, check_model, is_model
from arrears.runs.lock import lock_folder
from arrears.scoring.row import score
from arrears.training.formats import llama_factory, trl
from arrears.training.rejection.candidates import (
    Slot,
    case_of_line,
    dialogue_of_line,
    play_slots,
    slots_of,
)
from arrears.training.rejection.filters import (
    Candidate,
    best_of_each,
    parse_requirement,
    reason_to_drop,
    top_share,
)
from arrears.training.rejection.negatives import Negative
from arrears.training.rejection.plan import SamplePlan, agree
from arrears.training.rejection.store import LineStore
from arrears.training.rejection.turns import Item, draw_order, items_of
from arrears.training.rejection.weak import reject

Format = Literal["trl", "llama-factory"]
FORMATS: Final[tuple[Format, ...]] = ("trl", "llama-factory")
DIALOGUES, NEGATIVES, TRAIN = "dialogues.jsonl", "negatives.jsonl", "train.jsonl"
LLAMA_FACTORY, CALLS = "llama-factory", "calls.jsonl"


class Funnel(NamedTuple):
    """How many were left after each step."""

    played: int
    """Talks."""
    failed: Mapping[str, int]
    """Talks that failed from outside the negotiation, by who failed; they are in nothing else."""
    dropped: Mapping[str, int]
    """Other talks that filter 1 dropped, by reason."""
    passed: int
    """Talks that passed filter 1."""
    best: int
    """Debtors with a talk that did: the candidate pool."""
    kept: int
    """Talks that filter 2 kept."""
    styles: Mapping[str, int]
    """The kept talks by style."""
    turns: int
    """Questions and answers in them."""
    asked: int
    """Questions that the weak side was asked; 0 for supervised sets."""
    left_out: Mapping[str, int]
    """Questions without a usable rejected answer, by reason."""
    drawn: int
    """Rows."""
    same_acts: int
    """Pairs whose rejected answer does the same in other words; 0 for supervised sets."""


class Sample:
    """A sample's folder, written by this process alone. Use it as a context manager."""

    def __init__(self, plan: SamplePlan, people: Sequence[Debtor], out: Path) -> None:
        """Make the folder or take it up.

        RunMismatch for another plan's folder or one that another process is writing; BrokenFile;
        StorageError.
        """
        self._plan, self._people, self._out = plan, people, out
        self._slots = list(slots_of(plan, people))
        with ExitStack() as opened:
            opened.enter_context(lock_folder(out))
            agree(out, plan)
            self._talks = opened.enter_context(LineStore(out / DIALOGUES, case_of_line))
            strangers = set(self._talks) - {slot.case for slot in self._slots}
            if strangers:
                raise BrokenFile(out / DIALOGUES, f"{min(strangers)} is no talk of this sample")
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._opened.close()

    def play(
        self, settings: Settings, progress: Progress = silent, *, retry_errors: bool = False
    ) -> int:
        """Hold the talks that are owed; how many these were. Errors as `bench.run.run`.

        `retry_errors` plays those again that had ended as `error`.
        """
        plan = self._plan
        for spec in dict.fromkeys((*plan.models(), *self._weak_models())):
            check_model(spec, settings)
        if retry_errors:
            failed = [case for case in self._talks if self._dialogue(case).ending == "error"]
            self._talks.forget(failed)
        owed = [slot for slot in self._slots if slot.case not in self._talks]
        progress(len(self._talks), len(self._slots))

        def store(slot: Slot, line: bytes) -> None:
            self._talks.add(slot.case, line)
            progress(len(self._talks), len(self._slots))

        async def work() -> None:
            async with Backends(settings, self._log()) as models:
                await play_slots(plan, self._people, owed, models, settings.concurrency, store)

        if owed:
            run_to_end(work())
        self._talks.put_in_order([slot.case for slot in self._slots])
        return len(owed)

    def draw(
        self,
        settings: Settings,
        progress: Progress = silent,
        formats: Sequence[Format] = FORMATS,
        *,
        retry_errors: bool = False,
    ) -> Funnel:
        """Filter what was played, draw the rows and write them. To be called after `play`.

        UsageError where nothing is left; else errors as `weak.reject`. The weak side is asked for
        the rows that are drawn, and for others in their place where it has no usable answer.
        """
        plan = self._plan
        passed, dropped, failed = self._filtered()
        best = best_of_each(passed)
        kept = top_share(best, plan.keep)
        if not kept:
            told = [f"{why} {n:,}" for why, n in dropped.most_common()]
            told += [f"failed: {cause} {n:,}" for cause, n in failed.most_common()]
            remedy = "play more debtors, or require less"
            if failed:
                remedy = f"play the failed ones again with --retry-errors, {remedy}"
            raise UsageError(
                f"none of {len(self._slots):,} talks passed filter 1 ({', '.join(told)}); {remedy}"
            )
        items = self._items(kept)
        order = draw_order(plan, items)
        drawn, found = order[: plan.pairs], dict[tuple[str, int], Negative]()
        if plan.preferences:
            drawn, answers = reject(
                plan, items, order, self._out / NEGATIVES, self._log(), settings, progress,
                retry_errors,
            )  # fmt: skip
            found |= answers
        rows = [self._row(items[at], found.get(items[at].key)) for at in sorted(drawn)]
        self._write(rows, formats)
        return Funnel(
            played=len(self._slots),
            failed=dict(failed.most_common()),
            dropped=dict(dropped.most_common()),
            passed=len(passed),
            best=len(best),
            kept=len(kept),
            styles=dict(Counter(plan.styles[c.style] for c in kept).most_common()),
            turns=len(items),
            asked=len(found),
            left_out=dict(Counter(n.why for n in found.values() if n.why).most_common()),
            drawn=len(rows),
            same_acts=sum(map(_same_acts, rows)) if plan.preferences else 0,
        )

    def failures(self) -> list[str]:
        """The words of every talk that failed from outside the negotiation."""
        talks = (self._dialogue(slot.case) for slot in self._slots if slot.case in self._talks)
        return [talk.detail for talk in talks if talk.failed is not None]

    def _filtered(self) -> tuple[list[Candidate], Counter[str], Counter[str]]:
        """What passes filter 1, why the rest does not, and who failed where no talk came about."""
        required = [parse_requirement(text) for text in self._plan.require]
        passed, dropped, failed = [], Counter[str](), Counter[str]()
        for slot in self._slots:
            row = score(self._dialogue(slot.case), self._people[slot.debtor])
            if row.failure is not None:
                failed[row.failure] += 1
                continue
            reason = reason_to_drop(row, required)
            if reason:
                dropped[reason] += 1
            else:
                passed.append(Candidate(slot.case, slot.debtor, slot.style, slot.repeat, row))
        return passed, dropped, failed

    def _items(self, kept: Sequence[Candidate]) -> list[Item]:
        """Every question of the kept talks, debtor by debtor."""
        return [
            item
            for one in sorted(kept, key=lambda c: c.debtor)
            for item in items_of(
                self._plan, one, self._dialogue(one.case), self._people[one.debtor]
            )
        ]

    def _row(self, item: Item, negative: Negative | None) -> dict[str, Any]:
        row = item.candidate.row
        about: dict[str, Any] = {
            "debtor": item.debtor.id,
            "case": item.candidate.case,
            "style": self._plan.styles[item.candidate.style],
            "turn": item.number,
            "collector_prompt": self._plan.wording,
            "own_cci": row.own_cci,
            "own_dhi": row.own_dhi,
        }
        if negative is None:
            return trl.answer_row(item.prompt, item.answer, about)
        about |= {"weak": self._plan.weak, "defect": negative.defect}
        return trl.preference_row(item.prompt, item.answer, negative.answer, about)

    def _write(self, rows: Sequence[Mapping[str, Any]], formats: Sequence[Format]) -> None:
        if "trl" in formats:
            trl.write_rows(self._out / TRAIN, rows)
        if "llama-factory" in formats:
            name = self._plan.set
            run = llama_factory.runs()[f"dcn-{name}"]
            llama_factory.write_folder(self._out / LLAMA_FACTORY, name, rows, run)

    def _dialogue(self, case: str) -> Dialogue:
        return dialogue_of_line(self._talks.read(case))

    def _weak_models(self) -> tuple[str, ...]:
        return (self._plan.weak,) if is_model(self._plan.weak) else ()

    def _log(self) -> Path | None:
        called = (*self._plan.models(), *self._weak_models())
        return self._out / CALLS if called else None


def sample(
    plan: SamplePlan,
    people: Sequence[Debtor],
    out: Path,
    settings: Settings | None = None,
    formats: Sequence[Format] = FORMATS,
) -> Funnel:
    """The whole course. Errors as `Sample`, `Sample.play` and `Sample.draw`."""
    settings = settings or Settings()
    with Sample(plan, people, out) as folder:
        folder.play(settings)
        return folder.draw(settings, formats=formats)


def _same_acts(row: Mapping[str, Any]) -> bool:
    chosen, rejected = (row[key][0]["content"] for key in ("chosen", "rejected"))
    return parse_message(chosen, "collector").acts == parse_message(rejected, "collector").acts


def calls_at_most(plan: SamplePlan) -> int:
    """Calls of models while the candidates are played, where every talk runs to its last turn and
    every message can be read at once.
    """
    talks, turns = plan.suite.debtors * len(plan.styles) * plan.per_style, plan.max_turns
    # MADeN: a plan, every message, and from the second on a review and a revision.
    ours = turns if plan.method == "direct" else 1 + turns + 2 * (turns - 1)
    speaks = ours if is_model(plan.generator) else 0
    return talks * (speaks + (turns if is_model(plan.debtor_seat) else 0))
