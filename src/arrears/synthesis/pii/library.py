"""presidio-analyzer's recognizers, run one by one: its engine would want a trained model."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final, NamedTuple

from arrears.errors import UsageError
from arrears.synthesis.pii.numbers import is_amount
from arrears.synthesis.pii.spans import Hit, Kind
from arrears.synthesis.pii.text import without_han

_ADVICE: Final = (
    "personal data is removed before a model reads anything: install arrears[synthesis]"
)
_NAMED: Final[dict[str, Kind]] = {
    "PERSON": "NAME", "PER": "NAME", "FAC": "ADDRESS", "STREET": "ADDRESS",
}  # fmt: skip
_REGIONS: Final = ("US", "GB", "CN")


class _Recognizer(NamedTuple):
    kind: Kind
    entity: str
    worth: Callable[[str], bool]
    """Whether a text may hold such a thing at all: the costly ones are asked only then."""
    recognizer: Any


class Library:
    """The recognizers of other people's making, and a spaCy pipeline where one is named.

    UsageError says what to install.
    """

    def __init__(self, spacy_model: str | None = None) -> None:
        self._recognizers = _recognizers(_presidio())
        self._pipeline: Any = None if spacy_model is None else _pipeline(spacy_model)

    def hits(self, text: str) -> Iterable[Hit]:
        """Hits in a text made plain."""
        latin = without_han(text)
        for kind, entity, worth, recognizer in self._recognizers:
            if not worth(latin):
                continue
            for found in recognizer.analyze(latin, [entity]):
                if kind != "PHONE" or not is_amount(text, found.start, found.end):
                    # A stop or a comma after a link is the sentence's.
                    stays = len(latin[found.start : found.end].rstrip(".,;:!?)"))
                    yield Hit(found.start, found.start + stays, kind)
        if self._pipeline is not None:
            for entity in self._pipeline(text).ents:
                if entity.label_ in _NAMED and "。" not in entity.text:
                    yield Hit(entity.start_char, entity.end_char, _NAMED[entity.label_])


def _presidio() -> ModuleType:
    try:
        import faker.providers.person  # noqa: F401

        with _unseen("transformers", "stanza", "gliner"):
            from presidio_analyzer import predefined_recognizers
    except ImportError as error:
        raise UsageError(f"{_ADVICE} ({error})") from error
    return predefined_recognizers  # type: ignore[no-any-return]


@contextmanager
def _unseen(*modules: str) -> Iterator[None]:
    """Packages that are not loaded yet are not found meanwhile.

    presidio-analyzer loads models' libraries where they are installed, for recognizers that are not
    used here: four seconds of five.
    """
    hidden = [name for name in modules if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _recognizers(presidio: Any) -> tuple[_Recognizer, ...]:
    import tldextract

    # The list of suffixes that comes with the package: no look at the network, no cache on disk.
    suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class Mail(presidio.EmailRecognizer):  # type: ignore[misc]
        def validate_result(self, pattern_text: str) -> bool:
            """A made-up domain is a mail address too."""
            return True

    class Url(presidio.UrlRecognizer):  # type: ignore[misc]
        def validate_result(self, pattern_text: str) -> bool:
            """Without a scheme only a domain that exists counts: "paid.Then" is no address."""
            if "://" in pattern_text or pattern_text.lower().startswith("www."):
                return True
            found = suffixes(pattern_text)
            return bool(found.suffix in _SITES and found.domain and pattern_text.islower())

    return (
        _Recognizer("EMAIL", "EMAIL_ADDRESS", lambda t: "@" in t, Mail()),
        _Recognizer("URL", "URL", lambda t: "." in t, Url()),
        _Recognizer("CARD", "CREDIT_CARD", _digits(12), presidio.CreditCardRecognizer()),
        _Recognizer("ACCOUNT", "IBAN_CODE", _digits(10), presidio.IbanRecognizer()),
        _Recognizer("ID", "IP_ADDRESS", lambda t: t.count(".") > 2 or t.count(":") > 2,
                    presidio.IpRecognizer()),
        _Recognizer("ID", "US_SSN", _digits(9), presidio.UsSsnRecognizer()),
        _Recognizer("PHONE", "PHONE_NUMBER", _digits(7),
                    presidio.PhoneRecognizer(supported_regions=_REGIONS)),
    )  # fmt: skip


_SITES: Final = frozenset(
    {"com", "net", "org", "cn", "com.cn", "co.uk", "io", "info", "gov", "gov.cn"}
)


def _digits(least: int) -> Callable[[str], bool]:
    return lambda text: sum(map(str.isdigit, text)) >= least


def _pipeline(name: str) -> Any:
    try:
        import spacy
    except ImportError as error:
        raise UsageError(f"{_ADVICE} ({error})") from error
    try:
        pipeline = spacy.load(name)
    except OSError as error:
        raise UsageError(
            f"no spaCy pipeline {name!r} is installed; get it with "
            f"`python -m spacy download {name}`, or leave it out: rules alone then look for names"
        ) from error
    if not {"ner", "entity_ruler"} & set(pipeline.pipe_names):
        raise UsageError(f"the spaCy pipeline {name!r} finds no names: it has no part `ner`")
    return pipeline
