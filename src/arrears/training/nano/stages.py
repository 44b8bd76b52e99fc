"""nano, stage by stage; a stage that is done is not done again.

corpus/   talks.jsonl, what it learns to talk from
base/     tokenizer and random weights
sft/      the model that can talk and gives too much away
round-1/  cfpo.json, weighed.jsonl, pairs.jsonl; model/ is the policy that learnt from them
…
proof/    runs of the first and the last model against test debtors
"""

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson

import arrears
from arrears.bench.plan import make_plan
from arrears.bench.run import Progress, run, silent
from arrears.debtors.record import Debtor
from arrears.debtors.suites import load_suite
from arrears.errors import BrokenFile, UsageError
from arrears.files import replace_file, storage
from arrears.models.backends import Settings
from arrears.rng import rng_for
from arrears.runs.lock import lock_folder
from arrears.runs.pinned import read_object, refuse, store_plan
from arrears.runs.rules import DIALOGUES, REQUESTS, rules_digest
from arrears.training.cfpo.plan import RULES as CFPO_RULES
from arrears.training.cfpo.rounds import Round, course_of, learn_round, weigh_round
from arrears.training.cfpo.run import Choice, Made
from arrears.training.fit.base import quiet
from arrears.training.fit.folder import RULES as FIT_RULES
from arrears.training.fit.recipe import read_recipe
from arrears.training.fit.run import Fitted, fit
from arrears.training.nano.corpus import talks
from arrears.training.nano.model import new_model
from arrears.training.nano.recipe import Nano
from arrears.training.nano.tokenizer import train_tokenizer

AT_ONCE = 128
"""Messages that nano writes together."""
LONGEST: Final = 256
"""Tokens of a message. The longest of the corpus has 150; a model that cannot stop is stopped."""
_WORDING: Final = "short"
_RULES: Final = (
    "training.nano.corpus",
    "training.nano.model",
    "training.nano.tokenizer",
    *CFPO_RULES,
)

Bar = Callable[[str], Progress]
"""Gives the progress of a stage, by its name."""
Seen = Callable[[int, Made], None]
"""Is given a round's number and what it came to."""


def ignored(number: int, made: Made) -> None:
    """Nothing is done with a round but to learn from it."""


class Whole(NamedTuple):
    """The folders of a finished nano."""

    sft: Path
    model: Path
    """The last round's."""
    models: tuple[Path, ...]
    """Each round's."""
    proof: Path
    """The run folder of both."""


def whole_way(
    nano: Nano,
    out: Path,
    seed: int,
    bar: Bar | None = None,
    weighed: Seen = ignored,
    *,
    retry_errors: bool = False,
) -> Whole:
    """Everything from the corpus to the proof, as far as it is not there yet.

    `weighed` is given each round before it is learned from, and may end the course there;
    `retry_errors` plays again what had failed from outside the negotiation. RunMismatch where the
    folder was begun with another recipe or seed, or is being written by another process.
    Interrupted anywhere, the same call goes on there.
    """
    bar = bar or (lambda name: silent)
    _check_people(nano, seed)
    with lock_folder(out):
        sft = talker(nano, out, seed, bar)
        models = look_ahead(nano, out, seed, sft, bar, weighed, retry_errors=retry_errors)
        proof = prove(nano, out, seed, (sft, *models[-1:]), bar, retry_errors=retry_errors)
    return Whole(sft, models[-1] if models else sft, models, proof)


def talker(nano: Nano, out: Path, seed: int, bar: Bar) -> Path:
    """The model that can talk: corpus, random weights and the supervised stage."""
    _begin(nano, out, seed)
    rows = corpus(nano, out, seed, bar)
    base = first_weights(nano, out, seed, rows)
    return learn_to_talk(nano, out, seed, base, rows, bar).folder


def look_ahead(
    nano: Nano,
    out: Path,
    seed: int,
    policy: Path,
    bar: Bar,
    seen: Seen = ignored,
    *,
    retry_errors: bool = False,
) -> tuple[Path, ...]:
    """The rounds of CFPO from a model that can talk; the model of each."""
    models: list[Path] = []
    for number in range(1, nano.cfpo.rounds + 1):
        one = round_of(nano, out, seed, policy, number)
        weighed = weigh_round(
            one, Settings(concurrency=AT_ONCE), bar(f"talks of round {number}"),
            retry_errors=retry_errors,
        )  # fmt: skip
        seen(number, weighed)
        policy = learn_round(one, weighed, bar(f"steps of round {number}")).folder
        models.append(policy)
    return tuple(models)


def corpus(nano: Nano, out: Path, seed: int, bar: Bar) -> Path:
    """What it learns to talk from, one row a talk."""
    path = out / "corpus" / "talks.jsonl"
    if not path.exists():
        progress, total = bar("talks"), nano.mix.talks
        path.parent.mkdir(exist_ok=True)
        progress(0, total)
        lines = []
        for done, talk in enumerate(talks(nano.mix, seed), 1):
            lines.append(orjson.dumps(talk.row(), option=orjson.OPT_APPEND_NEWLINE))
            if done % 50 == 0 or done == total:
                progress(done, total)
        replace_file(path, lambda file: file.write(b"".join(lines)))
    return path


def first_weights(nano: Nano, out: Path, seed: int, rows: Path) -> Path:
    """Tokenizer and random weights."""
    base = out / "base"
    if not (base / "config.json").exists():
        quiet()
        texts = (
            message["content"]
            for line in rows.read_bytes().splitlines()
            for message in orjson.loads(line)["messages"]
        )
        tokenizer = train_tokenizer(texts, nano.shape.vocabulary)
        model = new_model(nano.shape, tokenizer, seed)
        tokenizer.save_pretrained(base)
        # The configuration goes last: where it is, the rest is.
        model.save_pretrained(base)
    return base


def learn_to_talk(nano: Nano, out: Path, seed: int, base: Path, rows: Path, bar: Bar) -> Fitted:
    """The supervised stage."""
    recipe = read_recipe(nano.sft.recipe, (*nano.sft.set, f"training.seed={seed}"))
    return fit("sft", base, rows, out / "sft", recipe, progress=bar("steps of sft"))


def people_of(nano: Nano, seed: int, number: int) -> tuple[Debtor, ...]:
    """The debtors of a round: training debtors that no other round has met.

    UsageError where the suite has not as many.
    """
    everyone = load_suite(nano.cfpo.suite, "train")
    count = nano.cfpo.debtors
    if number * count > len(everyone):
        raise UsageError(
            f"round {number} has no {count:,} debtors left: {nano.cfpo.suite} has "
            f"{len(everyone):,} to train with; lower cfpo.debtors or cfpo.rounds"
        )
    order = rng_for(seed, "rounds").random(len(everyone)).argsort()
    chosen = order[(number - 1) * count : number * count]
    return tuple(everyone[int(i)] for i in chosen)


def round_of(nano: Nano, out: Path, seed: int, model: Path, number: int) -> Round:
    """What a round is to do; `model` is the policy that it begins with."""
    part, people = nano.cfpo, people_of(nano, seed, number)
    course = course_of(
        f"hf/{model}", part.suite, people,
        seed=seed * 1000 + number,
        moments=part.moments,
        candidates=part.candidates,
        unlike=part.unlike,
        keep=part.keep,
        playouts=part.playouts,
        temperature=part.temperature,
        playout_temperature=part.playout_temperature,
        drawn=part.drawn,
        without=part.without,
        wording=_WORDING,
        max_tokens=LONGEST,
    )  # fmt: skip
    recipe = read_recipe(part.recipe, (*part.set, f"training.seed={seed}"))
    choice = Choice(part.margin, part.pairs)
    return Round(course, people, choice, recipe, out / f"round-{number}")


def prove(
    nano: Nano,
    out: Path,
    seed: int,
    models: Sequence[Path],
    bar: Bar,
    *,
    retry_errors: bool = False,
) -> Path:
    """Both models against the same test debtors, in one run folder."""
    debtors = load_suite(nano.proof.suite, "test")[: nano.proof.debtors]
    populations: dict[str, tuple[Debtor, ...]] = {nano.proof.suite: debtors}
    collectors = tuple(dict.fromkeys(f"hf/{model}" for model in models))
    plan = make_plan(populations, collectors=collectors, seed=seed, max_tokens=LONGEST)
    path = out / "proof"
    run(
        plan, populations, path,
        settings=Settings(concurrency=AT_ONCE), progress=bar("dialogues of the proof"),
        retry_errors=retry_errors,
    )  # fmt: skip
    return path


def _check_people(nano: Nano, seed: int) -> None:
    """UsageError, now and not after an hour, where the last round would have no debtors left."""
    if nano.cfpo.rounds:
        people_of(nano, seed, nano.cfpo.rounds)


def _begin(nano: Nano, out: Path, seed: int) -> None:
    _check_people(nano, seed)
    path = out / "nano.json"
    plan = {
        "seed": seed,
        "arrears": arrears.__version__,
        "rules": rules_digest(*DIALOGUES, *REQUESTS, *_RULES, *FIT_RULES),
        "recipe": nano.model_dump(mode="json"),
    }
    if not path.exists():
        with storage(out):
            out.mkdir(parents=True, exist_ok=True)
        store_plan(path, {**plan, "python": platform.python_version()})
        return
    stored = read_object(path)
    try:
        # A folder that was begun before a key existed has its default.
        stored["recipe"] = Nano.model_validate(stored["recipe"]).model_dump(mode="json")
    except (ValueError, KeyError, TypeError):
        raise BrokenFile(path, "not the plan of a nano") from None
    unlike = [key for key in plan if key != "arrears" and stored.get(key) != plan[key]]
    refuse(out, "nano", stored, plan, unlike)
