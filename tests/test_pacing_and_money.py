"""How long a call is pursued, by which way, how fast, and for how much, rule by rule."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arrears.errors import BrokenFile, BudgetSpent
from arrears.models.budget import Budget, Call, CallLog, read_calls
from arrears.models.cache import Cache, cache_key
from arrears.models.chat import Message, Purpose, Sampling
from arrears.models.openai_chat import request_bytes
from arrears.models.pacing import Ceiling, Gate
from arrears.models.providers import endpoint_of
from arrears.models.retries import Patience, fault_of, retry_after, wait_before
from arrears.models.transport import Response, proxy_for
from arrears.models.usage import Usage, load_prices
from arrears.rng import rng_for

TALK = [Message(role="system", content="s"), Message(role="user", content="u")]


# Retries


@pytest.mark.parametrize(
    ("status", "sent", "again"),
    [
        (429, b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}', True),
        (429, b'{"error": {"message": "pay", "code": "insufficient_quota"}}', False),
        (500, b"oops", True),
        (503, b"", True),
        (529, b"overloaded", True),
        (408, b"", True),
        (400, b'{"error": {"message": "content filter"}}', False),
        (401, b'{"error": {"message": "bad key"}}', False),
        (404, b'{"detail": "no such model"}', False),
    ],
)
def test_which_failures_are_worth_another_try(status: int, sent: bytes, again: bool) -> None:
    fault = fault_of(Response(status, {}, sent))
    assert fault.again is again
    assert str(status) in fault.words


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b'{"error": {"message": "content filter"}}', "400 content filter"),
        (b'{"error": "plain"}', "400 plain"),
        (b'{"detail": "no such model"}', "400 no such model"),
        (b'[{"error": {"message": "in a list"}}]', "400 in a list"),
        (b"<h1>Bad\n  gateway</h1>", "400 <h1>Bad gateway</h1>"),
    ],
)
def test_the_providers_words_are_kept(sent: bytes, words: str) -> None:
    assert fault_of(Response(400, {}, sent)).words == words


NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_HANG = 600
"""Seconds after which a wait that must end is taken for a deadlock."""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({}, 0.0),
    ],
)
def test_what_a_server_asks_to_wait(headers: Mapping[str, str], seconds: float) -> None:
    assert retry_after(headers, NOW) == seconds


def test_waits_grow_are_jittered_and_never_shorter_than_asked() -> None:
    patience, rng = Patience(first_wait=0.5, longest_wait=8.0), rng_for(1, "wait")
    for attempt, own in ((2, 0.5), (3, 1.0), (4, 2.0), (9, 8.0)):
        waits = [wait_before(attempt, 0.0, patience, rng) for _ in range(200)]
        assert min(waits) >= own / 2
        assert max(waits) <= own * 1.5
        assert max(waits) - min(waits) > own / 2
    assert all(7.0 <= wait_before(2, 7.0, patience, rng) <= 8.0 for _ in range(200))


# Proxies


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://api.x.com/v1", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://api.x.com/v1", {"https_proxy": "http://p:2"}, "http://p:2"),
        ("http://gpu.lan:8000/v1", {"HTTPS_PROXY": "http://p:1"}, None),
        ("http://gpu.lan:8000/v1", {"ALL_PROXY": "http://p:3"}, "http://p:3"),
        ("https://api.x.com/v1", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "lan, .x.com"}, None),
        ("https://notx.com/v1", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".x.com"}, "http://p:1"),
        ("https://api.x.com/v1", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("http://127.0.0.1:8000/v1", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://localhost:8000/v1", {"HTTP_PROXY": "http://p:1"}, None),
        ("https://api.x.com/v1", {}, None),
    ],
)
def test_a_firms_proxy_is_used_as_its_environment_says(
    url: str, environment: Mapping[str, str], proxy: str | None
) -> None:
    assert proxy_for(url, environment) == proxy


# Pacing


def test_a_gate_lets_so_many_in_and_halves_after_a_429() -> None:
    async def story() -> None:
        gate = Gate(8)
        tickets = [await gate.enter() for _ in range(8)]
        waiting = asyncio.ensure_future(gate.enter())
        await asyncio.sleep(0)
        assert not waiting.done()
        gate.leave(tickets[0], throttled=True)
        assert gate.limit == 4
        gate.leave(tickets[1], throttled=True)
        assert gate.limit == 4, "calls that were on their way say nothing about the new limit"
        for ticket in tickets[2:5]:
            gate.leave(ticket, served=True)
        await asyncio.sleep(0)
        assert gate.inside == 4, "3 of 8 are left, and the one that waited"
        assert waiting.done()

    asyncio.run(story())


def test_a_gate_grows_again_by_one_a_round_and_never_beyond() -> None:
    async def story() -> None:
        gate = Gate(8)
        gate.leave(await gate.enter(), throttled=True)
        assert gate.limit == 4
        for _ in range(4):
            gate.leave(await gate.enter(), served=True)
        assert 4.8 < gate.limit < 5.0
        for _ in range(100):
            gate.leave(await gate.enter(), served=True)
        assert gate.limit == 8

    asyncio.run(story())


def test_a_gate_never_closes() -> None:
    async def story() -> None:
        gate = Gate(2)
        for _ in range(10):
            gate.leave(await gate.enter(), throttled=True)
        assert gate.limit == 1
        await asyncio.wait_for(gate.enter(), _HANG)

    asyncio.run(story())


def test_someone_who_gives_up_waiting_takes_no_place() -> None:
    async def story() -> None:
        gate = Gate(1)
        ticket = await gate.enter()
        first, second = (asyncio.ensure_future(gate.enter()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        gate.leave(ticket)
        await asyncio.wait_for(second, _HANG)

    asyncio.run(story())


class Clock:
    """A clock that moves only while someone sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_ceiling_spreads_requests_evenly() -> None:
    clock = Clock()

    async def story() -> list[float]:
        ceiling = Ceiling(30, clock, clock.sleep)
        times = []
        for _ in range(5):
            await ceiling.take()
            times.append(clock.now)
        return times

    assert asyncio.run(story()) == [0, 2, 4, 6, 8]


def test_tokens_that_were_not_needed_are_given_back() -> None:
    clock = Clock()

    async def story() -> None:
        ceiling = Ceiling(6000, clock, clock.sleep)
        await ceiling.take(3000)
        ceiling.give_back(2900)
        await ceiling.take(100)
        assert clock.now == pytest.approx(1.0)

    asyncio.run(story())


# Money


def test_prices_are_of_fresh_cached_and_written_tokens() -> None:
    price = load_prices().of("deepseek/deepseek-chat")
    assert price is not None
    assert price.of(Usage(1_000_000, 1_000_000, 400_000)) == pytest.approx(
        0.6 * 0.27 + 0.4 * 0.07 + 1.10
    )
    free = load_prices().of("vllm/anything")
    assert free is not None
    assert free.of(Usage(10**9, 10**9)) == 0
    assert load_prices().of("openai/unheard-of") is None


def test_own_prices_replace_and_add(tmp_path: Path) -> None:
    own = tmp_path / "prices.yaml"
    own.write_text("per_million_tokens:\n  openai/gpt-4o: {in: 1, out: 2}\nfree: [compat]\n")
    table = load_prices(own)
    assert table.required("openai/gpt-4o").of(Usage(10**6, 10**6, 10**6)) == 3, "cached costs as in"
    assert table.required("openai/gpt-4o-mini").tokens_out == 0.60
    assert table.required("compat/m").tokens_in == 0
    (tmp_path / "bad.yaml").write_text("per_million_tokens: [1]")
    with pytest.raises(BrokenFile, match="not a table of prices"):
        load_prices(tmp_path / "bad.yaml")


def test_a_budget_is_never_passed_and_refuses_nothing_that_fits() -> None:
    """Calls reserve the most that they may cost; they turn out to cost a quarter of it."""

    async def story() -> tuple[float, int]:
        budget = Budget(10.0)
        done = 0

        async def call() -> None:
            nonlocal done
            while True:
                await budget.reserve(2.0)
                assert budget.spent + budget._reserved <= 10.0
                await asyncio.sleep(0)
                await budget.settle(2.0, 0.5)
                done += 1

        calls = [asyncio.ensure_future(call()) for _ in range(8)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(r, BudgetSpent) for r in results)
        return budget.spent, done

    spent, done = asyncio.run(story())
    assert 8.0 < spent <= 10.0
    assert done == spent / 0.5


def test_the_log_of_calls_survives_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    call = Call(Purpose("c", "collector", "judge"), "m", Usage(5, 2, 1), 0.25, 2, 0.5, False)
    log = CallLog(path)
    log.add(call)
    log.add(call)
    log.close()
    path.write_bytes(path.read_bytes()[:-9])
    again = CallLog(path)
    assert again.spent == 0.25
    again.add(call)
    again.close()
    assert list(read_calls(path)) == [call, call]


def test_a_cache_is_keyed_by_all_that_determines_the_answer(tmp_path: Path) -> None:
    base = request_bytes(endpoint_of("vllm/m", {}), TALK, Sampling(0.3, 7))
    keys = {cache_key("http://a", base), cache_key("http://b", base)}
    for other in (Sampling(0.4, 7), Sampling(0.3, 8), Sampling(0.3, 7, 9)):
        keys.add(cache_key("http://a", request_bytes(endpoint_of("vllm/m", {}), TALK, other)))
    assert len(keys) == 5
    cache = Cache(tmp_path / "cache")
    key = keys.pop()
    assert cache.get(key) is None
    cache.put(key, b"answer")
    assert cache.get(key) == b"answer"
