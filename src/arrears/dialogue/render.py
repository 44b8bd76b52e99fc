"""A turn written out in the labelled form that the parser reads."""

from arrears.dialogue.acts import Act
from arrears.dialogue.record import Turn
from arrears.strategies import strategies
from arrears.terms import RATIOS, Dimension

ACTS, WORDS = "Action:", "Dialogue:"
"""What stands before the acts, and before the words that end a message."""


def render_message(turn: Turn) -> str:
    """The message as its seat would have written it; `parse_message` gives its parts back.

    Thoughts of several lines are joined into one.
    """
    parts = []
    if turn.thoughts:
        parts.append(f"Thoughts: {' '.join(turn.thoughts.split())}")
    if turn.strategy is not None:
        known = strategies(turn.seat).get(turn.strategy)
        parts.append(f"Strategy: {known.name if known else turn.strategy}")
    parts.append(f"{ACTS} {', '.join(map(render_act, turn.acts))}")
    parts.append(f"{WORDS} {turn.dialogue}")
    return "\n".join(parts)


def render_act(act: Act) -> str:
    """One act as it was written, off the grid where it was."""
    if act.said is None or act.dim is None:
        return str(act)
    return f"{act.kind}({act.dim}={_as_said(act.dim, act.said)})"


def _as_said(dim: Dimension, said: float) -> str:
    return f"{said * 100:.10g}%" if dim in RATIOS else f"{said:.10g}"
