"""Writing many answers at once with a local model, without reading any conversation twice.

A conversation grows at its end only, so what a model made of its beginning (the keys and values of
every layer) is kept and found again by the next request of the same talk, or of another talk that
branches off from it. Rows that have said their last word leave the batch, and others take their
place while the rest goes on.

For models whose layers all attend to everything; `fits` tells.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from arrears.models.attention import NAME, Span, spans_of
from arrears.models.kept import Kept

# Rows are read together as long as at least this share of what is read is not padding.
_DENSE = 0.6
_READ_AT_ONCE = 16_384
# The batch is packed anew when fewer than this share of its rows still write.
_PACK = 0.7
_GROWS_BY = 64


class Request(NamedTuple):
    """One answer to be written."""

    tokens: tuple[int, ...]
    """The prompt."""
    limit: int
    """Most tokens of the answer, at least 1."""
    found: Kept | None = None
    """What is known of a beginning of it."""


class Answer(NamedTuple):
    """What was written for a request."""

    request: Request
    tokens: tuple[int, ...]
    """Without the token that ended it."""
    ended: bool
    """Whether it ended by itself."""
    kept: Kept
    """Of the prompt and the answer."""


def fits(model: Any) -> bool:
    """Whether every layer of a model keeps all keys and values, as most do."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    layers = getattr(DynamicCache(config=model.config), "layers", None) or ()
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


Choose = Callable[[Sequence[Any], Any], Any]
"""Given the names of requests and their scores (requests, vocabulary): a token for each."""


def write(
    model: Any, requests: Sequence[Request], choose: Choose, ends: frozenset[int]
) -> list[Answer]:
    """The answers to requests, together; `choose` knows each by its place."""
    writer = Writer(model, choose, ends)
    writer.admit(dict(enumerate(requests)))
    found = writer.run(len(requests))
    return [found[at] for at in range(len(requests))]


def _read(model: Any, requests: Sequence[Request]) -> tuple[list[Kept], Any]:
    """Take in what is new of every prompt; rows of like length go together."""
    import torch

    new = [len(r.tokens) - (len(r.found.tokens) if r.found else 0) for r in requests]
    order = sorted(range(len(requests)), key=lambda i: (new[i], -len(requests[i].tokens)))
    known: list[Any] = [None] * len(requests)
    scores: Any = None
    for group in _groups(order, new):
        read, last = _read_together(model, [requests[i] for i in group])
        if scores is None:
            scores = last.new_empty((len(requests), last.shape[-1]))
        scores[torch.tensor(group, device=last.device)] = last
        for i, kept in zip(group, read, strict=True):
            known[i] = kept
    return known, scores


def _groups(order: Sequence[int], new: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    filled = 0
    for i in order:
        padded = new[i] * (len(groups[-1]) + 1) if groups else 0
        if not groups or filled + new[i] < _DENSE * padded or padded > _READ_AT_ONCE:
            groups.append([])
            filled = 0
        groups[-1].append(i)
        filled += new[i]
    return groups


def _read_together(model: Any, requests: Sequence[Request]) -> tuple[list[Kept], Any]:
    import torch

    device = model.device
    found = [r.found for r in requests]
    before = [len(k.tokens) if k else 0 for k in found]
    new = [len(r.tokens) - b for r, b in zip(requests, before, strict=True)]
    past, width = max(before), max(new)
    rows = len(requests)
    ids = torch.zeros((rows, width), dtype=torch.long)
    mask = torch.zeros((rows, past + width), dtype=torch.long)
    for i, request in enumerate(requests):
        ids[i, width - new[i] :] = torch.tensor(request.tokens[before[i] :])
        mask[i, past - before[i] : past] = 1
        mask[i, past + width - new[i] :] = 1
    places = (mask.cumsum(1) - 1).clamp_min(0)[:, past:]
    cache = _cache(model, [k.layers if k else None for k in found], past, width)
    output = model(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        position_ids=places.to(device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    kept = []
    for i, request in enumerate(requests):
        own = mask[i].bool().to(device)
        kept.append(
            Kept(
                request.tokens,
                tuple((layer.keys[i][:, own], layer.values[i][:, own]) for layer in cache.layers),
            )
        )
    return kept, output.logits[:, -1]


def _cache(
    model: Any, known: Sequence[tuple[tuple[Any, Any], ...] | None], past: int, room: int
) -> Any:
    """A cache that holds the rows' beginnings, padded on the left, with room behind them."""
    from transformers.cache_utils import Cache

    first = next((layers for layers in known if layers is not None), None)
    count = model.config.get_text_config().num_hidden_layers
    layers = [_roomy() for _ in range(count)]
    if past and first is not None:
        for at, layer in enumerate(layers):
            pairs = [layers_of[at] if layers_of else None for layers_of in known]
            layer.fill(pairs, first[at][0], past, room)
    return Cache(layers=layers)


def _roomy() -> Any:
    """A layer's keys and values with room at the end: a token is written, nothing is copied."""
    import torch
    from transformers.cache_utils import DynamicLayer

    class Roomy(DynamicLayer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.room: Any = None
            self.length = 0

        def fill(self, pairs: Sequence[Any], like: Any, past: int, room: int) -> None:
            heads, _, width = like.shape
            shape = (2, len(pairs), heads, past + room, width)
            self.room = torch.zeros(shape, dtype=like.dtype, device=like.device)
            for i, pair in enumerate(pairs):
                if pair is not None:
                    length = pair[0].shape[1]
                    self.room[0, i, :, past - length : past] = pair[0]
                    self.room[1, i, :, past - length : past] = pair[1]
            self._to(past)

        def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> Any:
            end = self.length + key_states.shape[-2]
            if self.room is None or end > self.room.shape[-2]:
                self._grow(key_states, end)
            self.room[0, :, :, self.length : end] = key_states
            self.room[1, :, :, self.length : end] = value_states
            self._to(end)
            return self.keys, self.values

        def _grow(self, like: Any, end: int) -> None:
            rows, heads, _, width = like.shape
            shape = (2, rows, heads, end + _GROWS_BY, width)
            room = torch.zeros(shape, dtype=like.dtype, device=like.device)
            if self.room is not None:
                room[..., : self.length, :] = self.room[..., : self.length, :]
            self.room = room

        def _to(self, end: int) -> None:
            self.length = end
            self.dtype, self.device = self.room.dtype, self.room.device
            self.is_initialized = True
            self.keys, self.values = self.room[0, :, :, :end], self.room[1, :, :, :end]

    return Roomy()


class _Row:
    """A request that is being answered."""

    def __init__(self, name: Hashable, request: Request, kept: Kept) -> None:
        self.name, self.request, self.kept = name, request, kept
        self.said: list[int] = []
        self.ended = False

    @property
    def length(self) -> int:
        """Tokens of which keys and values are in `kept`."""
        return len(self.kept.tokens)

    @property
    def left(self) -> int:
        """How many more tokens it may write."""
        return self.request.limit - len(self.said)


class Writer:
    """A batch that requests may join and leave while it writes."""

    def __init__(self, model: Any, choose: Choose, ends: frozenset[int]) -> None:
        self._model, self._choose, self._ends = model, choose, ends
        self._live: list[_Row] = []
        self._done: dict[Any, Answer] = {}
        self._packed: list[_Row] = []
        """The rows of the cache."""
        self._cache: Any = None
        self._past = 0
        """Columns of the cache when it was packed."""
        self._steps = 0
        """Columns since then."""
        self._mask: Any = None
        self._lengths: Any = None
        self._spans: tuple[Span, ...] = ()
        self._ragged = model.config._attn_implementation == NAME

    @property
    def live(self) -> int:
        """How many requests are being answered."""
        return len(self._live)

    def admit(self, requests: Mapping[Any, Request]) -> None:
        """Read new requests, by name, and write the first token of each."""
        import torch

        with torch.inference_mode():
            known, scores = _read(self._model, list(requests.values()))
            rows = [
                _Row(name, request, kept)
                for (name, request), kept in zip(requests.items(), known, strict=True)
            ]
            self._live += self._take_down(rows, scores)

    def run(self, count: int) -> dict[Any, Answer]:
        """Write until so many answers are there, or nobody writes any more; those answers."""
        import torch

        with torch.inference_mode():
            while self._live and len(self._done) < count:
                self._step()
        if not self._live:
            self._packed, self._cache = [], None
        found, self._done = self._done, {}
        return found

    def drop(self) -> None:
        """Forget everybody who is being answered."""
        self._live, self._done, self._packed, self._cache = [], {}, [], None

    def _step(self) -> None:
        import torch

        packed = {id(row) for row in self._packed}
        fresh = any(id(row) not in packed for row in self._live)
        if fresh or len(self._live) < _PACK * len(self._packed) or self._full():
            self._pack()
        place = {id(row): at for at, row in enumerate(self._packed)}
        at = torch.tensor([place[id(row)] for row in self._live])
        ids = torch.zeros((len(self._packed), 1), dtype=torch.long)
        ids[at, 0] = torch.tensor([row.said[-1] for row in self._live])
        self._steps += 1
        device = self._model.device
        output = self._model(
            input_ids=ids.to(device),
            attention_mask=self._mask[:, : self._past + self._steps],
            position_ids=self._lengths + self._steps - 1,
            past_key_values=self._cache,
            use_cache=True,
            **({"spans": self._spans} if self._ragged else {}),
        )
        self._live = self._take_down(self._live, output.logits[at.to(device), -1])

    def _full(self) -> bool:
        return bool(self._past + self._steps + 1 > self._mask.shape[1])

    def _take_down(self, rows: Sequence[_Row], scores: Any) -> list[_Row]:
        """A token for each row; the rows that go on."""
        on: list[_Row] = []
        tokens = self._choose([row.name for row in rows], scores).tolist()
        for row, token in zip(rows, tokens, strict=True):
            row.ended = token in self._ends
            if not row.ended:
                row.said.append(token)
                if row.left:
                    on.append(row)
                    continue
            self._unpack(row)
            self._done[row.name] = Answer(row.request, tuple(row.said), row.ended, row.kept)
        return on

    def _pack(self) -> None:
        """A cache of those rows only that still write."""
        import torch

        for row in self._live:
            self._unpack(row)
        self._live.sort(key=lambda row: -row.length)
        self._packed = list(self._live)
        self._past, self._steps = max(row.length for row in self._live), 0
        room = min(_GROWS_BY, max(row.left for row in self._live)) + 1
        layers = [row.kept.layers for row in self._live]
        self._cache = _cache(self._model, layers, self._past, room)
        mask = torch.ones((len(self._live), self._past + room), dtype=torch.long)
        for at, row in enumerate(self._live):
            mask[at, : self._past - row.length] = 0
        self._spans = spans_of([self._past - row.length for row in self._live])
        device = self._model.device
        self._mask = mask.to(device)
        self._lengths = torch.tensor([[row.length] for row in self._live], device=device)

    def _unpack(self, row: _Row) -> None:
        """Give a row what was computed for it: its prompt, and of its answer what has been
        followed by something (the last token has not)."""
        at = next((at for at, packed in enumerate(self._packed) if packed is row), None)
        if at is None:
            return
        start = self._past - row.length
        tokens = (*row.request.tokens, *row.said)[: row.length + self._steps]
        end = start + len(tokens)
        layers = tuple(
            (layer.keys[at, :, start:end].clone(), layer.values[at, :, start:end].clone())
            for layer in self._cache.layers
        )
        row.kept = Kept(tokens, layers)
