"""What a gate looks at beside the table that it judges: the tables that ids must resolve to, and what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from curation.gates.drifts import Earlier
from curation.preference.truncation import Truncate
from curation.store import Committed
from schemas.records import COMPLETIONS


@dataclass(frozen=True)
class Beside:
    """Committed tables by what they are for; those that a place does not look at may be left out.

    completions: the candidates of the run, generated and given (COMPLETIONS)
    scored:      the same with rewards (SCORES), with its ledger and facts
    rows:        tables whose `row_id` is one of the run: the curated rows, the comparisons
    held_out:    rows that must not be trained on (ROWS), and from which similarity on a prompt is one of theirs
    truncate:    what the trainer will see of a pair
    earlier:     the version of the set that was published last, which drift is measured from
    """

    completions: Sequence[Committed] = ()
    scored: Committed | None = None
    rows: Sequence[Committed] = ()
    held_out: Sequence[Committed] = ()
    held_out_threshold: float = 0.8
    truncate: Truncate | None = None
    earlier: Earlier | None = None

    def recipe(self) -> dict[str, Any]:
        """What the results depend on."""
        return {
            "completions": _digests(self.completions),
            "scored": self.scored.manifest.digest if self.scored else None,
            "rows": _digests(self.rows),
            "held_out": [_digests(self.held_out), self.held_out_threshold],
            "truncation": dict(self.truncate.identity) if self.truncate else None,
            "earlier": self.earlier.digest if self.earlier else None,
        }

    def row_ids(self) -> pl.LazyFrame:
        """`row_id` of all rows of the run, each once."""
        # Preference data that came with answers keeps its rows in a table beside its completions.
        tables = [done.table("rows") if (done.path / "rows.parquet").exists() else done.scan() for done in self.rows]
        empty = pl.LazyFrame(schema={"row_id": pl.String})
        return pl.concat([empty, *(table.select("row_id") for table in tables)]).unique()

    def candidates(self) -> pl.LazyFrame:
        """Completions of the run: completion_id, prompt_id, prompt, text, finish_reason and origin, each id once."""
        tables = self.completions or ([self.scored] if self.scored else [])
        columns = ("completion_id", "prompt_id", "prompt", "text", "finish_reason", "origin")
        return _stacked(tables, *columns).unique("completion_id", keep="first", maintain_order=True)


def _digests(tables: Sequence[Committed]) -> list[str]:
    return [table.manifest.digest for table in tables]


def _stacked(tables: Sequence[Committed], *columns: str) -> pl.LazyFrame:
    if not tables:
        return pl.LazyFrame(schema={name: COMPLETIONS[name] for name in columns})
    return pl.concat([table.scan().select(columns) for table in tables])
