"""How many rows a selection may take: a budget of rows, tokens or a share, and caps on groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, model_validator

from curation.select.task_type import task_type
from curation.stage import StageConfig
from schemas.errors import UsageError

Share = Annotated[float, Field(gt=0.0, le=1.0)]
Ints = npt.NDArray[np.int64]
OTHERS = "*"
GROUP = "__by_"  # what the columns of groups begin with


class Budget(StageConfig):
    """Exactly one of three sizes."""

    rows: int | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, gt=0, description="tokens of all texts of the chosen rows")
    share: Share | None = Field(default=None, description="of the candidates, in rows, rounded down, at least one")
    tokenizer: str = Field(default="smollm2-135m-instruct", description="whose tokens are counted, for `tokens`")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("rows", "tokens", "share") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"set exactly one of rows, tokens and share; set: {', '.join(given) or 'none'}")
        return self

    @property
    def unit(self) -> str:
        """What the budget counts."""
        return "tokens" if self.tokens else "rows"

    def limit(self, candidates: int) -> int:
        """The budget in its unit: tokens, else rows."""
        if self.share is not None:
            return max(1, int(self.share * candidates)) if candidates else 0
        return self.tokens or self.rows or 0


class Quota(StageConfig):
    """Shares of the budget for groups of rows. A group takes no more than its share; what it lacks stays unfilled.

    `by`: source, language, task_type, or a key of the rows' metadata. `shares`: by value; `*` is all other values
    together. `each`: the most for any value that `shares` does not name.
    """

    by: str
    shares: dict[str, Share] = Field(default={})
    each: Share | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.shares and self.each is None:
            raise ValueError("set shares, each, or both")
        if OTHERS in self.shares and self.each is not None:
            raise ValueError(f"{OTHERS!r} in shares is all other values together, each is any of them: set one")
        if sum(self.shares.values()) > 1 + 1e-9:
            raise ValueError(f"the shares add up to {sum(self.shares.values()):g}, more than 1")
        return self


def group_of(by: str) -> pl.Expr:
    """The value that a quota goes by: of a column, of the task type, or of the metadata. Null is the empty text."""
    if by in ("source", "language"):
        value = pl.col(by)
    elif by == "task_type":
        value = task_type()
    else:
        value = pl.col("metadata").str.json_path_match(f"$.{by}")
    return value.fill_null("").alias(by)


@dataclass
class Room:
    """What is left of a budget and of the caps on groups, while rows are taken one by one.

    cost:   of each of n candidates, in tokens, else all 1
    limit:  of the sum of costs
    groups: per quota, the group of each candidate, and what each group may cost
    """

    cost: Ints
    limit: int
    groups: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = ()
    taken: list[int] = field(default_factory=list)
    spent: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self._left = [caps.copy() for _, caps in self.groups]

    def full(self, at: int) -> bool:
        """Whether a group of the candidate has no room for it."""
        return any(left[codes[at]] < self.cost[at] for (codes, _), left in zip(self.groups, self._left, strict=True))

    def open_mask(self) -> npt.NDArray[np.bool_]:
        """Of all candidates, those that no group keeps out."""
        mask = np.ones(len(self.cost), np.bool_)
        for (codes, _), left in zip(self.groups, self._left, strict=True):
            mask &= left[codes] >= self.cost
        return mask

    def take(self, at: int) -> bool:
        """Take a candidate. The first that the budget does not hold ends the selection: skipping it for a smaller one
        would prefer short rows."""
        if self.closed or self.spent + int(self.cost[at]) > self.limit:
            self.closed = True
            return False
        self.spent += int(self.cost[at])
        for (codes, _), left in zip(self.groups, self._left, strict=True):
            left[codes[at]] -= self.cost[at]
        self.taken.append(at)
        self.closed = self.spent >= self.limit
        return True


def caps(values: pl.Series, quota: Quota, limit: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The group of each row as a number, and what each group may cost, rounded to the nearest, at least 1.

    Raises UsageError where a value that the quota names is in no row.
    """
    unknown = sorted(set(quota.shares) - {OTHERS} - set(values.unique()))
    if unknown:
        there = ", ".join(sorted(map(repr, values.unique().to_list()))[:10])
        raise UsageError(
            f"no candidate has {quota.by} {', '.join(map(repr, unknown))}; there are {there}",
            hint="mend the quota's shares, or let language.identify run first",
        )
    together = OTHERS in quota.shares
    names = sorted(set(values.unique()))
    groups = [name if name in quota.shares or not together else OTHERS for name in names]
    numbers = {group: at for at, group in enumerate(sorted(set(groups)))}
    codes = values.replace_strict(names, [numbers[group] for group in groups], return_dtype=pl.Int64)
    return codes.to_numpy(), np.array([_cap(group, quota, limit) for group in numbers], np.int64)


def _cap(group: str, quota: Quota, limit: int) -> int:
    share = quota.shares.get(group, quota.each if quota.each is not None else 1.0)
    return max(1, round(share * limit))
