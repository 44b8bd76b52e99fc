"""What our side of a call costs: CPU a message, time against the ideal, memory.

    python -m benchmarks.model_overhead            the table (about two minutes)
    python -m benchmarks.model_overhead --flat     100 to 10,000 dialogues as well

Each row is a process of its own against a loopback server in another process that takes no time:
sixteen messages a dialogue, both seats models; prompts, transport, parsing, views, ledger, the log
of calls and the stored line included. Beside it the bare aiohttp client sends a request of the same
size to the same server and reads the answer as JSON. The peak of memory is that of the play.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

MESSAGES = 16


@contextmanager
def server(latency: float = 0.0) -> Iterator[str]:
    """The loopback server as a process; its base address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.loopback_server", str(latency)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.terminate()
        process.wait()


def one_run(base: str, dialogues: int, in_flight: int) -> dict[str, float]:
    """Play so many dialogues with models in both seats; CPU, wall-clock time and memory."""
    from arrears.bench.folder import CALLS, RunFolder
    from arrears.bench.plan import cases_of, make_plan
    from arrears.bench.play import Played, Player
    from arrears.bench.waiting import play_with_models
    from arrears.debtors.suites import load_suite
    from arrears.models.backends import Settings

    people = {"dcn": load_suite("dcn", "test")}
    spec = f"compat/m@{base}"
    repeats = -(-dialogues // len(people["dcn"]))
    plan = make_plan(people, collectors=[spec], debtor_seats=[spec], repeats=repeats)
    cases = list(cases_of(plan, people))[:dialogues]
    player = Player(plan, people)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "run"
        with RunFolder(path, plan) as folder:

            def store(played: Played) -> None:
                folder.append(played.cases, played.lines, played.seconds)

            settings = Settings(concurrency=in_flight)
            # The first talk pays for imports and caches; a run of a night does not notice it.
            play_with_models(player, cases[-1:], settings, path / CALLS, store)
            cpu, began = time.process_time(), time.perf_counter()
            play_with_models(player, cases[:-1], settings, path / CALLS, store)
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines = (path / "dialogues.jsonl").read_bytes().splitlines()
        assert len(lines) == dialogues
        assert all(len(orjson.loads(line)["turns"]) == MESSAGES for line in lines[:100])
    return {"cpu_ms": 1000 * cpu / MESSAGES / (dialogues - 1), "wall": wall, "peak_mb": peak}


async def bare(base: str, body: bytes, calls: int, in_flight: int) -> float:
    """CPU milliseconds a call of aiohttp alone, the answer read as JSON."""
    import aiohttp

    left = iter(range(calls))
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def work() -> None:
            for _ in left:
                async with session.post(
                    f"{base}/chat/completions", data=body, headers=headers
                ) as answer:
                    orjson.loads(await answer.read())

        await work_once(session, base, body, headers)
        cpu = time.process_time()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return 1000 * (time.process_time() - cpu) / calls


async def work_once(session: object, base: str, body: bytes, headers: dict[str, str]) -> None:
    """One call, so that imports and the first connection are not counted."""
    async with session.post(  # type: ignore[attr-defined]
        f"{base}/chat/completions", data=body, headers=headers
    ) as answer:
        await answer.read()


def typical_body() -> bytes:
    """A request in the middle of a talk."""
    system = "x" * 3000
    talk = [{"role": r, "content": "y" * 350} for _ in range(4) for r in ("user", "assistant")]
    messages = [{"role": "system", "content": system}, *talk, {"role": "user", "content": "z"}]
    return orjson.dumps({"model": "m", "temperature": 0, "messages": messages})


def child(what: str, *numbers: str) -> dict[str, float]:
    """A measurement in a fresh process, so that memory and caches are its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.model_overhead", "--child", what, *numbers],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measured(what: str, base: str, dialogues: int, in_flight: int) -> dict[str, float]:
    """The work of a child process."""
    if what == "run":
        return one_run(base, dialogues, in_flight)
    import uvloop

    return {"cpu_ms": uvloop.run(bare(base, typical_body(), dialogues * MESSAGES, in_flight))}


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--flat", action="store_true")
    options.add_argument("--child", nargs=4)
    asked = options.parse_args()
    if asked.child:
        what, base, dialogues, in_flight = asked.child
        print(json.dumps(measured(what, base, int(dialogues), int(in_flight))))
        return
    print("in flight   CPU ms a message   bare aiohttp   ratio   peak MB")
    with server() as base:
        for in_flight in (1, 16, 64, 256):
            ours = child("run", base, "780", str(in_flight))
            alone = child("bare", base, "780", str(in_flight))
            print(
                f"{in_flight:9}   {ours['cpu_ms']:16.3f}   {alone['cpu_ms']:12.3f}   "
                f"{ours['cpu_ms'] / alone['cpu_ms']:5.2f}   {ours['peak_mb']:7.0f}",
                flush=True,
            )
        if asked.flat:
            print("dialogues   CPU ms a message   peak MB   (64 in flight)")
            for dialogues in (100, 1000, 10_000):
                ours = child("run", base, str(dialogues), "64")
                print(
                    f"{dialogues:9}   {ours['cpu_ms']:16.3f}   {ours['peak_mb']:7.0f}", flush=True
                )
    with server(0.3) as base:
        ours = child("run", base, "129", "64")
        ideal = 2 * MESSAGES * 0.3
        print(
            f"300 ms latency, 64 in flight, 128 dialogues: {ours['wall']:.2f} s, "
            f"{ours['wall'] / ideal:.3f} times the ideal {ideal:.2f} s"
        )


if __name__ == "__main__":
    main()
