"""The banks of this room: what the built-in seats say, in the template language of `phrases`."""

from arrears.phrases import Bank, Phrase, tidy
from arrears.phrases import load_bank as load_packaged

__all__ = ["Bank", "Phrase", "load_bank", "tidy"]


def load_bank(name: str) -> Bank:
    """The shipped bank `name`.yaml of this folder."""
    return load_packaged("arrears.agents.words", name)
