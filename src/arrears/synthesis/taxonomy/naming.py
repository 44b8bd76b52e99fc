"""What each group is called and what is proposed for it: by a model, or from its words alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from arrears.bench.run import Progress
from arrears.errors import ModelError
from arrears.models.chat import Schema
from arrears.prompts.library import words
from arrears.strategies import Seat
from arrears.synthesis.asking import Clerk, Question, ask_all
from arrears.synthesis.taxonomy.embeddings import words_of
from arrears.synthesis.taxonomy.file import key_of
from arrears.synthesis.taxonomy.talking import one_line

Do = Literal["keep", "merge", "split", "drop"]
_DOES: Final[tuple[Do, ...]] = ("keep", "merge", "split", "drop")
_TERMS: Final = 3


class Name(NamedTuple):
    """What one group is called, and what should become of it."""

    key: str
    name: str
    meaning: str
    zh: str = ""
    zh_meaning: str = ""
    do: Do = "keep"
    into: int | None = None
    """The group that it is merged into."""
    by_model: bool = False


def names_by_model(
    clerk: Clerk,
    groups: Mapping[Seat, Sequence[tuple[int, Sequence[str]]]],
    store: Path,
    progress: Progress,
) -> dict[Seat, list[Name]]:
    """A name for each group of each seat (its size and what stands for it), in their order.

    Errors as `ask_all`; ModelError where a seat's draft could not be had.
    """
    seats = words(clerk.language)["seats"]
    questions = [
        Question(
            seat,
            clerk.ask("mine_names", {"speaker": seats[seat], "clusters": listed(found)}),
            NAMES_SCHEMA,
            lambda raw, found=found: read_names(raw, len(found)),  # type: ignore[misc]
        )
        for seat, found in groups.items()
    ]
    asked = ask_all(clerk, "names", questions, store, progress)
    for seat, why in asked.failures.items():
        raise ModelError(
            f"{clerk.model} gave no draft for the {seat}: {why.reason}\n"
            "No taxonomy is written without it; the same command with --retry-errors asks again"
        )
    return {seat: asked.answers[seat] for seat in groups}


def listed(groups: Sequence[tuple[int, Sequence[str]]]) -> str:
    """Groups as a prompt shows them."""
    return "\n\n".join(
        f"{number}. ({size})\n" + "\n".join(f"- {one_line(text)}" for text in shown)
        for number, (size, shown) in enumerate(groups)
    )


def read_names(raw: dict[str, Any], count: int) -> list[Name]:
    """A draft for groups 0 … count − 1. ValueError, KeyError or TypeError where it is none."""
    rows = raw["clusters"]
    if not isinstance(rows, list):
        raise ValueError("clusters must be a list")
    ids = [row["id"] for row in rows]
    if any(type(i) is not int for i in ids) or sorted(ids) != list(range(count)):
        raise ValueError(f"each id from 0 to {count - 1} must occur exactly once")
    names = [_name(row, count) for row in sorted(rows, key=lambda row: row["id"])]
    twice = [key for key, n in Counter(n.key for n in names).items() if n > 1]
    if twice:
        raise ValueError(f"two groups have the key {twice[0]!r}")
    for number, name in enumerate(names):
        if name.into is not None and names[name.into].do not in ("keep", "split"):
            raise ValueError(f"{number} is merged with {name.into}, which is not kept itself")
    return names


def _name(row: Mapping[str, Any], count: int) -> Name:
    texts = {}
    for field in ("key", "name", "meaning", "zh", "zh_meaning"):
        text = row[field]
        if not isinstance(text, str) or (not text.strip() and not field.startswith("zh")):
            raise ValueError(f"{field} of {row['id']} must be a text")
        texts[field] = " ".join(text.split())
    key = key_of(texts["key"])
    if not key:
        raise ValueError(f"key of {row['id']} has no word in it")
    do, into = row["do"], row["with"]
    if do not in _DOES:
        raise ValueError(f"do of {row['id']} must be one of {', '.join(_DOES)}")
    if do == "merge":
        if type(into) is not int or not 0 <= into < count or into == row["id"]:
            raise ValueError(f"with of {row['id']} must be the number of another group")
    else:
        into = None
    return Name(key, texts["name"], texts["meaning"], texts["zh"], texts["zh_meaning"], do, into,
                True)  # fmt: skip


def names_by_words(groups: Sequence[Sequence[str]]) -> list[Name]:
    """Names from the words that a group has more of than the others (class-based TF-IDF)."""
    counts = [Counter(w for text in group for w in set(_telling(text))) for group in groups]
    total = Counter[str]()
    for count in counts:
        total.update(count)
    mean = sum(total.values()) / max(1, len(groups))
    found: list[Name] = []
    taken: set[str] = set()
    for number, count in enumerate(counts):
        size = max(1, count.total())
        order = sorted(count, key=lambda w: (-count[w] / size * log(1 + mean / total[w]), w))
        terms = _distinct(order, 2 * _TERMS)
        name = " ".join(terms[:_TERMS]) or f"group {number + 1}"
        key = key_of(name) or f"group_{number + 1}"
        while key in taken:
            name, key = f"{name} {number + 1}", f"{key}_{number + 1}"
        taken.add(key)
        words_of_it = ", ".join(terms) if terms else "none that tell it apart"
        found.append(Name(key, name, f"To be described by a reviewer; its words: {words_of_it}."))
    return found


def _telling(text: str) -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS as STOP

    found = []
    for term in words_of(text):
        parts = term.split()
        # One Chinese character alone, one letter and a number tell little.
        if any(p in STOP or p.isdigit() or len(p) < 2 or "'" in p for p in parts):
            continue
        found.append(term)
    return found


def _distinct(terms: Sequence[str], count: int) -> list[str]:
    """The first terms no two of which hold one another."""
    found: list[str] = []
    for term in terms:
        parts = set(term.split())
        if all(not parts & set(other.split()) and term not in other and other not in term
               for other in found):  # fmt: skip
            found.append(term)
            if len(found) == count:
                break
    return found


_TEXT: Final = {"type": "string"}
NAMES_SCHEMA: Final = Schema(
    "taxonomy",
    {
        "type": "object",
        "properties": {
            "clusters": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "integer"},
                        **dict.fromkeys(("key", "name", "meaning", "zh", "zh_meaning"), _TEXT),
                        "do": {"type": "string", "enum": list(_DOES)},
                        "with": {"type": ["integer", "null"]},
                    },
                    "required": [
                        "id", "key", "name", "meaning", "zh", "zh_meaning", "do", "with",
                    ],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["clusters"],
        "additionalProperties": False,
    },
)  # fmt: skip
