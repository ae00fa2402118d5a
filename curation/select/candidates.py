"""The rows that a selection chooses among, the best first, with what it needs to know of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from curation import text
from curation.models import resolve
from curation.select.budget import Budget
from curation.stage import Context, Result

Order = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """n rows in an order that depends on their content, not on where they stood.

    rows:    row_id, prompt, response, further columns
    cost:    tokens of each row where the budget is in tokens, else 1
    length:  of the responses: tokens where the budget is in tokens, else characters
    """

    rows: pl.DataFrame
    cost: Order
    length: Order

    def at(self, positions: Order | list[int]) -> Candidates:
        """Some of them, in the order given."""
        where = np.asarray(positions, np.int64)
        return Candidates(self.rows[where], self.cost[where], self.length[where])


def candidates(rows: pl.LazyFrame, budget: Budget, context: Context, *more: pl.Expr) -> Candidates:
    """All rows, sorted by their texts and then by row_id.

    Raises UsageError where the budget is in tokens and the tokenizer's name cannot be used.
    """
    wanted = (text.prompt().fill_null("").alias("prompt"), text.response().fill_null("").alias("response"))
    frame = rows.select("row_id", *wanted, *more).collect().sort("prompt", "response", "row_id")
    if budget.tokens is None:
        ones = np.ones(frame.height, np.int64)
        return Candidates(frame, ones, frame["response"].str.len_chars().to_numpy().astype(np.int64))
    prompts, responses = (_tokens(frame[name], budget.tokenizer, context) for name in ("prompt", "response"))
    return Candidates(frame, prompts + responses, responses)


def best_first(quality: npt.NDArray[np.float64]) -> Order:
    """Positions by falling quality; equals in the order they stand in."""
    return np.argsort(-quality, kind="stable").astype(np.int64)


def shuffled(found: Candidates, seed: int, use: str = "random") -> Order:
    """Positions in an order that the seed and each row's own content decide: a row that joins or leaves moves no other.

    Copies are told apart by their row_id. Another `use` gives another order.
    """
    secret, person = seed.to_bytes(8, "little"), use.encode()
    keys = [
        hashlib.blake2b("\x00".join(row).encode(), key=secret, person=person, digest_size=16).digest()
        for row in found.rows.select("prompt", "response", "row_id").iter_rows()
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)


def longest_first(found: Candidates) -> Order:
    """Positions by falling length of the response; of equals, in the order of their content."""
    return np.argsort(-found.length, kind="stable").astype(np.int64)


def within(order: Order, cost: Order, limit: int) -> Order:
    """The first of an order whose costs add up to no more than the limit."""
    return order[: int(np.searchsorted(np.cumsum(cost[order]), limit, side="right"))]


def _tokens(texts: pl.Series, tokenizer: str, context: Context) -> Order:
    """Tokens of each text, without what a chat template adds."""
    # Imported here: reading a profile should not cost it.
    from transformers import AutoTokenizer

    model = resolve(tokenizer, context.home)
    loaded = AutoTokenizer.from_pretrained(model.path, revision=model.revision)
    counts: list[int] = []
    with context.progress.task(f"count tokens of {tokenizer}", len(texts)) as task:
        for start in range(0, len(texts), 4096):
            some = texts.slice(start, 4096).to_list()
            found = loaded(some, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
            counts += map(len, found)
            task.advance(len(some))
    return np.array(counts, np.int64)


def tokenizer_digest(budget: Budget, context: Context) -> str | None:
    """Of the tokenizer that a budget in tokens is counted with."""
    return resolve(budget.tokenizer, context.home).digest if budget.tokens else None


def only(found: Candidates, order: Order, budget: Budget) -> Result:
    """Keep the first of an order within a budget."""
    taken = within(order, found.cost, budget.limit(found.rows.height))
    left = np.ones(found.rows.height, np.bool_)
    left[taken] = False
    dropped = found.rows.filter(left).select("row_id", pl.lit("not_chosen").alias("reason"))
    return Result(dropped.lazy(), facts={"unit": budget.unit, "cost": int(found.cost[taken].sum())})
