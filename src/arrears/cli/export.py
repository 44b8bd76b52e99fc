"""`arrears export`: a trained collector for programs that are not ours."""

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)
_DTYPES = ("f32", "f16", "bf16", "q8_0")


@click.group()
def export() -> None:
    """Take a trained collector elsewhere."""


@export.command()
@click.argument("model", type=_PATH, metavar="MODEL_FOLDER")
@click.argument("out", type=_PATH, metavar="OUT.gguf")
@click.option("--dtype", type=click.Choice(_DTYPES), default="f16", show_default=True,
              help="How matrices are stored.")  # fmt: skip
def gguf(model: Path, out: Path, dtype: str) -> None:
    """A transformers Qwen3 as one file for llama.cpp and Ollama.

    \b
    arrears export gguf runs/trained/model collector.gguf
    arrears export gguf runs/trained/model collector.gguf --dtype q8_0
    """
    from arrears.models.trained import told_of
    from arrears.training.gguf import export_gguf

    done = export_gguf(model, out, dtype)  # type: ignore[arg-type]
    click.echo(
        f"{out}: {done.size / 1e6:,.1f} MB, {done.parameters:,} parameters in {done.layers} layers "
        f"as {dtype}, {done.tokens:,} tokens ({done.splitting}), {done.context:,} to a conversation"
    )
    if told := told_of(f"hf/{model}", "collector_prompt"):
        # A server hands on the weights, not what stood beside them.
        click.echo(
            f"it was trained on the {told} prompt: bench needs --collector-prompt {told}", err=True
        )
    if done.wider:
        click.echo(
            f"{done.wider} matrices are f16: their rows are no multiple of 32, as q8_0 needs",
            err=True,
        )
    if done.long:
        click.echo(
            f"{done.long} tokens are longer than 32 bytes: llama-server and Ollama write them, "
            "llama-cpp-python leaves them out of its answers",
            err=True,
        )
