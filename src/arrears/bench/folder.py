"""The folder of a run: what is written when, and what is true after a kill at any moment.

- `run.json` comes first, atomically. It is never changed.
- `dialogues.jsonl` grows by whole lines. A kill leaves at most one torn line at its end, which is
  cut when the run is resumed: that case is owed again.
- Once nothing is owed it is rewritten in case order, beside itself, and moved into place in one
  step. Until that step the old file stands, after it the new one; both hold every dialogue.
- `scores.parquet` and `report.html` follow from the dialogues and are replaced the same way.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Self

import orjson

from arrears.bench.plan import Plan
from arrears.errors import BrokenFile, RunMismatch
from arrears.files import CASE, LineFile, Span, replace_file
from arrears.runs.lock import lock_folder
from arrears.runs.pinned import read_pinned, refuse, store_plan

PLAN, DIALOGUES, TIMING = "run.json", "dialogues.jsonl", "timing.jsonl"
SCORES, REPORT, DEBTORS = "scores.parquet", "report.html", "debtors.jsonl"
CALLS = "calls.jsonl"
"""One line for each call of a model: what it was for, its tokens, its price."""


class RunFolder:
    """A run folder that this process alone writes. Use it as a context manager."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """Make the folder or take up the run in it.

        RunMismatch for a run of another plan or format version, or one that another process is
        writing; BrokenFile for a dialogue in the middle that cannot be read; StorageError for a
        place that cannot be written.
        """
        self.path = path
        with ExitStack() as opened:
            opened.enter_context(lock_folder(path))
            _agree(path, plan)
            self._dialogues = LineFile(path / DIALOGUES)
            opened.callback(lambda: self._dialogues.close())
            self._timing = opened.enter_context(LineFile(path / TIMING))
            self.finished: dict[str, Span] = self._dialogues.index(CASE)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._opened.close()

    def append(
        self, cases: Sequence[str], lines: Sequence[bytes], seconds: Sequence[float]
    ) -> None:
        """Store finished dialogues, one line each, newline included.

        `seconds` is the wall-clock time of each. StorageError where the lines cannot be written
        whole; then none of these stands and all earlier ones do.
        """
        spans = self._dialogues.append(lines)
        self.finished.update(zip(cases, spans, strict=True))
        self._timing.append(
            [
                b'{"case":%b,"seconds":%.6f}\n' % (orjson.dumps(case), spent)
                for case, spent in zip(cases, seconds, strict=True)
            ]
        )

    def lines(self, cases: Iterable[str]) -> Iterator[bytes]:
        """The stored lines of these cases, in the order asked for."""
        for case in cases:
            yield self._dialogues.read(self.finished[case])

    def forget(self, ending: str) -> int:
        """Drop the dialogues of that ending, atomically; they are owed again. How many they were.

        What they have cost stays in the log of calls.
        """
        keep = [
            case
            for case, span in self.finished.items()
            if orjson.loads(self._dialogues.read(span))["ending"] != ending
        ]
        dropped = len(self.finished) - len(keep)
        if dropped:
            # They are scores of dialogues that are about to be others.
            (self.path / SCORES).unlink(missing_ok=True)
            self._rewrite([self.finished[case] for case in keep])
        return dropped

    def _rewrite(self, spans: Sequence[Span]) -> None:
        replace_file(self.path / DIALOGUES, lambda out: self._dialogues.copy(spans, out))
        before, self._dialogues = self._dialogues, LineFile(self.path / DIALOGUES)
        before.close()
        self.finished = self._dialogues.index(CASE)

    def put_in_order(self, cases: Sequence[str]) -> None:
        """Rewrite the dialogues once, atomically, in the order of the cases.

        All of them must be finished. A file that is in order already is left alone.
        """
        spans = [self.finished[case] for case in cases]
        if any(a.start > b.start for a, b in pairwise(spans)):
            self._rewrite(spans)


def read_plan(folder: Path) -> Plan:
    """The plan that a run folder was made by.

    RunMismatch where there is none or its format version is not this one; BrokenFile where it
    cannot be read.
    """
    try:
        return read_pinned(folder / PLAN, Plan)
    except BrokenFile as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise RunMismatch(f"{folder} is not a run folder: it has no {PLAN}") from None
        raise


def _agree(folder: Path, plan: Plan) -> None:
    """Store the plan, or see that the stored one is the same."""
    path = folder / PLAN
    if not path.exists():
        if (folder / DIALOGUES).exists():
            raise RunMismatch(f"{folder} holds dialogues but no {PLAN}; choose another --out")
        store_plan(path, plan.model_dump(mode="json"))
        return
    stored = read_plan(folder)
    refuse(folder, "run", dict(stored), dict(plan), stored.differences(plan))
