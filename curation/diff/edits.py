"""Why a row that two runs kept has two texts: the edits that only one of them made, or the source itself.

A row's text is followed through the stages of each run. An edit is a stage with the text before and after it; edits
that both runs made explain nothing, the others are the cause. Where the row was read with another text already, that
is the cause, whatever was edited then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from curation.diff.side import Side, text_of_messages
from curation.runs import Step

SOURCE: Final = "the source itself"
_SCHEMA: Final = {"row_id": pl.String, "stage": pl.String, "before": pl.UInt64, "after": pl.UInt64}


def causes(a: Side, b: Side, ids: pl.Series) -> pl.DataFrame:
    """`row_id` and `cause` of each of the ids: `the source itself`, or stages with the run that they edited in.

    `privacy.personal_data (A) + clean.normalize (A and B)`: the first edited in A alone, the second in both, to
    different texts. The frame is empty where there are no ids.
    """
    if ids.is_empty():
        return pl.DataFrame(schema={"row_id": pl.String, "cause": pl.String})
    wanted = ids.to_frame("row_id").lazy()
    read = wanted
    for name, side in (("a", a), ("b", b)):
        texts = side.read.select("row_id", text_of_messages().alias(name))
        read = read.join(texts, on="row_id", how="left")
    elsewhere = read.filter(pl.col("a").ne_missing(pl.col("b"))).select("row_id", cause=pl.lit(SOURCE)).collect()
    rest = wanted.join(elsewhere.lazy(), on="row_id", how="anti").collect()["row_id"]
    return pl.concat([elsewhere, _different(_edits(a, rest), _edits(b, rest))])


def _different(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """The edits that are on one side alone, in words a row."""
    columns = list(_SCHEMA)
    sides = {"in_a": left.join(right, on=columns, how="anti"), "in_b": right.join(left, on=columns, how="anti")}
    marked = [
        edits.select("row_id", "stage", in_a=pl.lit(name == "in_a"), in_b=pl.lit(name == "in_b"))
        for name, edits in sides.items()
    ]
    stages = pl.concat(marked).group_by("row_id", "stage").agg(pl.col("in_a", "in_b").any())
    runs = pl.when("in_a", "in_b").then(pl.lit("A and B")).when("in_a").then(pl.lit("A")).otherwise(pl.lit("B"))
    told = stages.select("row_id", told=pl.format("{} ({})", "stage", runs)).sort("row_id", "told")
    return told.group_by("row_id").agg(cause=pl.col("told").str.join(" + "))


def _edits(side: Side, ids: pl.Series) -> pl.DataFrame:
    """Each edit of the rows: row_id, stage, before, after."""
    every = side.labelled("curate")
    edits, whole = _follow(side, ids, [(label, step) for label, step in every if step.facts.get("edited")])
    return edits if whole else _follow(side, ids, every)[0]


def _follow(side: Side, ids: pl.Series, steps: Sequence[tuple[str, Step]]) -> tuple[pl.DataFrame, bool]:
    """The edits of some stages, and whether they lead to the text that was kept."""
    tables = [side.read, *(side.committed(step).scan() for _, step in steps), side.kept]
    texts = ids.to_frame("row_id").lazy()
    for at, table in enumerate(tables):
        texts = texts.join(table.select("row_id", text_of_messages().alias(f"{at}")), on="row_id", how="left")
    found = texts.collect()
    last = len(tables) - 1
    edits = [
        found.select("row_id", stage=pl.lit(label), before=pl.col(f"{at}"), after=pl.col(f"{at + 1}"))
        for at, (label, _) in enumerate(steps)
    ]
    changed = pl.concat([pl.DataFrame(schema=_SCHEMA), *edits]).filter(pl.col("before") != pl.col("after"))
    return changed, bool((found[f"{last - 1}"] == found[f"{last}"]).all())
