"""Takes personal data out of conversations before a model reads them, and counts what it took."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

from arrears.synthesis.conversations import Conversation, Utterance
from arrears.synthesis.pii.addresses import chinese_addresses, english_addresses, mail_hits
from arrears.synthesis.pii.chinese import chinese_names, given_name
from arrears.synthesis.pii.english import english_names
from arrears.synthesis.pii.library import Library
from arrears.synthesis.pii.numbers import number_hits
from arrears.synthesis.pii.spans import Hit, Span, merge, replaced
from arrears.synthesis.pii.text import has_han, plain, without_han, words


class Scrubbed(NamedTuple):
    """A conversation without personal data."""

    conversation: Conversation
    """Tags such as `[NAME]` in the place of what was found, in the account's name too."""
    counts: Mapping[str, int]
    """How many stretches of each kind were taken out of what was said; without those of none."""


class Scrubber:
    """Removes names, phones, ids, cards, e-mails, addresses, accounts and links.

    `spacy_model` names an installed spaCy pipeline that is asked for names as well. UsageError
    where the libraries or that pipeline are not installed: nothing is ever left unscrubbed instead.
    """

    def __init__(self, spacy_model: str | None = None) -> None:
        self._library = Library(spacy_model)

    def scrub(self, conversation: Conversation) -> Scrubbed:
        """The conversation with tags; a name that is told once goes everywhere in it.

        An id that holds personal data becomes a pseudonym: the same one for the same id.
        """
        texts = [utterance.text for utterance in conversation.utterances]
        account = conversation.account
        names = {account.name} if account is not None and _a_name(account.name) else set[str]()
        counts: Counter[str] = Counter()
        said_small = frozenset(_SMALL.findall(" ".join(texts)))
        # What is left is read again: a tag may leave a cue where there was none.
        while True:
            names |= {name for text in texts for name in self._told(text)}
            found = [self.spans(text, names, said_small) for text in texts]
            if not any(found):
                break
            counts.update(span.kind for spans in found for span in spans)
            texts = [replaced(text, spans) for text, spans in zip(texts, found, strict=True)]
        said = tuple(
            Utterance(utterance.seat, text)
            for utterance, text in zip(conversation.utterances, texts, strict=True)
        )
        return Scrubbed(
            replace(
                conversation,
                id=self._safe(conversation.id, names),
                utterances=said,
                account=account and account.model_copy(update={"name": "[NAME]"}),
                debtor_id=self._safe(conversation.debtor_id, names),
            ),
            MappingProxyType(dict(sorted(counts.items()))),
        )

    def spans(
        self, text: str, names: Collection[str] = (), said: Collection[str] = ()
    ) -> tuple[Span, ...]:
        """What is personal in a text, in order, without overlap.

        `names` are known to be names; `said` are words that the conversation has in small letters,
        so that a capital does not make names of them.
        """
        flat = plain(text)
        return merge((*self._hits(flat, said), *_known(flat, names)))

    def _hits(self, flat: str, said: Collection[str]) -> Iterator[Hit]:
        yield from self._library.hits(flat)
        yield from number_hits(flat)
        yield from mail_hits(flat)
        yield from english_addresses(flat)
        yield from english_names(without_han(flat), said)
        if has_han(flat):
            yield from chinese_addresses(flat)
            yield from chinese_names(flat)

    def _told(self, text: str) -> Iterator[str]:
        flat = plain(text)
        for hit in (
            *english_names(without_han(flat)),
            *(chinese_names(flat) if has_han(flat) else ()),
        ):
            if hit.cued:
                yield flat[hit.start : hit.end]

    def _safe(self, name: str, names: Collection[str]) -> str:
        spaced = re.sub(r"[_/|:.-]+", " ", name)
        if self.spans(name, names) or self.spans(spaced, names):
            return blake2b(name.encode(), digest_size=6).hexdigest()
        return name


_SMALL = re.compile(r"\b[a-z]{3,}\b")


def _a_name(name: str) -> bool:
    return bool(name.strip()) and not name.startswith("[")


def _known(flat: str, names: Collection[str]) -> Iterator[Hit]:
    """Every place of names that are known, and of their parts."""
    for name in names:
        whole, parts = _forms(plain(name))
        for form in whole:
            for match in re.finditer(_bounded(form), flat, re.I):
                yield Hit(*match.span(), "NAME")
        for form in parts:
            for match in re.finditer(_bounded(form), flat):
                yield Hit(*match.span(), "NAME")


def _forms(name: str) -> tuple[set[str], set[str]]:
    """What goes in any case, and what only as it is written: parts that are plain words."""
    if has_han(name):
        return ({name, given_name(name)} if len(name) > 1 else set()) - {""}, set()
    tokens = [token for token in re.split(r"[\s.,·-]+", name) if len(token) > 1]
    ordinary = words("en", "plain") | words("en", "common")
    rare = {token for token in tokens if token.lower() not in ordinary and len(token) > 2}
    return {name.strip()} - ordinary | rare if len(tokens) > 1 else rare, set(
        tokens
    ) - rare - _MONTHS


_MONTHS = frozenset({"May", "Will", "April", "June", "August", "March"})


def _bounded(form: str) -> str:
    edge = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"
    # A name is not found inside a Latin word; Chinese has no such bounds.
    return re.escape(form) if has_han(form) else edge[0] + re.escape(form) + edge[1]
