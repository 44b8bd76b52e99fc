"""One training from a model and a file of rows to a folder that `hf/…` opens."""

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import arrears
from arrears.errors import ArrearsError, BrokenFile, StorageError, UsageError, cannot_write
from arrears.models.opening import told
from arrears.runs.rules import rules_digest
from arrears.training.fit.base import (
    Digests,
    check_devices,
    check_model,
    check_packages,
    digests_of,
    open_base,
    processes,
    quiet,
    rank,
)
from arrears.training.fit.checkpoints import Checkpoint, latest, prune
from arrears.training.fit.course import Course, Progress, callback_of
from arrears.training.fit.data import PROMPT, Data, read_data
from arrears.training.fit.dpo import dpo_length, dpo_tokens, dpo_trainer
from arrears.training.fit.folder import (
    CHECKPOINTS,
    RECORD,
    RULES,
    FitFolder,
    FitPlan,
    check_place,
    finished,
    read_json,
    write_json,
)
from arrears.training.fit.head import only_learned_words
from arrears.training.fit.learned import (
    blame_row,
    check_gradients,
    in_roles,
    inert_rows,
)
from arrears.training.fit.lora import ADAPTER, save_merged
from arrears.training.fit.metrics import last_line, lines_in
from arrears.training.fit.recipe import Kind, Recipe
from arrears.training.fit.record import inherited, record_of
from arrears.training.fit.rows import Laid, lay_out
from arrears.training.fit.sft import sft_length, sft_trainer
from arrears.training.fit.stop import Stop

_KEPT = "Checkpoints are kept; make room, then resume with the same command"
_ARGUMENTS = "training_args.bin"
# How torch says that a file could not be written to its end; it has no error of its own for that.
_TORCH_WRITES = ("inline_container", "PytorchStreamWriter")
_UNMARKED = "no assistant tokens"
"""In what TRL says of a row in which nothing would be learned."""
_READS = "deserializing"
"""In what safetensors says of a file that it cannot read."""


class Fitted(NamedTuple):
    """A finished training."""

    folder: Path
    """The model, as `hf/…` opens it; only the adapter where it was not merged."""
    steps: int
    rows: int
    left_out: int
    """Rows that were too long, where the recipe leaves them out."""
    inert: int
    """Rows that teach nothing: pairs whose trained parts are the same, answers without labels."""
    tokens: int
    """Read in training, every epoch counted."""
    seconds: float
    """Of training, interruptions not counted."""
    loss: float
    """Of the last line of metrics."""
    before: bool
    """Whether it was finished already, and nothing was done."""


class Prepared(NamedTuple):
    """A trainer that is ready for its first step."""

    trainer: Any
    laid: Laid
    model: Any
    """With the adapter, where there is one."""
    caches: bool
    """Whether the base keeps keys and values when it writes. transformers switches it off to
    train; a model saved so would compute its whole talk anew for every word."""


def check(kind: Kind, model: Path, data: Path, recipe: Recipe, *, merge: bool = True) -> Data:
    """All that can be refused before anything is loaded; gives the rows. UsageError, BrokenFile."""
    if recipe.kind != kind:
        raise UsageError(
            f"the recipe is for {recipe.kind}; run `arrears train {recipe.kind}` with it, or "
            f"choose a recipe for {kind}"
        )
    if not merge and recipe.lora is None:
        raise UsageError("--no-merge is for a recipe with [lora]; this one trains all weights")
    recipe.training.passes(processes())
    check_packages()
    check_model(model)
    return read_data(kind, data)


def prepare(model: Path, data: Data, recipe: Recipe, checkpoints: Path) -> Prepared:
    """Open the model and build TRL's trainer over the rows in their order.

    UsageError for a model or a template that cannot be trained, BrokenFile for rows that are too
    long or teach nothing. Makes the folder `checkpoints`.
    """
    quiet()
    check_devices()
    base, tokenizer, form = open_base(model, recipe)
    data = in_roles(data, form)
    caches = getattr(base.config, "use_cache", True)
    build = sft_trainer if recipe.kind == "sft" else dpo_trainer
    try:
        with _no_news():
            trainer = build(base, tokenizer, data, recipe, checkpoints)
    except Exception as error:
        blame_row(data, tokenizer)
        if isinstance(error, ValueError):
            # Such as bf16 on a device that has none.
            raise UsageError(f"this recipe cannot be trained here: {error}") from error
        if _UNMARKED in str(error):
            raise UsageError(
                "in at least one row the model's chat template marks nothing of the assistant's "
                "words as its own: there is nothing to learn. Put its {% generation %} marks "
                "around them, or give rows of prompt and completion"
            ) from error
        raise
    inert = inert_rows(trainer.train_dataset, data, recipe)
    length, tokens = (sft_length, sft_length) if recipe.kind == "sft" else (dpo_length, dpo_tokens)
    laid = lay_out(trainer, recipe, data, length, tokens)._replace(inert=inert)
    if len(laid.order) <= recipe.training.batch:
        # The first step of a warm-up has a rate of 0: alone it would teach nothing.
        trainer.args.warmup_steps = 0
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return Prepared(trainer, laid, trainer.model, caches)


def fit(
    kind: Kind,
    model: Path,
    data: Path,
    out: Path,
    recipe: Recipe,
    *,
    merge: bool = True,
    about: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Train, or take up a training, in the folder `out`.

    The same call goes on from the last whole checkpoint, with the same result as without the
    interruption; a finished folder is left as it is. `about` stands in `training.json` as it is
    given; what the base was taught under is kept (`record.INHERITED`). `progress` is called with
    steps done and steps in all. Started by a launcher in several processes, only the first writes.

    UsageError, BrokenFile and RunMismatch for what cannot be done, StorageError for a disk that is
    full, ArrearsError for memory that does not suffice or a loss that is no number;
    KeyboardInterrupt after SIGINT or SIGTERM, with a checkpoint at the step that was being taken.
    """
    rows = check(kind, model, data, recipe, merge=merge)
    if rank() == 0:
        # The others may look while the first one is at work in it.
        check_place(out)
    with ExitStack() as stack:
        # Heard from the start: until the first step a signal simply interrupts.
        stop = stack.enter_context(Stop())
        digests = Digests("", "")
        if rank() == 0:
            digests = digests_of(model)
            plan = FitPlan(
                arrears=arrears.__version__,
                rules=rules_digest(*RULES),
                kind=kind,
                recipe=recipe,
                model=str(model),
                weights=digests.weights,
                tokenizer=digests.tokenizer,
                data=str(data),
                rows=rows.digest,
                processes=processes(),
                merge=merge,
            )
            stack.enter_context(FitFolder(out, plan))
        done = finished(out)
        if done is None:
            with _no_news(), _of_memory(), only_learned_words():
                done = _train(model, rows, out, recipe, digests, stop, merge, about, progress)
            return _fitted(out, done, before=False)
        return _fitted(out, done, before=True)


def _train(
    model: Path,
    rows: Data,
    out: Path,
    recipe: Recipe,
    digests: Digests,
    stop: Stop,
    merge: bool,
    about: Mapping[str, Any] | None,
    progress: Progress | None,
) -> dict[str, Any]:
    ready = prepare(model, rows, recipe, out / CHECKPOINTS)
    with _told_in_words(out):
        return _taught(ready, model, rows, out, recipe, digests, stop, merge, about, progress)


def _taught(
    ready: Prepared,
    model: Path,
    rows: Data,
    out: Path,
    recipe: Recipe,
    digests: Digests,
    stop: Stop,
    merge: bool,
    about: Mapping[str, Any] | None,
    progress: Progress | None,
) -> dict[str, Any]:
    """Take the steps that are still to be taken, and write the model and its record."""
    resumed, torn = latest(out / CHECKPOINTS)
    if rank() == 0:
        for name in torn:
            print(f"arrears: {name} is not whole and is passed over", file=sys.stderr)
        prune(out / CHECKPOINTS, recipe.training.keep)
    course = Course(out, recipe, ready.laid, resumed, stop, progress)
    ready.trainer.add_callback(callback_of(course))
    try:
        stop.waits = True
        _steps(ready.trainer, resumed, course)
        stop.waits = False
    finally:
        course.close()
    if stop.asked:
        raise KeyboardInterrupt
    check_gradients(lines_in(out))
    seconds = course.seconds()
    record = {
        **record_of(
            recipe=recipe,
            model=model,
            digests=digests,
            data=rows,
            laid=ready.laid,
            about=inherited(model, {**_briefing(rows), **(about or {})}),
        ),
        "steps": course.steps,
        "tokens": int(ready.trainer.state.num_input_tokens_seen),
        "seconds": round(seconds, 2),
        "loss": last_line(out).get("loss"),
        "parameters": _count(ready.model),
        "trained": _count(ready.model, trained=True),
        "merged": recipe.lora is not None and merge,
    }
    _save(ready, out, recipe, merge)
    if rank() == 0:
        folder = _result(out, recipe, merge)
        record["weights"] = digests_of(folder).weights
        write_json(out / RECORD, record)
        if folder != out:
            write_json(folder / RECORD, record)
    return record


def _briefing(rows: Data) -> dict[str, str]:
    """What the rows say of the prompt that goes with them."""
    return {PROMPT: rows.collector_prompt} if rows.collector_prompt else {}


def _save(ready: Prepared, out: Path, recipe: Recipe, merge: bool) -> None:
    """Write the model, its tokenizer and its adapter."""
    ready.model.config.use_cache = ready.caches
    if recipe.lora is None:
        ready.trainer.save_model(str(out))
    elif rank() == 0:
        adapter = out / ADAPTER
        ready.model.save_pretrained(adapter)
        ready.trainer.processing_class.save_pretrained(adapter)
        if merge:
            save_merged(ready.model, out)
            ready.trainer.processing_class.save_pretrained(out)
    if rank() == 0:
        (out / _ARGUMENTS).unlink(missing_ok=True)
        if recipe.model.run_dtype and (recipe.lora is None or merge):
            _say_dtype(out / "config.json", recipe.model.run_dtype)


def _say_dtype(config: Path, dtype: str) -> None:
    """What the weights are to be run in, where that is not what they are stored in."""
    write_json(config, {**(read_json(config) or {}), "dtype": dtype})


def _result(out: Path, recipe: Recipe, merge: bool) -> Path:
    return out / ADAPTER if recipe.lora is not None and not merge else out


def _count(model: Any, trained: bool = False) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trained)


def _fitted(out: Path, record: Mapping[str, Any], *, before: bool) -> Fitted:
    only_adapter = record["recipe"]["lora"] is not None and not record["merged"]
    return Fitted(
        out / ADAPTER if only_adapter else out,
        record["steps"],
        record["data"]["rows"],
        record["data"]["left_out"],
        record["data"].get("inert", 0),
        record["tokens"],
        record["seconds"],
        record["loss"],
        before,
    )


@contextmanager
def _no_news() -> Iterator[None]:
    """Keeps back what transformers and TRL tell each other of names that will change."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl)\b")
        yield


def _steps(trainer: Any, resumed: Checkpoint | None, course: Course) -> None:
    """Train from the beginning or from a checkpoint. BrokenFile where that cannot be read."""
    try:
        trainer.train(resume_from_checkpoint=str(resumed.folder) if resumed else None)
    except Exception as error:
        if resumed is None or course.begun:
            raise
        raise BrokenFile(
            resumed.folder,
            f"this checkpoint cannot be read ({told(error)}); remove its folder, and the same "
            "command goes on from the one before it",
        ) from error


@contextmanager
def _told_in_words(out: Path) -> Iterator[None]:
    """Turns a full disk into an error that says what to do. Only what is written belongs in here:
    a file that cannot be read is no full disk.
    """
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise  # transformers' own word for a file that it cannot make sense of.
        raise cannot_write(out, error, kept="Checkpoints are kept") from error
    except SafetensorError as error:
        if _READS in str(error):
            raise
        raise StorageError(f"cannot write {out}: {error}. {_KEPT}") from error
    except RuntimeError as error:
        if any(part in str(error) for part in _TORCH_WRITES):
            raise StorageError(f"cannot write {out}: no room for a checkpoint. {_KEPT}") from error
        raise


@contextmanager
def _of_memory() -> Iterator[None]:
    """Turns a full memory into an error that says what to do."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ArrearsError(
            "the GPU's memory does not suffice. Set training.micro_batch lower (the batch stays "
            "what it is) or training.gradient_checkpointing=true, and begin in another --out"
        ) from error
