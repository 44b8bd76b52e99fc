"""Repeats with the same debtor are no new debtors, in any table that has an interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrears.bench.judge_tables import JudgedRun, judge_tables
from arrears.bench.players import players_table
from arrears.bench.run_tables import repeats_table
from arrears.bench.sheets import Judged, Sheet
from arrears.bench.tables import Cell, Table
from arrears.debtors.suites import load_suite
from arrears.rng import rng_for
from arrears.scoring.row import Row, score
from arrears.scoring.statistics import effective_n, paired, share, sign_flip, totals, wilson
from arrears.scoring.summary import compare, summarise
from arrears.synthesis.realism.diversity import measure
from arrears.synthesis.realism.talks import from_dialogue
from arrears.training.report.drift import Drift, _drift
from tests.talks import talks

PEOPLE = {debtor.id: debtor for debtor in load_suite("dcn", "test")}
ROW = score(talks("scripted/typical", "dcn", 1)[0], next(iter(PEOPLE.values())))
DEBTORS = 40


def rows_of(outcomes: np.ndarray, suite: str = "dcn", seat: str = "compat/m") -> list[Row]:
    """A row for each debtor and repeat of an array of successes; repeat by repeat, as runs are."""
    return [
        replace(
            ROW,
            case=f"{suite}/compat/c/{seat}/d{debtor}/{repeat + 1}",
            suite=suite,
            debtor_id=f"d{debtor}",
            debtor_seat=seat,
            agreed=bool(outcomes[debtor, repeat]),
            success=bool(outcomes[debtor, repeat]),
            own_cci=float(outcomes[debtor, repeat]),
            us=5.0 + float(outcomes[debtor, repeat]),
            collector_faults="" if outcomes[debtor, repeat] else "turned_around",
            debtor_faults="" if outcomes[debtor, repeat] else "broke_character",
        )
        for repeat in range(outcomes.shape[1])
        for debtor in range(outcomes.shape[0])
    ]


def sheet(kind: str, judge: str, rows: Sequence[Row], name: str, scores: Sequence[float]) -> Sheet:
    judged = {
        row.case: Judged(row.case, {name: float(s)}, "", "r")
        for row, s in zip(rows, scores, strict=True)
    }
    return Sheet(kind, judge, "", judged)


def judged(outcomes: np.ndarray, noise: np.ndarray) -> list[Table]:
    """Two judges, a pairwise one and two people over debtors and repeats; `noise` is one's own."""
    rows = rows_of(outcomes)
    right = [5.0 + row.success for row in rows]
    wrong, other = (
        [float(x) for x in (outcomes + 5 + own).T.ravel()] for own in (noise, noise[::-1])
    )
    sheets = [
        sheet("experience", "one", rows, "US", right),
        sheet("experience", "two", rows, "US", wrong),
        sheet("pairwise", "one", rows, "realism", [float(row.success) for row in rows]),
    ]
    people = {
        "US": {
            name: {row.case: x for row, x in zip(rows, given, strict=True)}
            for name, given in (("anna", wrong), ("bo", other))
        }
    }
    return judge_tables([JudgedRun("x", rows, sheets)], people)


def tables_of(outcomes: np.ndarray, noise: np.ndarray) -> dict[str, Cell]:
    """Every cell with an interval of every table over dialogues, by where it stands."""
    rows = rows_of(outcomes)
    lines = {"c": rows}
    found = [*judged(outcomes, noise), players_table("dcn", lines, {})]
    if outcomes.shape[1] > 1:
        found.append(repeats_table("dcn", lines, {}))
    cells = {}
    for table in found:
        assert table is not None
        for row in table.rows:
            for at, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
                if cell.interval:
                    cells[f"{table.title}: {row.name}: {at} {column.title}"] = cell
    return cells


def width(cell: Cell) -> float:
    low, _, high = cell.interval.partition("…")
    return float(high) - float(low)


def drawn(seed: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Successes that are drawn for each repeat alone, and a judge's noise."""
    rng = rng_for(seed, "units")
    return (
        (rng.random((DEBTORS, repeats)) < 0.6).astype(float),
        rng.integers(0, 2, (DEBTORS, repeats)).astype(float),
    )


def test_identical_repeats_make_no_interval_of_any_table_narrower() -> None:
    """40 debtors once, and the same three times over: the same value with the same interval."""
    outcomes, noise = drawn(1, 1)
    once = tables_of(outcomes, noise)
    tripled = tables_of(outcomes.repeat(3, axis=1), noise.repeat(3, axis=1))
    assert len(once) > 15, "means, votes, κ, α, ρ, people and players are all there"
    for place, cell in once.items():
        if "κ" in place or "α" in place:
            # Both correct chance agreement for the number of marks, which is larger.
            assert float(tripled[place].text) == pytest.approx(float(cell.text), abs=0.03), place
            assert width(tripled[place]) > 0.9 * width(cell), place
        else:
            assert (tripled[place].text, tripled[place].interval) == (cell.text, cell.interval), (
                place
            )
    # pass^1 … pass^3 of identical repeats are one and the same share of debtors.
    holds = wilson(int(outcomes.sum()), DEBTORS)
    ends = f"{100 * holds.low:.1f}…{100 * holds.high:.1f}"
    passes = [cell.interval for place, cell in tripled.items() if "pass^" in place]
    assert passes == [ends] * 3


def test_independent_repeats_make_every_interval_narrower() -> None:
    """Of 40 debtors with six repeats each there is nearly six times as much to be known."""
    outcomes, noise = drawn(2, 6)
    few, many = tables_of(outcomes[:, :1], noise[:, :1]), tables_of(outcomes, noise)
    for place, cell in few.items():
        if "human sd" in place:
            continue  # The deviation is another one, and a share near 1 has a narrow interval.
        assert width(many[place]) < 0.7 * width(cell), place
        assert width(many[place]) > 0.25 * width(cell), place


def test_a_share_of_a_summary_is_as_wide_as_its_debtors_and_repeats_make_it() -> None:
    outcomes, _ = drawn(3, 6)

    def ends(found: np.ndarray) -> tuple[float | None, float | None]:
        sr = summarise(rows_of(found), rng_for(1, "s"), 50).dcn["SR"]
        return sr.low, sr.high

    once = wilson(int(outcomes[:, 0].sum()), DEBTORS)
    assert ends(outcomes[:, :1]) == pytest.approx(once[1:])
    assert ends(outcomes[:, :1].repeat(6, axis=1)) == pytest.approx(once[1:])
    low, high = ends(outcomes)
    assert low is not None
    assert high is not None
    assert (high - low) < 0.6 * (once.high - once.low)


def test_debtors_of_two_suites_with_one_id_are_two_and_one_before_two_seats_is_one() -> None:
    outcomes, noise = drawn(4, 1)
    here, there = rows_of(outcomes), rows_of(outcomes, suite="debtbench")
    beside = rows_of(outcomes, seat="compat/other")

    def us(rows: list[Row]) -> Cell:
        scores = [*(outcomes + noise).T.ravel()] * (len(rows) // DEBTORS)
        sheets = [sheet("experience", "j", rows, "US", scores)]
        (table,) = judge_tables([JudgedRun("x", rows, sheets)])
        return table.rows[0].cells[0]

    alone, two, one = us(here), us([*here, *there]), us([*here, *beside])
    assert one.interval == alone.interval
    assert width(two) == pytest.approx(width(alone) / 2**0.5, rel=0.1)
    ends = [
        summarise(rows, rng_for(2, "s"), 400).debtbench["US"]
        for rows in (here, [*here, *there], [*here, *beside])
    ]
    wide = [m.high - m.low for m in ends if m.high is not None and m.low is not None]
    assert wide[1] == pytest.approx(wide[0] / 2**0.5, rel=0.15)
    assert wide[2] == pytest.approx(wide[0], rel=1e-9)


def test_one_debtor_however_often_makes_no_interval_of_a_mean() -> None:
    rows = rows_of(np.array([[1.0, 0.0, 1.0, 1.0]]))
    sheets = [sheet("experience", j, rows, "US", [3, 4, 5, x]) for j, x in (("a", 5), ("b", 4))]
    given, among = judge_tables([JudgedRun("x", rows, sheets)])
    assert [cell.interval for cell in given.rows[0].cells] == ["", ""]
    assert [cell.interval for cell in among.rows[0].cells] == [""] * 4


def test_what_failed_from_outside_is_in_no_figure_and_counted_beside() -> None:
    """A collector whose endpoint dies is not judged by what it could not say."""
    outcomes, noise = drawn(5, 3)
    rows = rows_of(outcomes)
    broken = [
        replace(r, failure=("provider", "seat_code")[i % 2], success=False, agreed=False,
                collector_faults="", debtor_faults="", own_cci=0.0)
        if i % 4 == 0 else r
        for i, r in enumerate(rows)
    ]  # fmt: skip
    sound = [r for r in broken if r.failure is None]
    scores = [float(x) for x in (outcomes + noise).T.ravel()]
    judge = sheet("experience", "j", rows, "US", scores)
    other = sheet("experience", "k", rows, "US", scores[::-1])
    kept = [s._replace(judged={r.case: s.judged[r.case] for r in sound}) for s in (judge, other)]
    with_all = judge_tables([JudgedRun("x", broken, [judge, other])])
    without = judge_tables([JudgedRun("x", sound, kept)])
    assert with_all[1] == without[1]
    assert [r.cells[:-1] for r in with_all[0].rows] == [r.cells for r in without[0].rows]
    assert with_all[0].rows[0].cells[-1].text == "30: provider 30"
    assert "the model's endpoint gave no answer" in with_all[0].note
    for table in (players_table, repeats_table):
        here = table("dcn", {"c": broken}, {"c": [judge, other]})
        same = table("dcn", {"c": sound}, {"c": kept})
        assert here is not None
        assert same is not None
        at = next(i for i, c in enumerate(here.columns) if "(why)" in c.title)
        assert here.rows[0].cells[at].text == "30: provider 30"
        for i, cell in enumerate(here.rows[0].cells):
            assert i == at or cell == same.rows[0].cells[i], here.columns[i].title


def test_a_line_of_failures_alone_has_no_share_and_says_why() -> None:
    rows = [replace(r, failure="provider") for r in rows_of(np.zeros((4, 2)))]
    table = players_table("dcn", {"dead": rows}, {})
    assert table is not None
    assert [cell.text for cell in table.rows[0].cells] == ["–"] * 7 + ["8: provider 8"]
    assert repeats_table("dcn", {"dead": rows}, {}) is None
    built_in = [
        replace(r, collector_faults=None, debtor_faults=None) for r in rows_of(np.ones((4, 2)))
    ]
    assert players_table("dcn", {"fine": built_in}, {}) is None


def test_pass_k_is_of_what_was_played_and_says_how_much_is_missing() -> None:
    """An incomplete run in which some failed: no repeat that was played is left out."""
    outcomes = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 0], [1, 1, 0.0]])
    rows = rows_of(outcomes)
    rows = [replace(r, failure="provider") if r.case.endswith("d1/2") else r for r in rows]
    rows = [r for r in rows if not r.case.endswith("d3/3")]
    table = repeats_table("dcn", {"c": rows}, {})
    assert table is not None
    cells = {c.title: cell.text for c, cell in zip(table.columns, table.rows[0].cells, strict=True)}
    assert cells["pass^1 %"] == f"{100 * (1 + 1 + 0 + 1) / 4:.1f}"
    assert cells["pass^2 %"] == f"{100 * (1 + 1 + 0 + 1) / 4:.1f}"
    assert cells["pass^3 %"] == f"{100 * (1 + 0) / 2:.1f}"
    assert cells["debtors"] == "4, 4, 2"
    assert cells["missing (why)"] == "2: provider 1, pending 1"


def test_judges_of_two_runs_are_not_taken_for_one_another() -> None:
    """The same cases in both, as of one collector at two temperatures."""
    outcomes, noise = drawn(6, 1)
    rows = rows_of(outcomes)
    first = [float(x) for x in noise.ravel()]
    runs = [
        JudgedRun(name, rows, [sheet("experience", j, rows, "US", s) for j in ("one", "two")])
        for name, s in (("a", first), ("b", [x + 3 for x in first]))
    ]
    given, among = judge_tables(runs)
    assert [row.name for row in given.rows] == ["one (a)", "two (a)", "one (b)", "two (b)"]
    assert among.rows[0].cells[-1].text == "80"


@given(
    st.lists(st.tuples(st.integers(1, 6), st.floats(0, 1)), min_size=1, max_size=30),
    st.integers(2, 4),
)
@settings(deadline=None)
def test_an_effective_number_lies_between_debtors_and_dialogues(
    people: list[tuple[int, float]], times: int
) -> None:
    counts = np.array([float(n) for n, _ in people])
    sums = np.array([float(round(n * part)) for n, part in people])
    n = effective_n(sums, counts)
    assert counts.sum() ** 2 / (counts**2).sum() - 1e-9 <= n <= counts.sum() + 1e-9
    # Whoever repeats what was said once, word for word, knows no more.
    once = (sums > 0).astype(float)
    assert effective_n(once * times, np.full(len(once), float(times))) == pytest.approx(len(once))
    assert share(sums, counts).value == pytest.approx(sums.sum() / counts.sum())


def _alike(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    counts = rng.integers(1, 6, DEBTORS).astype(float)
    return counts * (rng.random(DEBTORS) < 0.7), counts


def _independent(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    counts = rng.integers(1, 6, DEBTORS)
    return rng.binomial(counts, 0.7).astype(float), counts.astype(float)


def _between(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    counts = rng.integers(1, 6, DEBTORS)
    return rng.binomial(counts, rng.beta(1.4, 0.6, DEBTORS)).astype(float), counts.astype(float)


@pytest.mark.parametrize("draw", [_alike, _independent, _between])
def test_a_shares_interval_holds_the_truth_as_often_as_it_says(
    draw: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]],
) -> None:
    """Whether repeats are alike or not, and however many each debtor has."""
    rng = rng_for(11, "coverage", draw.__name__)
    hits = 0
    for _ in range(600):
        found = share(*draw(rng))
        hits += found.low <= 0.7 <= found.high
    assert 0.92 <= hits / 600 <= 0.985


def test_totals_are_by_debtor_in_the_order_of_their_first() -> None:
    sums, counts = totals([1.0, 2.0, 4.0, 8.0], ["b", "a", "b", "c"])
    assert (list(sums), list(counts)) == ([5, 2, 8], [2, 1, 1])


def test_many_comparisons_leave_room_for_a_p_that_holm_lets_pass() -> None:
    """2,000 flips give no p below 1/2,001; times 140 comparisons that could never be below .05."""
    outcomes = (rng_for(8, "many").random((DEBTORS, 1)) < 0.5).astype(float)
    lines: Mapping[str, list[Row]] = {
        str(n): [replace(r, own_cci=r.own_cci + n) for r in rows_of(outcomes)] for n in range(8)
    }
    found = compare(lines, rng_for(1, "m"), ("SR", "CR", "US", "own DHI", "own CCI"), 200)
    assert len(found) == 140
    for one in found:
        assert (one.p_adjusted < 0.05) == (one.metric == "own CCI"), one


def test_a_sign_flip_takes_what_is_equal_for_equal() -> None:
    (same,) = sign_flip(np.zeros((12, 1)), rng_for(1, "f"))
    (both,) = sign_flip(np.array([[0.1], [-0.1], [0.3], [-0.3]]), rng_for(1, "f"))
    (alone, none) = sign_flip(np.array([[2.0, np.nan]]), rng_for(1, "f"))
    assert (same, both, alone) == (1, 1, 1)
    assert np.isnan(none)


def test_identical_repeats_narrow_no_interval_of_the_realism_tables() -> None:
    """Lengths, manners, acts, pushing back, endings and self-BLEU of 60 debtors, once and three times."""
    once = [from_dialogue(t) for t in talks("scripted/typical", "debtbench", 60)]
    tripled = [replace(talk, id=f"{talk.id}/{n}") for n in range(3) for talk in once]
    strangers = [replace(talk, debtor="") for talk in tripled]
    few, many, apart = (measure(found, "debtor") for found in (once, tripled, strangers))
    for key, figure in few.items():
        if key.startswith(("distinct", "repeats")):
            continue  # Samples of one size, drawn without putting back: how varied, not how sure.
        if figure.low is None or figure.high is None or figure.low == figure.high:
            continue
        found, other = many[key], apart[key]
        assert found.low is not None
        assert found.high is not None
        assert other.low is not None
        assert other.high is not None
        if key != "self-BLEU":
            assert (found.low, found.high) == pytest.approx((figure.low, figure.high)), key
        assert found.high - found.low > 1.2 * (other.high - other.low), key


def test_a_debtors_talks_are_drawn_together_in_a_models_distance() -> None:
    rng = rng_for(9, "kl")
    once = [[(float(kl), 10) for kl in row] for row in rng.gamma(2, 1, (30, 4))]
    people = [("dcn", str(n)) for n in range(30)]
    place = ("later", "dcn", "scripted/debtor")
    one = _drift(once, people, 1, place)
    three = _drift(once * 3, people * 3, 1, place)
    alone = _drift(once[:2], people[:1] * 2, 1, place)
    assert isinstance(one, Drift)
    assert isinstance(three, Drift)
    assert isinstance(alone, Drift)
    assert three[:4] == pytest.approx(one[:4])
    assert (three.talks, three.messages, three.tokens) == (90, 360, 3600)
    assert (alone.low, alone.high) == (None, None), "two talks of one debtor are no interval"


def test_a_single_debtor_has_no_interval_that_is_drawn() -> None:
    rows = rows_of(np.array([[1.0, 0.0, 1.0]]))
    found = summarise(rows, rng_for(1, "x"), 50)
    assert (found.debtbench["US"].low, found.debtbench["US"].high) == (None, None)
    assert found.dcn["SR"].low is not None, "a share of one has an interval, and a wide one"
    assert np.isnan(paired([1.0], [0.5], rng_for(1, "x")).low)
