"""What a model thought and what it said, by the marks that models put between the two.

What stands in a known block of reasoning is never said and never an act: a draft that the model
threw away must not count. Where the marks leave open which part is the answer, nothing is taken for
one, so that the model is asked again.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

_NAMES: Final = r"(?:[a-z]{1,9}:)?(?:think(?:ing)?|thought|reasoning)"
_TAG: Final = re.compile(
    rf"<(?P<a>/?)(?P<a_name>{_NAMES})>"
    r"|\[(?P<b>/?)(?P<b_name>THINK)\]"
    r"|◁(?P<c>/?)(?P<c_name>think)▷"
    r"|<\|(?P<d>START|END)_(?P<d_name>THINKING)\|>"
    r"|<\|(?P<e>begin|end)_of_(?P<e_name>thought)\|>"
    r"|(?:(?P<f><)\|(?P<f_name>channel)>\s*thought\b|(?P<g><)(?P<g_name>channel)\|>)",
    re.IGNORECASE,
)
_CLOSES: Final = frozenset({"/", "end"})
_CHANNEL: Final = re.compile(
    r"(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*(\w+)(?:[^<]|<\|constrain\|>){0,80}<\|message\|>"
)
_END: Final = re.compile(r"<\|(?:end|return|call)\|>")
# The labels that our own prompts ask for.
_LABEL: Final = re.compile(
    r"^[ \t>#*_\-]{0,8}(thoughts|strategy|action|dialogue|思考|策略|动作|对话)[*_]{0,4}[ \t]*[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_PAIRS: Final = (("action", "dialogue"), ("动作", "对话"))
# Harmony whose marks a server has taken for special tokens and left out.
_BARE: Final = re.compile(r"^\s*analysis(?![\w\s]{0,3}[:：*])", re.IGNORECASE)
_BARE_FINAL: Final = re.compile(r"assistant\s*final(?=\W|[A-Z\d]|$)")


def _mark(tag: re.Match[str]) -> tuple[str, bool]:
    """The kind of a mark, and whether it closes its block."""
    group = tag.lastgroup or ""
    name = tag[group].lower()
    if group == "g_name":
        return f"f {name}", True
    return f"{group[0]} {name}", tag[group[0]].lower() in _CLOSES


class Blocks(NamedTuple):
    """An answer taken apart at the marks of reasoning."""

    thought: str
    said: str
    """Without what stands in blocks, as far as they are closed."""
    unclosed: str
    """What follows a mark that opens a block and is never closed; "" where there is none."""
    mark: str
    """That mark."""


def blocks_of(text: str, is_message: Callable[[str], bool]) -> Blocks:
    """Take the blocks out one after another; a block ends at its own mark only.

    Chat templates often open a block for the model, so a closing mark may stand alone: what is
    before the first one is reasoning then, but not where it is a whole message already. There the
    mark is among the words that are said, and so is any other that closes no block: people forge
    such marks, and models repeat them.
    """
    thought: list[str] = []
    said: list[str] = []
    at, opened, mark = 0, "", ""
    for number, tag in enumerate(_TAG.finditer(text)):
        kind, closes = _mark(tag)
        before = text[at : tag.start()]
        if opened == kind and closes:
            thought.append(before.strip())
            opened, at = "", tag.end()
        elif not opened and not closes:
            said.append(before)
            opened, at, mark = kind, tag.end(), tag[0]
        elif not number and closes and not is_message(before):
            thought.append(before.strip())
            at = tag.end()
    unclosed = text[at:] if opened else ""
    if not opened:
        said.append(text[at:])
    whole = "\n".join(filter(None, thought))
    return Blocks(whole, "".join(said), unclosed, mark if opened else "")


def split_reasoning(text: str) -> tuple[str, str]:
    """The reasoning that stands in an answer, and the answer without it.

    A block that is never closed takes all that follows, but not behind a whole message: there its
    mark is a word.
    """
    if "<|channel|>" in text:
        return _by_channels(text)
    if _BARE.match(text) is not None and "assistant" in text:
        return _by_bare_channels(text)
    if "<" not in text and "[" not in text and "◁" not in text:
        return "", text.strip()
    thought, said, unclosed, mark = blocks_of(text, _is_message)
    if mark and _is_message(said):
        return thought, f"{said}{mark}{unclosed}".strip()
    return "\n".join(filter(None, (thought, unclosed.strip()))), said.strip()


def _is_message(text: str) -> bool:
    """Whether a text begins with a label of the prompts and has both that matter."""
    found = {label[1].lower() for label in _LABEL.finditer(text)}
    begins = _LABEL.match(text.lstrip()) is not None
    return begins and any({act, said} <= found for act, said in _PAIRS)


def _by_channels(text: str) -> tuple[str, str]:
    """Harmony (gpt-oss): what is said stands in the channel `final`, and in that alone.

    Where the marks do not begin the answer, or there is more than one final channel, somebody may
    be quoting them, and which part is the model's own cannot be told.
    """
    final = [mark for mark in _CHANNEL.finditer(text) if mark[1] == "final"]
    if len(final) != 1 or not text.lstrip().startswith(("<|channel|>", "<|start|>")):
        return _plain(text), ""
    before, said = text[: final[0].start()], text[final[0].end() :]
    end = _END.search(said)
    return _plain(before), (said if end is None else said[: end.start()]).strip()


def _plain(text: str) -> str:
    return _END.sub("", _CHANNEL.sub("\n", text)).strip()


def _by_bare_channels(text: str) -> tuple[str, str]:
    """Harmony without its marks: `analysisWe need …assistantfinalGood morning.`"""
    finals = list(_BARE_FINAL.finditer(text))
    if len(finals) != 1:
        return ("", text.strip()) if not finals else (text.strip(), "")
    start, end = finals[0].span()
    return text[:start].strip().removeprefix("analysis").strip(), text[end:].strip()
