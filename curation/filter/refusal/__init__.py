"""Refusals in English and Korean: full ones are dropped, partial ones and boilerplate flagged.

- `refusal`: declines, or says that it cannot, and gives nothing of use beside. Advice to ask somebody else, an offer of
  other help and a lecture are of no use in this sense.
- `refusal_partial`: declines all or a part of what was asked, and gives something of use.
- `refusal_boilerplate`: what a model says of itself ("As an AI language model, I don't have personal opinions, but",
  "As of my last update") around an answer. Where no answer stands beside it, it is a full refusal.

An answer is taken apart into clauses (`clauses`), each of which refuses, disclaims, is courteous or says something
(`english`, `korean`); the verdict depends on which there are and how much is said (`verdict`). Quotations, code,
dialogues, letters, the words of a character, and refusals that the prompt asks for are nobody's refusal. A question for
missing input ("Could you provide the text?") is none either.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from curation import text
from curation.filter.refusal.cues import may_refuse
from curation.filter.refusal.verdict import judge
from curation.stage import Context, Result, Rule, StageConfig, filter_rows

SCOPE = "row"

REASONS = {"full": "refusal", "partial": "refusal_partial", "boilerplate": "refusal_boilerplate"}
_WORKING = {"__kind": pl.String, "__useful": pl.Float64, "__words": pl.String}


class Config(StageConfig):
    """`drop`: the kinds that are dropped; those that are not named are kept and flagged."""

    drop: tuple[Literal["full", "partial", "boilerplate"], ...] = ("full",)


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: refusal, refusal_partial, refusal_boilerplate.

    Value: letters of use beside the refusal (a Hangul syllable counts 2.5). Detail: the words that gave it away.
    """
    frame = rows.collect()
    judged = frame.with_columns(_verdicts(frame))
    value, detail = pl.col("__useful"), pl.col("__words")
    rules = {
        reason: Rule((pl.col("__kind") == kind).fill_null(False), value, None, detail)
        for kind, reason in REASONS.items()
        if kind in config.drop
    }
    result = filter_rows(judged.lazy(), rules)
    kept = result.kept if result.kept is not None else judged.lazy()
    flagged = kept.filter(pl.col("__kind").is_not_null()).select(
        "row_id",
        "prompt_id",
        pl.col("__kind").replace_strict(REASONS, return_dtype=pl.String).alias("reason"),
        value.alias("value"),
        detail.alias("detail"),
    )
    return Result(kept=kept.drop(*_WORKING), dropped=result.dropped, flagged=flagged)


def _verdicts(frame: pl.DataFrame) -> list[pl.Series]:
    """Kind, useful letters and telling words of each row; null where there is no refusal of any kind."""
    answers = frame.select(text.response().alias("answer")).with_row_index("at")
    likely = answers.filter(may_refuse(pl.col("answer")))
    prompts = frame[likely["at"]].select(text.last_user().fill_null("")).to_series()
    found = [
        (at, verdict.kind, float(verdict.useful), verdict.words)
        for (at, answer), prompt in zip(likely.iter_rows(), prompts, strict=True)
        if (verdict := judge(answer, prompt)) is not None
    ]
    schema = {"at": pl.UInt32, **_WORKING}
    table = answers.select("at").join(
        pl.DataFrame(found, schema, orient="row"), on="at", how="left", maintain_order="left"
    )
    return table.select(*_WORKING).get_columns()
