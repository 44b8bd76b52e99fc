"""The report: stored runs to one self-contained `report.html`, and the same tables elsewhere."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

import arrears
from arrears.bench.coverage import Coverage, coverage_of
from arrears.bench.failures import failures_of, failures_table
from arrears.bench.judge_tables import JudgedRun, judge_tables
from arrears.bench.pages import environment
from arrears.bench.plan import Plan
from arrears.bench.players import players_table
from arrears.bench.run_tables import cost_table, repeats_table
from arrears.bench.sections import Section, section, summaries_of, tables_of
from arrears.bench.sheets import sheets_of
from arrears.bench.stored import StoredRun
from arrears.bench.tables import DCN, DEBTBENCH, Table
from arrears.bench.transcripts import Candidate, Talk, choose, lay_out
from arrears.debtors.record import Debtor
from arrears.economy.grid import project_all
from arrears.economy.position import Money, money_of
from arrears.files import replace_file
from arrears.scoring.row import Row

REPORT = "report.html"
_ADDRESS = re.compile(r"@https?://[^+]*")
# A debtor's private record of a promise that it does not mean, as it is stored.
_EMPTY_PROMISE = b'"in_earnest":false'
# Talks whose regret is reckoned before the dozen is chosen; each costs a millisecond.
_LOOKED_AT = 400


def write_report(runs: Sequence[StoredRun], out: Path) -> None:
    """One html file with everything in it. StorageError where it cannot be written."""
    css = (resources.files("arrears.bench") / "report.css").read_text(encoding="utf-8")
    template = environment().get_template("report.html")
    sections = [
        section(
            suite,
            lines,
            covered_by(runs, suite, lines),
            _purses(runs, suite),
            _turns(runs),
            runs[0].plan.seed,
        )
        for suite, lines in lines_of(runs).items()
    ]
    text = template.render(
        version=arrears.__version__,
        css=_Markup(css),
        title="What the collectors did" if len(runs) > 1 else f"Run {runs[0].path.name}",
        lead=_lead(runs),
        findings=[words for s in sections for words in s.findings],
        ran=[_facts(run) for run in runs],
        failed=failures_table(runs),
        suites=sections,
        about=list(tables_about(runs)),
        talks=_talks(runs[0]),
        glossary=_glossary(sections),
    )
    replace_file(out, lambda file: file.write(text.encode()))


class _Markup(str):
    """Text that is html already."""

    def __html__(self) -> str:
        return self


def lines_of(runs: Sequence[StoredRun]) -> dict[str, dict[str, list[Row]]]:
    """Rows by suite and by the name of the collector in the report.

    The debtors' seat is part of the name where it is not the same everywhere. A line that stands in
    several runs is told apart by the run's folder.
    """
    suites: dict[str, dict[str, list[Row]]] = {}
    for _, name, row in _named(runs):
        suites.setdefault(row.suite, {}).setdefault(name, []).append(row)
    return suites


def _named(runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, str, Row]]:
    """Every row with its run and the name of its collector; no name stands for two runs."""
    many = len(debtor_seats(runs)) > 1
    short = _short({spec for run in runs for row in run.rows for spec in _specs(row)})
    seen = [(row.suite, row.collector, row.debtor_seat) for run in runs for row in _heads(run)]
    folders = [run.path.name for run in runs]
    for run in runs:
        folder = run.path.name if folders.count(run.path.name) == 1 else str(run.path)
        for row in run.rows:
            ours, theirs = (short[spec] for spec in _specs(row))
            name = f"{ours} vs {theirs}" if many else ours
            if seen.count((row.suite, row.collector, row.debtor_seat)) > 1:
                name = f"{name} ({folder})"
            yield run, name, row


def covered_by(
    runs: Sequence[StoredRun], suite: str, lines: Mapping[str, Sequence[Row]]
) -> dict[str, Coverage]:
    """What the lines of a suite cover of the plans of their runs."""
    whose = {(row.suite, name): run for run, name, row in _named(runs)}
    covered = {}
    for name, rows in lines.items():
        run = whose[suite, name]
        people = Counter(debtor.category for debtor in run.populations[suite])
        planned: dict[str | None, int] = {
            category: n * run.plan.repeats for category, n in people.items()
        }
        covered[name] = coverage_of(rows, planned)
    return covered


def _specs(row: Row) -> tuple[str, str]:
    return row.collector, row.debtor_seat


def _short(specs: set[str]) -> dict[str, str]:
    """Names without the address of `compat/NAME@URL`, where they stay different without it."""
    cut = {spec: _ADDRESS.sub("", spec) if spec.startswith("compat/") else spec for spec in specs}
    names = list(cut.values())
    return {spec: name if names.count(name) == 1 else spec for spec, name in cut.items()}


def _heads(run: StoredRun) -> list[Row]:
    """One row of each suite, collector and debtors' seat."""
    heads = {(row.suite, row.collector, row.debtor_seat): row for row in run.rows}
    return list(heads.values())


def debtor_seats(runs: Sequence[StoredRun]) -> tuple[str, ...]:
    """Who answered for the debtors in these runs."""
    return tuple(dict.fromkeys(seat for run in runs for seat in run.plan.debtor_seats))


def main_tables(runs: Sequence[StoredRun]) -> Iterator[Table]:
    """The tables that belong on a terminal."""
    for suite, lines in lines_of(runs).items():
        summaries = summaries_of(suite, lines, runs[0].plan.seed)
        yield from tables_of(suite, summaries, covered_by(runs, suite, lines))[0]
    failed = failures_table(runs)
    if failed is not None:
        yield failed
    yield from tables_about(runs)


def tables_about(runs: Sequence[StoredRun]) -> Iterator[Table]:
    """Tables about the runs themselves: players, repeats, judges, cost."""
    sheets = {run.path: sheets_of(run) for run in runs}
    whose = {(row.suite, name): sheets[run.path] for run, name, row in _named(runs)}
    for suite, lines in lines_of(runs).items():
        mine = {name: whose[suite, name] for name in lines}
        yield from filter(
            None, (players_table(suite, lines, mine), repeats_table(suite, lines, mine))
        )
    if any(sheets.values()):
        yield from judge_tables([JudgedRun(r.path.name, r.rows, sheets[r.path]) for r in runs])
    cost = cost_table(runs)
    if cost is not None:
        yield cost


def as_json(runs: Sequence[StoredRun]) -> dict[str, Any]:
    """Every figure with interval and counts, as plain values."""
    document: dict[str, Any] = {
        "runs": [str(run.path) for run in runs],
        "debtor_seats": debtor_seats(runs),
        "suites": {},
        "covered": {},
    }
    for suite, lines in lines_of(runs).items():
        document["suites"][suite] = summaries_of(suite, lines, runs[0].plan.seed)
        document["covered"][suite] = {
            name: {**c.whole._asdict(), "ranked": c.whole.ranked,
                   "by_category": {k: part._asdict() for k, part in c.by_category.items()}}
            for name, c in covered_by(runs, suite, lines).items()
        }  # fmt: skip
    document["failed"] = [
        {"run": str(run.path), "collector": one.collector, **one.failure.model_dump(),
         "dialogues": one.dialogues, "words": one.words}
        for run in runs
        for one in failures_of(run)
    ]  # fmt: skip
    document["about"] = [_plain_table(table) for table in tables_about(runs)]
    plain: dict[str, Any] = orjson.loads(orjson.dumps(document))
    return plain


def _plain_table(table: Table) -> dict[str, Any]:
    """A table for readers that are programs: text by row and column, with its interval."""
    titles = [column.title for column in table.columns]
    return {
        "title": table.title,
        "caption": table.caption,
        "rows": {
            row.name: {
                title: [cell.text, cell.interval]
                for title, cell in zip(titles, row.cells, strict=True)
            }
            for row in table.rows
        },
    }


def _purses(runs: Sequence[StoredRun], suite: str) -> Mapping[str, Money]:
    return {
        debtor.id: money_of(debtor) for run in runs for debtor in run.populations.get(suite, ())
    }


def _turns(runs: Sequence[StoredRun]) -> int:
    return max(run.plan.max_turns for run in runs)


def _lead(runs: Sequence[StoredRun]) -> str:
    talks = sum(len(run.rows) for run in runs)
    owed = sum(run.planned - len(run.rows) for run in runs)
    failed = sum(row.failure is not None for run in runs for row in run.rows)
    text = f"{talks - failed:,} negotiations over four terms, each projected over two years."
    text += f" {failed:,} more failed and are in no figure." if failed else ""
    return text + (f" {owed:,} are still to be played." if owed else "")


def _facts(run: StoredRun) -> list[tuple[str, str]]:
    plan = run.plan
    mandate = plan.mandate
    return [
        ("Run", run.path.name),
        ("Arrears", f"{plan.arrears}; seed {plan.seed}; rules {plan.rules[:12]}"),
        ("Debtors", "; ".join(f"{s.name}: {s.debtors:,} ({s.digest[:12]})" for s in plan.suites)),
        ("Collectors", ", ".join(plan.collectors)),
        ("Debtors' seats", ", ".join(plan.debtor_seats)),
        *_asked(plan),
        ("Talks", f"{len(run.rows):,} of {run.planned:,}; at most {plan.max_turns} turns"),
        ("Repeats", str(plan.repeats)),
        (
            "Mandate",
            f"discount up to {mandate.max_disc_ratio:.0%}, at least {mandate.min_pmt_ratio:.0%} "
            f"upfront, within {mandate.max_pmt_days} days, up to {mandate.max_inst_prds} months",
        ),
    ]


def _asked(plan: Plan) -> Iterator[tuple[str, str]]:
    """How models were asked, where any was."""
    helpers = {"planner": plan.planner, "judge": plan.judge}
    named = ", ".join(f"{role} {spec}" for role, spec in helpers.items() if spec)
    if named:
        yield "MADeN", named
    if plan.models():
        tokens = f"{plan.max_tokens:,}" if plan.max_tokens else "1,024 (4,096 reasoning)"
        yield (
            "Models",
            f"temperature {plan.temperature:g}, most tokens {tokens}, prompts {plan.lang} "
            f"{plan.prompts[:12]}; a server may answer otherwise next time",
        )


def _glossary(sections: Sequence[Section]) -> list[tuple[str, str]]:
    del sections
    seen = {m.key: m for m in (*DCN, *DEBTBENCH)}
    meanings = [(m.title, m.meaning) for m in seen.values() if m.key != "SR"]
    return [
        ("SR %", "in DCN's tables: agreements that hold for two years, of all talks; "
         "in DebtBench's: talks that end in an agreement"),
        *meanings,
    ]  # fmt: skip


def _talks(run: StoredRun) -> list[Talk]:
    """A dozen transcripts of a run."""
    looked_at = {row.case for row in _spread(run.rows)}
    best: dict[str, float] = {}
    candidates = []
    for row in run.rows:
        if row.case in looked_at:
            regret = _regret(run, row, best) if row.agreed else None
            empty = row.agreed and _EMPTY_PROMISE in run.line(row.case)
            candidates.append(Candidate(row, regret, empty))
    return [
        lay_out(why, candidate, run.dialogue(candidate.row.case), _debtor(run, candidate.row))
        for why, candidate in choose(candidates)
    ]


def _spread(rows: Sequence[Row]) -> Iterator[Row]:
    """Evenly spread rows, at most so many that each can be looked at."""
    step = max(1, len(rows) // _LOOKED_AT)
    return islice(rows, 0, None, step)


def _debtor(run: StoredRun, row: Row) -> Debtor:
    return run.debtor(row.suite, row.debtor_id)


def _regret(run: StoredRun, row: Row, best: dict[str, float]) -> float:
    """Own CCI of the best legal agreement less this one's."""
    if row.debtor_id not in best:
        grid = project_all(money_of(_debtor(run, row)))
        best[row.debtor_id] = float(grid.own_cci().max())
    return max(0.0, best[row.debtor_id] - row.own_cci)
