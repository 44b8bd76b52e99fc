"""The whole way from a taxonomy and conversations to a file of labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arrears.bench.run import Progress
from arrears.models.unanswered import Unanswered
from arrears.rng import rng_for
from arrears.synthesis.asking import Clerk
from arrears.synthesis.conversations import Conversation
from arrears.synthesis.taxonomy.embeddings import embedder
from arrears.synthesis.taxonomy.file import SEATS
from arrears.synthesis.taxonomy.labelled import Given, Taxonomy, read_labelled, write_labelled
from arrears.synthesis.taxonomy.labelling import Labeller
from arrears.synthesis.taxonomy.model_labels import label_by_model
from arrears.synthesis.taxonomy.pipeline import beside
from arrears.synthesis.taxonomy.talking import scrubbed


class Applied(NamedTuple):
    """What was given."""

    counts: Mapping[str, tuple[int, float]]
    """By strategy: how often, and the mean confidence."""
    labels: int
    utterances: int
    told: tuple[str, ...]
    """What there is to say about how it was learned."""
    scrubbed: Mapping[str, int] | None
    failures: Mapping[str, Unanswered]
    """Conversations left out because the model could not label them."""


def label_all(
    taxonomy: Taxonomy,
    conversations: Sequence[Conversation],
    out: Path,
    train: Path | None,
    embed: str,
    seed: int,
    clerk: Clerk | None,
    progress: Progress,
) -> Applied:
    """Label and write `out`. BrokenFile and UsageError before anything is learned or asked."""
    told: tuple[str, ...] = ()
    counts: Mapping[str, int] | None = None
    failures: Mapping[str, Unanswered] = {}
    given: list[list[Given]]
    talks = conversations
    if clerk is not None:
        clerk.check()
        clean, counts = scrubbed(conversations)
        found = label_by_model(clerk, taxonomy, clean, beside(out, "answers"), progress)
        failures = found.failures
        # What is written is the talks as they came, ids too; only the model was shown others.
        shown = zip(conversations, (t.id for t in clean), strict=True)
        answered = [(talk, found.given[name]) for talk, name in shown if name in found.given]
        talks = [talk for talk, _ in answered]
        given = [row for _, row in answered]
    else:
        known = read_labelled(train, taxonomy) if train is not None else None
        labeller = Labeller(taxonomy, embedder(embed))
        rng = rng_for(seed, "label")
        if known is not None:
            quality = labeller.learn(known, rng)
            told = (
                f"learned from {len(known):,} labelled conversations; on parts left out: macro-F1 "
                f"{quality.macro_f1:.2f}, calibration error {quality.calibration_error:.3f} "
                f"(of labels given: {quality.given_error:.3f})",
            )
        else:
            quality = labeller.learn_examples(taxonomy, rng)
            told = (
                f"learned from the taxonomy's examples; on examples left out: macro-F1 "
                f"{quality.macro_f1:.2f}. Their confidence orders labels and is no frequency",
            )
        given = labeller.label(talks)
    write_labelled(out, talks, given)
    every = dict.fromkeys(k for seat in SEATS for k in taxonomy[seat])
    marks = {k: [g.labels[k] for row in given for g in row if k in g.labels] for k in every}
    return Applied(
        {k: (len(m), sum(m) / len(m) if m else 0.0) for k, m in marks.items()},
        sum(map(len, marks.values())),
        sum(len(row) for row in given),
        told,
        counts,
        failures,
    )
