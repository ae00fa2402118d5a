"""What each table must be, as plain data. The library that checks it is behind one module elsewhere.

Expectations speak of derived columns (lengths, booleans, ids), never of texts, so that no row's text can reach a
result page. A suite that could pass on an empty table or on nulls would be no gate: every suite states a row count
and that what it measures is not null.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.profile.gates import Gates
from schemas.profile.preference import Preference

Place = Literal["ingested", "curated", "pairs"]


class Expectation(BaseModel):
    """One named expectation. `kind` says how `column`, `low` and `high` are read."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    description: str
    kind: Literal["row_count", "unique", "not_null", "true", "between"]
    column: str | None = None
    low: float | None = None
    high: float | None = None


class Suite(BaseModel):
    """The expectations of one place in the pipeline; `key` is the id column to look failing rows up by."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    place: Place
    key: str
    expectations: tuple[Expectation, ...]


def _count(low: int) -> Expectation:
    return Expectation(name="row_count", description=f"at least {low:,} rows", kind="row_count", low=low)


def _unique(column: str) -> Expectation:
    return Expectation(name=f"{column}_unique", description=f"no {column} twice", kind="unique", column=column)


def _present(column: str) -> Expectation:
    return Expectation(name=f"{column}_present", description=f"{column} is never null", kind="not_null", column=column)


def _true(column: str, description: str) -> Expectation:
    return Expectation(name=column, description=description, kind="true", column=column)


def ingested(gates: Gates) -> Suite:
    """Rows as read: ids unique, roles legal, content present."""
    return Suite(
        place="ingested",
        key="row_id",
        expectations=(
            _count(gates.min_rows),
            _unique("row_id"),
            _present("row_id"),
            _present("prompt_id"),
            _present("source"),
            _true("has_messages", "every row has at least one message"),
            _true("roles_legal", "every role is system, user, assistant or tool"),
            _true("contents_present", "no message's content is null"),
        ),
    )


def curated(gates: Gates) -> Suite:
    """The curated set: trainable conversations, nothing empty."""
    return Suite(
        place="curated",
        key="row_id",
        expectations=(
            _count(gates.min_rows),
            _unique("row_id"),
            _present("row_id"),
            _present("prompt_id"),
            _true("roles_legal", "every role is system, user, assistant or tool"),
            _true("turns_alternate", "system first if at all; no user after user, no assistant after assistant"),
            _true("ends_with_assistant", "the last message is the assistant's"),
            _true("prompt_not_empty", "the prompt has visible text"),
            _true("response_not_empty", "the response has visible text, or calls a tool"),
            _true("prompt_id_matches", "prompt_id is the digest of the row's own prompt"),
        ),
    )


def pairs(gates: Gates, preference: Preference) -> Suite:
    """Preference pairs: two different answers to one prompt, finite scores, the margin that was asked for."""
    return Suite(
        place="pairs",
        key="prompt_id",
        expectations=(
            _count(gates.min_pairs),
            _unique("pair_id"),
            _present("prompt_id"),
            _present("chosen_id"),
            _present("rejected_id"),
            _true("answers_differ", "chosen and rejected differ after normalisation"),
            _true("answers_not_empty", "chosen and rejected have visible text"),
            _true("scores_finite", "both scores are finite numbers"),
            _true("margin_is_difference", "margin is score_chosen minus score_rejected"),
            _present("margin"),
            Expectation(
                name="margin_at_least",
                description=f"every margin is at least {preference.min_margin:g}",
                kind="between",
                column="margin",
                low=preference.min_margin,
            ),
        ),
    )
