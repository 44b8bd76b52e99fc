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

from arrears.errors import ModelError, UsageError
from arrears.models.budget import Call, CallLog
from arrears.models.chat import Completion, Message, Purpose, Sampling, split_reasoning
from arrears.models.providers import answer_tokens
from arrears.models.usage import Usage


class _Waiting(NamedTuple):
    prompt: str
    sampling: Sampling
    answer: "asyncio.Future[Completion]"


class LocalModel:
    """One loaded model. Calls that wait together are generated together, padded on the left."""

    def __init__(self, path: Path, batch: int) -> None:
        """UsageError where the folder holds no model or the extra is not installed."""
        if not (path / "config.json").exists():
            raise UsageError(f"hf/{path} is no model: there is no config.json in {path}")
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise UsageError(
                f"hf/… needs torch and transformers ({error.name} is missing); "
                "pip install 'arrears[hf]'"
            ) from None
        self._torch: Any = torch
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(path, padding_side="left")
            model: Any = AutoModelForCausalLM.from_pretrained(path, dtype="auto")
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"hf/{path} cannot be loaded: {error}") from error
        if tokenizer.chat_template is None:
            raise UsageError(f"hf/{path} has no chat template in its tokenizer")
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._tokenizer, self._model = tokenizer, model.to(device).eval()
        self._device = device
        self._answer_tokens = answer_tokens(path.name)
        self._batch = batch
        self._waiting: list[_Waiting] = []
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="generate")
        self._running: asyncio.Task[None] | None = None
        self.batches: list[int] = []
        """Sizes of the batches so far."""

    async def answer(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """Queue a conversation and wait for its answer. ModelError where it does not fit."""
        prompt = self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(prompt, sampling, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._work())
        return await future

    def close(self) -> None:
        """End the worker thread."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        while self._waiting:
            # Whoever is ready to speak in this round of the loop speaks in this batch.
            await asyncio.sleep(0)
            batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
            await self._answer(batch)

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        """Answer a batch; one that fails (a prompt too long, no memory) is tried in halves, so that
        only those who cannot be answered go without.
        """
        self.batches.append(len(batch))
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._worker, self._generate, batch)
        except Exception as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._answer(batch[:middle])
                await self._answer(batch[middle:])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(ModelError(f"hf: {error}"))
            return
        for one, completion in zip(batch, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(completion)

    def _generate(self, batch: Sequence[_Waiting]) -> list[Completion]:
        torch = self._torch
        inputs = self._tokenizer(
            [one.prompt for one in batch],
            return_tensors="pt",
            padding=True,
            add_special_tokens=False,
        ).to(self._device)
        width = inputs["input_ids"].shape[1]
        limits = [one.sampling.max_tokens or self._answer_tokens for one in batch]
        longest = getattr(self._model.config, "max_position_embeddings", 0) or 0
        room = longest - width if longest else max(limits)
        if room < 1:
            raise ModelError(f"a prompt of {width} tokens does not fit a model of {longest}")
        with torch.inference_mode():
            output = self._model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=min(max(limits), room),
                pad_token_id=self._tokenizer.pad_token_id,
                logits_processor=[_OwnNoise(torch, batch)],
            )
        answers = []
        ends = self._ends()
        for mask, tokens, limit in zip(
            inputs["attention_mask"], output[:, width:], limits, strict=True
        ):
            written = tokens.tolist()
            stop = next((i for i, token in enumerate(written) if token in ends), len(written))
            cut = stop >= limit or (stop == len(written))
            text = self._tokenizer.decode(written[: min(stop, limit)], skip_special_tokens=True)
            reasoning, said = split_reasoning(text)
            usage = Usage(int(mask.sum()), min(stop + 1, limit))
            answers.append(Completion(said, reasoning, usage, cut))
        return answers

    def _ends(self) -> frozenset[int]:
        ends = self._model.generation_config.eos_token_id
        own = self._tokenizer.eos_token_id
        found = ends if isinstance(ends, list) else [ends]
        return frozenset(t for t in (*found, own, self._tokenizer.pad_token_id) if t is not None)


class _OwnNoise:
    """Draws each row by its own seed: greedy choice among logits with Gumbel noise is sampling.

    The seed is that of the dialogue with the prompt, so that the words of a dialogue depend on
    nobody who shares its batch, and two messages of it do not draw the same numbers.
    """

    def __init__(self, torch: Any, batch: Sequence[_Waiting]) -> None:
        self._torch = torch
        self._rows = []
        for at, one in enumerate(batch):
            if one.sampling.temperature > 0:
                address = f"{one.sampling.seed or 0}\n{one.prompt}".encode()
                seed = int.from_bytes(blake2b(address, digest_size=7).digest(), "big")
                generator = torch.Generator(device="cpu")
                generator.manual_seed(seed)
                self._rows.append((at, one.sampling.temperature, generator))

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores with the noise of the rows that are sampled."""
        del input_ids
        torch = self._torch
        if not self._rows:
            return scores
        scores = scores.clone().float()
        for at, temperature, generator in self._rows:
            uniform = torch.rand(scores.shape[-1], generator=generator).clamp_min(1e-20)
            noise = -torch.log(-torch.log(uniform).clamp_min(1e-20))
            scores[at] = scores[at] / temperature + noise.to(scores.device)
        return scores


class LocalSeat:
    """A loaded model as one seat's ChatModel."""

    def __init__(self, model: LocalModel, spec: str, purpose: Purpose, log: CallLog | None) -> None:
        self._model, self._spec, self._purpose, self._log = model, spec, purpose, log

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Completion:
        """The answer, from the next batch."""
        began = perf_counter()
        completion = await self._model.answer(messages, sampling)
        if self._log is not None:
            seconds = perf_counter() - began
            self._log.add(Call(self._purpose, self._spec, completion.usage, 0.0, 1, seconds, False))
        return completion
