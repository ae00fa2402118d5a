"""Drop exact copies: rows whose compared texts are the same in normal form (NFKC, lower case, single spaces).

Prompt and response are told apart: "a" with answer "b c" is no copy of "a b" with answer "c". Rows are grouped by
128-bit digests, so memory is 40 bytes a row and the ids. The best score survives, else the lowest row_id. A row
without text in the compared part is kept and not compared.

Prompts that have several answers are no copies; the facts count them (`conflicting_prompts`) and name a few rows.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import polars as pl
from pydantic import Field

from curation.dedup import survivors
from curation.dedup.codepoints import without_edge_punctuation
from curation.stage import Context, Result, StageConfig
from curation.text import TextOf, text_of

SCOPE = "set"
EXAMPLES = 5


class Config(StageConfig):
    """What is compared."""

    compare: TextOf = "both"
    ignore_punctuation: bool = Field(default=False, description="leave out punctuation at the edges of words")
    score_column: str | None = Field(default=None, description="the highest of a group survives")


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: exact_duplicate."""
    # Imported here: numba takes half a second, which reading a profile should not cost.
    from curation.dedup.exact.digests import with_digests
    from curation.dedup.texts import map_batches

    compared: list[TextOf] = ["prompt", "response"] if config.compare == "both" else [config.compare]
    names = list(dict.fromkeys([*compared, "prompt", "response"]))
    score = survivors.score(rows, config.score_column, "dedup.exact")
    with context.progress.task("dedup.exact") as task:
        columns = rows.select("row_id", score, *(_text(name, config).alias(name) for name in names))
        frames = map_batches(columns, partial(with_digests, names=names), task)
    if not frames:
        return Result(dropped=pl.LazyFrame(schema={"row_id": pl.String}))
    digests = pl.concat(frames)
    key = [f"{name}_{half}" for name in compared for half in (0, 1)]
    copies = digests.filter(pl.any_horizontal(pl.col(key) != 0), pl.struct(key).is_duplicated())
    ranked = survivors.with_survivors(copies, cluster=key, prefer=["score"])
    dropped = ranked.filter(pl.col("row_id") != pl.col("kept_id")).sort("row_id")
    dropped = dropped.select("row_id", "kept_id", pl.lit("exact_duplicate").alias("reason"))
    return Result(dropped=dropped.lazy(), facts={"groups": dropped["kept_id"].n_unique()} | _conflicts(digests))


def _text(name: TextOf, config: Config) -> pl.Expr:
    text = text_of(name)
    return without_edge_punctuation(text) if config.ignore_punctuation else text


def _conflicts(digests: pl.DataFrame) -> dict[str, Any]:
    """Prompts with more than one answer, and for a few of them the lowest row_id of each of two answers."""
    prompt, answer = ["prompt_0", "prompt_1"], ["response_0", "response_1"]
    answers = digests.filter(pl.any_horizontal(pl.col(prompt) != 0), pl.any_horizontal(pl.col(answer) != 0))
    answers = answers.group_by([*prompt, *answer]).agg(pl.col("row_id").min())
    several = answers.group_by(prompt).agg(pl.col("row_id").sort()).filter(pl.col("row_id").list.len() > 1)
    examples = several.select(pl.col("row_id").list.head(2)).sort(pl.col("row_id").list.first()).head(EXAMPLES)
    return {"conflicting_prompts": several.height, "conflicting_examples": examples["row_id"].to_list()}
