"""Which strategies each utterance shows, learned from labelled conversations or, without any, from
the examples of the taxonomy.

One logistic regression a strategy on the utterance's embedding, that of the utterance before, its
place in the talk and its seat. It is fitted without weights for rare strategies, so that what it
gives is a probability. On parts of the training talks that the fit had not seen, one curve for all
strategies makes it less (or more) sure of itself (Platt), and for each strategy the probability
from which it is given is chosen for F1.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from arrears.errors import UsageError
from arrears.strategies import Seat
from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.extras import one_thread
from arrears.synthesis.taxonomy.embeddings import Embedder
from arrears.synthesis.taxonomy.file import SEATS
from arrears.synthesis.taxonomy.labelled import Given, Labelled, Taxonomy

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

_BEFORE: Final = 0.5
"""Weight of the utterance before."""
_FOLDS: Final = 5
_FEWEST: Final = 5
"""Positive examples from which a threshold is chosen; below, it is ½."""
_STRENGTH: Final = 3.0
"""Inverse of the penalty, as scikit-learn counts it; the better of 3 and 10 on CaSiNo's talks to
learn from, on parts left out.
"""
_GRID: Final = np.linspace(0.05, 0.80, 31)


class Quality(NamedTuple):
    """How labels fare on training talks that were left out; a little optimistic, since curve and
    thresholds were chosen on the same parts.
    """

    macro_f1: float
    """Mean over strategies."""
    calibration_error: float
    """Expected calibration error over every strategy of every utterance, 0 … 1."""
    given_error: float
    """The same over the labels that were given."""


class Labeller:
    """Learns once, then labels. `keys` are the strategies of both seats; one key in both is one."""

    def __init__(self, taxonomy: Taxonomy, embed: Embedder) -> None:
        self.keys: tuple[str, ...] = tuple(dict.fromkeys(k for s in SEATS for k in taxonomy[s]))
        self._allowed = {seat: np.array([k in taxonomy[seat] for k in self.keys]) for seat in SEATS}
        self._embed = embed
        self._context = True
        self._models: list[Any] = []
        self._curve = (1.0, 0.0)
        self.thresholds: Floats = np.full(len(self.keys), 0.5)

    def learn(self, talks: Sequence[Labelled], rng: np.random.Generator) -> Quality:
        """Learn from labelled talks. UsageError where there are fewer than two."""
        if len(talks) < 2:
            raise UsageError("labels are learned from at least two labelled conversations")
        conversations = [t.conversation for t in talks]
        self._embed.fit([u.text for c in conversations for u in c.utterances])
        truth = np.array([[k in row for k in self.keys] for t in talks for row in t.labels])
        groups = np.repeat(np.arange(len(talks)), [len(t.labels) for t in talks])
        self._context = True
        return self._fit(self._features(conversations), truth, self._mask(conversations),
                         rng.permutation(len(talks))[groups] % _FOLDS)  # fmt: skip

    def learn_examples(self, taxonomy: Taxonomy, rng: np.random.Generator) -> Quality:
        """Learn from the taxonomy's own examples: no context, and as many of each strategy, so
        that a confidence orders labels but is no frequency. UsageError names one without any.
        """
        rows: list[tuple[Seat, str, str]] = []
        for seat in SEATS:
            for key, strategy in taxonomy[seat].items():
                if not strategy.examples:
                    raise UsageError(
                        f"{key!r} of the {seat} has no examples to learn from; bring --train, or "
                        "label with a --model"
                    )
                rows += [(seat, text, key) for text in strategy.examples]
        if len(self.keys) < 2:
            raise UsageError("one strategy alone cannot be told from others; bring --train")
        self._embed.fit([text for _, text, _ in rows])
        self._context = False
        alone = [Conversation(str(n), (Utterance(s, t),)) for n, (s, t, _) in enumerate(rows)]
        truth = np.array([[k == key for k in self.keys] for _, _, key in rows])
        return self._fit(self._features(alone), truth, self._mask(alone),
                         rng.permutation(len(rows)) % _FOLDS)  # fmt: skip

    def confidences(self, conversations: Sequence[Conversation]) -> Floats:
        """Every utterance (rows) and strategy (`keys`), 0 … 1; 0 where the seat has none such."""
        return np.where(
            self._mask(conversations), self._probabilities(self._features(conversations)), 0.0
        )

    def label(self, conversations: Sequence[Conversation]) -> list[list[Given]]:
        """What each utterance of each conversation is given, most certain first."""
        marks = iter(self.confidences(conversations))
        return [[self._given(next(marks)) for _ in talk.utterances] for talk in conversations]

    def _given(self, row: Floats) -> Given:
        chosen = [i for i in np.argsort(-row, kind="stable") if row[i] >= self.thresholds[i]]
        return Given({self.keys[i]: float(row[i]) for i in chosen})

    def _fit(self, features: Floats, truth: Truth, mask: Truth, fold: NDArray[np.int64]) -> Quality:
        out = np.zeros(truth.shape)
        for part in np.unique(fold):
            inside, outside = fold != part, fold == part
            models = [_one(features[inside], truth[inside, k]) for k in range(len(self.keys))]
            out[outside] = _apply(models, features[outside])
        # As many examples of each strategy say nothing of how often each is used.
        self._curve = _curve(out[mask], truth[mask]) if self._context else (1.0, 0.0)
        out = np.where(mask, _bent(out, self._curve), 0.0)
        self.thresholds = np.array(
            [_best_threshold(out[:, k], truth[:, k]) for k in range(len(self.keys))]
        )
        self._models = [_one(features, truth[:, k]) for k in range(len(self.keys))]
        given = out >= self.thresholds
        return Quality(
            float(np.mean(f1_scores(given, truth))),
            calibration_error(out[mask], truth[mask]),
            calibration_error(out[given], truth[given]),
        )

    def _probabilities(self, features: Floats) -> Floats:
        return _bent(_apply(self._models, features), self._curve)

    def _mask(self, conversations: Sequence[Conversation]) -> Truth:
        return np.array([self._allowed[u.seat] for c in conversations for u in c.utterances])

    def _features(self, conversations: Sequence[Conversation]) -> Floats:
        own = self._embed.encode([u.text for c in conversations for u in c.utterances])
        seats = [[u.seat == "collector"] for c in conversations for u in c.utterances]
        if not self._context:
            return np.hstack([own, np.array(seats, dtype=float)])
        before = np.zeros_like(own)
        places: list[list[float]] = []
        at = 0
        for talk in conversations:
            count = len(talk.utterances)
            before[at + 1 : at + count] = own[at : at + count - 1]
            places += [_place(n, count) for n in range(count)]
            at += count
        return np.hstack([own, _BEFORE * before, np.array(seats, dtype=float), np.array(places)])


def _place(turn: int, count: int) -> list[float]:
    """Where in a talk: turns gone by, share gone by, whether first, second, among the last."""
    return [
        min(turn, 10) / 10, turn / max(1, count - 1),
        float(turn == 0), float(turn == 1), float(turn >= count - 3),
    ]  # fmt: skip


def _one(features: Floats, truth: Truth) -> Any:
    """A fitted regression, or the one answer that there is."""
    from sklearn.linear_model import LogisticRegression

    if truth.all() or not truth.any():
        return float(truth.any())
    with one_thread():
        return LogisticRegression(C=_STRENGTH, max_iter=300).fit(features, truth)


def _apply(models: Sequence[Any], features: Floats) -> Floats:
    columns = [
        np.full(len(features), m) if isinstance(m, float) else m.predict_proba(features)[:, 1]
        for m in models
    ]
    return np.stack(columns, axis=1)


def _curve(marks: Floats, truth: Truth) -> tuple[float, float]:
    """Slope and intercept, in log-odds, that make probabilities frequencies (Platt's scaling)."""
    from sklearn.linear_model import LogisticRegression

    if truth.all() or not truth.any():
        return 1.0, 0.0
    with one_thread():
        fitted = LogisticRegression(C=1e6).fit(_log_odds(marks)[:, None], truth)
    slope, level = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    # A fit that has learned nothing must not turn the order round.
    return (slope, level) if slope > 0 else (1.0, 0.0)


def _bent(marks: Floats, curve: tuple[float, float]) -> Floats:
    return 1.0 / (1.0 + np.exp(-(curve[0] * _log_odds(marks) + curve[1])))


def _log_odds(marks: Floats) -> Floats:
    inside = np.clip(marks, 1e-6, 1 - 1e-6)
    return cast(Floats, np.log(inside / (1 - inside)))


def _best_threshold(marks: Floats, truth: Truth) -> float:
    if truth.sum() < _FEWEST:
        return 0.5
    scores = [f1_scores((marks >= t)[:, None], truth[:, None])[0] for t in _GRID]
    return float(_GRID[int(np.argmax(scores))])


def f1_scores(given: Truth, truth: Truth) -> Floats:
    """F1 of each column; 0 where nothing was right."""
    right = (given & truth).sum(axis=0)
    both = given.sum(axis=0) + truth.sum(axis=0)
    return cast(Floats, np.where(both > 0, 2 * right / np.maximum(both, 1), 0.0))


def calibration_error(marks: Floats, truth: Truth, bins: int = 10) -> float:
    """Expected calibration error: |mean confidence − share right| in equal bins of confidence,
    weighted by their size; nan where there is nothing.
    """
    if not len(marks):
        return float("nan")
    place = np.minimum((marks * bins).astype(int), bins - 1)
    gaps = [
        abs(float(marks[place == b].mean()) - float(truth[place == b].mean())) * (place == b).mean()
        for b in np.unique(place)
    ]
    return float(sum(gaps))
