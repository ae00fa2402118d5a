"""Drop exact copies: rows whose compared texts are the same in normal form (NFKC, lower case, single spaces).

Prompt and response are told apart: "a" with answer "b c" is no copy of "a b" with answer "c". Rows are grouped by
128-bit digests, so memory is 40 bytes a row and the ids. The best score survives, else the lowest row_id. A row
without text in the compared part is kept and not compared.

Rows whose prompt has other answers too are no copies: they are kept and flagged, each with a row that answers another
way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl
from pydantic import Field

from curation import canaries
from curation.dedup import survivors
from curation.dedup.codepoints import without_edge_punctuation
from curation.stage import Context, Result, StageConfig
from curation.text import TextOf, text_of

if TYPE_CHECKING:
    from curation.dedup.exact.digests import Digested

SCOPE = "set"
PLANTED = 60


class Config(StageConfig):
    """What is compared."""

    compare: TextOf = "both"
    ignore_punctuation: bool = Field(default=False, description="leave out punctuation at the edges of words")
    score_column: str | None = Field(default=None, description="the highest of a group survives")


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: exact_duplicate. Flag: conflicting_answers; value: how many; kept_id: the row with another answer.

    Raises CanaryError where a copy that is planted beside the data is not found.
    """
    return merge([shard(rows, config, context)], config, context)


def _compared(config: Config) -> tuple[list[TextOf], list[TextOf]]:
    """The texts that decide, and all that are digested."""
    compared: list[TextOf] = ["prompt", "response"] if config.compare == "both" else [config.compare]
    return compared, list(dict.fromkeys([*compared, "prompt", "response"]))


def shard(rows: pl.LazyFrame, config: Config, context: Context) -> list[Digested]:
    """Digests of the texts of rows."""
    # Imported here: numba takes half a second, which reading a profile should not cost.
    from curation.dedup.exact.digests import Digester
    from curation.dedup.texts import map_batches

    _, names = _compared(config)
    score = survivors.score(rows, config.score_column, "dedup.exact")
    sampled = canaries.in_sample(rows.select(pl.len()).collect().item(), context.seed).alias("sampled")
    with context.progress.task("dedup.exact") as task:
        columns = rows.select("row_id", score, sampled, *(_text(name, config).alias(name) for name in names))
        return map_batches(columns, Digester(names), task)


def merge(shards: Sequence[list[Digested]], config: Config, context: Context) -> Result:
    """Find the copies among all shards. Returns and raises as `run`."""
    from curation.dedup.exact.digests import Digester

    compared, names = _compared(config)
    done = [one for shard in shards for one in shard]
    if not done:
        return Result(dropped=pl.LazyFrame(schema={"row_id": pl.String}))
    digester = Digester(names)
    digests = pl.concat([one.digests for one in done])
    key = [f"{name}_{half}" for name in compared for half in (0, 1)]
    planted = digester(_planted(pl.concat([one.sample for one in done]), names, context.seed)).digests
    copies = _copies(pl.concat([digests, planted]), key)
    mine = pl.col("row_id").str.starts_with(canaries.PREFIX)
    found = canaries.Canary(planted.height // 2, copies.filter(mine).height, 1.0)
    dropped = copies.filter(~mine)
    conflicts = _conflicts(digests.join(dropped, on="row_id", how="anti"))
    facts = {"groups": dropped["kept_id"].n_unique(), "conflicting_prompts": conflicts["prompt"].n_unique()}
    facts |= canaries.check("dedup.exact", {"form": found} if found.planted else {})
    return Result(dropped=dropped.lazy(), flagged=conflicts.drop("prompt").lazy(), facts=facts)


def _copies(digests: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """The rows that have the text of another, but for one of each group: row_id, kept_id, reason."""
    alike = digests.filter(pl.any_horizontal(pl.col(key) != 0), pl.struct(key).is_duplicated())
    ranked = survivors.with_survivors(alike, cluster=key, prefer=["score"])
    gone = ranked.filter(pl.col("row_id") != pl.col("kept_id")).sort("row_id")
    return gone.select("row_id", "kept_id", pl.lit("exact_duplicate").alias("reason"))


def _planted(sample: pl.Series, names: list[TextOf], seed: int) -> pl.DataFrame:
    """Pairs of rows of one text in two forms."""
    rows = []
    for at, text in enumerate(canaries.scrambled(sample, PLANTED, seed)):
        rows += [(f"{canaries.PREFIX}{at}:a", text), (f"{canaries.PREFIX}{at}:b", canaries.in_other_form(text, at))]
    frame = pl.DataFrame(rows, schema={"row_id": pl.String, "text": pl.String}, orient="row")
    empty = pl.lit(None, pl.Float64).alias("score"), pl.lit(False).alias("sampled")
    return frame.select("row_id", *empty, *(pl.col("text").alias(name) for name in names))


def _text(name: TextOf, config: Config) -> pl.Expr:
    text = text_of(name)
    return without_edge_punctuation(text) if config.ignore_punctuation else text


def _conflicts(digests: pl.DataFrame) -> pl.DataFrame:
    """The rows whose prompt has other answers too, by prompt and row_id: `value` of them, one being `kept_id`'s."""
    prompt, answer = ["prompt_0", "prompt_1"], ["response_0", "response_1"]
    whole = digests.filter(pl.any_horizontal(pl.col(prompt) != 0), pl.any_horizontal(pl.col(answer) != 0))
    first = whole.group_by([*prompt, *answer]).agg(pl.col("row_id").min().alias("kept_id"))
    several = first.filter(pl.len().over(prompt) > 1).sort(*prompt, "kept_id")
    # Answers in a ring, each told the next.
    several = several.with_columns(
        pl.len().over(prompt).alias("value"),
        pl.col("kept_id").shift(-1).fill_null(pl.col("kept_id").first()).over(prompt).alias("kept_id"),
    )
    rows = whole.join(several, on=[*prompt, *answer]).sort("row_id")
    reason = pl.lit("conflicting_answers").alias("reason")
    return rows.select("row_id", "kept_id", reason, pl.col("value").cast(pl.Float64), pl.struct(prompt).alias("prompt"))
