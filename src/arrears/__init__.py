"""arrears: an open laboratory for debt-collection negotiation.

Importing the package loads nothing heavy; the rooms are imported where they are used.
"""

__version__ = "0.1.0"
