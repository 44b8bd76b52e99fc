"""The ear itself, compiled: from the bytes of a message to the levels of its tones.

A message is heard some sixteen times a talk, and word by word that was a fifth of a benchmark. The
cues are a tree of words in one table of whole numbers (`packed`): an edge leads from a node over a
word's hash to the next node, a node may end a cue. `tests/test_tone.py` holds it against the same
loop in plain Python.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from arrears.dialogue.cues import Cue, Mark, Node

REACH: Final = 8  # words a negation reaches at most, itself included; a clause ends it sooner
NEGATED: Final = 0.1  # what a negated cue still weighs: the thing was mentioned
SHOUT: Final = 0.08  # what each exclamation mark adds to anger that is heard in words
TOPIC_WEIGHT: Final = 0.35  # what each thing asked about adds to a question

_FIRST, _PRIME, _MIX = 0xCBF29CE484222325, 0x100000001B3, 0x9E3779B97F4A7C15
_WHOLE: Final = 0xFFFFFFFFFFFFFFFF
_FNV_FIRST, _FNV_PRIME, _NODE_MIX = np.uint64(_FIRST), np.uint64(_PRIME), np.uint64(_MIX)
_NEGATION, _TOPIC, _ASKING, _OR = (
    int(m) for m in (Mark.NEGATION, Mark.TOPIC, Mark.ASKING, Mark.OR)
)
_CLAUSE, _QUESTION = int(Mark.CLAUSE), int(Mark.QUESTION)
_SPACE, _WORD, _STOP, _COMMA, _ASK = 0, 1, 2, 3, 4
_KINDS: Final = np.array(
    [
        _SPACE if chr(c).isspace() or chr(c) in '"()[]{}<>*_/-#~|'
        else _STOP if chr(c) in ".!;"
        else _COMMA if chr(c) in ",:"
        else _ASK if chr(c) == "?"
        else _WORD
        for c in range(256)
    ],
    dtype=np.int64,
)  # fmt: skip
_KINDS[ord("\n")] = _STOP


class Packed(NamedTuple):
    """The cues as the compiled loop takes them."""

    table: NDArray[np.int64]
    """Head (mask, and where keys, children, cues of nodes, cues, tones begin), kinds, the rest."""
    weights: NDArray[np.float64]
    """Weights of all cues, one after another."""


_HEAD: Final = 6


def packed(roots: dict[str, Node]) -> Packed:
    """The tree of cues as one table."""
    edges: list[tuple[int, str, int]] = []
    node_cues = [-1]
    cues: list[Cue] = []

    def walk(node: int, children: dict[str, Node]) -> None:
        for word, (below, cue) in children.items():
            child = len(node_cues)
            node_cues.append(-1 if cue is None else len(cues))
            if cue is not None:
                cues.append(cue)
            edges.append((node, word, child))
            walk(child, below)

    walk(0, roots)
    size = 1 << (4 * len(edges)).bit_length()
    keys, ends = np.zeros(size, dtype=np.uint64), np.full(size, -1, dtype=np.int64)
    for node, word, child in edges:
        key = _hashed(word) ^ ((node + 1) * _MIX & _WHOLE)
        slot = key & (size - 1)
        while ends[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        keys[slot], ends[slot] = key, child
    spans: list[int] = []
    tones: list[int] = []
    weights: list[float] = []
    for mark, weighed in cues:
        spans += [mark, len(tones), len(tones) + len(weighed)]
        tones += [index for index, _ in weighed]
        weights += [weight for _, weight in weighed]
    parts = [
        _KINDS,
        keys.view(np.int64),
        ends,
        np.array(node_cues),
        np.array(spans),
        np.array(tones),
    ]
    starts = np.cumsum([_HEAD] + [len(part) for part in parts])
    head = np.array([size - 1, *starts[1:-1]])
    table = np.concatenate([head, *parts]).astype(np.int64)
    return Packed(table, np.array(weights, dtype=np.float64))


def _hashed(word: str) -> int:
    """FNV-1a of the word's UTF-8 bytes, 64 bits."""
    value = _FIRST
    for byte in word.encode():
        value = (value ^ byte) * _PRIME & _WHOLE
    return value


@njit(cache=True)  # type: ignore[untyped-decorator]
def _next(table: NDArray[np.int64], node: int, word: int) -> int:
    """The node that a word leads to from a node; −1 where it leads nowhere."""
    key = word ^ (np.uint64(node + 1) * _NODE_MIX)
    wanted = np.int64(key)
    mask = table[0]
    slot = np.int64(key & np.uint64(mask))
    while table[table[2] + slot] >= 0:
        if table[table[1] + slot] == wanted:
            return int(table[table[2] + slot])
        slot = (slot + 1) & mask
    return -1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _words(text: NDArray[np.uint8], table: NDArray[np.int64], out: NDArray[np.uint64]) -> int:
    """Hashes of the words, and of the marks `.` `,` `?` as words; how many there are."""
    count, value, within = 0, _FNV_FIRST, False
    for byte in text:
        if 65 <= byte <= 90:
            byte += 32
        kind = table[_HEAD + byte]
        if kind == _WORD:
            value = (value ^ np.uint64(byte)) * _FNV_PRIME
            within = True
            continue
        if within:
            out[count] = value
            count += 1
            value, within = _FNV_FIRST, False
        if kind != _SPACE:
            mark = 46 if kind == _STOP else 44 if kind == _COMMA else 63
            out[count] = (_FNV_FIRST ^ np.uint64(mark)) * _FNV_PRIME
            count += 1
    if within:
        out[count] = value
        count += 1
    return count


@njit(cache=True)  # type: ignore[untyped-decorator]
def listen(
    text: NDArray[np.uint8],
    table: NDArray[np.int64],
    weights: NDArray[np.float64],
    places: tuple[int, int, int, int, int],
) -> tuple[NDArray[np.float64], int, int]:
    """Levels of the tones 0 … 1, the number of abusive cues, and the length in words.

    `places`: how many tones there are, and which are abuse, question, anger and respect. At each
    place the longest phrase counts, and its words are spent. A question counts as such
    where what is asked about (`topic`) and the asking stand in one sentence.
    """
    tones, abuse, question, anger, respect = places
    levels = np.zeros(tones)
    words = np.empty(2 * len(text) + 1, dtype=np.uint64)
    length = _words(text, table, words)
    words[length] = (_FNV_FIRST ^ np.uint64(46)) * _FNV_PRIME
    node_cues, cues, indices = table[3], table[4], table[5]
    spent, negated, abused, topic, asking = 0, 0, 0, 0.0, False
    for at in range(length + 1):
        if at < spent:
            continue
        node = _next(table, 0, words[at])
        if node < 0:
            continue
        cue, stop, after = table[node_cues + node], at + 1, at + 1
        while after <= length:
            node = _next(table, node, words[after])
            if node < 0:
                break
            after += 1
            if table[node_cues + node] >= 0:
                cue, stop = table[node_cues + node], after
        if cue < 0:
            continue
        mark, first, end = (
            table[cues + 3 * cue],
            table[cues + 3 * cue + 1],
            table[cues + 3 * cue + 2],
        )
        share = 1.0 if at >= negated else NEGATED
        for k in range(first, end):
            levels[table[indices + k]] += share * weights[k]
            if table[indices + k] == abuse and at >= negated:
                abused += 1
        if mark == _NEGATION:
            negated = at + REACH
        elif mark == _TOPIC:
            topic += TOPIC_WEIGHT
        elif mark == _ASKING:
            asking = True
        elif mark == _OR:
            negated = at + REACH if negated else 0
        elif mark:
            negated = 0
            if mark != _CLAUSE:
                if asking or mark == _QUESTION:
                    levels[question] += topic
                topic, asking = 0.0, False
        spent = stop
    if levels[anger] > 0:
        for byte in text:
            levels[anger] += SHOUT * (byte == 33)
    levels[respect] = max(0.0, levels[respect] - levels[abuse])
    return np.minimum(levels, 1.0), abused, length
