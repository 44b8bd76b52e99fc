"""What is paid for: every try that a server reports usage for, and nothing twice."""

import asyncio
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from math import inf, nan
from pathlib import Path
from threading import Lock
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrears.errors import BudgetSpent, ModelError
from arrears.models.budget import read_calls
from arrears.models.chat import Message, Sampling
from arrears.models.retries import Patience
from arrears.models.transport import Response
from arrears.models.usage import Price, Usage, read_usage
from tests.commands import ARREARS, arrears
from tests.scripted_server import USAGE, Scripted, answer, completion
from tests.stub_minds import canned
from tests.stub_server import Instead, Stub

TALK = [Message(role="user", content="Begin.")]
PRICE = Price(1000.0, 100.0, 2000.0)
COST = (100 * 1000 + 40 * 2000) / 1e6
"""Of `USAGE`."""
PRICES = "per_million_tokens:\n  compat/m: {in: 1000, cached: 100, out: 2000}\n"


# What a usage block says


@pytest.mark.parametrize(
    ("found", "usage"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 5140}, Usage(100, 5040)),
        ({"prompt_tokens": 100, "completion_tokens": 0, "total_tokens": 5100,
          "completion_tokens_details": {"reasoning_tokens": 5000}}, Usage(100, 5000)),
        ({"prompt_tokens": 100, "completion_tokens": 0,
          "completion_tokens_details": {"reasoning_tokens": 5000}}, Usage(100, 5000)),
        ({"prompt_tokens": 100, "completion_tokens": 60, "total_tokens": 160,
          "completion_tokens_details": {"reasoning_tokens": 50}}, Usage(100, 60)),
        ({"prompt_tokens": 10, "completion_tokens": 40, "total_tokens": 50,
          "prompt_tokens_details": {"cached_tokens": 1000}}, Usage(1010, 40, 1000)),
        ({"input_tokens": 10, "output_tokens": 4, "cache_read_input_tokens": 6,
          "cache_creation_input_tokens": 5}, Usage(21, 4, 6)),
        ({"prompt_tokens": 100.0, "completion_tokens": 40.5}, Usage(100, 41)),
        ({"prompt_tokens": "100", "completion_tokens": "40"}, Usage(100, 40)),
        ({"completion_tokens": 40, "total_tokens": 140}, Usage(100, 40)),
    ],
)  # fmt: skip
def test_all_tokens_that_a_server_reports_are_counted(found: Any, usage: Usage) -> None:
    reported = read_usage(found)
    assert reported == (usage, True, True)


NO_COUNTS = [None, "n/a", True, False, -1, -0.5, nan, inf, -inf, 10**400, "1e999", [], {}, [7]]


@pytest.mark.parametrize("odd", NO_COUNTS, ids=repr)
def test_what_is_no_count_is_paid_for_as_the_most(odd: Any) -> None:
    """A limit must not rest on a server that does not count."""
    most = Usage(500, 1000)
    assert read_usage({"prompt_tokens": odd, "completion_tokens": odd}).at_most(most) == most
    half = read_usage({"prompt_tokens": 100, "completion_tokens": odd}).at_most(most)
    assert half == Usage(100, 1000)
    assert read_usage(odd).at_most(most) == most


COUNTS = st.one_of(
    st.sampled_from(NO_COUNTS), st.integers(-10, 10**6), st.floats(), st.text(max_size=4)
)
NAMES = (
    "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens",
    "reasoning_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens",
)  # fmt: skip
BLOCKS = st.dictionaries(
    st.sampled_from((*NAMES, "prompt_tokens_details", "completion_tokens_details")),
    COUNTS | st.dictionaries(st.sampled_from(("cached_tokens", "reasoning_tokens")), COUNTS),
)


@given(BLOCKS | COUNTS)
def test_no_usage_block_brings_an_error_or_a_cost_below_zero(found: Any) -> None:
    reported = read_usage(found)
    usage = reported.usage
    assert 0 <= usage.tokens_cached <= usage.tokens_in
    assert usage.tokens_out >= 0
    assert PRICE.of(usage) >= 0
    paid = reported.at_most(Usage(500, 1000))
    assert PRICE.of(paid) >= PRICE.of(usage), "what is not known never lowers a cost"


# Tries


def broken(found: Any) -> bytes:
    """JSON whose end is missing, with its usage within."""
    return orjson.dumps(found)[:-1]


BAD: Mapping[str, Response] = {
    "no choices": answer({"choices": [], "usage": USAGE}),
    "choices null": answer({"choices": None, "usage": USAGE}),
    "an error inside": answer({"error": {"message": "overloaded"}, "usage": USAGE}),
    "an error beside": answer({**completion("Hel"), "error": {"message": "upstream died"}}),
    "an error in the choice": answer(
        {"choices": [{"error": {"message": "upstream died"}, "message": {"content": "Hel"}}],
         "usage": USAGE}
    ),
    "finish_reason error": answer(completion("Hel", "error")),
    "broken JSON": answer(broken(completion())),
    "a message that is none": answer({"choices": [{"message": 7}], "usage": USAGE}),
    "no message": answer({"choices": [{"text": "x"}], "usage": USAGE}),
    "503 with usage": answer({"error": {"message": "too late"}, "usage": USAGE}, 503),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_rejected_try_is_paid_for_and_logged(name: str, tmp_path: Path) -> None:
    answers = iter([BAD[name], BAD[name], answer(completion())])
    server = Scripted(
        lambda sent: next(answers), price=PRICE, limit=10.0, log=tmp_path / "calls.jsonl"
    )
    found = asyncio.run(server.model().complete(TALK, Sampling()))
    assert found.text == "Hello."
    assert server.budget is not None
    assert server.budget.spent == pytest.approx(3 * COST, abs=1e-9)
    calls = list(read_calls(tmp_path / "calls.jsonl"))
    assert [bool(call.rejected) for call in calls] == [True, True, False]
    assert sum(call.cost or 0.0 for call in calls) == pytest.approx(3 * COST, abs=1e-9)
    assert [call.tries for call in calls] == [1, 1, 3]


def test_what_a_filter_stopped_or_patience_gave_up_is_paid_for_too() -> None:
    server = Scripted(
        lambda sent: answer(completion("Hel", "content_filter")), price=PRICE, limit=9
    )
    with pytest.raises(ModelError, match="content filter"):
        asyncio.run(server.model().complete(TALK, Sampling()))
    assert server.budget is not None
    assert server.budget.spent == pytest.approx(COST)
    server = Scripted(
        lambda sent: BAD["no choices"], price=PRICE, limit=9, patience=Patience(tries=4)
    )
    with pytest.raises(ModelError, match="gave up after 4 tries"):
        asyncio.run(server.model().complete(TALK, Sampling()))
    assert server.budget is not None
    assert server.budget.spent == pytest.approx(4 * COST)


@pytest.mark.parametrize(
    "free", [answer({"error": "overloaded"}), answer(b"<html>"), answer({"error": "x"}, 502)]
)
def test_a_try_of_which_nothing_is_reported_costs_nothing(free: Response) -> None:
    answers = iter([free, answer(completion())])
    server = Scripted(lambda sent: next(answers), price=PRICE, limit=10.0)
    asyncio.run(server.model().complete(TALK, Sampling()))
    assert server.budget is not None
    assert server.budget.spent == pytest.approx(COST)


def test_what_was_written_without_being_counted_is_paid_for_as_the_most() -> None:
    uncounted = completion("Hel", "error")
    del uncounted["usage"]
    answers = iter([answer(uncounted), answer(completion())])
    server = Scripted(lambda sent: next(answers), price=PRICE, limit=10.0)
    asyncio.run(server.model().complete(TALK, Sampling()))
    assert server.budget is not None
    assert server.budget.spent > COST + 1024 * 2000 / 1e6


def test_a_further_try_that_does_not_fit_is_not_made() -> None:
    """And the first one is, though all six together would not have fitted."""
    least = 1024 * 2000 / 1e6 + 0.1
    server = Scripted(lambda sent: BAD["no choices"], price=PRICE, limit=least + 0.05)
    with pytest.raises(BudgetSpent):
        asyncio.run(server.model().complete(TALK, Sampling()))
    assert len(server.requests) == 1
    assert server.budget is not None
    assert server.budget.spent == pytest.approx(COST)


def test_a_limit_holds_for_concurrent_calls_on_a_server_that_answers_badly() -> None:
    limit = 30.0
    tries: Counter[str] = Counter()

    def answers(sent: Mapping[str, Any]) -> Response:
        name = sent["messages"][0]["content"]
        tries[name] += 1
        return BAD["no choices"] if tries[name] % 3 else answer(completion())

    server = Scripted(answers, price=PRICE, limit=limit)

    async def call(n: int) -> None:
        talk = [Message(role="user", content=f"Begin {n}.")]
        await server.model().complete(talk, Sampling())

    async def story() -> list[BaseException | None]:
        return await asyncio.gather(*(call(n) for n in range(200)), return_exceptions=True)

    ended = asyncio.run(story())
    assert server.budget is not None
    assert server.budget.spent == pytest.approx(len(server.requests) * COST)
    most = 1024 * 2000 / 1e6 + 0.1
    assert limit - most < server.budget.spent <= limit
    assert {type(e) for e in ended} == {type(None), BudgetSpent}


def test_a_server_that_writes_more_than_it_may_is_reckoned_with() -> None:
    """Thoughts that no limit holds: from then on as much more is set aside."""
    usage = {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 5140}
    server = Scripted(
        lambda sent: answer({**completion(), "usage": usage}), price=PRICE, limit=25.0,
        concurrency=1,
    )  # fmt: skip

    async def story() -> None:
        while True:
            await server.model().complete(TALK, Sampling())

    with pytest.raises(BudgetSpent):
        asyncio.run(story())
    assert server.budget is not None
    assert len(server.requests) == 2
    assert server.budget.spent <= 25.0


# A whole run


class BillingServer:
    """Bills every answer that it counts tokens of, good or bad, and keeps the books."""

    KINDS = ("good", "good", "good", *BAD)

    def __init__(self) -> None:
        self.billed = 0.0
        self.bad = 0
        self.answers = 0
        self.stops_after = 10**9
        self._tries: Counter[bytes] = Counter()
        self._lock = Lock()

    def __call__(self, sent: Mapping[str, Any]) -> Instead | None:
        """A bad answer with its usage, or none."""
        with self._lock:
            if self.answers >= self.stops_after:
                return "hang"
            key = orjson.dumps(sent)
            self._tries[key] += 1
            draw = blake2b(key + bytes([self._tries[key]]), digest_size=2).digest()
            kind = self.KINDS[int.from_bytes(draw, "big") % len(self.KINDS)]
            self.answers += 1
            if kind == "good" or self._tries[key] > 4:
                text = canned(sent)
                words = sum(len(m["content"].split()) for m in sent["messages"])
                usage = Usage(words, len(text.split()))
                found = completion(text)
                found["usage"] = {
                    "prompt_tokens": usage.tokens_in, "completion_tokens": usage.tokens_out,
                }  # fmt: skip
                self.billed += PRICE.of(usage)
                return 200, orjson.dumps(found)
            self.bad += 1
            self.billed += COST
            return BAD[kind].status, BAD[kind].body


def counted(out: Path) -> float:
    """What arrears thinks that it has cost."""
    file = out / "calls.jsonl"
    lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    return sum(json.loads(line)["cost"] for line in lines if line.endswith(b"\n"))


def command(stub: Stub, out: Path, prices: Path, limit: float) -> list[str]:
    """Sixty dialogues with models in both seats."""
    return [
        "bench", "--no-report", "--suite", "dcn", "--limit", "60", "--collector", stub.spec("m"),
        "--debtor-seat", stub.spec("m"), "--concurrency", "8", "--retry-wait", "0.001",
        "--prices", str(prices), "--max-cost", str(limit), "--out", str(out),
    ]  # fmt: skip


def test_the_budget_agrees_with_the_server_to_the_cent_also_after_a_kill(tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES)
    books, out = BillingServer(), tmp_path / "run"
    with Stub(canned, instead=books) as stub:
        line = command(stub, out, prices, 10_000.0)
        books.stops_after = 150
        process = subprocess.Popen(
            [*ARREARS, *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        while not (books.answers == 150 and counted(out) == pytest.approx(books.billed, abs=1e-6)):
            assert process.poll() is None
            try:
                process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        books.stops_after = 10**9
        before = books.billed
        limit = before + 200.0
        done = arrears(*command(stub, out, prices, limit))
        assert done.returncode == 1, done.stderr
        assert "--max-cost" in done.stderr
        assert before < books.billed <= limit
        assert counted(out) == pytest.approx(books.billed, abs=0.005)
        done = arrears(*line)
        assert done.returncode == 0, done.stderr
    assert books.bad > 50
    assert counted(out) == pytest.approx(books.billed, abs=0.005)
    rows = [json.loads(row) for row in (out / "calls.jsonl").read_text().splitlines()]
    assert sum("rejected" in row for row in rows) == books.bad
    assert sum("rejected" not in row for row in rows) == books.answers - books.bad
