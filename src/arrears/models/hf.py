"""`hf/PATH`: a local transformers model, answering all dialogues that wait in one batch.

torch and transformers are the extra `hf`; they are imported when such a model is opened.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import orjson

from arrears.errors import ModelError, RunStopped
from arrears.machine import cores
from arrears.models import attention
from arrears.models.chat import Completion, Message, Sampling, split_reasoning
from arrears.models.decoding import Answer, Request, Writer, fits, write
from arrears.models.kept import KEEPS, Memory
from arrears.models.model_folder import check_folder
from arrears.models.opening import ChatForm, open_tokenizer, open_weights, told
from arrears.models.providers import answer_tokens
from arrears.models.replicas import Replicas, useful_copies
from arrears.models.usage import Usage

_FINISHED_SHARE = 6
"""New ones join when one in so many has finished: each joining packs the batch anew."""


class _Waiting(NamedTuple):
    messages: list[Message]
    prompt: str
    sampling: Sampling
    answer: "asyncio.Future[Completion]"


class LocalModel:
    """One loaded model. Calls that wait together are generated together, and what was read for one
    message of a talk is not read again for the next (`decoding`)."""

    def __init__(self, path: Path, batch: int, keeps: int = KEEPS) -> None:
        """`keeps`: bytes of what was read before, on a processor. UsageError where the folder holds
        no model that is whole, or the extra is not installed."""
        check_folder(path)
        tokenizer = open_tokenizer(path, padding_side="left")
        self._form = ChatForm(tokenizer, path)
        import torch

        self._torch: Any = torch
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = open_weights(path, dtype="auto")
        self._tokenizer, self._model = tokenizer, model.to(device).eval()
        self._device = device
        self._answer_tokens = answer_tokens(path.name)
        self._ends = _ends_of(model, tokenizer)
        keeps = torch.cuda.mem_get_info()[1] // 5 if device == "cuda" else keeps
        self._memory = Memory(keeps) if fits(model) else None
        if self._memory:
            attention.use(model)
        self._noise = _OwnNoise(torch, tokenizer)
        self._writer = Writer(self._model, self._noise.chosen, self._ends) if self._memory else None
        self._asked: dict[int, _Waiting] = {}
        """Who is being answered, by number."""
        self._next = 0
        self._batch = batch
        self._waiting: list[_Waiting] = []
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="generate")
        self._running: asyncio.Task[None] | None = None
        self.batches: list[int] = []
        """How many joined at a time so far."""
        self.busy = 0.0
        """Seconds in which it has read and written so far, in the batch that is joined and left."""

    async def answer(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """Queue a conversation and wait for its answer. ModelError where it does not fit or the
        chat template refuses it, RunStopped where this model cannot answer as it is asked to."""
        if sampling.drawn and self._writer is None:
            raise RunStopped(
                "a model that forgets part of what it reads cannot draw a part of its message; "
                "leave --drawn out"
            )
        talk = list(messages)
        prompt = self._form.text(talk)
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(talk, prompt, sampling, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._work())
        return await future

    def close(self) -> None:
        """End the worker thread."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        try:
            await self._work_off()
        except Exception as error:
            # Nobody awaits this task: without an answer from here they would wait for ever.
            left = [*self._asked.values(), *self._waiting]
            self._asked, self._waiting = {}, []
            for one in left:
                if not one.answer.done():
                    one.answer.set_exception(ModelError(f"hf: {told(error)}"))

    async def _work_off(self) -> None:
        while self._waiting or (self._writer is not None and self._writer.live):
            # Whoever is ready to speak in this round of the loop joins in this round.
            await asyncio.sleep(0)
            if self._writer is None:
                batch = self._taken(self._batch)
                await self._answer(batch)
            else:
                await self._go_on(self._writer)

    def _taken(self, count: int) -> list[_Waiting]:
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        if taken:
            self.batches.append(len(taken))
        return taken

    async def _go_on(self, writer: Writer) -> None:
        """Let those who wait join those who write, until some have finished."""
        fresh = self._taken(self._batch - writer.live)
        names = range(self._next, self._next + len(fresh))
        self._next += len(fresh)
        self._asked.update(zip(names, fresh, strict=True))
        loop = asyncio.get_running_loop()
        try:
            done = await loop.run_in_executor(self._worker, self._advance, writer, names)
        except Exception:
            # One of them may be the cause: each half of them by itself, down to the one.
            writer.drop()
            rest, self._asked = list(self._asked.values()), {}
            await self._answer(rest)
            return
        for name, found in done.items():
            one = self._asked.pop(name)
            if one.answer.done():
                continue
            if isinstance(found, ModelError):
                one.answer.set_exception(found)
            else:
                one.answer.set_result(found)

    def _advance(self, writer: Writer, names: Sequence[int]) -> dict[int, Completion | ModelError]:
        began = perf_counter()
        try:
            return self._advanced(writer, names)
        finally:
            self.busy += perf_counter() - began

    def _advanced(self, writer: Writer, names: Sequence[int]) -> dict[int, Completion | ModelError]:
        requests: dict[int, Request] = {}
        done: dict[int, Completion | ModelError] = {}
        for name in names:
            one = self._asked[name]
            try:
                requests[name] = self._request(one)
            except ModelError as error:
                done[name] = error
                continue
            self._noise.add(name, one)
        if requests:
            writer.admit(requests)
        for name, answer in writer.run(max(1, writer.live // _FINISHED_SHARE)).items():
            self._noise.drop(name)
            done[name] = self._completion(self._asked[name], answer)
        return done

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        """Answer a batch; one that fails (a prompt too long, no memory) is tried in halves, so that
        only those who cannot be answered go without.
        """
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._worker, self._generate, batch)
        except Exception as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._answer(batch[:middle])
                await self._answer(batch[middle:])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(ModelError(f"hf: {told(error)}"))
            return
        for one, completion in zip(batch, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(completion)

    def _generate(self, batch: Sequence[_Waiting]) -> list[Completion]:
        if self._memory is None:
            return self._all_anew(batch)
        noise = _OwnNoise(self._torch, self._tokenizer)
        for at, one in enumerate(batch):
            noise.add(at, one)
        requests = [self._request(one) for one in batch]
        answers = write(self._model, requests, noise.chosen, self._ends)
        return [self._completion(one, a) for one, a in zip(batch, answers, strict=True)]

    def _request(self, one: _Waiting) -> Request:
        """A conversation in tokens, with what is known of it. ModelError where it does not fit."""
        tokens = self._tokenizer(one.prompt, add_special_tokens=False)["input_ids"]
        limit = self._room(len(tokens), one.sampling.max_tokens or self._answer_tokens)
        # All but the last message is what this talk, or the one it branched off, has seen.
        found = self._memory.find(_name(one.messages[:-1]), tokens) if self._memory else None
        return Request(tuple(tokens), limit, found)

    def _completion(self, one: _Waiting, answer: Answer) -> Completion:
        request = answer.request
        found = len(request.found.tokens) if request.found else 0
        completion = self._said(answer.tokens, answer.ended, len(request.tokens), found)
        if self._memory is not None:
            said = Message(role="assistant", content=completion.text)
            self._memory.keep(_name([*one.messages, said]), answer.kept)
        return completion

    def _said(self, tokens: Sequence[int], ended: bool, prompt: int, found: int = 0) -> Completion:
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        reasoning, said = split_reasoning(text)
        return Completion(said, reasoning, Usage(prompt, len(tokens) + ended, found), not ended)

    def _all_anew(self, batch: Sequence[_Waiting]) -> list[Completion]:
        """For models that forget part of what they read: by their own `generate`."""
        inputs = self._tokenizer(
            [one.prompt for one in batch],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
        ).to(self._device)
        width = inputs["input_ids"].shape[1]
        limits = [one.sampling.max_tokens or self._answer_tokens for one in batch]
        noise = _OwnNoise(self._torch, self._tokenizer)
        for at, one in enumerate(batch):
            noise.add(at, one)
        with self._torch.inference_mode():
            output = self._model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=self._room(width, max(limits)),
                pad_token_id=self._tokenizer.pad_token_id,
                logits_processor=[noise],
            )
        answers = []
        for mask, tokens, limit in zip(
            inputs["attention_mask"], output[:, width:].tolist(), limits, strict=True
        ):
            stop = next((i for i, token in enumerate(tokens) if token in self._ends), len(tokens))
            ended = stop < min(limit, len(tokens))
            answers.append(self._said(tokens[: min(stop, limit)], ended, int(mask.sum())))
        return answers

    def _room(self, width: int, limit: int) -> int:
        """How many tokens can follow a prompt. ModelError where none can."""
        longest = getattr(self._model.config, "max_position_embeddings", 0) or 0
        room = longest - width if longest else limit
        if room < 1:
            raise ModelError(f"a prompt of {width} tokens does not fit a model of {longest}")
        return min(room, limit)


def _name(messages: Sequence[Message]) -> bytes:
    """A short name for a conversation up to here."""
    text = orjson.dumps([[m["role"], m["content"]] for m in messages])
    return blake2b(text, digest_size=16).digest()


def _ends_of(model: Any, tokenizer: Any) -> frozenset[int]:
    ends = model.generation_config.eos_token_id
    found = ends if isinstance(ends, list) else [ends]
    own = (tokenizer.eos_token_id, tokenizer.pad_token_id)
    return frozenset(t for t in (*found, *own) if t is not None)


class _Part(NamedTuple):
    """How far a row is, of which only a part is drawn."""

    start: str
    end: str
    said: list[int]
    before: bool
    """Whether it still waits for the start."""


class _OwnNoise:
    """Draws each row by its own seed: greedy choice among logits with Gumbel noise is sampling.

    The seed is that of the dialogue with the prompt, so that the words of a dialogue depend on
    nobody who shares its batch, and two messages of it do not draw the same numbers.
    """

    def __init__(self, torch: Any, tokenizer: Any) -> None:
        self._torch, self._tokenizer = torch, tokenizer
        self._drawn: dict[int, tuple[float, Any]] = {}
        self._drawn_part: dict[int, _Part] = {}
        """Of rows of which only a part is drawn."""

    def add(self, name: int, one: _Waiting) -> None:
        """A row joins."""
        if one.sampling.temperature > 0:
            address = f"{one.sampling.seed or 0}\n{one.prompt}".encode()
            seed = int.from_bytes(blake2b(address, digest_size=7).digest(), "big")
            generator = self._torch.Generator(device="cpu")
            generator.manual_seed(seed)
            self._drawn[name] = (one.sampling.temperature, generator)
            if one.sampling.drawn:
                start, end = one.sampling.drawn
                self._drawn_part[name] = _Part(start, end, [], start != "")

    def drop(self, name: int) -> None:
        """A row leaves."""
        self._drawn.pop(name, None)
        self._drawn_part.pop(name, None)

    def _waits(self, name: int) -> bool:
        return name in self._drawn_part and self._drawn_part[name].before

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores with the noise of the rows that are sampled, for `generate`."""
        del input_ids
        return self._noisy(range(len(scores)), scores)

    def chosen(self, names: Sequence[int], scores: Any) -> Any:
        """A token for each of these rows."""
        tokens = self._noisy(names, scores).argmax(-1)
        for name, token in zip(names, tokens.tolist(), strict=True) if self._drawn_part else ():
            if name in self._drawn_part:
                self._heard(name, token)
        return tokens

    def _heard(self, name: int, token: int) -> None:
        """Begin or end to draw where a row has said the text that is waited for."""
        part = self._drawn_part[name]
        part.said.append(token)
        text = part.start if part.before else part.end
        # A token is a character at least, but for those that are parts of one.
        if text in self._tokenizer.decode(part.said[-4 * len(text) :]):
            if part.before:
                self._drawn_part[name] = part._replace(before=False)
            else:
                self.drop(name)

    def _noisy(self, names: Sequence[int], scores: Any) -> Any:
        torch = self._torch
        drawn = [
            (at, *self._drawn[name])
            for at, name in enumerate(names)
            if name in self._drawn and not self._waits(name)
        ]
        if not drawn:
            return scores
        size = scores.shape[-1]
        uniform = torch.stack([torch.rand(size, generator=g) for _, _, g in drawn])
        # Gumbel: the minus of a logarithm, twice. (A minus binds looser than a method's dot.)
        flat = torch.log(uniform.clamp_min(1e-20)).neg().clamp_min(1e-20)
        noise = torch.log(flat).neg()
        places = torch.tensor([at for at, _, _ in drawn], device=scores.device)
        heat = torch.tensor([t for _, t, _ in drawn], device=scores.device)[:, None]
        scores = scores.float()
        scores[places] = scores[places] / heat + noise.to(scores.device)
        return scores


def opened(path: Path, batch: int) -> LocalModel | Replicas:
    """The model in a folder, in this process or, where that is faster, in several of its own.

    UsageError as `LocalModel`.
    """
    try:
        import torch
    except ImportError:
        return LocalModel(path, batch)  # Which says what to install.
    count = useful_copies(path, batch, cores(), torch.cuda.is_available())
    return LocalModel(path, batch) if count == 1 else Replicas(path, batch, count)
