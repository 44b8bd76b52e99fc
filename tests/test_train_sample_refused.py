"""What cannot be sampled is refused in words; what can is told before it is done."""

from pathlib import Path

import pytest

from arrears.debtors.store import write_debtors
from tests.commands import arrears
from tests.samples import BUILT_IN, by_model, records
from tests.stub_server import Stub


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dpo-dg",), "dpo-dg needs --weak"),
        (("sft-dg", "--weak", "scripted/lenient"), "--weak is for dpo-dg and dpo-mag"),
        (("sft-xx",), "unknown set 'sft-xx'; known: sft-dg, sft-mag, dpo-dg, dpo-mag"),
        (("sft-dg", "--styles", "strict,kind"), "unknown style 'kind'; known: strict, gentle"),
        (("sft-dg", "--styles", "strict,strict"), "named twice"),
        (("sft-dg", "--pairs", "0"), "Invalid value for '--pairs'"),
        (("sft-dg", "--keep", "0"), "Invalid value for '--keep'"),
        (("sft-dg", "--require", "joy>=1"), "unknown metric 'joy'; known: agreed, turns"),
        (("sft-dg", "--require", "own_cci"), "is no requirement; write METRIC>=VALUE"),
        (("sft-dg", "--require", "own_cci>=0.999"), "none of 10 talks passed filter 1"),
        (("sft-dg", "--generator", "scripted/nice"), "unknown generator 'scripted/nice'"),
        (("sft-dg", "--generator", "scripted/firm+maden"), "name the generator alone"),
        (("dpo-dg", "--weak", "scripted/nice"), "unknown weak model 'scripted/nice'"),
        (("sft-dg", "--lang", "zh"), "speaks and hears English only"),
        (("sft-dg", "--suite", "dcn"), "not both"),
        (("sft-dg", "--debtor-seat", "nobody"), "unknown debtor seat"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_nothing_is_asked(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    people = tmp_path / "own.jsonl"
    write_debtors(people, records(2))
    given = ["--debtors", str(people), "--generator", BUILT_IN, "--out", str(tmp_path / "out")]
    done = arrears("train", "sample", words[0], *given, *words[1:])
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_tells_what_it_will_do_and_what_is_left(tmp_path: Path) -> None:
    people = tmp_path / "own.jsonl"
    write_debtors(people, records(5))
    done = arrears(
        "train", "sample", "dpo-mag", "--debtors", str(people), "--generator", BUILT_IN, "--weak",
        "scripted/firm", "--styles", "gentle,fitting", "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "10 talks (5 debtors, 2 styles, 1 each) with no calls of models" in done.stderr
    for step in ("talks played", "passed filter 1", "best of each debtor", "kept by filter 2",
                 "questions and answers", "asked of the weak side", "rows drawn"):  # fmt: skip
        assert step in done.stdout
    assert "there were no more for --pairs 437" in done.stderr


def test_calls_are_counted_before_they_are_made(tmp_path: Path) -> None:
    people = tmp_path / "own.jsonl"
    write_debtors(people, records(2))
    with Stub(by_model()) as stub:
        done = arrears(
            "train", "sample", "dpo-dg", "--debtors", str(people), "--generator",
            stub.spec("strong"), "--weak", stub.spec("weak"), "--out", str(tmp_path / "out"),
            "--styles", "gentle", "--debtor-seat", stub.spec("debtor"), "--pairs", "3",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # Two talks of twelve exchanges, two seats.
        assert "at most 48 calls of models; then 3 calls of compat/weak" in done.stderr
        assert len(stub.requests) == 2 * 6 + 3
