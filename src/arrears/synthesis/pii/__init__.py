"""What is taken out of conversations before a model reads them.

from arrears.synthesis.pii import Scrubber

scrubbed = Scrubber().scrub(conversation)
"""

from arrears.synthesis.pii.scrub import Scrubbed, Scrubber
from arrears.synthesis.pii.spans import KINDS, Kind, Span

__all__ = ["KINDS", "Kind", "Scrubbed", "Scrubber", "Span"]
