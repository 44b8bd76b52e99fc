"""A failure is never a score: what broke off from outside leaves every figure and is counted."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrears.bench.coverage import coverage_of
from arrears.bench.pictures import pictures
from arrears.bench.scores import read_scores, write_scores
from arrears.bench.sections import section, summaries_of, tables_of
from arrears.bench.tables import Table, TableRow
from arrears.debtors.suites import load_suite
from arrears.dialogue.acts import NON
from arrears.dialogue.failures import CAUSES, Cause, Failure, failure_of
from arrears.dialogue.loop import negotiate
from arrears.dialogue.record import DIALOGUE_ADAPTER, Dialogue, Ending, Turn, as_line
from arrears.economy.position import money_of
from arrears.errors import MalformedReply, ModelError
from arrears.rng import rng_for
from arrears.scoring import dcn
from arrears.scoring.row import Row, columns_of, row_from, score
from arrears.scoring.summary import compare, summarise
from arrears.terms import Mandate, Terms
from tests.commands import arrears, dialogues
from tests.stub_minds import canned
from tests.stub_server import Faults, Stub

PEOPLE = {d.id: d for d in load_suite("debtbench")[:24]}
IDS = list(PEOPLE)
OUTCOMES = (None, Terms(0.0, 0.10, 14, 12), Terms(0.2, 0.05, 7, 24), Terms(0.0, 0.5, 1, 3))


def dialogue(
    n: int, terms: Terms | None, collector: str = "a", failure: Failure | None = None
) -> Dialogue:
    """One with the n-th person; with a failure it was broken off after the first message."""
    ending: Ending = "error" if failure else "agreed" if terms else "max_turns"
    return Dialogue(
        case=f"debtbench/{collector}/y/{IDS[n]}/1", suite="debtbench", debtor_id=IDS[n],
        collector=collector, debtor_seat="y", mandate=Mandate(), ending=ending, terms=terms,
        turns=(Turn("collector", "Good day.", (NON,), number=1),), failure=failure,
    )  # fmt: skip


def rows(
    outcomes: Sequence[int], failed: Sequence[int] = (), cause: Cause = "provider", name: str = "a"
) -> list[Row]:
    """Played ones with the first people, then failed ones with others."""
    broken = Failure(cause=cause, seat="collector", error="ModelError")
    talks = [dialogue(n, OUTCOMES[o], name) for n, o in enumerate(outcomes)]
    talks += [dialogue(n, None, name, broken) for n in failed]
    return [score(talk, PEOPLE[talk.debtor_id]) for talk in talks]


outcomes_of = st.lists(st.integers(0, len(OUTCOMES) - 1), min_size=2, max_size=8)
lost = st.lists(st.integers(8, 23), min_size=1, max_size=6, unique=True)
causes = st.sampled_from(list(CAUSES))


@settings(deadline=None, max_examples=25)
@given(outcomes_of, lost, causes)
def test_what_failed_changes_no_figure_of_a_collector(
    played: list[int], failed: list[int], cause: Cause
) -> None:
    whole = summarise(rows(played), rng_for(1, "a"), 40)
    found = summarise(rows(played, failed, cause), rng_for(1, "a"), 40)
    assert replace(found, failed=0, failures={}) == whole
    assert (found.failed, found.failures) == (len(failed), {cause: len(failed)})
    np.testing.assert_array_equal(dcn.averages(rows(played, failed)), dcn.averages(rows(played)))


@settings(deadline=None, max_examples=15)
@given(outcomes_of, outcomes_of, lost)
def test_what_failed_is_in_no_paired_test(a: list[int], b: list[int], failed: list[int]) -> None:
    whole = {"a": rows(a), "b": rows(b, name="b")}
    broken = {"a": rows(a, failed), "b": [*rows(b, name="b"), *rows(range(0), failed, name="b")]}
    assert compare(broken, rng_for(1, "x"), resamples=40) == compare(
        whole, rng_for(1, "x"), resamples=40
    )


def test_a_debtor_that_one_side_lost_is_in_no_pair() -> None:
    a, b = rows([1, 2, 3, 0]), [*rows([1, 2, 3], name="b"), *rows([], [3], name="b")]
    assert {c.difference.n for c in compare({"a": a, "b": b}, rng_for(1, "x"), resamples=40)} == {3}


@settings(deadline=None, max_examples=15)
@given(outcomes_of, lost)
def test_what_failed_is_in_no_picture(played: list[int], failed: list[int]) -> None:
    money = {d.id: money_of(d) for d in PEOPLE.values()}
    drawn = [pictures({"a": found}, money, 12) for found in (rows(played), rows(played, failed))]
    assert drawn[0] == drawn[1]
    assert pictures({"a": rows([], failed)}, money, 12) == []


def test_a_collector_with_nothing_but_failures_has_no_metrics_and_no_mark() -> None:
    lines = {"dead": rows([], range(6)), "a": rows([1, 2, 0, 3]), "b": rows([1, 1, 0, 2], name="b")}
    for table in (t for tables in tables_of(*tabled(lines)) for t in tables):
        for row in named(table, "dead"):
            assert {cell.text for cell in row.cells} <= {"–", "0 / 0"}
            assert {cell.mark for cell in row.cells} == {""}
            assert row.note.endswith("failed")


def test_whoever_is_marked_best_has_its_failures_in_the_same_row() -> None:
    """In every table of the suite that marks anything."""
    lines = {"a": [*rows([1, 2, 0, 3] * 6), *rows([], [5])], "b": rows([2, 0, 0, 2] * 6, name="b")}
    whole, *_ = tables_of(*tabled(lines))[0]
    (row,) = named(whole, "a")
    assert any(cell.mark for cell in row.cells)
    assert row.note == "1 of 25 failed"


@pytest.mark.parametrize(("failed", "ranked"), [(1, True), (2, False), (20, False)])
def test_who_lacks_more_than_one_dialogue_in_twenty_has_no_place(failed: int, ranked: bool) -> None:
    """One that met a single easy debtor would be best of all."""
    mine = [*rows([1] * (24 - failed)), *rows([], range(24 - failed, 24))]
    lines = {"a": mine, "b": rows([2, 0, 1] * 8, name="b"), "c": rows([0, 0, 1] * 8, name="c")}
    whole, *_ = tables_of(*tabled(lines))[0]
    (row,) = named(whole, "a")
    assert any(cell.mark for cell in row.cells) == ranked
    assert ("has no place" in whole.note) != ranked
    assert any(cell.mark for row in named(whole, "b") for cell in row.cells)
    found = section(*tabled(lines, lines), {d.id: money_of(d) for d in PEOPLE.values()}, 12, 1)
    told = " ".join(found.findings)
    assert ("too much is missing to compare a " in told) != ranked
    assert ranked or "a has the best" not in told


def test_what_is_pending_is_missing_too() -> None:
    planned: dict[str | None, int] = {}
    for person in PEOPLE.values():
        planned[person.category] = planned.get(person.category, 0) + 10
    part = coverage_of(rows([1, 2, 3], [4]), planned).whole
    assert part == (240, 1, 236)
    assert part.note == "1 of 240 failed, 236 pending"
    assert coverage_of(rows([1, 2, 3]), planned).whole.note == "237 of 240 pending"
    assert not part.ranked


def test_a_category_of_which_everything_failed_has_a_row_that_says_so() -> None:
    kinds = {row.debtor_id: row.category for row in rows(range(0), range(24))}
    gone = [n for n, one in enumerate(IDS) if kinds[one] == "avoidant"]
    kept = [score(dialogue(n, OUTCOMES[1]), PEOPLE[IDS[n]]) for n in range(24) if n not in gone]
    lines = {"a": [*kept, *rows([], gone)]}
    by_category = tables_of(*tabled(lines))[0][1]
    found = {row.group: row for row in by_category.rows}
    assert found["avoidant"].note == f"{len(gone)} of {len(gone)} failed"
    assert {cell.text for cell in found["avoidant"].cells} == {"–"}
    assert {row.note for group, row in found.items() if group != "avoidant"} == {""}


def test_the_findings_begin_with_what_failed_and_name_no_dead_collector_as_best() -> None:
    lines = {"dead": rows([], range(6)), "a": rows([1, 2, 0, 3], [5]), "b": rows([0, 0, 0, 2])}
    money = {d.id: money_of(d) for d in PEOPLE.values()}
    found = section(*tabled(lines, lines), money, 12, 1).findings
    assert found[0].startswith("Broken off from outside and in no figure: 6 of 6 dialogues with ")
    assert "1 of 5 dialogues with a (the model's endpoint gave no answer)" in found[0]
    assert found[1] == (
        "On debtbench, too much is missing to compare dead (6 of 6 failed), a (1 of 5 failed)."
    )
    assert not any("dead" in sentence for sentence in found[2:])


def test_a_stored_figure_of_a_failed_dialogue_is_null_and_comes_back(tmp_path: Path) -> None:
    """Whoever averages a column of scores.parquet must not average a zero that nobody scored."""
    found = rows([1], [9])
    columns = columns_of(found)
    measured = {
        "agreed", "success", "recovery", "qrd", "hrd", "cd", "l1d", "l2d", "atv", "atv_365",
        "own_cri", "own_dhi", "own_cci", "dc", "ce", "sa", "ls", "us", "es", "ca", "ds",
    }  # fmt: skip
    assert {name for name in measured if columns[name][1] is not None} == set()
    assert [row_from({k: v[i] for k, v in columns.items()}) for i in (0, 1)] == found
    write_scores(tmp_path, found)
    assert read_scores(tmp_path) == found
    assert math.isnan(found[1].recovery), "no figure, where one is taken all the same"


def test_scores_of_an_older_arrears_are_made_again(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_scores(tmp_path, rows([1]))
    table = pq.read_table(tmp_path / "scores.parquet").drop_columns(["failure"])
    pq.write_table(table, tmp_path / "scores.parquet")
    assert read_scores(tmp_path) == []


def tabled(lines: dict[str, list[Row]], found: Any = None) -> tuple[Any, ...]:
    """The suite, its summaries (or what is given in their place), and what they cover."""
    covered = {name: coverage_of(mine) for name, mine in lines.items()}
    return "debtbench", found or summaries_of("debtbench", lines, 1), covered


def named(table: Table, name: str) -> list[TableRow]:
    return [row for row in table.rows if row.name == name]


class Fails:
    """A seat that raises. By its name it is one of arrears' own."""

    __module__ = "arrears.agents.fails"

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def reply(self, view: object) -> Turn:
        raise self._error


@pytest.mark.parametrize(
    ("spec", "error", "cause"),
    [
        ("openai/m", ModelError("503"), "provider"),
        ("python/seat.py:Own", ModelError("503"), "provider"),
        ("python/seat.py:Own", KeyError("terms"), "seat_code"),
        ("scripted/firm", KeyError("terms"), "arrears"),
        ("openai/m", ZeroDivisionError(), "arrears"),
    ],
)
@pytest.mark.parametrize("seat", ["collector", "debtor"])
def test_a_failure_is_charged_to_who_caused_it(
    seat: str, spec: str, error: Exception, cause: Cause
) -> None:
    class Speaks:
        async def reply(self, view: object) -> Turn:
            return Turn("collector", "Good day.", (NON,))

    person = PEOPLE[IDS[0]]
    mine = seat == "collector"
    found = asyncio.run(
        negotiate(
            case="c", suite="s", debtor=person, collector=Fails(error) if mine else Speaks(),
            debtor_seat=Fails(error), collector_spec=spec if mine else "x", debtor_spec=spec,
        )
    )  # fmt: skip
    assert found.failure is not None
    assert (found.failure.cause, found.failure.seat) == (cause, seat)
    assert found.failure.error == type(error).__name__
    assert DIALOGUE_ADAPTER.validate_json(as_line(found)) == found


def test_a_seat_that_cannot_write_a_message_is_no_failure_from_outside() -> None:
    found = asyncio.run(
        negotiate(
            case="c", suite="s", debtor=PEOPLE[IDS[0]], collector=Fails(MalformedReply("no Action")),
            debtor_seat=Fails(KeyError()), collector_spec="openai/m", debtor_spec="y",
        )
    )  # fmt: skip
    assert (found.ending, found.failure, found.failed) == ("malformed", None, None)
    row = score(found, PEOPLE[IDS[0]])
    assert summarise([row], rng_for(1, "m"), 40).debtbench["SR"].value == 0, "it stays in"


def test_the_line_is_that_of_the_users_own_file(tmp_path: Path) -> None:
    """The innermost one, also where a library that it called has raised."""
    file = tmp_path / "seat.py"
    file.write_text("import json\n\n\ndef read(text):\n    return json.loads(text)\n")
    scope: dict[str, object] = {}
    exec(compile(file.read_text(), str(file), "exec"), scope)
    try:
        scope["read"]("{")  # type: ignore[operator]
    except ValueError as error:
        found = failure_of("collector", f"python/{file}:Own", error)
    assert (found.error, found.where) == ("JSONDecodeError", "seat.py:5")


@pytest.mark.parametrize(
    ("detail", "seat", "cause"),
    [
        ("collector: ModelError: openai/m: 500", "collector", "provider"),
        ("debtor: ModelError: openai/m: 500", "debtor", "provider"),
        ("debtor: AttributeError: 'x'", "debtor", "unknown"),
        ("", "collector", "unknown"),
    ],
)
def test_dialogues_of_an_older_arrears_are_charged_as_far_as_they_tell(
    detail: str, seat: str, cause: Cause
) -> None:
    plain = orjson.loads(as_line(dialogue(0, None)))
    assert "failure" not in plain, "nothing new in a dialogue that did not fail"
    old = DIALOGUE_ADAPTER.validate_python(
        {**plain, "mandate": Mandate(), "ending": "error", "detail": detail, "turns": ()}
    )
    assert old.failed is not None
    assert (old.failed.seat, old.failed.cause) == (seat, cause)


SEAT = """
class Raises:
    def __init__(self, account, mandate, rng):
        pass

    async def reply(self, view):
        return view.no_such_thing
"""


def test_a_dead_endpoint_and_a_raising_seat_beside_one_that_works(tmp_path: Path) -> None:
    """The run is played, stored and reported whole, and ends with exit code 1."""
    (tmp_path / "seat.py").write_text(SEAT)
    words = (
        "bench", "--suite", "dcn", "--limit", "6", "--collector", "compat/x@http://127.0.0.1:9/v1",
        "--collector", "python/seat.py:Raises", "--collector", "scripted/typical", "--collector",
        "scripted/lenient", "--retries", "0", "--out", "run",
    )  # fmt: skip
    done = arrears(*words, cwd=tmp_path)
    assert done.returncode == 1
    for name in ("compat/x", "python/seat.py:Raises"):
        first = next(x for x in done.stdout.splitlines() if x.startswith(f"| {name} "))
        assert first.startswith(f"| {name} (6 of 6 failed) ")
        assert "*" not in first
        assert first.count(" – ") == 13
    told = next(x for x in done.stdout.splitlines() if "AttributeError" in x)
    assert told.startswith("| python/seat.py:Raises ")
    assert "| seat.py:7 |" in " ".join(told.split())
    assert "compat/x@http://127.0.0.1:9/v1: 6 of 6 dialogues" in done.stderr
    assert "Cannot connect to host 127.0.0.1:9" in done.stderr
    assert "python/seat.py:Raises: 6 of 6 dialogues" in done.stderr
    assert "--retry-errors" in done.stderr
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Broken off from outside and in no figure" in page
    assert "Cannot connect to host 127.0.0.1:9" in page
    assert len(dialogues(tmp_path / "run")) == 24
    allowed = arrears(*words, "--fail-on-error", "1", "--no-report", "--json", cwd=tmp_path)
    assert allowed.returncode == 0, allowed.stderr
    found = orjson.loads(allowed.stdout)["suites"]["dcn"]["compat/x"]
    assert (found["failed"], found["dialogues"], found["failures"]) == (6, 0, {"provider": 6})
    assert {metric["value"] for metric in found["dcn"].values()} == {None}


@pytest.mark.parametrize(("share", "code"), [("0", 1), ("0.49", 1), ("0.5", 0), ("1", 0)])
def test_the_share_that_may_fail_is_of_one_collectors_dialogues(
    share: str, code: int, tmp_path: Path
) -> None:
    first: list[bytes] = []

    def one_in_two(body: bytes) -> bool:
        first.append(body)
        return len(first) <= 2

    with Stub(canned, Faults(doomed=one_in_two)) as stub:
        done = arrears(
            "bench", "--no-report", "--suite", "dcn", "--limit", "4", "--collector", stub.spec("m"),
            "--debtor-seat", stub.spec("m"), "--collector", "scripted/firm", "--fail-on-error",
            share, "--out", str(tmp_path), "--concurrency", "1",
        )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert sum(talk.ending == "error" for talk in dialogues(tmp_path)) == 2
    assert "(2 of 4 failed)" in done.stdout
