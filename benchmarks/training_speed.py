"""How fast nano learns and talks, beside plain loops that do the same work.

    python -m benchmarks.training_speed MODEL [--talks 96]

MODEL is a folder that `arrears train nano` or `arrears train sft` has written (runs/nano/sft). Four
comparisons, each in this one process and on the same rows:

- SFT: our trainer (TRL) against a loop of torch and transformers: forward, backward, AdamW
- DPO: our trainer against a loop with the sigmoid loss and a second copy as its reference
- generation: `models.decoding` against transformers' `generate`, for whole growing talks
- CFPO: playouts a second against the built-in debtor, and what share of the time is the model's

Tokens a second count what was read and written in training, and what was written in generation.
"""

import argparse
import asyncio
import copy
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

# As in the recipes nano-sft and nano-dpo: rows of a step, and rows that go through at once.
STEP = {"sft": 4, "dpo": 8}
MICRO = 4


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--talks", type=int, default=96)
    chosen = parser.parse_args()
    talks, pairs = rows(chosen.talks)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        show("SFT", learn("sft", chosen.model, talks, place), plain_sft(chosen.model, talks))
        show("DPO", learn("dpo", chosen.model, pairs, place), plain_dpo(chosen.model, pairs))
        ours, theirs = asyncio.run(talk(chosen.model, chosen.talks))
        show("generation", ours, theirs)
        playouts(chosen.model, place)


def show(what: str, ours: float, theirs: float) -> None:
    """One line."""
    print(
        f"{what:<11} {ours:8,.0f} tokens/s   plain loop {theirs:8,.0f}   ratio {ours / theirs:.2f}",
        flush=True,
    )


def rows(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Talks for SFT, and pairs of two collectors' answers to the same past for DPO."""
    from arrears.agents.briefing import style_of
    from arrears.training.conversations import Briefing, answers
    from arrears.training.nano.corpus import Mix, talks

    told = list(talks(Mix(talks=count), 7))
    pairs = []
    for at, one in enumerate(told):
        briefing = Briefing(style_of(one.debtor), "short")
        turns = list(answers(one.dialogue.turns, one.debtor.background, briefing))
        asked = turns[at % len(turns)]
        other = dict(turns[(at + 1) % len(turns)].answer)
        if other != asked.answer:
            pairs.append({"prompt": asked.prompt, "chosen": [asked.answer], "rejected": [other]})
    return [one.row() for one in told], pairs


def learn(kind: Any, model: Path, data: Sequence[dict[str, Any]], place: Path) -> float:
    """Tokens a second of a whole training by our trainer, its first step left out."""
    from arrears.training.fit.recipe import read_recipe
    from arrears.training.fit.run import fit

    path = place / f"{kind}.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in data))
    recipe = read_recipe(f"nano-{kind}", ("training.logging_steps=1", "training.warmup=0.0"))
    out = place / kind
    fit(kind, model, path, out, recipe)
    lines = [orjson.loads(line) for line in (out / "metrics.jsonl").read_bytes().splitlines()]
    first, last = lines[0], lines[-1]
    spent: float = (last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"])
    return spent


def _open(model: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    return network.train(), AutoTokenizer.from_pretrained(model)


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    order = sorted(range(len(lengths)), key=lambda at: -lengths[at])
    return [order[at : at + MICRO] for at in range(0, len(order), MICRO)]


def _padded(texts: Sequence[list[int]], labels: Sequence[list[int]], pad: int) -> Any:
    import torch

    width = max(map(len, texts))
    ids = torch.full((len(texts), width), pad)
    mask = torch.zeros((len(texts), width), dtype=torch.long)
    wanted = torch.full((len(texts), width), -100)
    for at, (text, label) in enumerate(zip(texts, labels, strict=True)):
        ids[at, : len(text)] = torch.tensor(text)
        mask[at, : len(text)] = 1
        wanted[at, : len(text)] = torch.tensor(label)
    return ids, mask, wanted


def plain_sft(model: Path, data: Sequence[dict[str, Any]]) -> float:
    """The same by a loop of one's own."""
    import torch

    network, tokenizer = _open(model)
    texts, labels = [], []
    for row in data:
        made = tokenizer.apply_chat_template(
            row["messages"], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        texts.append(made["input_ids"])
        masks = made["assistant_masks"]
        labels.append([t if own else -100 for t, own in zip(texts[-1], masks, strict=True)])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6)
    seen, began = 0, 0.0
    for at, batch in enumerate(_batches([len(t) for t in texts])):
        if at == STEP["sft"] // MICRO:
            seen, began = 0, time.perf_counter()
        ids, mask, wanted = _padded(
            [texts[i] for i in batch], [labels[i] for i in batch], tokenizer.pad_token_id
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = network(input_ids=ids, attention_mask=mask, labels=wanted, use_cache=False).loss
        loss.backward()
        seen += int(mask.sum())
        if (at + 1) % (STEP["sft"] // MICRO) == 0:
            _step(network, optimizer)
    return seen / (time.perf_counter() - began)


def _step(network: Any, optimizer: Any) -> None:
    import torch

    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def plain_dpo(model: Path, data: Sequence[dict[str, Any]]) -> float:
    """The same by a loop of one's own, chosen and rejected in one pass."""
    import torch

    network, tokenizer = _open(model)
    reference = copy.deepcopy(network).eval()
    texts, labels = [], []
    for row in data:
        for side in ("chosen", "rejected"):
            asked = tokenizer.apply_chat_template(
                row["prompt"], tokenize=True, return_dict=True, add_generation_prompt=True
            )["input_ids"]
            whole = tokenizer.apply_chat_template(
                [*row["prompt"], *row[side]], tokenize=True, return_dict=True
            )["input_ids"]
            texts.append(whole)
            labels.append([-100] * len(asked) + whole[len(asked) :])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6)
    lengths = [max(len(texts[2 * i]), len(texts[2 * i + 1])) for i in range(len(data))]
    seen, began = 0, 0.0
    for at, batch in enumerate(_batches(lengths)):
        if at == STEP["dpo"] // MICRO:
            seen, began = 0, time.perf_counter()
        places = [2 * i for i in batch] + [2 * i + 1 for i in batch]
        ids, mask, wanted = _padded(
            [texts[i] for i in places], [labels[i] for i in places], tokenizer.pad_token_id
        )
        with torch.no_grad():
            before = _likelihood(reference, ids, mask, wanted)
        now = _likelihood(network, ids, mask, wanted)
        gain = now - before
        chosen, rejected = gain.chunk(2)
        loss = -torch.nn.functional.logsigmoid(0.1 * (chosen - rejected)).mean()
        loss.backward()
        seen += int(mask.sum())
        if (at + 1) % (STEP["dpo"] // MICRO) == 0:
            _step(network, optimizer)
    return seen / (time.perf_counter() - began)


def _likelihood(network: Any, ids: Any, mask: Any, wanted: Any) -> Any:
    import torch

    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = network(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    logs = torch.log_softmax(scores.float(), -1)
    targets = wanted[:, 1:]
    picked = logs.gather(-1, targets.clamp_min(0)[..., None])[..., 0]
    return (picked * (targets >= 0)).sum(-1)


async def talk(model: Path, count: int) -> tuple[float, float]:
    """Whole talks with the built-in debtor, by our loop and by transformers' own."""
    from arrears.models import hf

    ours = await _talks(model, count)
    opened = hf.opened
    hf.opened = _with_generate
    try:
        return ours, await _talks(model, count)
    finally:
        hf.opened = opened


def _with_generate(path: Path, batch: int) -> Any:
    """The model in this process, reading every conversation anew, by transformers' own loop."""
    from arrears.models.hf import LocalModel

    model = LocalModel(path, batch)
    model._memory = model._writer = None
    return model


async def _talks(model: Path, count: int) -> float:
    """Tokens a second, from the opened model to the last word."""
    from arrears.agents.seating import Place, Seating
    from arrears.debtors.suites import load_suite
    from arrears.models.backends import Backends, Settings
    from arrears.terms import Mandate

    spec = f"hf/{model}"
    people = load_suite("debtbench", "train")[:count]
    async with Backends(Settings(concurrency=count)) as models:
        seating = Seating(1, Mandate(), 12, models=models, wordings={spec: "short"})
        seating.collector(spec, Place("", "", "", 1), people[0])
        began = time.perf_counter()
        talks = await asyncio.gather(
            *(
                seating.talk(Place(d.id, "debtbench", d.id, 1), d, spec, "scripted/debtor")
                for d in people
            )
        )
        seconds = time.perf_counter() - began
    usage = [t.usage.tokens_out for d in talks for t in d.turns if t.usage is not None]
    return sum(usage) / seconds


def playouts(model: Path, place: Path) -> None:
    """Playouts a second of a small round, and the share of its time in which the model writes."""
    from arrears.debtors.suites import load_suite
    from arrears.models import hf
    from arrears.models.backends import Settings
    from arrears.training.cfpo.rounds import course_of
    from arrears.training.cfpo.run import weigh_all
    from arrears.training.cfpo.stored import read_all
    from arrears.training.nano.stages import AT_ONCE

    people = load_suite("debtbench", "train")[:64]
    course = course_of(
        f"hf/{model}", "debtbench", people,
        seed=1, moments=3, playouts=2, playout_temperature=0.0, drawn="acts", wording="short",
    )  # fmt: skip
    used: list[tuple[Any, float]] = []
    opened = hf.opened

    def watched(path: Path, batch: int) -> Any:
        used.append((opened(path, batch), time.perf_counter()))
        return used[-1][0]

    hf.opened = watched
    weigh_all(course, people, place / "round", settings=Settings(concurrency=AT_ONCE))
    hf.opened = opened
    seconds = time.perf_counter() - used[0][1]
    done = sum(
        len(candidate.playouts)
        for weighed in read_all(place / "round" / "weighed.jsonl")
        for moment in weighed.moments
        for candidate in moment.candidates
    )
    print(
        f"CFPO        {done / seconds:8.2f} playouts/s, talks and candidates included; each copy "
        f"of the model works {used[0][0].busy / seconds:.0%} of the time",
        flush=True,
    )


if __name__ == "__main__":
    main()
