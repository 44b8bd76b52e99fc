"""Copies of a local model: the same answers, each talk with the copy that knows it, nothing left."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="local models need the extra hf")

from arrears.errors import ModelError, RunStopped, UsageError
from arrears.models.chat import Completion, Message, Sampling
from arrears.models.hf import LocalModel
from arrears.models.replica import _what_came
from arrears.models.replicas import Gone, Replicas, useful_copies
from tests import small_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights."""
    return small_model.build(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def several(folder: Path) -> Iterator[Replicas]:
    """Two copies of it; each loads torch."""
    model = Replicas(folder, 8, 2)
    yield model
    model.close()


async def talks(model: LocalModel | Replicas, count: int = 6) -> list[list[Completion]]:
    """Some talks of three messages each, side by side."""

    async def one(n: int) -> list[Completion]:
        messages = [Message(role="system", content="You collect."), ask(f"Case {n}.")]
        said = []
        for turn in range(3):
            answer = await model.answer(messages, Sampling(0.7, seed=n * 10 + turn, max_tokens=8))
            said.append(answer)
            messages += [Message(role="assistant", content=answer.text), ask(f"And, {turn}?")]
        return said

    return await asyncio.gather(*(one(n) for n in range(count)))


def ask(text: str) -> Message:
    """What the policy is asked."""
    return Message(role="user", content=text)


def test_copies_say_what_one_model_says(folder: Path, several: Replicas) -> None:
    alone = LocalModel(folder, 8)
    try:
        assert asyncio.run(talks(several)) == asyncio.run(talks(alone))
        assert several.busy > 0
    finally:
        alone.close()


def test_a_talk_stays_with_the_copy_that_has_read_its_beginning(folder: Path) -> None:
    model = Replicas(folder, 8, 2)
    try:
        for said in asyncio.run(talks(model)):
            assert said[0].usage.tokens_cached == 0
            assert all(answer.usage.tokens_cached > 0 for answer in said[1:])
        homes = [model._homes[key] for key in model._homes]
        assert {homes.count(copy) for copy in model._copies} == {3}, "three talks each"
    finally:
        model.close()


def test_a_prompt_that_does_not_fit_fails_alone(several: Replicas) -> None:
    async def both() -> list[object]:
        return await asyncio.gather(
            several.answer([ask("many words " * 5000)], Sampling()),
            several.answer([ask("Hello.")], Sampling(max_tokens=4)),
            return_exceptions=True,
        )

    long, short = asyncio.run(both())
    assert isinstance(long, ModelError)
    assert "does not fit" in str(long)
    assert isinstance(short, Completion)


def test_a_copy_that_is_ended_from_outside_stops_the_run(folder: Path) -> None:
    model = Replicas(folder, 8, 2)

    async def asked() -> None:
        # They stand still first: none can have answered when it is killed.
        for copy in model._copies:
            os.kill(copy._process.pid, signal.SIGSTOP)
        answer = asyncio.ensure_future(model.answer([ask("Hello.")], Sampling(0.7, 1)))
        await asyncio.sleep(0)
        for copy in model._copies:
            copy._process.kill()
        await answer

    try:
        with pytest.raises(RunStopped, match="resume with the same command"):
            asyncio.run(asked())
        with pytest.raises(RunStopped, match="resume with the same command"):
            asyncio.run(model.answer([ask("Hello.")], Sampling()))
    finally:
        model.close()


PICKY = (
    "{% for m in messages %}{% if 'forbidden' in m.content %}{{ raise_exception('not this') }}"
    "{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A chat template that takes most conversations and raises at some."""


@pytest.fixture(scope="module")
def picky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that cannot be asked everything."""
    return small_model.build(tmp_path_factory.mktemp("picky"), PICKY)


@pytest.mark.parametrize("copies", [1, 2])
def test_whatever_is_raised_for_one_message_is_its_answer(copies: int, picky: Path) -> None:
    model = LocalModel(picky, 8) if copies == 1 else Replicas(picky, 8, copies)

    async def all_of_them() -> list[object]:
        texts = ("Hello.", "This is forbidden.", "Good day.", "And this, forbidden too.")
        return await asyncio.gather(
            *(model.answer([ask(text)], Sampling(max_tokens=4)) for text in texts),
            return_exceptions=True,
        )

    try:
        said = asyncio.run(all_of_them())
    finally:
        model.close()
    assert [isinstance(answer, Completion) for answer in said] == [True, False, True, False]
    for answer in (said[1], said[3]):
        assert isinstance(answer, ModelError)
        assert "chat template cannot lay out this conversation (TemplateError: not this)" in str(
            answer
        )


async def _raises(error: Exception) -> Completion:
    raise error


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (ModelError("it does not fit"), ModelError, "it does not fit"),
        (RunStopped("leave --drawn out"), RunStopped, "leave --drawn out"),
        (KeyError("tokens"), ModelError, "hf: KeyError: 'tokens'"),
        (ZeroDivisionError(), ModelError, "hf: ZeroDivisionError"),
        (MemoryError("no room"), ModelError, "hf: MemoryError: no room"),
    ],
)
def test_an_error_crosses_the_pipe_as_what_a_caller_expects(
    raised: Exception, kind: type[Exception], text: str
) -> None:
    class Failing:
        def answer(self, messages: list[Message], sampling: Sampling) -> object:
            return _raises(raised)

    found = asyncio.run(_what_came(Failing(), [], Sampling()))  # type: ignore[arg-type]
    assert isinstance(found, Gone)
    told = pickle.loads(pickle.dumps(found)).error()
    assert type(told) is kind
    assert str(told) == text


def test_a_worker_that_breaks_leaves_nobody_waiting(folder: Path) -> None:
    model = LocalModel(folder, 8)

    def broken(count: int) -> list[object]:
        raise ZeroDivisionError("in the middle")

    model._taken = broken  # type: ignore[assignment]

    async def asked() -> list[object]:
        return await asyncio.gather(
            *(model.answer([ask(f"Case {n}.")], Sampling()) for n in range(3)),
            return_exceptions=True,
        )

    try:
        said = asyncio.run(asked())
    finally:
        model.close()
    assert [str(error) for error in said] == ["hf: ZeroDivisionError: in the middle"] * 3


def test_a_copy_that_is_lost_in_the_middle_leaves_nobody_waiting(folder: Path) -> None:
    """One is killed; from the other comes what nobody can read. (Opening copies takes seconds.)"""
    model = Replicas(folder, 8, 2)
    killed, torn = model._copies

    class Torn:
        def poll(self) -> bool:
            return True

        def recv(self) -> object:
            raise pickle.UnpicklingError("torn")

    async def lost() -> list[list[object]]:
        said = []
        for copy in model._copies:
            long = [
                asyncio.ensure_future(copy.answer([ask(f"Case {n}.")], Sampling(0.7, n, 400)))
                for n in range(3)
            ]
            await copy.answer([ask("The first one.")], Sampling(max_tokens=1))
            if copy is killed:
                copy._process.kill()
            else:
                copy._hear(Torn())  # type: ignore[arg-type]
            said.append(await asyncio.gather(*long, return_exceptions=True))
        return said

    try:
        for answers in asyncio.run(lost()):
            assert all(isinstance(answer, Completion | RunStopped) for answer in answers)
            gone = [str(answer) for answer in answers if isinstance(answer, RunStopped)]
            assert gone
            assert all("was ended from outside" in text for text in gone)
        assert torn._process.wait() != 0, "it was ended"
    finally:
        model.close()


def test_a_folder_without_a_model_is_told_as_it_is_for_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    told = []
    for open_it in (lambda: LocalModel(tmp_path, 8), lambda: Replicas(tmp_path, 8, 2)):
        with pytest.raises(UsageError) as error:
            open_it()
        told.append(str(error.value))
    assert told[0] == told[1]


def test_no_copy_outlives_the_process_that_opened_it(folder: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom arrears.models.replicas import Replicas\n"
        f"model = Replicas(Path({str(folder)!r}), 8, 2)\nprint('open', flush=True)\ninput()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "open\n"
    process.kill()
    # The copies hold the other end of this pipe too: it ends with the last of them.
    assert process.stdout.read() == ""
    process.communicate()


@pytest.mark.parametrize(
    ("megabytes", "batch", "cores", "accelerated", "copies"),
    [
        (30, 128, 2, False, 2),
        (30, 128, 4, False, 4),
        (30, 128, 16, False, 8),
        (30, 20, 16, False, 2),  # Eight messages at once are the least that a copy is worth.
        (30, 1, 16, False, 1),  # A chat.
        (900, 128, 16, False, 1),  # A step is long enough for all threads.
        (30, 128, 16, True, 1),
        (0, 128, 16, False, 1),  # Weights in another form: nobody knows how large.
    ],
)
def test_copies_pay_for_small_models_with_much_to_say(
    megabytes: int, batch: int, cores: int, accelerated: bool, copies: int, tmp_path: Path
) -> None:
    if megabytes:
        with (tmp_path / "model.safetensors").open("wb") as file:
            file.truncate(megabytes << 20)
    assert useful_copies(tmp_path, batch, cores, accelerated) == copies
