"""What the panel measures of each answer: lengths, format, how it ended, refusals, language. No texts leave here."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from curation.filter import refusal
from curation.language import mismatch
from curation.preference.messages import as_answer
from curation.scoring.baselines.format import marks_in
from curation.stage import Context

# Refusals and languages are looked for in so many pairs, the first by their id, which is a digest: a draw that does not
# depend on the order of pairs.
SAMPLED: Final = 10_000
SIDES: Final = ("chosen", "rejected")


def of_pairs(pairs: pl.LazyFrame, scored: pl.LazyFrame) -> pl.DataFrame:
    """One row a pair, by pair_id: ids, label, source, language, scores, and for each side its measures.

    `<measure>_chosen` and `<measure>_rejected`: characters, the marks of layout, tokens, finish_reason, policy and
    origin (null for a completion that is not among `scored`).
    """
    named = ["completion_id", "tokens", "finish_reason", "policy", "origin"]
    made = scored.select(named).unique("completion_id", keep="first", maintain_order=True)
    table = pairs.with_columns(answer(side).alias(f"text_{side}") for side in SIDES)
    for side in SIDES:
        joined = made.rename({name: f"{name}_{side}" for name in named[1:]})
        table = table.join(joined, left_on=f"{side}_id", right_on="completion_id", how="left")
    measures = [
        expr.alias(f"{name}_{side}")
        for side in SIDES
        for name, expr in {
            "characters": pl.col(f"text_{side}").str.len_chars().cast(pl.Int64),
            **marks_in(pl.col(f"text_{side}")),
        }.items()
    ]
    return table.with_columns(measures).drop("prompt", *SIDES, "text_chosen", "text_rejected").collect().sort("pair_id")


def answer(side: str) -> pl.Expr:
    """The text of one side; empty where it has none."""
    return pl.col(side).list.last().struct.field("content").fill_null("")


def verdicts(pairs: pl.LazyFrame) -> pl.DataFrame:
    """Of at most SAMPLED pairs: `side`, `refusal` (full), `partial`, `mismatch` of each answer."""
    ids = pairs.select("pair_id").collect()["pair_id"].sort().head(SAMPLED)
    found = []
    for side in SIDES:
        rows = (
            pairs.filter(pl.col("pair_id").is_in(ids.implode()))
            .with_columns(answer(side).alias("text"))
            .select(row_id="pair_id", prompt_id="prompt_id", messages=pl.concat_list("prompt", as_answer("text")))
            .collect()
            .sort("row_id")
        )
        found.append(_judged(rows).with_columns(side=pl.lit(side)))
    return pl.concat(found)


def _judged(rows: pl.DataFrame) -> pl.DataFrame:
    refused = refusal.run(rows.lazy(), refusal.Config(drop=()), Context())
    assert refused.flagged is not None
    reasons = refused.flagged.select("row_id", "reason").collect()
    other = mismatch.run(rows.lazy(), mismatch.Config(), Context()).dropped.select("row_id").collect()
    among: dict[str, Any] = {
        "refusal": reasons.filter(reason="refusal")["row_id"],
        "partial": reasons.filter(reason="refusal_partial")["row_id"],
        "mismatch": other["row_id"],
    }
    return rows.select(pl.col("row_id").is_in(ids.implode()).alias(name) for name, ids in among.items())
