"""A sequence classifier whose lower layers are frozen: what they make of a sequence is computed once and kept.

The pooler reads the first token alone, so the last layer is run for that token alone: of the other tokens it needs
keys and values only, a sixth of its arithmetic. A kept state is (tokens, hidden) in float16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from curation.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

BATCH_TOKENS: Final = 6_000


class UpperLayers:
    """Rewards from the kept states, through the layers from `frozen` on, pooler and head of a Bert classifier."""

    def __init__(self, classifier: Any, frozen: int) -> None:
        self.classifier = classifier
        self.frozen = frozen
        self.states: list[Tensor] = []

    def keep(self, sequences: Sequence[Sequence[int]], progress: Progress) -> None:
        """Run the lower layers over the sequences and keep what they make of them, in the order given."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        bert, pad = self.classifier.bert, self.classifier.config.pad_token_id
        kept: list[Tensor] = [torch.empty(0)] * len(sequences)
        was_training = self.classifier.training
        self.classifier.eval()
        with torch.no_grad(), progress.task("sequences through the lower layers", len(sequences)) as task:
            for batch in like_length([len(ids) for ids in sequences]):
                lengths = [len(sequences[at]) for at in batch]
                ids = pad_sequence([torch.tensor(sequences[at]) for at in batch], batch_first=True, padding_value=pad)
                hidden = _through(bert.encoder.layer[: self.frozen], bert.embeddings(input_ids=ids), lengths)
                for row, length, at in zip(hidden, lengths, batch, strict=True):
                    kept[at] = row[:length].to(torch.float16)
                task.advance(len(batch))
        self.classifier.train(was_training)
        self.states = kept

    def __call__(self, batch: Sequence[int]) -> Tensor:
        """One reward a place among the kept sequences; gradients reach the upper layers."""
        pooled = self.classifier.bert.pooler(self._first(batch))
        rewards: Tensor = self.classifier.classifier(self.classifier.dropout(pooled)).squeeze(-1)
        return rewards

    def _first(self, batch: Sequence[int]) -> Tensor:
        """What the last layer makes of each sequence's first token: (batch, 1, hidden)."""
        from torch.nn.utils.rnn import pad_sequence

        states = [self.states[at] for at in batch]
        hidden = pad_sequence([state.float() for state in states], batch_first=True)
        *between, last = self.classifier.bert.encoder.layer[self.frozen :]
        lengths = [len(state) for state in states]
        return _first_token(last, _through(between, hidden, lengths), lengths)

    def features(self, places: Sequence[int]) -> Tensor:
        """What the pooler is given, (places, hidden), in no order, without gradients."""
        import torch

        with torch.no_grad():
            found = like_length([len(self.states[at]) for at in places])
            return torch.cat([self._first([places[at] for at in batch])[:, 0] for batch in found])

    def rewards(self, places: Sequence[int]) -> list[float]:
        """Rewards of many places, in the order given, without gradients and without dropout."""
        import torch

        was_training = self.classifier.training
        self.classifier.eval()
        found = [0.0] * len(places)
        with torch.no_grad():
            for batch in like_length([len(self.states[at]) for at in places]):
                for at, value in zip(batch, self([places[at] for at in batch]).tolist(), strict=True):
                    found[at] = value
        self.classifier.train(was_training)
        return found


def like_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places in batches of like length, the longest first, each padded to at most BATCH_TOKENS tokens."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def _through(layers: Any, hidden: Tensor, lengths: Sequence[int]) -> Tensor:
    """Run layers over padded states (batch, width, hidden); what is beyond a length is not attended to."""
    for layer in layers:
        hidden = layer(hidden, _inside(hidden, lengths))
    return hidden


def _first_token(layer: Any, hidden: Tensor, lengths: Sequence[int]) -> Tensor:
    """What a layer makes of the first token: (batch, 1, hidden)."""
    from torch.nn.functional import scaled_dot_product_attention

    attention, first = layer.attention.self, hidden[:, :1]

    def by_head(states: Tensor) -> Tensor:
        return states.unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2)

    query, key, value = attention.query(first), attention.key(hidden), attention.value(hidden)
    seen = scaled_dot_product_attention(
        by_head(query), by_head(key), by_head(value), attn_mask=_inside(hidden, lengths)
    )
    attended = layer.attention.output(seen.transpose(1, 2).flatten(2), first)
    made: Tensor = layer.feed_forward_chunk(attended)
    return made


def _inside(hidden: Tensor, lengths: Sequence[int]) -> Tensor:
    import torch

    return (torch.arange(hidden.shape[1]) < torch.tensor(lengths)[:, None])[:, None, None, :]
