"""Which calls are one draw and which are two: the cache gives back the former and never the latter."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from arrears.agents.briefing import account_values
from arrears.agents.seating import Place, Seating
from arrears.bench.run import silent
from arrears.debtors.suites import load_suite
from arrears.errors import StorageError, UnreadableAnswer
from arrears.models.backends import Settings
from arrears.models.cache import Cache, cache_key
from arrears.models.chat import Completion, Message, Sampling, Schema
from arrears.models.usage import Usage
from arrears.prompts.library import Prompt
from arrears.scoring.judges import judge_candidates, judge_pair
from arrears.synthesis.asking import Clerk, Question, ask_all
from arrears.terms import Mandate
from arrears.training.cfpo.weigh import _rewarded
from arrears.training.reward import Weights
from tests.commands import arrears, bench
from tests.scripted_server import Scripted, answer, completion, refusal
from tests.stub_minds import canned, verdict
from tests.stub_server import KEY, Stub

TALK = [Message(role="user", content="Begin.")]


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A provider that takes no seed; each of its answers is another draw."""
    number = count(1)

    def drawn(request: Mapping[str, Any]) -> str:
        return canned(request).replace("Dialogue: ", f"Dialogue: (draw {next(number)}) ")

    with Stub(drawn, key=KEY) as server:
        yield server


@pytest.mark.parametrize("temperature", ["0", "0.7"])
def test_repeats_are_as_many_draws_where_a_provider_takes_no_seed(
    stub: Stub, temperature: str, tmp_path: Path
) -> None:
    """At temperature 0 too: providers vary, and it is repeats that show how much."""
    env = {"DEEPSEEK_BASE_URL": stub.base, "DEEPSEEK_API_KEY": KEY}
    what = (
        "--suite", "dcn", "--limit", "2", "--repeats", "3", "--collector", "deepseek/m",
        "--debtor-seat", "deepseek/m", "--temperature", temperature, "--cache",
        str(tmp_path / "cache"),
    )  # fmt: skip
    first = bench(tmp_path / "a", *what, env=env)
    assert all("seed" not in request for request in stub.requests)
    openings = [talk.turns[0].dialogue for talk in first]
    assert len(set(openings)) == len(first) == 6
    asked = len(stub.requests)
    assert len(list((tmp_path / "cache").rglob("*.json"))) == asked
    again = bench(tmp_path / "b", *what, env=env)
    assert len(stub.requests) == asked, "the very same command again costs nothing"
    assert again == first
    calls = [json.loads(line) for line in (tmp_path / "b" / "calls.jsonl").read_text().splitlines()]
    assert all(call["from_cache"] for call in calls)
    bench(tmp_path / "c", *what, "--seed", "2", env=env)
    assert len(stub.requests) == 2 * asked, "another seed asks for other draws"


def test_a_draw_is_part_of_the_key_where_the_request_does_not_carry_it() -> None:
    keys = [cache_key("http://a", b"{}", draw) for draw in (None, 1, 2)]
    assert len(set(keys)) == 3


def calls(spec: str, cache: Path, *samplings: Sampling) -> int:
    """How many of these calls of one and the same words were sent."""
    server = Scripted(lambda sent: answer(completion()), spec=spec, cache=cache)

    async def story() -> None:
        for sampling in samplings:
            await server.model().complete(TALK, sampling)

    asyncio.run(story())
    return len(server.requests)


@pytest.mark.parametrize("spec", ["deepseek/m", "anthropic/m", "vllm/m"])
def test_equal_seeds_are_one_draw_and_others_are_not(spec: str, tmp_path: Path) -> None:
    one, two = Sampling(0.0, 1), Sampling(0.0, 2)
    assert calls(spec, tmp_path, one, two, one) == 2
    assert calls(spec, tmp_path, two, one) == 0


def test_what_a_server_has_turned_down_makes_no_other_key(tmp_path: Path) -> None:
    """A later run has not learned it yet, and must find what was kept."""

    def told(sent: Mapping[str, Any]) -> Any:
        return refusal("unknown field: seed") if "seed" in sent else answer(completion())

    async def story(server: Scripted) -> None:
        for seed in (1, 2, 3):
            await server.model().complete(TALK, Sampling(0.0, seed))

    first = Scripted(told, cache=tmp_path)
    asyncio.run(story(first))
    assert len(first.requests) == 4
    later = Scripted(told, cache=tmp_path)
    asyncio.run(story(later))
    assert not later.requests


# Who draws apart


def test_every_seat_repeat_and_branch_of_a_run_draws_apart() -> None:
    place = Place("c", "dcn", "d", 1)
    plain = Seating(1, Mandate(), 12)
    found = [
        seating._sampling(at, role).seed
        for seating in (
            plain,
            Seating(2, Mandate(), 12),
            *(Seating(1, Mandate(), 12, branch=("candidate", 1, n)) for n in range(4)),
            *(Seating(1, Mandate(), 12, branch=("playout", 1, n)) for n in range(4)),
        )
        for at in (place, place._replace(repeat=2), place._replace(debtor="e"))
        for role in ("collector", "debtor", "planner", "judge")
    ]
    assert len(set(found)) == len(found)
    assert plain._sampling(place, "debtor") == plain._sampling(place, "debtor")


class Listens:
    """A model that keeps what it was asked with."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[tuple[str, int | None]] = []

    async def complete(self, messages: Any, sampling: Sampling) -> Completion:
        self.asked.append((json.dumps(list(messages)), sampling.seed))
        return Completion(self.text, "", Usage(1, 1))


def test_two_votes_of_a_judge_are_two_draws_also_on_equal_words(tmp_path: Path) -> None:
    talk = bench(tmp_path, "--suite", "dcn", "--limit", "1", "--collector", "scripted/firm")[0]
    model = Listens('{"human_likeness": "A", "realism": "tie", "reason": "r"}')
    asyncio.run(judge_pair(model, Sampling(0.0, 7), talk, talk, "en"))
    assert model.asked[0][0] == model.asked[1][0], "it is the same request"
    assert len(set(model.asked)) == 2
    model = Listens('{"marks": [5, 5], "reason": "r"}')
    debtor = load_suite("dcn", "test")[0]
    values = {**account_values(debtor.background, "en"), "transcript": "x"}
    asyncio.run(judge_candidates(model, Sampling(0.0, 7), values, ("same", "same"), "en"))
    assert model.asked[0][0] == model.asked[1][0]
    assert len(set(model.asked)) == 2


def test_judgements_of_repeats_are_as_many_draws(tmp_path: Path) -> None:
    """Built-in seats without luck could say the same in two repeats; it is judged twice."""
    run = tmp_path / "run"
    bench(run, "--suite", "dcn", "--limit", "2", "--repeats", "2", "--collector", "scripted/firm")
    with Stub(verdict, key=KEY) as stub:
        env = {"DEEPSEEK_BASE_URL": stub.base, "DEEPSEEK_API_KEY": KEY}
        line = (
            "judge", str(run), "--judge", "deepseek/m", "--kind", "soundness,experience",
            "--cache", str(tmp_path / "cache"),
        )  # fmt: skip
        done = arrears(*line, env=env)
        assert done.returncode == 0, done.stderr
        assert len(list((tmp_path / "cache").rglob("*.json"))) == 8
        for sheet in (run / "judgements").iterdir():
            sheet.unlink()
        done = arrears(*line, env=env)
        assert done.returncode == 0, done.stderr
        assert len(stub.requests) == 8, "all from the cache"


# What lies in the cache and cannot be read


@pytest.mark.parametrize("left", [b"", b'{"choices": [{"mes', b"\0" * 300, b"[]"])
def test_a_broken_file_in_the_cache_is_asked_for_again_and_replaced(
    left: bytes, tmp_path: Path
) -> None:
    assert calls("vllm/m", tmp_path, Sampling(0.0, 1)) == 1
    (kept,) = tmp_path.rglob("*.json")
    good = kept.read_bytes()
    kept.write_bytes(left)
    assert calls("vllm/m", tmp_path, Sampling(0.0, 1), Sampling(0.0, 1)) == 1
    assert kept.read_bytes() == good


def test_a_folder_in_the_place_of_an_answer_is_told(tmp_path: Path) -> None:
    key = cache_key("http://a", b"{}")
    place = tmp_path / key[:2] / f"{key[2:]}.json"
    (place / "x").mkdir(parents=True)
    cache = Cache(tmp_path)
    assert cache.get(key) is None
    with pytest.raises(StorageError, match="cannot write"):
        cache.put(key, b"{}")
    assert [p.name for p in place.parent.iterdir()] == [place.name], "nothing is left beside it"


def test_two_conversations_with_the_same_words_are_asked_about_twice(tmp_path: Path) -> None:
    with Stub(lambda request: '{"kind": "x"}', key=KEY) as stub, pytest.MonkeyPatch.context() as at:
        at.setenv("DEEPSEEK_BASE_URL", stub.base)
        at.setenv("DEEPSEEK_API_KEY", KEY)
        clerk = Clerk("deepseek/m", "en", Settings(cache=tmp_path / "cache"))
        filled = Prompt("x", "en", "You sort.", "Which kind is it?")
        schema = Schema("kind", {"type": "object"})
        questions = [
            Question(case, filled, schema, lambda raw: str(raw["kind"])) for case in ("a", "b")
        ]
        for store in ("one.jsonl", "two.jsonl"):
            found = ask_all(clerk, "kind", questions, tmp_path / store, silent)
            assert found.answers == {"a": "x", "b": "x"}
        assert len(stub.requests) == 2, "once each, and the second time none"


def test_each_playout_is_judged_by_itself(tmp_path: Path) -> None:
    """Two playouts can say the same; what a judge makes of them is two draws."""
    talk = bench(tmp_path, "--suite", "dcn", "--limit", "1", "--collector", "scripted/firm")[0]
    debtor = load_suite("dcn", "test")[0]
    mind = Listens("{}")
    course = SimpleNamespace(seed=1, suite="dcn", lang="en", weights=Weights)
    for branch in (("playout", 1, 1), ("playout", 1, 2), ("playout", 3, 1)):
        table: Any = SimpleNamespace(course=course, mind=mind)
        with pytest.raises(UnreadableAnswer):
            asyncio.run(_rewarded(table, talk, debtor, branch))
    first = [asked for asked in mind.asked if len(json.loads(asked[0])) == 2]
    assert len({words for words, _ in first}) == 1
    assert len({seed for _, seed in first}) == 3
