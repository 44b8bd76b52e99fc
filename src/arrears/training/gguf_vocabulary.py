"""A byte-level BPE as llama.cpp takes it: tokens with their types, merges, and how text is split.

llama.cpp knows splittings by name. A tokenizer that splits in any other way, or changes the text
first, would be read into other tokens than the model learned: it is refused.
"""

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from jinja2 import Environment, TemplateSyntaxError

from arrears.errors import BrokenFile, UsageError
from arrears.models.weights import read_object
from arrears.training.template import plain_template

_TOKENIZER: Final = "tokenizer.json"
_SETTINGS: Final = "tokenizer_config.json"
_FORM: Final = "chat_template.jinja"
_PIECE: Final = 32
"""Bytes of a token that llama-cpp-python has room for when it writes."""

# What a ByteLevel of tokenizers splits by where nothing has split before it.
_GPT2: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_QWEN2: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITTINGS: Final = {_GPT2: "gpt-2", _QWEN2: "qwen2"}
"""llama.cpp's names (`tokenizer.ggml.pre`) by the pattern."""


class TokenType(IntEnum):
    """llama.cpp's numbers."""

    NORMAL = 1
    CONTROL = 3
    """Never shown, and read only where marks are read."""
    USER_DEFINED = 4
    """Added to the vocabulary, read everywhere, shown."""
    UNUSED = 5


class Vocabulary(NamedTuple):
    """Everything that a GGUF file tells about tokens."""

    tokens: list[str]
    """By id; ids that the tokenizer lacks have a name of their own."""
    types: list[TokenType]
    merges: list[str]
    """Two tokens with a space between, in order of rank."""
    splitting: str
    """llama.cpp's name."""
    eos: int
    pad: int
    bos: int
    template: str
    """The chat form, as stored."""

    def long(self) -> int:
        """How many tokens stand for more than 32 bytes; each letter of such a token is one."""
        normal = TokenType.NORMAL
        pairs = zip(self.tokens, self.types, strict=True)
        return sum(kind == normal and len(token) > _PIECE for token, kind in pairs)


def read_vocabulary(folder: Path, size: int) -> Vocabulary:
    """The tokenizer of a model with so many rows in its embedding.

    UsageError for one that llama.cpp would read otherwise, BrokenFile for one that cannot be read.
    """
    path = folder / _TOKENIZER
    if not path.exists():
        raise UsageError(
            f"{folder} holds no {_TOKENIZER}; a byte-level BPE of the tokenizers library is needed"
        )
    raw = read_object(path)
    try:
        splitting = _splitting(path, raw)
        added = {token["id"]: token for token in raw["added_tokens"]}
        ids: dict[str, int] = raw["model"]["vocab"]
        merges = [m if isinstance(m, str) else " ".join(m) for m in raw["model"]["merges"]]
        _check_added(path, added)
        _check_bytes(path, set(ids) - {token["content"] for token in added.values()})
        tokens, types = _by_id(path, ids, added, size)
    except (KeyError, TypeError, AttributeError) as error:
        raise BrokenFile(path, f"not a tokenizer of the tokenizers library ({error!r})") from None
    at = {token: number for number, token in enumerate(tokens)}
    settings = read_object(folder / _SETTINGS) if (folder / _SETTINGS).exists() else {}
    eos = _special(folder, settings, at, "eos")
    if eos is None:
        raise UsageError(f"{folder} names no eos_token; llama.cpp would not know where to stop")
    pad = _special(folder, settings, at, "pad")
    pad = eos if pad is None else pad
    bos = _special(folder, settings, at, "bos")
    # Without one llama.cpp takes token 11, whatever that is. Nothing is ever put before a prompt.
    bos = pad if bos is None else bos
    form = _template(folder, settings)
    _check_form(folder, form)
    return Vocabulary(tokens, types, merges, splitting, eos, pad, bos, form)


def _splitting(path: Path, raw: Mapping[str, Any]) -> str:
    """llama.cpp's name for how text is split; what comes before and after must be plain."""
    model = raw["model"]
    if model["type"] != "BPE":
        raise UsageError(f"{path} is a {model['type']} tokenizer; a byte-level BPE can be exported")
    for name in ("dropout", "ignore_merges", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise UsageError(f"{path}: llama.cpp has no {name}, this tokenizer has")
    changed = raw.get("normalizer")
    if changed is not None and changed.get("type") != "NFC":
        raise UsageError(f"{path}: llama.cpp does not change text as this does: {_shown(changed)}")
    steps = raw.get("pre_tokenizer") or {}
    inner = steps["pretokenizers"] if steps.get("type") == "Sequence" else [steps]
    *before, last = inner
    if last.get("type") == "ByteLevel" and not last.get("add_prefix_space", True):
        if not before and last.get("use_regex", True):
            return SPLITTINGS[_GPT2]
        if len(before) == 1 and not last.get("use_regex", True):
            (split,) = before
            plain = split.get("behavior") == "Isolated" and not split.get("invert")
            pattern = split.get("pattern", {}).get("Regex") if plain else None
            if pattern in SPLITTINGS:
                return SPLITTINGS[pattern]
    raise UsageError(
        f"{path} splits text in a way that is not known here: {_shown(steps)}; known are "
        "GPT-2's (ByteLevel alone) and Qwen2's (Split by its pattern, then ByteLevel)"
    )


def _check_added(path: Path, added: Mapping[int, Mapping[str, Any]]) -> None:
    for token in added.values():
        if token.get("lstrip") or token.get("rstrip") or token.get("single_word"):
            raise UsageError(
                f"{path}: {token['content']} takes the space beside it, or stands alone as a word; "
                "llama.cpp has no such tokens"
            )


def _check_bytes(path: Path, words: set[str]) -> None:
    """Every byte has a token, and no token is made of anything but bytes."""
    signs = _byte_signs()
    if missing := len(signs - words):
        raise UsageError(f"{path} is not byte-level: {missing} of the 256 bytes have no token")
    other = next((word for word in sorted(words) if not signs.issuperset(word)), None)
    if other is not None:
        raise UsageError(f"{path} is not byte-level: {other!r} is no token of bytes")


def _byte_signs() -> frozenset[str]:
    """GPT-2's letters for the 256 bytes: itself where a byte prints, else a letter after ÿ."""
    prints = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    return frozenset(map(chr, [*prints, *range(256, 512 - len(prints))]))


def _by_id(
    path: Path, ids: Mapping[str, int], added: Mapping[int, Mapping[str, Any]], size: int
) -> tuple[list[str], list[TokenType]]:
    found = {number: (word, TokenType.NORMAL) for word, number in ids.items()}
    for number, token in added.items():
        kind = TokenType.CONTROL if token.get("special") else TokenType.USER_DEFINED
        found[number] = (token["content"], kind)
    if (last := max(found)) >= size:
        raise UsageError(f"{path} has token {last}, the model's embedding {size} rows")
    pairs = [found.get(n, (f"[UNUSED{n}]", TokenType.UNUSED)) for n in range(size)]
    tokens, types = zip(*pairs, strict=True)
    if len(set(tokens)) < size:
        twice = next(word for word in tokens if tokens.count(word) > 1)
        raise UsageError(f"{path} has the token {twice!r} twice; llama.cpp takes each once")
    return list(tokens), list(types)


def _special(
    folder: Path, settings: Mapping[str, Any], at: Mapping[str, int], name: str
) -> int | None:
    """The id of `eos`, `pad` or `bos`: by the tokenizer's word, else by the model's number."""
    token = settings.get(f"{name}_token")
    word = token.get("content") if isinstance(token, dict) else token
    if word is not None:
        if word not in at:
            raise BrokenFile(folder / _SETTINGS, f"{word!r} is no token", field=f"{name}_token")
        return at[word]
    number = read_object(folder / "config.json").get(f"{name}_token_id")
    number = number[0] if isinstance(number, list) and number else number
    return number if isinstance(number, int) and 0 <= number < len(at) else None


def _template(folder: Path, settings: Mapping[str, Any]) -> str:
    path = folder / _FORM
    if path.exists():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BrokenFile(path, str(error)) from error
    form = settings.get("chat_template")
    if isinstance(form, list):
        form = next((one.get("template") for one in form if one.get("name") == "default"), None)
    if not isinstance(form, str):
        raise UsageError(f"{folder} has no chat template in its tokenizer")
    return form


def _check_form(folder: Path, form: str) -> None:
    """BrokenFile for a template that no server could use either."""
    try:
        Environment(extensions=["jinja2.ext.loopcontrols"]).parse(plain_template(form))
    except TemplateSyntaxError as error:
        raise BrokenFile(
            folder / _FORM, f"the chat template is no Jinja: {error.message}", error.lineno
        ) from None


def _shown(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) < 200 else f"{text[:200]}…"
