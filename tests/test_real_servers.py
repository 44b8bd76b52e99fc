"""A model that was really trained, behind a server that we did not write, and in our own process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import arrears, bench, bench_here, dialogues

pytest.importorskip("torch", reason="local models need the extra hf")

from tests import tiny_model
from tests.servers import serving

AS_TRAINED = [tiny_model.GREETS, tiny_model.TELLS, tiny_model.OFFERS, tiny_model.TAKES]
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def weights(tiny_weights: Path) -> Path:
    """The trained model's folder."""
    return tiny_weights


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[str]:
    """`transformers serve` on a loopback port."""

    def command(port: int) -> list[str]:
        return [
            str(Path(sys.executable).with_name("transformers")), "serve", str(weights), "--host",
            "127.0.0.1", "--port", str(port), "--device", "cpu",
        ]  # fmt: skip

    with serving(command, "/health", OFFLINE) as base:
        yield f"{base}/v1"


def words(talk: object) -> list[tuple[str, str]]:
    """Thoughts and words of a talk."""
    return [(t.thoughts, t.dialogue) for t in talk.turns]  # type: ignore[attr-defined]


EXPECTED = [
    tuple(line.partition(": ")[2] for line in text.splitlines() if not line.startswith("Action"))
    for text in AS_TRAINED
]


def test_whole_dialogues_in_both_seats_on_a_server_of_others(
    server: str, weights: Path, tmp_path: Path
) -> None:
    name = f"compat/{weights}@{server}"
    talks = bench(
        tmp_path, "--suite", "dcn", "--limit", "6", "--collector", name, "--debtor-seat", name,
        "--max-tokens", "100", "--concurrency", "3",
    )  # fmt: skip
    assert [t.ending for t in talks] == ["agreed"] * 6
    assert {str(t.terms) for t in talks} == {tiny_model.TERMS}
    for talk in talks:
        assert words(talk) == EXPECTED
        assert all(t.usage and t.usage.tokens_in > 300 and t.usage.tokens_out > 10
                   for t in talk.turns)  # fmt: skip


def test_maden_and_a_built_in_debtor_on_a_server_of_others(
    server: str, weights: Path, tmp_path: Path
) -> None:
    """A model that was never taught to plan or judge: its failures are noted, the talk goes on."""
    helper = f"compat/{weights}@{server}"
    talks = bench(
        tmp_path, "--suite", "dcn", "--limit", "2", "--collector", "scripted/typical", "--method",
        "maden", "--planner", helper, "--judge", helper, "--max-tokens", "60", "--max-turns", "3",
    )  # fmt: skip
    notes = [note for talk in talks for turn in talk.turns for note in turn.notes]
    assert any(n.role == "planner" and "no readable JSON" in n.text for n in notes)
    assert any(n.role == "judge" and "no readable JSON" in n.text for n in notes)
    assert {t.ending for t in talks} <= {"agreed", "max_turns", "walked_away", "malformed"}


def test_a_local_model_answers_waiting_dialogues_in_batches(weights: Path, tmp_path: Path) -> None:
    """The same dialogues alone and eight at a time; and words drawn by seed, not by neighbours."""
    name = f"hf/{weights}"
    what = (
        "--suite", "dcn", "--limit", "8", "--collector", name, "--debtor-seat", name,
        "--max-tokens", "100",
    )  # fmt: skip
    alone = bench_here(tmp_path / "1", *what, "--concurrency", "1")
    together = bench_here(tmp_path / "8", *what, "--concurrency", "8")
    assert alone == together
    assert [words(t) for t in together] == [EXPECTED] * 8
    warm = ("--temperature", "0.9", "--seed", "3")
    drawn = bench_here(tmp_path / "d1", *what, *warm, "--concurrency", "1")
    again = bench_here(tmp_path / "d8", *what, *warm, "--concurrency", "8")
    assert [words(t) for t in drawn] == [words(t) for t in again]


def test_batches_are_made_of_those_who_wait(weights: Path) -> None:
    import asyncio

    from arrears.models.chat import Message, Sampling
    from arrears.models.hf import LocalModel

    async def ask_all() -> list[int]:
        model = LocalModel(weights, 4)
        talks = [
            [Message(role="system", content="x" * n), Message(role="user", content="hello")]
            for n in (5, 400, 60, 3, 90, 200)
        ]
        await asyncio.gather(*(model.answer(t, Sampling(max_tokens=5)) for t in talks))
        model.close()
        return model.batches

    assert asyncio.run(ask_all()) == [4, 2]


def test_a_prompt_that_does_not_fit_takes_no_neighbour_with_it(weights: Path) -> None:
    import asyncio

    from arrears.errors import ModelError
    from arrears.models.chat import Message, Sampling
    from arrears.models.hf import LocalModel

    async def ask_all() -> list[object]:
        model = LocalModel(weights, 4)
        talks = [[Message(role="user", content="y " * n)] for n in (3, 20_000, 5, 9)]
        found = await asyncio.gather(
            *(model.answer(t, Sampling(max_tokens=4)) for t in talks), return_exceptions=True
        )
        model.close()
        return list(found)

    found = asyncio.run(ask_all())
    assert isinstance(found[1], ModelError)
    assert "does not fit" in str(found[1])
    assert not any(isinstance(answer, Exception) for n, answer in enumerate(found) if n != 1)


def test_what_is_no_model_is_told(tmp_path: Path) -> None:
    done = arrears(
        "bench", "--suite", "dcn", "--collector", f"hf/{tmp_path}", "--out", str(tmp_path / "r")
    )
    assert done.returncode == 2
    assert "there is no model in" in done.stderr
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}')
    done = arrears(
        "bench", "--suite", "dcn", "--collector", f"hf/{tmp_path}", "--limit", "1", "--out",
        str(tmp_path / "r"),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "no weights" in done.stderr


def test_a_run_of_a_local_model_reads_back(weights: Path, tmp_path: Path) -> None:
    what = ("--suite", "dcn", "--limit", "2", "--collector", f"hf/{weights}", "--max-tokens", "100")
    bench(tmp_path, *what, env=OFFLINE)
    assert len(dialogues(tmp_path)) == 2
    assert arrears("report", str(tmp_path)).returncode == 0
