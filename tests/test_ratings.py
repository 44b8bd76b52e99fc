"""Scores that people gave: each is on its scale, given once, and about a dialogue of the run."""

from pathlib import Path
from typing import Final

import pytest
import yaml

from arrears.bench.people import read_people
from arrears.errors import BrokenFile
from arrears.scoring.judges import KINDS, SCALES, scales
from tests.commands import arrears, bench

CASES: Final = ("dcn/c/d/one/1", "dcn/c/d/two/1")
GOOD: Final = """case,rater,US,DS,US.empathy
dcn/c/d/one/1,anna,7,4,6.5
dcn/c/d/one/1,ben,6,,5
dcn/c/d/two/1,anna,8,5,
"""


def rated(folder: Path, text: str) -> Path:
    """A ratings file."""
    path = folder / "scores.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_scores_are_read_by_score_rater_and_case(tmp_path: Path) -> None:
    found = read_people(rated(tmp_path, GOOD), CASES)
    assert found.repairs == ()
    assert found.marks == {
        "US": {"anna": {CASES[0]: 7, CASES[1]: 8}, "ben": {CASES[0]: 6}},
        "DS": {"anna": {CASES[0]: 4, CASES[1]: 5}},
        "US.empathy": {"anna": {CASES[0]: 6.5}, "ben": {CASES[0]: 5}},
    }


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("anna,7", "anna,77", "line 2: US: 77 is off the scale from 1 to 10"),
        ("anna,7,4", "anna,7,6", "line 2: DS: 6 is off the scale from 1 to 5"),
        ("anna,7", "anna,0", "line 2: US: 0 is off the scale"),
        ("anna,7", "anna,inf", "line 2: US: 'inf' is not a number"),
        ("anna,7", "anna,nan", "line 2: US: 'nan' is not a number"),
        ("anna,8", "anna,good", "line 4: US: 'good' is not a number"),
        ("rater,US", "rater,Us", "line 1: Us: is not a column of ratings; the columns are case, rater, US"),
        ("US,DS", "US,US", "line 1: US: stands twice in the header, in columns 3 and 4"),
        ("6.5", "6.5,9", "line 2: has 6 cells, the header has 5"),
        ("ben", "anna", "line 3: anna scores dcn/c/d/one/1 twice, first in line 2"),
        ("two/1,anna", "two/1,", "line 4: rater: is empty"),
        ("dcn/c/d/two/1", "", "line 4: case: is empty"),
        ("case,", "dialogue,", "line 1: dialogue: is not a column of ratings"),
        ("anna,7", '"anna,7', "line 2: a quotation mark opens a cell here that nothing closes"),
    ],
)  # fmt: skip
def test_what_is_no_score_is_refused_with_line_and_column(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    assert old in GOOD
    with pytest.raises(BrokenFile, match=told):
        read_people(rated(tmp_path, GOOD.replace(old, new, 1)), CASES)


def test_a_file_without_scores_is_refused(tmp_path: Path) -> None:
    for text, told in (
        ("case,rater\na,b\n", "holds no scores"),
        ("case,rater,US\n", "holds no scores"),
        (f"case,rater,US\n{CASES[0]},anna,\n", "holds no scores"),
        ("case,US\na,5\n", "no column 'rater'"),
        ("", "is empty"),
    ):
        with pytest.raises(BrokenFile, match=told):
            read_people(rated(tmp_path, text), CASES)


def test_dialogues_that_are_not_in_the_run_are_counted_and_none_is_refused(tmp_path: Path) -> None:
    path = rated(tmp_path, GOOD)
    found = read_people(path, CASES[:1])
    assert found.repairs == ("1 of 2 rated dialogues are not in this run; left out",)
    assert found.marks["US"] == {"anna": {CASES[0]: 7}, "ben": {CASES[0]: 6}}
    with pytest.raises(BrokenFile, match=r"line 2: case: 'dcn/c/d/one/1' is no dialogue of this"):
        read_people(path, ["dcn/x/d/one/1"])


def test_a_scale_tells_a_decimal_point_from_a_thousand(tmp_path: Path) -> None:
    text = GOOD.replace(",", ";").replace("7;4;6.5", "7,125;4;6,5").replace(";5\n", ";5,0\n")
    found = read_people(rated(tmp_path, text), CASES)
    assert found.marks["US"]["anna"][CASES[0]] == 7.125
    assert "US has a decimal comma: '7,125' is read as 7.125" in found.repairs


def test_each_score_of_a_judge_has_its_scale_and_the_rubric_keeps_to_it() -> None:
    assert set(SCALES) >= {name for kind in KINDS for name in scales(kind)}
    path = Path(__file__).parent.parent / "src" / "arrears" / "scoring" / "rubric.yaml"
    rubric = yaml.safe_load(path.read_text(encoding="utf-8"))["scales"]
    assert {name.upper(): tuple(ends) for name, ends in rubric.items()} == {
        name: tuple(SCALES[name]) for name in ("US", "ES", "CA", "DS")
    }


def test_the_command_tells_what_it_left_out_and_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    run = tmp_path / "run"
    cases = [d.case for d in bench(run, "--suite", "dcn", "--limit", "2",
                                   "--collector", "scripted/typical")]  # fmt: skip
    assert arrears("judge", str(run), "--judge", "scripted/rubric").returncode == 0
    text = GOOD.replace(CASES[0], cases[0])
    done = arrears("judge", str(run), "--people", str(rated(tmp_path, text)))
    assert done.returncode == 0, done.stderr
    assert "1 of 2 rated dialogues are not in this run; left out" in done.stderr
    done = arrears("judge", str(run), "--people", str(rated(tmp_path, GOOD)))
    assert done.returncode == 2
    assert "is no dialogue of this run" in done.stderr
    assert cases[0] in done.stderr
