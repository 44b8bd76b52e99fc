"""Attention over a batch of talks of unlike length, on a processor.

transformers pads every row to the longest, and for many new tokens copies the keys and values of
each head as often as queries share it. Where a step is as long as what is read from memory, both
cost what they weigh. Here rows are attended to in groups of like length (`spans`), each without its
common padding, and queries that share a head go through it together. The numbers are the same.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

NAME: Final = "arrears_ragged"
_GROUPS: Final = 4


class Span(NamedTuple):
    """Rows of like length."""

    first: int
    last: int
    """The row after them."""
    start: int
    """The first column that any of them has."""


def spans_of(padding: Sequence[int]) -> tuple[Span, ...]:
    """Groups of rows by the columns that are empty before each; the rows stand in order, the
    longest first."""
    rows = len(padding)
    size = -(-rows // _GROUPS)
    return tuple(
        Span(first, min(first + size, rows), min(padding[first : first + size]))
        for first in range(0, rows, size)
    )


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    spans: Sequence[Span] = (),
    **kwargs: Any,
) -> tuple[Any, None]:
    """As transformers' `sdpa`, with the same shapes: queries (rows, heads, tokens, width); gives
    (rows, tokens, heads, width)."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    del kwargs
    shared = query.shape[1] // key.shape[1]
    rows, heads, length, width = query.shape
    if attention_mask is None:
        attention_mask = torch.ones(
            (rows, 1, length, key.shape[2]), dtype=torch.bool, device=query.device
        ).tril(key.shape[2] - length)
    query = query.reshape(rows, heads // shared, shared * length, width)
    mask = attention_mask.expand(rows, 1, length, key.shape[2])
    if shared > 1 and length > 1:
        mask = mask.repeat(1, 1, shared, 1)
    parts = []
    for first, last, start in spans or (Span(0, rows, 0),):
        parts.append(
            scaled_dot_product_attention(
                query[first:last],
                key[first:last, :, start:],
                value[first:last, :, start:],
                attn_mask=mask[first:last, :, :, start:],
                scale=scaling,
            )
        )
    found = parts[0] if len(parts) == 1 else torch.cat(parts)
    del module
    return found.reshape(rows, heads, length, width).transpose(1, 2), None


def use(model: Any) -> bool:
    """Let a model attend so. False, and nothing changed, where it attends in another way already
    or runs on a device that has kernels of its own."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    if model.device.type != "cpu" or model.config._attn_implementation != "sdpa":
        return False
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)
    return True
