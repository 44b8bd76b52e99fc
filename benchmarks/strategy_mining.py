"""Mining and labelling strategies on CaSiNo, whose labels by people are hidden and compared.

    ARREARS_DATA=… python -m benchmarks.strategy_mining [--grid | --labels]

CaSiNo (Chawla et al., NAACL 2021; CC BY 4.0): campers divide food, water and firewood; 396 talks
have each utterance labelled with some of ten strategies. It is read from
`$ARREARS_DATA/casino/casino_{train,valid,test}.json`. Talks are split once, 300 to learn and choose
from, 96 to test. The first speaker sits in the collector's seat; both seats have the same ten keys.

An utterance with several labels counts by the first one in the clustering; the column `single` is
over utterances with one label only. `--grid` shows the settings among which the defaults were
chosen, `--labels` leaves the groups out.
"""

import json
import os
import re
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from arrears.errors import UsageError
from arrears.rng import rng_for
from arrears.strategies import Seat, Strategy
from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.taxonomy.clusters import (
    Labels,
    Settings,
    grouped,
    reduced,
    without_noise,
)
from arrears.synthesis.taxonomy.embeddings import Embedder, Vectors, embedder, one_thread
from arrears.synthesis.taxonomy.file import SEATS
from arrears.synthesis.taxonomy.labelled import Labelled, Taxonomy
from arrears.synthesis.taxonomy.labelling import Labeller, calibration_error, f1_scores

SEED = 1
LEARN = 300
KEYS = (
    "non-strategic", "small-talk", "self-need", "promote-coordination", "vouch-fair", "other-need",
    "elicit-pref", "showing-empathy", "no-need", "uv-part",
)  # fmt: skip


def read_casino(folder: Path) -> list[Labelled]:
    """The labelled talks of all three files, in their order."""
    found = []
    for part in ("train", "valid", "test"):
        for talk in json.loads((folder / f"casino_{part}.json").read_text()):
            if not talk.get("annotations"):
                continue
            seats: dict[str, Seat] = {}
            said, labels, place = [], [], 0
            for text, marks in talk["annotations"]:
                while talk["chat_logs"][place]["text"] != text:
                    place += 1
                who = talk["chat_logs"][place]["id"]
                place += 1
                seats.setdefault(who, SEATS[min(len(seats), 1)])
                said.append(Utterance(seats[who], text))
                labels.append(tuple(marks.split(",")))
            conversation = Conversation(str(talk["dialogue_id"]), tuple(said))
            FIRST.update({(conversation.id, n): row[0] for n, row in enumerate(labels)})
            found.append(Labelled(conversation, tuple(frozenset(row) for row in labels)))
    return found


FIRST: dict[tuple[str, int], str] = {}
"""The label that stands first, by talk and turn."""


def split(talks: Sequence[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """Talks to learn from and to test on."""
    order = rng_for(SEED, "casino").permutation(len(talks))
    return [talks[i] for i in order[:LEARN]], [talks[i] for i in order[LEARN:]]


class Said:
    """The utterances of some talks, and what people called them."""

    def __init__(self, talks: Sequence[Labelled]) -> None:
        turns = [(t.conversation, n) for t in talks for n in range(len(t.labels))]
        self.texts = [talk.utterances[n].text for talk, n in turns]
        self.first = np.array([FIRST[talk.id, n] for talk, n in turns])
        self.single = np.array([len(row) == 1 for t in talks for row in t.labels])


def marks(said: Said, found: Labels, filled: Labels) -> str:
    """The cells of one clustering."""
    from sklearn.metrics import adjusted_mutual_info_score as ami
    from sklearn.metrics import v_measure_score as v

    one = said.single
    cells = [
        f"{found.max() + 1}", f"{100 * np.mean(found < 0):.0f}",
        *(f"{f(said.first, found):.3f}" for f in (ami, v)),
        *(f"{f(said.first, filled):.3f}" for f in (ami, v)),
        f"{ami(said.first[one], filled[one]):.3f}",
    ]  # fmt: skip
    return " | ".join(cells)


HEAD = (
    "| {} | groups | noise % | AMI | V | AMI, noise to nearest | V | single: AMI |\n"
    "|---|---|---|---|---|---|---|---|"
)


def clustered(said: Said, vectors: Vectors, settings: Settings) -> str:
    """One row's cells: reduced and grouped as `strategies mine` does."""
    with one_thread():
        points = reduced(vectors, settings, rng_for(SEED, "reduce", "both"))
        found = grouped(points, settings)
    return marks(said, found, without_noise(points, found))


def k_means(said: Said, vectors: Vectors, k: int = 10) -> str:
    """One row's cells: as many groups as there are labels."""
    from sklearn.cluster import KMeans

    with one_thread():
        found = KMeans(k, n_init=5, random_state=SEED).fit_predict(vectors).astype(np.int64)
    return marks(said, found, found)


def clusterings(title: str, said: Said, embeds: Mapping[str, Embedder]) -> None:
    """The table of groups against labels."""
    print(f"\n{title}: {len(said.texts):,} utterances\n\n{HEAD.format('groups by')}")
    for name, embed in embeds.items():
        embed.fit(said.texts)
        vectors = embed.encode(said.texts)
        for how in ("pca", "umap", "none") if name == "minilm" else ("pca",):
            began = perf_counter()
            cells = clustered(said, vectors, Settings(how))
            print(
                f"| {name}, {how}, HDBSCAN | {cells} |  {perf_counter() - began:.0f} s", flush=True
            )
        print(f"| {name}, k-means, k = 10 | {k_means(said, vectors)} |", flush=True)
    by_turn = np.array([0 if "?" in t else 1 for t in said.texts], dtype=np.int64)
    print(f"| a question mark or none | {marks(said, by_turn, by_turn)} |")


def grid(said: Said, embed: Embedder) -> None:
    """Settings of HDBSCAN on the talks to choose from."""
    print(f"\nSettings, talks to learn from\n\n{HEAD.format('minilm')}")
    by_sentences(said, embed)
    vectors = embed.encode(said.texts)
    for how, dims in (("pca", 8), ("pca", 16), ("pca", 32), ("pca", 64), ("umap", 10)):
        with one_thread():
            rng = rng_for(SEED, "reduce", "both")
            points = reduced(vectors, Settings(how, dims), rng)  # type: ignore[arg-type]
        for least in (15, 25, 40):
            for samples in (1, 5):
                with one_thread():
                    found = grouped(points, Settings(min_cluster=least, min_samples=samples))
                cells = marks(said, found, without_noise(points, found))
                print(f"| {how} {dims}, least {least}, samples {samples} | {cells} |", flush=True)


def by_sentences(said: Said, embed: Embedder) -> None:
    """Sentences grouped in the place of utterances; an utterance counts where its longest lies."""
    cut = [re.split(r"(?<=[.!?])\s+", text.strip()) for text in said.texts]
    sentences = [sentence for parts in cut for sentence in parts]
    starts = np.cumsum([0, *map(len, cut)])
    longest = [
        int(start) + max(range(len(parts)), key=lambda n: len(parts[n]))
        for start, parts in zip(starts, cut, strict=False)
    ]
    with one_thread():
        points = reduced(embed.encode(sentences), Settings(), rng_for(SEED, "reduce", "both"))
        found = grouped(points, Settings())
    filled = without_noise(points, found)
    cells = marks(said, found[longest], filled[longest])
    print(f"| pca 32, {len(sentences):,} sentences | {cells} |", flush=True)


def taxonomy_of(examples: Mapping[str, tuple[str, ...]]) -> Taxonomy:
    """CaSiNo's ten labels as the strategies of both seats."""
    rows = {k: Strategy(k, k, k, examples=examples.get(k, ())) for k in KEYS}
    return {"collector": rows, "debtor": rows}


def labelling(learn: Sequence[Labelled], test: Sequence[Labelled]) -> None:
    """Macro-F1 over the ten labels, by what is learned from and how texts are embedded."""
    talks = [t.conversation for t in test]
    truth = np.array([[k in row for k in KEYS] for t in test for row in t.labels])
    known = np.array([[k in row for k in KEYS] for t in learn for row in t.labels])
    print(f"\nLabels: {len(test)} talks to test, {len(truth):,} utterances\n")
    print("| learned from | embedding | macro-F1 | micro-F1 | calibration error | of given |")
    print("|---|---|---|---|---|---|")

    def row(name: str, embed: str, given: np.ndarray, confident: np.ndarray | None) -> None:
        error = right = "–"
        if confident is not None:
            error = f"{calibration_error(confident.ravel(), truth.ravel()):.3f}"
            right = f"{calibration_error(confident[given], truth[given]):.3f}"
        micro = f1_scores(given.reshape(-1, 1), truth.reshape(-1, 1))[0]
        macro = np.mean(f1_scores(given, truth))
        print(f"| {name} | {embed} | {macro:.3f} | {micro:.3f} | {error} | {right} |", flush=True)

    most = int(known.sum(axis=0).argmax())
    row(f"always {KEYS[most]}", "–", np.tile(np.arange(10) == most, (len(truth), 1)), None)
    row("always every label", "–", np.ones_like(truth), None)
    share = known.mean(axis=0)
    drawn = rng_for(SEED, "prior").random(truth.shape) < share
    row("drawn by their share", "–", drawn, np.tile(share, (len(truth), 1)))
    scores = {}
    rng = rng_for(SEED, "examples")
    texts: dict[str, list[str]] = {k: [] for k in KEYS}
    for t in learn:
        for said, labels in zip(t.conversation.utterances, t.labels, strict=True):
            if len(labels) == 1:
                texts[next(iter(labels))].append(said.text)
    ten = {k: tuple(rng.choice(rows, 10, replace=False).tolist()) for k, rows in texts.items()}
    for embed in ("minilm", "tfidf", "minilm+tfidf"):
        for size in (0, 25, 50, 100, 200, 300):
            labeller = Labeller(taxonomy_of(ten), embedder(embed))
            if size:
                quality = labeller.learn(learn[:size], rng_for(SEED, "label"))
            else:
                labeller.learn_examples(taxonomy_of(ten), rng_for(SEED, "label"))
            confident = labeller.confidences(talks)
            given = confident >= labeller.thresholds
            row(f"{size} talks" if size else "10 examples a label", embed, given, confident)
            if size == LEARN:
                print(f"  {embed}: on parts left out of the {size}: {quality}", file=sys.stderr)
            scores[embed] = f1_scores(given, truth)
    print("\n| label | utterances to test | always | " + " | ".join(scores) + " |")
    print("|---|---|---|" + "---|" * len(scores))
    always = f1_scores(np.ones_like(truth), truth)
    for n, key in enumerate(KEYS):
        cells = " | ".join(f"{s[n]:.2f}" for s in scores.values())
        print(f"| {key} | {truth[:, n].sum()} | {always[n]:.2f} | {cells} |")


def main() -> None:
    """Print Markdown tables."""
    data = os.environ.get("ARREARS_DATA")
    if not data:
        raise UsageError("set ARREARS_DATA to the folder that holds casino/")
    began = perf_counter()
    learn, test = split(read_casino(Path(data) / "casino"))
    embeds = {name: embedder(name) for name in ("minilm", "tfidf")}
    if "--grid" in sys.argv:
        grid(Said(learn), embeds["minilm"])
        return
    if "--labels" not in sys.argv:
        clusterings("Talks to learn from", Said(learn), embeds)
        clusterings("Talks to test", Said(test), embeds)
        clusterings("All talks", Said([*learn, *test]), embeds)
    labelling(learn, test)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{perf_counter() - began:.0f} s, peak memory {memory:,.0f} MB")


if __name__ == "__main__":
    main()
