"""A night against a bad server: faults in a third of the requests, and kills on top."""

import os
import random
import subprocess
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import pytest

from arrears.dialogue.record import Dialogue
from tests.commands import ARREARS, bench, dialogues
from tests.halting import kill, wait_until
from tests.stub_minds import canned
from tests.stub_server import FAULTS, Faults, Stub

DIALOGUES = 1000
KILLED = 400
# Ten seconds are a hundred times what an answer takes, and too many only cost a try: a slow machine
# gives the same dialogues.
WHAT = ("--suite", "debtbench", "--concurrency", "64", "--timeout", "10", "--retry-wait", "0.01",
        "--retries", "8")  # fmt: skip
# A hang costs its time-out and a Retry-After its second: both are rare among the others.
SLOW = ("hang", "429 with Retry-After")
KINDS = (*FAULTS, *[f for f in FAULTS if f not in SLOW] * 100)


def refused(body: bytes) -> bool:
    """One debtor in forty whose third message no provider would let pass: it can never succeed."""
    if body.count(b'"role":"assistant"') != 2:
        return False
    return blake2b(body, digest_size=4).digest()[0] % 40 == 0


def seats(stub: Stub) -> tuple[str, ...]:
    """Both seats behind one name that does not change with the port of a stub."""
    return "--collector", "vllm/m", "--debtor-seat", "vllm/m"


def env(stub: Stub) -> dict[str, str]:
    """Where that name leads."""
    return {"VLLM_BASE_URL": stub.base}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> list[Dialogue]:
    """The run on a server without faults, but for what it refuses."""
    with Stub(canned, Faults(doomed=refused)) as stub:
        return bench(
            tmp_path_factory.mktemp("clean"), *WHAT, *seats(stub), env=env(stub), failing=True
        )


@pytest.fixture
def bad() -> Iterator[Stub]:
    """A server on which three requests in ten fail."""
    with Stub(canned, Faults(0.3, KINDS, doomed=refused)) as stub:
        yield stub


def essence(talks: list[Dialogue]) -> list[tuple[object, ...]]:
    """All that must be the same: everything."""
    return [(t.case, t.ending, t.terms, t.detail, t.turns) for t in talks]


def test_a_thousand_dialogues_on_a_bad_server(
    clean: list[Dialogue], bad: Stub, tmp_path: Path
) -> None:
    talks = bench(tmp_path, *WHAT, *seats(bad), env=env(bad), failing=True)
    dealt = sum(bad.faults.seen[kind] for kind in FAULTS)
    assert set(FAULTS) <= set(bad.faults.seen)
    assert 0.25 < dealt / len(bad.requests) < 0.35
    assert len(talks) == DIALOGUES
    errors = [t for t in talks if t.ending == "error"]
    assert 5 < len(errors) < 120
    assert all("blocked by the content filter" in t.detail for t in errors)
    assert {t.ending for t in talks} == {"agreed", "error"}
    assert essence(talks) == essence(clean), "exactly what a server without faults gives"


def test_ten_kills_on_a_bad_server(clean: list[Dialogue], bad: Stub, tmp_path: Path) -> None:
    rng = random.Random(7)
    out = tmp_path / "run"
    some = (*WHAT, "--limit", str(KILLED))
    line = [*ARREARS, "bench", "--no-report", "--out", str(out), *some, *seats(bad)]
    marks = sorted(rng.sample(range(10, KILLED - 60), 10))
    for mark in marks:
        process = subprocess.Popen(
            line, env={**os.environ, **env(bad)}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wait_until(lambda at=mark: stored(out) >= at, process)
        kill(process)
    before = {t.case: t for t in whole_lines(out)}
    assert len(before) >= marks[-1]
    talks = bench(out, *some, *seats(bad), env=env(bad), failing=True)
    assert len(talks) == KILLED
    known = {t.case: t for t in clean}
    assert essence(talks) == essence([known[t.case] for t in talks])
    after = {t.case: t for t in talks}
    assert all(after[case] == talk for case, talk in before.items()), "nothing was played twice"
    assert dialogues(out) == talks


def stored(out: Path) -> int:
    """How many whole dialogues lie on disk."""
    file = out / "dialogues.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def whole_lines(out: Path) -> list[Dialogue]:
    """The dialogues of a run that was killed."""
    from arrears.dialogue.record import DIALOGUE_ADAPTER

    lines = (out / "dialogues.jsonl").read_bytes().splitlines(keepends=True)
    return [DIALOGUE_ADAPTER.validate_json(line) for line in lines if line.endswith(b"\n")]
