"""A local model never reads a conversation twice, and says what it would have said all the same."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="local models need the extra hf")

from arrears.models import attention
from arrears.models.chat import Message, Sampling
from arrears.models.decoding import Request, Writer, fits, write
from arrears.models.kept import Kept, Memory
from tests import small_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights: its words make no sense, and hang on every token before."""
    return small_model.build(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module", params=["sdpa", "ragged"])
def model(folder: Path, request: pytest.FixtureRequest) -> Any:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    assert request.param == "sdpa" or attention.use(model)
    return model


@pytest.fixture(scope="module")
def plain(folder: Path) -> Any:
    """The same model as transformers runs it."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


def prompts() -> list[tuple[int, ...]]:
    """Prompts of unlike lengths."""
    return [tuple((7 * i * n + 3) % 350 + 3 for i in range(5 + 11 * n)) for n in range(1, 9)]


def greedy(_: object, scores: Any) -> Any:
    return scores.argmax(-1)


def alone(plain: Any, prompt: tuple[int, ...], count: int) -> list[int]:
    """By the library's own loop."""
    import torch

    out = plain.generate(
        torch.tensor([prompt]), do_sample=False, max_new_tokens=count, min_new_tokens=count,
        eos_token_id=None,
    )  # fmt: skip
    return out[0, len(prompt) :].tolist()  # type: ignore[no-any-return]


def test_many_prompts_of_unlike_length_are_answered_as_each_alone(model: Any, plain: Any) -> None:
    limits = [3, 20, 1, 9, 14, 20, 5, 12]
    requests = [Request(p, limit) for p, limit in zip(prompts(), limits, strict=True)]
    answers = write(model, requests, greedy, frozenset())
    for request, answer in zip(requests, answers, strict=True):
        assert list(answer.tokens) == alone(plain, request.tokens, request.limit)
        assert not answer.ended


def test_an_answer_ends_at_a_mark_and_the_others_go_on(model: Any, plain: Any) -> None:
    free = [alone(plain, p, 12) for p in prompts()]
    mark = free[2][4]
    answers = write(model, [Request(p, 12) for p in prompts()], greedy, frozenset({mark}))
    for said, answer in zip(free, answers, strict=True):
        ended = mark in said
        assert answer.ended is ended
        assert list(answer.tokens) == (said[: said.index(mark)] if ended else said)


def test_who_joins_a_batch_on_its_way_is_answered_as_if_alone(model: Any, plain: Any) -> None:
    asked = dict(enumerate(prompts()))
    writer, answers = Writer(model, greedy, frozenset()), {}
    writer.admit({n: Request(asked[n], 4 + 3 * n) for n in (0, 1, 2)})
    for late in ((3, 4), (5,), (6, 7)):
        answers.update(writer.run(1))
        writer.admit({n: Request(asked[n], 4 + 3 * (n % 4)) for n in late})
    answers.update(writer.run(99))
    assert writer.live == 0
    assert set(answers) == set(asked)
    for n, prompt in asked.items():
        count = 4 + 3 * (n if n < 3 else n % 4)
        assert list(answers[n].tokens) == alone(plain, prompt, count)


def test_what_was_kept_is_what_would_have_been_read(model: Any, plain: Any) -> None:
    """Go on from the kept beginning, from half of it, and from nothing: the same words."""
    first = write(model, [Request(p, 6) for p in prompts()], greedy, frozenset())
    longer = [(*p, *a.tokens, *range(40, 52)) for p, a in zip(prompts(), first, strict=True)]
    for share in (1.0, 0.5, 0.0):
        requests = []
        for tokens, answer in zip(longer, first, strict=True):
            count = int(share * len(answer.kept.tokens))
            layers = tuple((k[:, :count], v[:, :count]) for k, v in answer.kept.layers)
            kept = Kept(answer.kept.tokens[:count], layers) if count else None
            requests.append(Request(tokens, 8, kept))
        answers = write(model, requests, greedy, frozenset())
        assert [list(a.tokens) for a in answers] == [alone(plain, t, 8) for t in longer]


def test_the_kept_part_matches_its_tokens(model: Any) -> None:
    for answer in write(model, [Request(p, 6) for p in prompts()], greedy, frozenset()):
        assert all(
            k.shape[1] == v.shape[1] == len(answer.kept.tokens) for k, v in answer.kept.layers
        )


def test_memory_gives_only_what_two_prompts_share_and_never_the_last_token(model: Any) -> None:
    (kept,) = [a.kept for a in write(model, [Request((5, 6, 7, 8), 3)], greedy, frozenset())]
    memory = Memory(1 << 20)
    memory.keep(b"talk", kept)
    assert memory.find(b"other", (5, 6)) is None
    assert memory.find(b"talk", (9, 6, 7)) is None
    for asked, shared in (((5, 6, 7, 8, 1, 2), 4), ((5, 6, 9, 8), 2), ((5, 6, 7), 2)):
        found = memory.find(b"talk", asked)
        assert found is not None
        assert found.tokens == asked[:shared]
        assert found.layers[0][0].shape[1] == shared


def test_memory_forgets_what_was_not_used_for_longest(model: Any) -> None:
    kept = write(model, [Request((5, 6, 7), 2)], greedy, frozenset())[0].kept
    memory = Memory(3 * kept.size)
    for name in (b"a", b"b", b"c"):
        memory.keep(name, kept)
    memory.find(b"a", kept.tokens)
    memory.keep(b"d", kept)
    assert memory.find(b"b", kept.tokens) is None
    assert memory.find(b"a", kept.tokens) is not None
    assert memory.bytes == 3 * kept.size
    Memory(1).keep(b"too large", kept)


def test_a_model_that_forgets_is_left_to_its_own_loop(model: Any) -> None:
    from transformers import MistralConfig, MistralForCausalLM

    sliding = MistralConfig(
        vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, sliding_window=8,
    )  # fmt: skip
    assert fits(model)
    assert not fits(MistralForCausalLM(sliding))


def test_a_drawn_token_is_as_likely_as_the_model_says_at_its_temperature() -> None:
    import torch

    from arrears.models.hf import _OwnNoise, _Waiting

    scores = torch.tensor([2.0, 1.0, 0.0, -1.0])
    for temperature in (0.5, 1.0, 2.0):
        noise, draws = _OwnNoise(torch, None), 6000
        for name in range(draws):
            sampling = Sampling(temperature, seed=name)
            noise.add(name, _Waiting([], "prompt", sampling, None))  # type: ignore[arg-type]
        drawn = noise.chosen(range(draws), scores.repeat(draws, 1))
        seen = torch.bincount(drawn, minlength=4) / draws
        wanted = torch.softmax(scores / temperature, -1)
        assert torch.allclose(seen, wanted, atol=0.025), (temperature, seen, wanted)


def test_without_temperature_the_best_token_is_taken() -> None:
    import torch

    from arrears.models.hf import _OwnNoise, _Waiting

    noise = _OwnNoise(torch, None)
    noise.add(0, _Waiting([], "", Sampling(0.0), None))  # type: ignore[arg-type]
    noise.add(1, _Waiting([], "", Sampling(5.0, seed=3), None))  # type: ignore[arg-type]
    scores = torch.tensor([[0.0, 1.0, 0.9]] * 2)
    assert noise.chosen([0], scores[:1]).tolist() == [1]
    assert noise.chosen([0, 1], scores).tolist()[0] == 1


@pytest.mark.parametrize("start", ["", "Acts:"])
def test_only_the_part_between_two_texts_is_drawn(start: str) -> None:
    """Before it and behind it a row is greedy, wherever the tokens of the texts end."""
    import torch

    from arrears.models.hf import _OwnNoise, _Waiting

    pieces = ["a", "b", "Ac", "ts:", "Wo", "rds:", " c"]

    class Pieces:
        def decode(self, tokens: list[int]) -> str:
            return "".join(pieces[token] for token in tokens)

    def scores(column: int) -> Any:
        """The likeliest piece is an `a`, but for the start, which is said at a known place."""
        likely = {3: 2, 4: 3}.get(column, 0)
        flat = torch.full((rows, len(pieces)), 0.5)
        flat[:, likely] = 1.0 if likely == 0 else 20.0
        return flat

    rows = 200
    noise = _OwnNoise(torch, Pieces())
    for name in range(rows):
        sampling = Sampling(1.0, seed=name, drawn=(start, "Words:"))
        noise.add(name, _Waiting([], "", sampling, None))  # type: ignore[arg-type]
    columns = [noise.chosen(range(rows), scores(column)).tolist() for column in range(60)]
    drawn, behind = 0, 0
    for row in zip(*columns, strict=True):
        said = Pieces().decode(list(row))
        before, _, rest = said.partition("Acts:")
        if start:
            assert set(before) == {"a"}, "only the likeliest piece"
        part, _, rest = (rest if start else said).partition("Words:")
        assert set(rest) <= set("aActs:"), "only the likeliest piece"
        drawn += part.count("b") + part.count(" c")
        behind += len(rest)
    assert drawn > rows
    assert behind > rows


def test_a_model_that_cannot_draw_a_part_says_so(folder: Path) -> None:
    """Nothing is drawn whole in its place without a word."""
    from arrears.errors import RunStopped
    from arrears.models import hf

    model = hf.LocalModel(folder, 4)
    model._memory = model._writer = None
    drawn = Sampling(1.0, seed=1, max_tokens=4, drawn=("", "e"))
    try:
        with pytest.raises(RunStopped, match="leave --drawn out"):
            asyncio.run(model.answer([Message(role="user", content="Hello.")], drawn))
    finally:
        model.close()


def test_a_growing_talk_is_read_once_and_branches_share_their_past(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arrears.models import hf

    read: list[tuple[int, int]] = []

    admit = Writer.admit

    def counted(self: Writer, requests: Any) -> None:
        read.extend(
            (len(r.tokens), len(r.found.tokens) if r.found else 0) for r in requests.values()
        )
        admit(self, requests)

    monkeypatch.setattr(Writer, "admit", counted)

    async def talk(keeps: bool) -> list[str]:
        model = hf.LocalModel(folder, 4)
        if not keeps:
            model._memory = Memory(1)
        messages = [Message(role="system", content="You collect debt.")]
        said = []
        for n in range(4):
            messages.append(Message(role="user", content=f"And then, number {n}?"))
            warm = Sampling(0.8, seed=n, max_tokens=12)
            answer, branch = await asyncio.gather(
                model.answer(messages, warm), model.answer(messages, Sampling(0.8, 77, 9))
            )
            said += [answer.text, branch.text]
            messages.append(Message(role="assistant", content=answer.text))
        model.close()
        return said

    kept = asyncio.run(talk(True))
    assert [found > 0 for _, found in read] == [False] * 2 + [True] * 6
    for (before, _), (_, found) in zip(read[:-2], read[2:], strict=True):
        # All that was asked before; what was answered too, if its words are the same tokens again.
        assert found >= before - 1
    read.clear()
    assert asyncio.run(talk(False)) == kept
    assert all(found == 0 for _, found in read)
