"""Which pairs are trained on, how much each weighs, and in which order they come."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from training.starter_reward.data import Pair
from training.starter_reward.model import token_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Row:
    """A pair, the token ids of its chosen and its rejected conversation, and what its loss is multiplied with."""

    pair: Pair
    ids: tuple[list[int], list[int]]
    weight: float = 1.0

    @property
    def tokens(self) -> int:
        """Tokens of the longer side."""
        return max(map(len, self.ids))

    @property
    def prefers_longer(self) -> bool:
        """Whether the chosen answer has more characters than the rejected one."""
        return len(self.pair.chosen) > len(self.pair.rejected)


def tokenised(pairs: Sequence[Pair], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> list[Row]:
    """The pairs both of whose sides have at most `max_tokens`; none is cut to that."""
    both = [pair.conversations() for pair in pairs]
    sides = [token_ids(tokenizer, [conversations[at] for conversations in both]) for at in (0, 1)]
    rows = [Row(pair, ids) for pair, *ids in zip(pairs, *sides, strict=True)]  # type: ignore[arg-type]
    return [row for row in rows if row.tokens <= max_tokens]


def drawn(rows: Sequence[Row], most: int | None) -> list[Row]:
    """At most so many, half of them with the shorter answer preferred where there are as many."""
    if most is None:
        return list(rows)
    shorter = [row for row in rows if not row.prefers_longer]
    longer = [row for row in rows if row.prefers_longer]
    shorter = shorter[: max(most // 2, most - len(longer))]
    kept = {id(row) for row in (*shorter, *longer[: most - len(shorter)])}
    return [row for row in rows if id(row) in kept]


def balanced(rows: Sequence[Row], most_weight: float) -> list[Row]:
    """One source's rows with weights: either preference, for the longer or the shorter answer, has half of the sum.

    No pair weighs more than `most_weight`, so that a handful of pairs is not learned by heart. A source that has one
    of the two preferences only is left as it is.
    """
    longer = sum(row.prefers_longer for row in rows)
    if longer in {0, len(rows)}:
        return list(rows)
    share = {True: len(rows) / 2 / longer, False: len(rows) / 2 / (len(rows) - longer)}
    return [replace(row, weight=min(most_weight, share[row.prefers_longer])) for row in rows]


def batches(rows: Sequence[Row], size: int, epochs: int, seed: int) -> list[list[int]]:
    """Places of rows, batch after batch: pairs of like length in a batch, the batches of an epoch in random order.

    The pairs that do not fill a batch, other ones each epoch, are left out of it.
    """
    found: list[list[int]] = []
    for epoch in range(epochs):
        draw = random.Random(f"{seed}:{epoch}")  # noqa: S311 - nothing secret
        mixed = draw.sample(range(len(rows)), len(rows))
        of_epoch = []
        for start in range(0, len(mixed), 32 * size):
            pool = sorted(mixed[start : start + 32 * size], key=lambda at: (rows[at].tokens, at))
            of_epoch += [pool[at : at + size] for at in range(0, len(pool) - size + 1, size)]
        draw.shuffle(of_epoch)
        found += of_epoch
    return found


def chosen_rows(
    pairs: Mapping[str, Sequence[Pair]],
    tokenizer: PreTrainedTokenizerFast,
    fitting: Mapping[str, int],
    most: Mapping[str, int],
) -> dict[str, list[Row]]:
    """Rows a source: what fits into `fitting` tokens (the entry "" where it names none), at most `most` of them."""
    return {
        name: drawn(tokenised(of, tokenizer, fitting.get(name, fitting[""])), most.get(name))
        for name, of in pairs.items()
    }
