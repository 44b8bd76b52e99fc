"""`arrears train sft` and `arrears train dpo`: a model from rows of talks, or from pairs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arrears.errors import ArrearsError, UsageError

if TYPE_CHECKING:
    from arrears.training.fit.recipe import Kind

_PATH = click.Path(path_type=Path)
_OPTIONS = (
    click.option("--model", required=True, help="What is trained: hf/PATH, a folder."),
    click.option("--data", type=_PATH, required=True, help="Rows, as JSON lines."),
    click.option("--out", type=_PATH, required=True, help="Folder of the result."),
    click.option(
        "--recipe", help="A recipe's name, or a file *.toml. Default: nano-sft, nano-dpo."
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Over the recipe, such as training.learning_rate=1e-4; may be repeated.",
    ),
    click.option(
        "--merge/--no-merge",
        default=True,
        help="Whether an adapter goes into the weights, or stays alone in OUT/adapter.",
    ),
    click.option("--dry-run", is_flag=True, help="Build all, train nothing, and tell."),
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@_options
def sft(**given: Any) -> None:
    """Teach a model by talks: the loss is on the collector's own messages only.

    \b
    arrears train sft --model hf/models/small --data talks.jsonl --out runs/sft
    arrears train sft --model hf/Qwen2.5-7B-Instruct --data talks.jsonl \\
        --recipe dcn-sft-mag --out runs/mag

    A row is {"messages": […]} or {"prompt": […], "completion": […]}. The same command goes on where
    it was interrupted.
    """
    _train("sft", **given)


@click.command()
@_options
def dpo(**given: Any) -> None:
    """Teach a model by pairs: the chosen answer rather than the rejected one.

    \b
    arrears train dpo --model hf/runs/sft --data pairs.jsonl --out runs/dpo
    arrears train dpo --model hf/Qwen3-8B --data pairs.jsonl --recipe debtgpt --out runs/debtgpt

    A row is {"prompt": […], "chosen": […], "rejected": […]}. The same command goes on where it was
    interrupted.
    """
    _train("dpo", **given)


def _train(
    kind: "Kind",
    model: str,
    data: Path,
    out: Path,
    recipe: str | None,
    settings: tuple[str, ...],
    merge: bool,
    dry_run: bool,
) -> None:
    from arrears.bench.terminal import RunProgress
    from arrears.training.fit.base import rank
    from arrears.training.fit.recipe import read_recipe
    from arrears.training.fit.tell import done_lines, dry_lines

    with _one_voice(rank()):
        folder = _folder(model)
        chosen = read_recipe(recipe or f"nano-{kind}", settings)
        if dry_run:
            from arrears.training.fit.dry import dry_run as build

            dry = build(kind, folder, data, out, chosen, merge=merge)
            for line in dry_lines(dry, chosen) if rank() == 0 else ():
                click.echo(line)
            return
        from arrears.training.fit.run import fit

        with RunProgress("steps") as progress:
            done = fit(kind, folder, data, out, chosen, merge=merge, progress=progress)
        if rank() == 0:
            for line in done_lines(done):
                click.echo(line, err=True)
            click.echo(f"hf/{done.folder}")


def _folder(model: str) -> Path:
    provider, _, path = model.partition("/")
    if provider != "hf" or not path:
        raise UsageError(f"--model takes hf/PATH, a model in a folder, not {model!r}")
    return Path(path)


@contextmanager
def _one_voice(rank: int) -> Iterator[None]:
    """Of several processes only the first tells what is wrong; the others leave with its code."""
    try:
        yield
    except (ArrearsError, KeyboardInterrupt) as error:
        if rank == 0:
            raise
        sys.exit(getattr(error, "exit_code", 130))
