"""How far a model has moved: its KL from the first one, at the states that it has itself visited.

    KL = mean over messages of Σ_t Σ_v p(v | s_t) · log( p(v | s_t) / p₀(v | s_t) ),  in nats

p is the later model, p₀ the first, v runs over the whole vocabulary, and s_t is everything that the
later model had before it at token t of its own message, the mark that ends it included. Nothing is
sampled: at every token both distributions are there whole. They are those of temperature 1, at
whatever temperature the talk was held.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

from arrears.agents.briefing import style_of
from arrears.errors import UsageError
from arrears.models.chat import Message
from arrears.models.opening import ChatForm, open_tokenizer, open_weights
from arrears.rng import rng_for
from arrears.scoring.statistics import mean_interval
from arrears.scoring.unscored import Unscored
from arrears.training.conversations import Answered, Briefing, answers
from arrears.training.report.lines import Compared, Key, Line

Progress = Callable[[int, int], None]
"""Told (talks done, all talks)."""
_AT_ONCE = 256
"""Tokens whose distributions are held in float32 at a time."""


class Drift(NamedTuple):
    """A later model's distance from the first, in nats."""

    kl: float
    """Of a message, mean over messages."""
    low: float | None
    high: float | None
    """Ends of its 95 % interval over debtors; None of a single one."""
    token: float
    """Of a token, mean over tokens."""
    talks: int
    messages: int
    tokens: int


Place = tuple[str, str, str]
"""(name of the line, suite, debtors' seat)"""
Pass = tuple[tuple[int, ...], tuple[range, ...]]
"""The tokens of one pass, and where the collector's own messages stand in it."""


def drifts(
    compared: Compared, talks: int, progress: Progress | None = None
) -> dict[Place, Drift | Unscored]:
    """Every later collector's drift by (name, suite, debtors' seat), or why there is none.

    `talks`: of the later model, at most so many from each suite; 0 for none at all.
    """
    parts = compared.keys()
    found: dict[Place, Drift | Unscored] = {}
    measurable = []
    for line in compared.after:
        why = _why_not(compared.before, line) if talks else "not asked for (--kl-talks 0)"
        if why:
            found |= {(line.name, *part): Unscored(why) for part in parts}
        else:
            measurable.append(line)
    if not measurable:
        return found
    chosen = {
        (line.name, *part): _chosen(line, keys, talks)
        for line in measurable
        for part, keys in parts.items()
    }
    bar = _Count(sum(map(len, chosen.values())), progress)
    first = _opened(compared.before)
    for line in measurable:
        found |= _of_line(first, line, {k: v for k, v in chosen.items() if k[0] == line.name}, bar)
    return {
        (line.name, *part): found[line.name, *part] for line in compared.after for part in parts
    }


def message_kl(
    model: Any, first: Any, tokenizer: Any, asked: Sequence[Answered]
) -> list[tuple[float, int]]:
    """Sum of KL(model ‖ first) over each answer's tokens, and how many these are.

    An answer's tokens are those of its text and the mark that ends it; what stands before them is
    the chat template's rendering of its prompt, as a model at the table is asked. Both models must
    have the tokenizer's vocabulary.
    """
    import torch

    found = []
    with torch.inference_mode():
        for tokens, own in _passes(tokenizer, asked):
            for span, kl in zip(own, _spans_kl(model, first, tokens, own), strict=True):
                found.append((kl, len(span)))
    return found


def _passes(tokenizer: Any, asked: Sequence[Answered]) -> Iterator[Pass]:
    """Answers as sequences of tokens; one that only goes on from the last shares its pass."""
    tokens: tuple[int, ...] = ()
    spans: list[range] = []
    for one in asked:
        before, answer = _tokens(tokenizer, one.prompt, one.answer)
        if before[: len(tokens)] != tokens:
            yield tokens, tuple(spans)
            spans = []
        tokens = before + answer
        spans.append(range(len(before), len(tokens)))
    if spans:
        yield tokens, tuple(spans)


def _tokens(
    tokenizer: Any, prompt: Sequence[Message], answer: Message
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    text = tokenizer.apply_chat_template(list(prompt), tokenize=False, add_generation_prompt=True)
    before = tokenizer(text, add_special_tokens=False)["input_ids"]
    said = tokenizer(answer["content"], add_special_tokens=False)["input_ids"]
    return tuple(before), (*said, tokenizer.eos_token_id)


def _spans_kl(
    model: Any, first: Any, tokens: Sequence[int], spans: Sequence[range]
) -> Iterator[float]:
    """The sums of one pass. Logits are taken only where a token of an answer comes next."""
    import torch

    places = [at - 1 for span in spans for at in span]
    ours, theirs = (_logits(one, tokens, places) for one in (model, first))
    each = []
    for start in range(0, len(places), _AT_ONCE):
        end = start + _AT_ONCE
        p, q = (torch.log_softmax(of[start:end].float(), dim=-1) for of in (ours, theirs))
        each.append((p.exp() * (p - q)).sum(-1).double().cpu())
    every = torch.cat(each)
    at = 0
    for span in spans:
        yield float(every[at : at + len(span)].sum())
        at += len(span)


def _logits(model: Any, tokens: Sequence[int], places: Sequence[int]) -> Any:
    import torch

    ids = torch.tensor([tokens], device=model.device)
    # From the first place on: a place's logits are read off its distance from the end.
    kept = {"logits_to_keep": len(tokens) - places[0]}
    some = kept if "logits_to_keep" in signature(model.forward).parameters else {}
    logits = model(input_ids=ids, use_cache=False, **some).logits[0]
    return logits[torch.tensor(places, device=logits.device) - (len(tokens) - len(logits))]


class _Count:
    """Counts talks for whoever watches."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress
        if progress is not None:
            progress(0, total)

    def one(self) -> None:
        """One more is done."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


class _Opened(NamedTuple):
    """A model that has been loaded."""

    model: Any
    tokenizer: Any
    form: ChatForm


def _opened(line: Line) -> _Opened | Unscored:
    """A local model and its tokenizer, or why it cannot be loaded."""
    folder = line.folder
    assert folder is not None
    try:
        tokenizer = open_tokenizer(folder)
        form = ChatForm(tokenizer, folder)
        model = open_weights(folder, dtype="auto")
    except UsageError as error:
        return Unscored(str(error))
    if tokenizer.eos_token_id is None:
        return Unscored(f"the tokenizer of {folder} has no mark of an end")
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return _Opened(model.to(device).eval(), tokenizer, form)


class _Pair(NamedTuple):
    later: _Opened
    first: _Opened


def _pair(first: _Opened | Unscored, later: _Opened | Unscored) -> _Pair | Unscored:
    """Two models whose distributions are over the same words."""
    if isinstance(first, Unscored):
        return first
    if isinstance(later, Unscored):
        return later
    same = first.tokenizer.get_vocab() == later.tokenizer.get_vocab()
    sizes = [one.model.config.get_text_config().vocab_size for one in (first, later)]
    if not same or sizes[0] != sizes[1]:
        return Unscored("its tokenizer is another one than that of the model before")
    return _Pair(later, first)


def _why_not(first: Line, later: Line) -> str:
    """What stands in the way before anything is loaded; "" for nothing."""
    for line in (first, later):
        if line.folder is None:
            return f"{line.name} is no local model (hf/PATH)"
        if line.method != "direct":
            return f"{line.name} had a planner or a judge beside it"
        if not (line.folder / "config.json").exists():
            return f"there is no model in {line.folder} any more, as seen from here"
    return ""


def _chosen(line: Line, keys: Sequence[Key], talks: int) -> list[Key]:
    """Talks of which the collector said anything and which did not fail, at most so many, drawn by
    the run's seed."""
    there = [key for key in keys if line.rows[key].turns and not line.rows[key].failure]
    if len(there) <= talks:
        return there
    seed = line.run.plan.seed
    drawn = rng_for(seed, "drift", *keys[0][:2]).choice(len(there), talks, replace=False)
    return [there[at] for at in sorted(drawn.tolist())]


def _of_line(
    first: "_Opened | Unscored", line: Line, chosen: Mapping[Place, Sequence[Key]], bar: _Count
) -> dict[Place, Drift | Unscored]:
    """One later model's drift in each suite; it is loaded here and let go at the end."""
    pair = _pair(first, _opened(line) if isinstance(first, _Opened) else first)
    if isinstance(pair, Unscored):
        return dict.fromkeys(chosen, pair)
    found = {}
    for place, keys in chosen.items():
        sums = []
        for key in keys:
            sums.append(_of_talk(pair, line, key))
            bar.one()
        debtors = [(key.suite, key.debtor) for key in keys]
        found[place] = _drift(sums, debtors, line.run.plan.seed, place)
    return found


def _of_talk(pair: _Pair, line: Line, key: Key) -> list[tuple[float, int]]:
    run = line.run
    dialogue = run.dialogue(line.rows[key].case)
    debtor = run.debtor(key.suite, key.debtor)
    briefing = Briefing(
        style_of(debtor),
        run.plan.wordings.get(line.spec, "full"),
        run.plan.lang,
        run.plan.mandate,
        run.plan.max_turns,
        run.plan.taxonomy(),
    )
    form = pair.later.form
    asked = [
        one._replace(prompt=form.messages(one.prompt))
        for one in answers(dialogue.turns, debtor.background, briefing)
    ]
    return message_kl(pair.later.model, pair.first.model, pair.later.tokenizer, asked)


def _drift(
    talks: Sequence[Sequence[tuple[float, int]]],
    debtors: Sequence[Hashable],
    seed: int,
    place: Sequence[str],
) -> Drift | Unscored:
    """The mean over messages, with an interval over debtors, whose talks are drawn together."""
    messages = [
        (kl, n, whose) for talk, whose in zip(talks, debtors, strict=True) for kl, n in talk
    ]
    if not messages:
        return Unscored("it has not said anything")
    kls, lengths, whose = zip(*messages, strict=True)
    interval = mean_interval(kls, rng_for(seed, "drift", *place, "interval"), clusters=whose)
    said, tokens = sum(map(bool, talks)), sum(lengths)
    return Drift(interval.value, *interval.ends, sum(kls) / tokens, said, len(messages), tokens)
