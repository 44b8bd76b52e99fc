"""An endpoint that is down stops the run: early, without burning dialogues, and it is resumed."""

import asyncio
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from arrears.errors import EndpointDown, ModelError
from arrears.models.chat import Completion, Message, Sampling
from arrears.models.pacing import Ceiling
from arrears.models.retries import Patience
from arrears.models.transport import Fault, Response
from tests.commands import arrears, bench, dialogues
from tests.scripted_server import Scripted, answer, completion, refusal
from tests.stub_minds import canned
from tests.stub_server import Instead, Stub

DOWN = answer(b"bad gateway", 502)
ONCE = Patience(tries=1)


def talk(n: int) -> list[Message]:
    """A request of its own."""
    return [Message(role="user", content=f"Begin {n}.")]


async def call(server: Scripted, n: int = 0) -> Completion:
    """One call."""
    return await server.model().complete(talk(n), Sampling())


async def until_down(server: Scripted, most: int = 1000) -> tuple[int, str]:
    """Calls one after another: how many failed before the breaker tripped, and what it said."""
    for n in range(most):
        try:
            await call(server, n)
        except ModelError:
            continue
        except EndpointDown as down:
            return n, str(down)
    raise AssertionError(f"{most} calls, and it has not tripped")


@pytest.mark.parametrize("most", [1, 3, 20])
def test_so_many_calls_in_a_row_trip_it(most: int) -> None:
    server = Scripted(lambda sent: DOWN, patience=ONCE, down_after=(most, 1e9))
    failed, told = asyncio.run(until_down(server))
    assert failed == most - 1, "the last of them is pending, not failed"
    assert len(server.requests) == most, "nothing is asked any more"
    assert f"{most} calls in a row have failed" in told
    assert "compat/m@http://h/v1 counts as down" in told
    assert "502 bad gateway" in told
    assert "resume with the same command" in told


def test_a_success_resets_it() -> None:
    number = count(1)
    server = Scripted(
        lambda sent: DOWN if next(number) % 20 else answer(completion()),
        patience=ONCE, down_after=(20, 1e9),
    )  # fmt: skip

    async def story() -> int:
        ended = [await asyncio.gather(call(server, n), return_exceptions=True) for n in range(200)]
        return sum(isinstance(e[0], ModelError) for e in ended)

    assert asyncio.run(story()) == 190


def test_nothing_but_failures_for_a_minute_trip_it() -> None:
    """By its own clock; the tries of one call alone do not, it may be the request."""
    patience = Patience(tries=3, first_wait=100.0, longest_wait=100.0)
    server = Scripted(lambda sent: DOWN, patience=patience, down_after=(1000, 60.0))
    failed, told = asyncio.run(until_down(server))
    assert failed == 1, "the first call was pursued to its end, the second was not"
    assert len(server.requests) == 4
    assert "nothing but failures for" in told


def test_a_long_time_between_two_failures_is_no_outage_where_something_was_answered() -> None:
    server = Scripted(
        lambda sent: DOWN if len(server.requests) % 2 else answer(completion()),
        patience=Patience(tries=2, first_wait=50.0), down_after=(20, 60.0),
    )  # fmt: skip

    async def story() -> None:
        for n in range(50):
            await call(server, n)

    asyncio.run(story())
    assert server.now > 1000


def test_a_slow_server_that_drops_a_call_now_and_then_is_not_down() -> None:
    """Nothing was answered for longer than a minute, but something is on its way."""

    async def story() -> None:
        server = Scripted(lambda sent: DOWN, patience=ONCE, down_after=(20, 60.0))
        thinking = asyncio.Event()

        async def post(url: str, headers: Mapping[str, str], body: bytes) -> Response:
            if b"slow" in body:
                await thinking.wait()
                return answer(completion())
            return DOWN

        server.post = post  # type: ignore[method-assign]
        words = [Message(role="user", content="slow")]
        slow = asyncio.ensure_future(server.model().complete(words, Sampling()))
        await asyncio.sleep(0)
        for n in range(15):
            with pytest.raises(ModelError):
                await call(server, n)
            server.now += 20.0
        thinking.set()
        assert (await slow).text == "Hello."

    asyncio.run(story())


def test_a_server_that_throttles_is_not_down() -> None:
    """It asks to wait; calls that are never answered count all the same."""
    slow = Response(429, {"Retry-After": "30"}, b'{"error": {"message": "slow down"}}')
    server = Scripted(
        lambda sent: slow if len(server.requests) % 5 else answer(completion()),
        down_after=(20, 60.0),
    )

    async def story() -> None:
        for n in range(20):
            await call(server, n)

    asyncio.run(story())
    assert server.now > 2000
    never = Scripted(lambda sent: slow, down_after=(20, 60.0))
    failed, told = asyncio.run(until_down(never))
    assert failed == 19
    assert "slow down" in told


@pytest.mark.parametrize(
    "refused",
    [
        refusal("This prompt was blocked by the content filter", code="content_filter"),
        refusal("This model's maximum context length is 4096 tokens"),
        answer(completion("Hel", "content_filter")),
        answer(b"too large", 413),
    ],
)
def test_a_refusal_of_what_was_said_is_no_outage(refused: Response) -> None:
    server = Scripted(lambda sent: refused, down_after=(20, 60.0))

    async def story() -> set[type]:
        ended = await asyncio.gather(*(call(server, n) for n in range(100)), return_exceptions=True)
        return {type(e) for e in ended}

    assert asyncio.run(story()) == {ModelError}


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_an_endpoint_that_lets_nobody_in_counts_as_down(status: int) -> None:
    server = Scripted(lambda sent: refusal("not for you", status), down_after=(20, 60.0))
    failed, told = asyncio.run(until_down(server))
    assert failed == 19
    assert "not for you" in told


def test_all_that_wait_are_told_at_once() -> None:
    """In the gate, at a ceiling, between two tries, and while the server says nothing."""

    async def story() -> None:
        server = Scripted(
            lambda sent: DOWN, patience=Patience(tries=2), down_after=(2, 1e9), concurrency=3
        )
        silence = asyncio.Event()

        async def post(url: str, headers: Mapping[str, str], body: bytes) -> Response:
            if b"silent" in body:
                await silence.wait()
            return DOWN

        server.post = post  # type: ignore[method-assign]
        silent = [Message(role="user", content="silent")]
        waiting = [
            asyncio.ensure_future(server.model().complete(silent, Sampling())) for _ in range(2)
        ]
        await asyncio.sleep(0)
        behind = [asyncio.ensure_future(call(server, n)) for n in range(2)]
        ceiling = Ceiling(1.0, lambda: 0.0, lambda seconds: silence.wait())
        await asyncio.sleep(0)
        server.server.requests = ceiling
        await ceiling.take()
        held = [asyncio.ensure_future(call(server, n)) for n in range(5, 8)]
        ended = await asyncio.wait_for(
            asyncio.gather(*waiting, *behind, *held, return_exceptions=True), 20
        )
        assert {type(e) for e in (*ended[:2], *ended[4:])} == {EndpointDown}
        assert server.server.gate.inside == 0, "all places are given back"
        with pytest.raises(EndpointDown):
            await call(server, 99)

    asyncio.run(story())


def test_a_call_between_two_tries_is_told() -> None:
    async def story() -> None:
        server = Scripted(lambda sent: DOWN, patience=Patience(tries=5), down_after=(1, 1e9))
        asleep = asyncio.Event()

        async def forever(seconds: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

        server.server.sleep = forever
        first = asyncio.ensure_future(call(server, 1))
        await asleep.wait()
        server.server.breaker.gave_up(Fault("connect", "cannot connect"))
        with pytest.raises(EndpointDown, match="cannot connect"):
            await asyncio.wait_for(first, 20)

    asyncio.run(story())


def test_what_the_cache_holds_is_answered_while_the_endpoint_is_down(tmp_path: Path) -> None:
    up = [True]
    server = Scripted(
        lambda sent: answer(completion()) if up[0] else DOWN,
        patience=ONCE, down_after=(1, 1e9), cache=tmp_path,
    )  # fmt: skip

    async def story() -> None:
        await call(server, 1)
        up[0] = False
        with pytest.raises(EndpointDown):
            await call(server, 2)
        assert (await call(server, 1)).text == "Hello."

    asyncio.run(story())


# A whole run


class Outage:
    """A server that dies in the middle, and comes back when it is told to."""

    def __init__(self, after: int, how: Instead) -> None:
        self.after, self.how = after, how
        self.asked = 0
        self._lock = Lock()

    def __call__(self, sent: Mapping[str, Any]) -> Instead | None:
        """The failure, or none."""
        with self._lock:
            self.asked += 1
            return self.how if self.asked > self.after else None


@pytest.mark.parametrize("how", ["drop", (503, b'{"error": {"message": "no healthy upstream"}}')])
def test_a_run_on_a_server_that_dies_stops_early_and_ends_as_in_a_quiet_night(
    how: Instead, tmp_path: Path
) -> None:
    what = (
        "--suite", "dcn", "--limit", "60", "--concurrency", "8", "--retries", "2", "--retry-wait",
        "0.001", "--collector", "vllm/m", "--debtor-seat", "vllm/m",
    )  # fmt: skip
    with Stub(canned) as quiet:
        expected = bench(tmp_path / "quiet", *what, env={"VLLM_BASE_URL": quiet.base})
    outage, out = Outage(150, how), tmp_path / "run"
    with Stub(canned, instead=outage) as stub:
        env = {"VLLM_BASE_URL": stub.base}
        line = ("bench", "--no-report", "--out", str(out), *what)
        done = arrears(*line, "--down-after-calls", "5", env=env)
        assert done.returncode == 1
        assert "vllm/m counts as down: 5 calls in a row have failed" in done.stderr
        assert "--retry-errors" in done.stderr
        assert "Traceback" not in done.stderr
        kept = dialogues(out)
        errors = [t for t in kept if t.ending == "error"]
        assert len(errors) < 5, "few are stored as error"
        assert len(kept) < 40, "the rest is pending"
        assert outage.asked < 150 + 8 * 3 * 5, "patience is not burned"
        shown = arrears("report", str(out))
        assert f"{60 - len(kept)} of 60 dialogues are pending" in shown.stderr
        assert f"{60 - len(kept)} pending)" in shown.stdout or not errors
        outage.after = 10**9
        again = bench(out, *what, "--retry-errors", env=env)
    assert [(t.case, t.ending, t.terms, t.turns) for t in again] == [
        (t.case, t.ending, t.terms, t.turns) for t in expected
    ]


def test_what_has_failed_before_the_breaker_trips_is_few_by_default(tmp_path: Path) -> None:
    done = arrears(
        "bench", "--no-report", "--suite", "dcn", "--limit", "60", "--collector",
        "compat/m@http://127.0.0.1:1/v1", "--collector", "scripted/typical", "--retries", "0",
        "--out", str(tmp_path / "run"),
    )  # fmt: skip
    assert done.returncode == 1
    assert "20 calls in a row have failed" in done.stderr
    assert "cannot connect" in done.stderr
    kept = dialogues(tmp_path / "run")
    assert sum(t.ending == "error" for t in kept) < 20
    assert not any(t.ending == "error" for t in kept if t.collector == "scripted/typical")
