"""One expectation, one suite, and the expectations that all suites are put together from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.profile.gates import Severity

Place = Literal["ingested", "curated", "scored", "rejection_sampling", "pairs"]
# TRL's names of the types of data that a file may hold, with rewards beside the answers as the fourth.
FileKind = Literal["sft", "prompt-completion", "preference", "rejection-sampling"]

Kind = Literal[
    "row_count", "unique", "not_null", "true", "roles", "between", "margin", "mean", "share", "language_share",
    "refusal_share", "drift",
]  # fmt: skip


class Expectation(BaseModel):
    """One named expectation. `kind` says how `column`, `low` and `high` are read.

    `true` (and `roles`, of the order of turns) and `between` (and `margin`) are of each value; `mean`, `drift` and the
    shares are of the column's mean, where a boolean column's is a share and a figure of the whole table is in every
    row. `critical` stops a run and fails a file, `warning` and `info` are told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    description: str
    kind: Kind
    severity: Severity = "critical"
    column: str | None = None
    low: float | None = None
    high: float | None = None


class Suite(BaseModel):
    """The expectations of one table or file; `key` is the id column to look failing rows up by."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    place: Place | FileKind
    key: str
    expectations: tuple[Expectation, ...]


def count(low: int) -> Expectation:
    """So many rows at least."""
    return Expectation(name="row_count", description=f"at least {low:,} rows", kind="row_count", low=low)


def unique(column: str) -> Expectation:
    """No value twice."""
    return Expectation(name=f"{column}_unique", description=f"no {column} twice", kind="unique", column=column)


def present(column: str) -> Expectation:
    """No null."""
    return Expectation(name=f"{column}_present", description=f"{column} is never null", kind="not_null", column=column)


def true(column: str, description: str, severity: Severity = "critical") -> Expectation:
    """The boolean column of this name is true in every row."""
    return Expectation(name=column, description=description, kind="true", column=column, severity=severity)


def alternating() -> Expectation:
    """The turns of every conversation in the order that chat templates ask for."""
    described = "system first if at all; no user after user, no assistant after assistant"
    return Expectation(name="turns_alternate", description=described, kind="roles", column="turns_alternate")


def share(
    column: str, description: str, high: float, kind: Kind = "share", severity: Severity = "critical"
) -> Expectation:
    """A share of the rows, or a figure of the whole table, at most `high`."""
    described = f"{description}, at most {high:g}"
    return Expectation(name=column, description=described, kind=kind, column=column, high=high, severity=severity)


def of_schema(key: str, never_null: Sequence[str], low: int) -> tuple[Expectation, ...]:
    """What the schema of a table promises: rows, an id that is unique, columns as declared, and what is never null."""
    return (
        count(low),
        Expectation(
            name="columns_as_declared",
            description="every column of the table's schema is there and of its type",
            kind="mean",
            column="columns_missing",
            low=0.0,
            high=0.0,
        ),
        unique(key),
        *(present(column) for column in (key, *never_null)),
    )
