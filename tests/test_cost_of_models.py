"""What a run costs: a limit that holds, tokens by seat and role, answers kept on disk."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import arrears, bench, dialogues
from tests.stub_minds import canned
from tests.stub_server import Stub

PRICES = "per_million_tokens:\n  compat/m: {in: 1000, cached: 100, out: 2000}\n"


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A server that never fails."""
    with Stub(canned) as server:
        yield server


def test_a_run_stops_before_it_costs_more_than_it_may(stub: Stub, tmp_path: Path) -> None:
    """And goes on where it was, with a higher limit, to the very dialogues of a free run."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES)
    words = (
        "--suite", "dcn", "--limit", "12", "--collector", stub.spec("m"),
        "--debtor-seat", stub.spec("m"),
    )  # fmt: skip
    free = bench(tmp_path / "free", *words)
    out, money = tmp_path / "run", ("--prices", str(prices), "--concurrency", "4")
    line = ["bench", "--no-report", "--out", str(out), *words, *money]
    done = arrears(*line, "--max-cost", "60")
    assert done.returncode == 1
    assert "--max-cost 60" in done.stderr
    spent = cost(out)
    assert 30 < spent <= 60
    kept = (out / "dialogues.jsonl").read_bytes().count(b"\n")
    assert 0 < kept < 12
    done = arrears(*line, "--max-cost", "1000")
    assert done.returncode == 0, done.stderr
    assert spent < cost(out) < 1000
    assert [(t.case, t.turns) for t in dialogues(out)] == [(t.case, t.turns) for t in free]


def cost(out: Path) -> float:
    """What a run has cost, by its log of calls."""
    return sum(json.loads(line)["cost"] for line in (out / "calls.jsonl").read_bytes().splitlines())


def test_a_model_without_a_price_cannot_be_limited(stub: Stub, tmp_path: Path) -> None:
    done = arrears(
        "bench", "--suite", "dcn", "--collector", stub.spec("unpriced"), "--max-cost", "1",
        "--out", str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 2
    assert "price of compat/unpriced" in done.stderr


def test_tokens_are_counted_by_seat_and_role(stub: Stub, tmp_path: Path) -> None:
    talks = bench(
        tmp_path, "--suite", "dcn", "--limit", "2", "--collector", stub.spec("m"),
        "--debtor-seat", stub.spec("m"),
    )  # fmt: skip
    calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_bytes().splitlines()]
    assert {(c["seat"], c["role"]) for c in calls} == {
        ("collector", "speaker"), ("debtor", "speaker"),
    }  # fmt: skip
    for talk in talks:
        mine = [c for c in calls if c["case"] == talk.case]
        assert sum(c["out"] for c in mine) == sum(t.usage.tokens_out for t in talk.turns if t.usage)
        assert sum(c["cached"] for c in mine) > 0


def test_a_cache_answers_without_asking(stub: Stub, tmp_path: Path) -> None:
    words = (
        "--suite", "dcn", "--limit", "3", "--collector", stub.spec("m"),
        "--debtor-seat", stub.spec("m"), "--cache", str(tmp_path / "cache"),
    )  # fmt: skip
    first = bench(tmp_path / "a", *words)
    asked = len(stub.requests)
    second = bench(tmp_path / "b", *words)
    assert len(stub.requests) == asked
    assert first == second
    bench(tmp_path / "c", *words, "--temperature", "0.5")
    assert len(stub.requests) == 2 * asked, "another temperature is another question"


def test_a_server_that_counts_no_tokens_is_paid_for_as_if_it_had_used_the_most(
    tmp_path: Path,
) -> None:
    """Else a limit would rest on a silence."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES)
    with Stub(canned, no_usage=True) as stub:
        done = arrears(
            "bench", "--no-report", "--suite", "dcn", "--limit", "12", "--concurrency", "2",
            "--collector", stub.spec("m"), "--debtor-seat", stub.spec("m"), "--prices",
            str(prices), "--max-cost", "40", "--out", str(tmp_path / "run"),
        )  # fmt: skip
        assert done.returncode == 1
        assert 8 <= stub.answered <= 20, "a call may cost some 4 at most"
    assert 30 < cost(tmp_path / "run") <= 40
