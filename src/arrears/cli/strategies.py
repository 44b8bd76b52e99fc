"""`arrears strategies`: mine a taxonomy from conversations, review it, apply it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arrears.cli.failure_options import fail_option
from arrears.cli.model_options import model_options
from arrears.cli.numbers import SEED
from arrears.cli.unanswered import Outcome, failures_text, refuse_unanswered, retry_option
from arrears.cli.writing import alone_on
from arrears.errors import UsageError
from arrears.models.backends import Settings
from arrears.prompts.library import LANGUAGES, Language

if TYPE_CHECKING:
    from arrears.models.unanswered import Unanswered

_EMBEDDINGS = "minilm (English), tfidf, hf/PATH, or two of them joined by +."
_SEED = click.option("--seed", type=SEED, default=1, show_default=True)
_LANG = click.option(
    "--lang", type=click.Choice(LANGUAGES), default="en", show_default=True,
    help="Of what a model is told.",
)  # fmt: skip
_TAXONOMY = click.argument("taxonomy", type=click.Path(path_type=Path))
_DIALOGUES = click.argument("dialogues", type=click.Path(path_type=Path))


@click.group()
def strategies() -> None:
    """Mine strategies from conversations, review them, label utterances with them.

    DIALOGUES is a run folder, or a jsonl file with a conversation a line.
    """


@strategies.command()
@_DIALOGUES
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .yaml to review.")
@click.option(
    "--seat", type=click.Choice(["collector", "debtor", "both"]), default="both", show_default=True
)
@click.option("--model", help="Sees the strategies and drafts their names; without one, words do.")
@click.option("--embed", default="minilm", show_default=True, help=_EMBEDDINGS)
@click.option("--reduce", type=click.Choice(["pca", "umap", "none"]), default="pca",
              show_default=True)  # fmt: skip
@click.option("--dims", type=click.IntRange(2, 256), default=32, show_default=True)
@click.option("--min-cluster", type=click.IntRange(min=2), help="Least size of a group; default: "
              "a 150th of the texts, 5 to 40.")  # fmt: skip
@_SEED
@_LANG
@model_options
@retry_option
@fail_option
def mine(
    dialogues: Path, out: Path, seat: str, model: str | None, embed: str, reduce: str, dims: int,
    min_cluster: int | None, seed: int, lang: Language, settings: Settings,
    retry_errors: bool, most_failed: float,
) -> None:  # fmt: skip
    """A draft of a taxonomy from conversations, from which personal data is taken out first.

    \b
    arrears strategies mine talks.jsonl --out taxonomy.yaml
    arrears strategies mine runs/x --out taxonomy.yaml --model openai/gpt-4o-mini --max-cost 2
    """
    from arrears.bench.terminal import RunProgress
    from arrears.cli.left_out import read_spoken
    from arrears.synthesis.asking import Clerk
    from arrears.synthesis.extras import extra
    from arrears.synthesis.taxonomy import clusters, pipeline
    from arrears.synthesis.taxonomy.embeddings import check_embedding, embedder
    from arrears.synthesis.taxonomy.file import SEATS

    check_embedding(embed)
    extra("sklearn")
    conversations = read_spoken(dialogues)
    alone_on(out)
    found = pipeline.mine(
        conversations,
        out,
        [s for s in SEATS if seat in (s, "both")],
        embedder(embed),
        clusters.Settings(reduce, dims, min_cluster),  # type: ignore[arg-type]
        seed,
        Clerk(model, lang, settings, seed, retry_errors) if model else None,
        RunProgress,
    )
    _say_scrubbed(found.scrubbed)
    _say_failed(found.failures)
    for side, groups in found.groups.items():
        count, texts = len(groups.shown), len(groups.texts)
        share = 100 * groups.noise / texts
        click.echo(
            f"{side}: {texts:,} texts, {count} groups, {groups.noise:,} noise ({share:.0f} %)"
        )
        for entry in found.entries:
            if entry.seat == side:
                wish = f"  merge with {entry.merge_with}?" if entry.merge_with else ""
                wish += f"  split into {len(entry.split_into)}?" if entry.split_into else ""
                wish += "  drop?" if entry.drop else ""
                click.echo(f"  {entry.size:>6,}  {entry.key}{wish}")
    click.echo(f"{out}: now `arrears strategies review {out}`")
    _refuse(model, len(conversations), found.failures, most_failed)


@strategies.command()
@_TAXONOMY
@click.option("--do", "decisions", multiple=True, help="A decision, e.g. \"merge a b\"; repeatable."
              " Without one, asks.")  # fmt: skip
def review(taxonomy: Path, decisions: tuple[str, ...]) -> None:
    """Accept, merge, split, rename or drop what was mined, one entry at a time.

    Every decision is saved at once; the next start goes on with the first entry still proposed.

    \b
    arrears strategies review taxonomy.yaml
    arrears strategies review taxonomy.yaml --do "merge a b" --do "rename b 'new name'"
    """
    from arrears.synthesis.taxonomy.by_hand import review_by_hand
    from arrears.synthesis.taxonomy.file import read_entries, write_entries
    from arrears.synthesis.taxonomy.review import decide, first_open

    read_entries(taxonomy)
    alone_on(taxonomy)
    if not decisions:
        review_by_hand(taxonomy)
        return
    entries = read_entries(taxonomy)
    for decision in decisions:
        entries = decide(entries, decision)
        write_entries(taxonomy, entries)
        click.echo(f"saved: {decision}")
    owed = sum(e.status == "proposed" for e in entries)
    following = first_open(entries)
    click.echo(f"{len(entries)} strategies, {owed} still proposed"
               + (f"; next: {following.key}" if following else ""))  # fmt: skip


@strategies.command()
@_TAXONOMY
@_DIALOGUES
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .jsonl file.")
@click.option(
    "--train",
    type=click.Path(path_type=Path),
    help="Labelled conversations to learn from; without them, the taxonomy's examples.",
)
@click.option("--model", help="Labels instead of what is learned.")
@click.option("--embed", default="minilm+tfidf", show_default=True, help=_EMBEDDINGS)
@_SEED
@_LANG
@model_options
@retry_option
@fail_option
def label(
    taxonomy: Path, dialogues: Path, out: Path, train: Path | None, model: str | None, embed: str,
    seed: int, lang: Language, settings: Settings, retry_errors: bool, most_failed: float,
) -> None:  # fmt: skip
    """Give every utterance the strategies that it shows, each with a confidence.

    \b
    arrears strategies label taxonomy.yaml talks.jsonl --out labels.jsonl --train labelled.jsonl
    arrears strategies label taxonomy.yaml runs/x --out labels.jsonl --model openai/gpt-4o-mini
    """
    from arrears.bench.terminal import RunProgress
    from arrears.cli.left_out import read_spoken
    from arrears.strategies import load_taxonomy
    from arrears.synthesis.asking import Clerk
    from arrears.synthesis.extras import extra
    from arrears.synthesis.taxonomy.applying import label_all
    from arrears.synthesis.taxonomy.embeddings import check_embedding
    from arrears.synthesis.taxonomy.file import read_entries

    if model and train:
        raise UsageError("--train is learned from, --model is asked: name one of them")
    if not model:
        check_embedding(embed)
        extra("sklearn")
    owed = sum(e.status == "proposed" for e in read_entries(taxonomy))
    if owed:
        click.echo(f"{owed} strategies of {taxonomy} are proposed only, not reviewed", err=True)
    known, conversations = load_taxonomy(taxonomy), read_spoken(dialogues)
    alone_on(out)
    found = label_all(
        known, conversations, out, train, embed, seed,
        Clerk(model, lang, settings, seed, retry_errors) if model else None,
        RunProgress("conversations"),
    )  # fmt: skip
    _say_scrubbed(found.scrubbed)
    _say_failed(found.failures)
    for line in found.told:
        click.echo(line)
    for key, (times, confidence) in found.counts.items():
        click.echo(f"  {times:>6,}  {key}" + (f"  (confidence {confidence:.2f})" if times else ""))
    click.echo(f"{out}: {found.labels:,} labels on {found.utterances:,} utterances")
    _refuse(model, len(conversations), found.failures, most_failed)


def _say_scrubbed(counts: Mapping[str, int] | None) -> None:
    if counts is not None:
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "none found"
        click.echo(f"personal data taken out before: {kinds}")


def _say_failed(failures: "Mapping[str, Unanswered]") -> None:
    if failures:
        told = failures_text(failures.values(), "conversations")
        click.echo(f"no answer about {told}; they are left out", err=True)


def _refuse(
    model: str | None, conversations: int, failures: "Mapping[str, Unanswered]", most: float
) -> None:
    done = Outcome(conversations - len(failures), failures.values())
    refuse_unanswered({model or "": done}, most, "conversations")
