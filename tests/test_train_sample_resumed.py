"""A sample that was killed or interrupted goes on; what failed is asked again only when told."""

import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from arrears.debtors.store import write_debtors
from arrears.training.rejection.plan import SamplePlan, make_sample_plan
from arrears.training.rejection.sets import sample
from tests.commands import ARREARS, arrears
from tests.halting import halted, wait_until
from tests.samples import BUILT_IN, QUICK, TWO, by_model, records, strong, weakly
from tests.stub_server import Stub


def line_of(plan: SamplePlan, people: Path, out: Path) -> list[str]:
    """The command for a plan of two styles."""
    return [
        "train", "sample", plan.set, "--debtors", str(people), "--generator", plan.generator,
        "--debtor-seat", plan.debtor_seat, "--weak", plan.weak, "--styles", ",".join(plan.styles),
        "--keep", str(plan.keep), "--pairs", str(plan.pairs), "--out", str(out),
    ]  # fmt: skip


def test_what_failed_is_counted_and_asked_again_only_when_told(tmp_path: Path) -> None:
    people = records(3)
    bad = {people[0].background.name}

    def refused(body: bytes) -> bool:
        request = json.loads(body)
        system = request["messages"][0]["content"]
        return request["model"] == "weak" and any(name in system for name in bad)

    with Stub(by_model()) as stub:
        stub.faults.doomed = refused
        plan = make_sample_plan(
            "dpo-dg", "own", people, generator=stub.spec("strong"), weak=stub.spec("weak"),
            debtor_seat=stub.spec("debtor"), styles=TWO, keep=1.0, own=True,
        )  # fmt: skip
        funnel = sample(plan, people, tmp_path, QUICK)
        assert funnel.left_out == {"failed": 3}
        assert funnel.drawn == 6
        before = len(stub.requests)
        assert sample(plan, people, tmp_path, QUICK) == funnel
        assert len(stub.requests) == before
        bad.clear()
        write_debtors(tmp_path / "own.jsonl", people)
        done = arrears(*line_of(plan, tmp_path / "own.jsonl", tmp_path), "--retry-errors", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["funnel"]["drawn"] == 9
        assert len(stub.requests) == before + 3


class Stalls:
    """A model that answers so often and then not until it is let go: its client can be killed."""

    def __init__(self, mind: Callable[[Mapping[str, Any]], str], often: int) -> None:
        self._mind, self._left, self.let_go = mind, often, threading.Event()

    def __call__(self, request: Mapping[str, Any]) -> str:
        self._left -= 1
        assert self._left >= 0 or self.let_go.wait(600)
        return self._mind(request)


@pytest.mark.parametrize(
    ("growing", "who", "often"), [("dialogues.jsonl", "strong", 20), ("negatives.jsonl", "weak", 6)]
)
def test_a_killed_sample_goes_on_to_the_same_bytes(
    growing: str, who: str, often: int, tmp_path: Path
) -> None:
    people = tmp_path / "own.jsonl"
    write_debtors(people, records(8))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    stalls = Stalls(strong if who == "strong" else lambda r: weakly("5%"), often)
    with Stub(by_model(**{who: stalls})) as stub:
        plan = make_sample_plan(
            "dpo-dg", "own", records(8), generator=stub.spec("strong"), weak=stub.spec("weak"),
            debtor_seat=stub.spec("debtor"), styles=TWO, pairs=12, own=True,
        )  # fmt: skip
        line = [*line_of(plan, people, killed), "--concurrency", "2"]
        process = subprocess.Popen(
            [*ARREARS, *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        file = killed / growing
        wait_until(lambda: file.exists() and file.read_bytes().count(b"\n") > 2, process)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        stalls.let_go.set()
        stored = len(file.read_bytes().rpartition(b"\n")[0].splitlines())
        first = len(stub.requests)
        done = arrears(*line)
        assert done.returncode == 0, done.stderr
        after = Counter(request["model"] for request in stub.requests[first:])
        # Two may have been on their way at the kill.
        if who == "strong":
            assert after["strong"] <= (16 - stored) * 3 + 2, "what is stored is not played again"
        else:
            assert set(after) == {"weak"}
            assert after["weak"] <= 12 - stored + 2, "what is answered is not asked again"
        sample(plan, records(8), whole, QUICK)
    for path in sorted(whole.rglob("*")):
        if path.is_file() and path.name not in ("calls.jsonl", ".lock"):
            assert (killed / path.relative_to(whole)).read_bytes() == path.read_bytes(), path.name


def test_built_in_seats_can_be_interrupted(tmp_path: Path) -> None:
    people, out = tmp_path / "own.jsonl", tmp_path / "out"
    write_debtors(people, records(60))
    line = ["train", "sample", "sft-mag", "--debtors", str(people), "--generator", BUILT_IN,
            "--out", str(out)]  # fmt: skip
    file = out / "dialogues.jsonl"
    process = halted(file, 200_000, *line)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "resume with the same command" in told
    assert 0 < file.read_bytes().count(b"\n") < 300
