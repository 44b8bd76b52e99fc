"""Eight words in a row from the two papers, as hashes: our prompts must share none of them.

The papers are not kept here. `python -m tests.paper_ngrams PAPER.txt …` wrote the file beside this
one from their texts; a hash tells nothing about the words. Numbers and the key names that papers and
prompts share by necessity are left out on both sides; a Chinese character counts as a word.
"""

import re
import sys
from hashlib import blake2b
from pathlib import Path

WORDS = 8
HASHES = Path(__file__).parent / "data" / "paper_8grams.bin"
_SIZE = 5
_SHARED = frozenset(
    [
        "disc_ratio",
        "pmt_ratio",
        "pmt_days",
        "inst_prds",
        "ask",
        "accept",
        "reject",
        "non",
        "leave",
        "action",
        "dialogue",
        "thoughts",
        "strategy",
    ]
)
_WORD = re.compile(r"[a-z_]+|[\u4e00-\u9fff]")


def words(text: str) -> list[str]:
    """The words that count, in lower case."""
    joined = re.sub(r"-\n", "", text).lower().replace("'", "").replace("’", "")
    return [w for w in _WORD.findall(joined) if w not in _SHARED]


def grams(text: str) -> dict[bytes, str]:
    """Every run of eight words by its hash."""
    found = words(text)
    runs = [" ".join(found[i : i + WORDS]) for i in range(len(found) - WORDS + 1)]
    return {blake2b(run.encode(), digest_size=_SIZE).digest(): run for run in runs}


def paper_hashes() -> frozenset[bytes]:
    """The hashes of the papers."""
    data = HASHES.read_bytes()
    return frozenset(data[i : i + _SIZE] for i in range(0, len(data), _SIZE))


if __name__ == "__main__":
    hashes: set[bytes] = set()
    for name in sys.argv[1:]:
        hashes |= grams(Path(name).read_text(encoding="utf-8")).keys()
    HASHES.parent.mkdir(exist_ok=True)
    HASHES.write_bytes(b"".join(sorted(hashes)))
    print(len(hashes), "runs of eight words")
