"""Prompts of a training set that are prompts of a held-out set: by id, by normalised text, by near-duplicate cluster.

What is compared is what was asked: all turns of the prompt but system turns, which many prompts share. The clusters
are those of `dedup.minhash` over both sets at once (MinHash, verified Jaccard similarity, union-find), so a prompt that
is alike to a held-out one through others is found as well. Shingles are three words, or five characters in scripts
without spaces and in Hangul: prompts are short, and of eight words one change leaves none of the shingles of five.
Shingles that half a percent of all prompts hold, a task's template, are left out as there.

A split by `prompt_id` alone lets paraphrases and copies in other casing through (docs/bias.md has figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from curation.dedup.minhash.settings import Similarity
from curation.text import comparable, prompt

if TYPE_CHECKING:
    from curation.dedup.minhash.sketches import Sketch, Sketcher

# `by`: prompt_id, same_text or near. `similarity` is the Jaccard similarity to `held_out_id`; below the threshold where
# the two are alike through others. `held_out_id` is a prompt_id.
LEAKS: Final = pl.Schema({"prompt_id": pl.String, "held_out_id": pl.String, "by": pl.String, "similarity": pl.Float64})

_COMMON = 0.005  # see `dedup.minhash`
_MOST = 64  # held-out texts of one cluster that a prompt is compared to; which are nearest matters for the message only
_TRAIN, _HELD = "t", "h"


def leaks(train: pl.LazyFrame, held_out: pl.LazyFrame, threshold: float = 0.8) -> pl.DataFrame:
    """The prompts of `train` that are in `held_out`: LEAKS, a row a prompt_id, in its order; empty where none is.

    Both frames have `prompt_id` and either `messages` (whose prompt is taken) or `prompt`. The strongest ground is
    told: prompt_id, then same_text, then near.
    """
    ours, theirs = prompts_of(train), prompts_of(held_out)
    same_id = ours.join(theirs.select("prompt_id"), on="prompt_id", how="semi").select(
        "prompt_id", held_out_id="prompt_id", by=pl.lit("prompt_id"), similarity=pl.lit(1.0)
    )
    firsts = theirs.filter(pl.col("text") != "").group_by("text").agg(held_out_id=pl.col("prompt_id").min())
    same_text = ours.join(firsts, on="text").select(
        "prompt_id", "held_out_id", by=pl.lit("same_text"), similarity=pl.lit(1.0)
    )
    near = _near(ours, theirs, threshold)
    found = pl.concat([same_id, same_text, near.cast(LEAKS)])
    return found.unique("prompt_id", keep="first", maintain_order=True).sort("prompt_id").cast(LEAKS)


def prompts_of(table: pl.LazyFrame) -> pl.DataFrame:
    """`prompt_id` and `text`, in normal form, of the distinct prompts of a table of rows, candidates or pairs."""
    whole = "prompt" in table.collect_schema()
    turns = pl.col("prompt" if whole else "messages").list.filter(pl.element().struct.field("role") != "system")
    contents = pl.col("messages").list.eval(pl.element().struct.field("content")).list.join("\n", ignore_nulls=True)
    asked = contents if whole else prompt()
    rows = table.select("prompt_id", messages=turns).select("prompt_id", text=comparable(asked).fill_null(""))
    return rows.collect().unique().sort("prompt_id", "text")


def _near(ours: pl.DataFrame, theirs: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Prompts in one cluster with a held-out one, with the nearest of these and the similarity to it."""
    from curation.dedup.minhash import clusters

    sketches = _sketches(ours, theirs, threshold)
    if ours.is_empty() or theirs.is_empty():
        return pl.DataFrame(schema=LEAKS)
    groups = clusters.group(sketches)
    candidates = clusters.buckets(sketches, groups)
    sets = clusters.gather(sketches, groups, candidates)
    members = clusters.members(sketches, groups, sets, clusters.link(sets, candidates, threshold))
    side, at = pl.col("row_id").str.head(1), pl.col("row_id").str.slice(1).cast(pl.Int64)
    mine = members.filter(side == _TRAIN).select("cluster", "set", at=at)
    held = members.filter(side == _HELD).select("cluster", held_set="set", held_at=at)
    held = held.sort("held_at").unique(["cluster", "held_set"], keep="first", maintain_order=True)
    held = held.filter(pl.int_range(pl.len()).over("cluster") < _MOST)
    both = mine.join(held, on="cluster")
    # A cluster of one set only has no number; its texts are the same.
    similarity = pl.Series("similarity", [1.0]).new_from_index(0, both.height)
    differ = both.with_row_index("row").filter(pl.col("set") != pl.col("held_set"))
    values = sets.similarities(differ["set"].to_numpy(), differ["held_set"].to_numpy())
    similarity = similarity.scatter(differ["row"], values)
    nearest = (
        both.with_columns(similarity)
        .sort(["at", "similarity", "held_at"], descending=[False, True, False])
        .unique("at", keep="first", maintain_order=True)
    )
    return nearest.select(
        ours["prompt_id"].gather(nearest["at"]),
        theirs["prompt_id"].gather(nearest["held_at"]).alias("held_out_id"),
        pl.lit("near").alias("by"),
        "similarity",
    )


def _sketches(ours: pl.DataFrame, theirs: pl.DataFrame, threshold: float) -> list[Sketch]:
    """Sketches of both sides; a text's id is its side and its place."""
    # Imported here: numba takes half a second, which reading a profile should not cost.
    from curation.dedup.minhash.sketches import Sketcher
    from curation.dedup.texts import map_batches

    config = Similarity(threshold=threshold, ngram=3, char_ngram=5, hangul_characters=True)
    sketcher = Sketcher(config.ngram, config.char_ngram, config.hangul_characters, config.bands(), seed=0)
    empty = pl.lit(None, pl.Float64).alias("score"), pl.lit(False).alias("sampled")
    sides = [
        frame.with_row_index("at").select((pl.lit(name) + pl.col("at").cast(pl.String)).alias("row_id"), *empty, "text")
        for name, frame in ((_TRAIN, ours), (_HELD, theirs))
    ]
    sketches = map_batches(pl.concat(sides).lazy(), sketcher)
    _strip_templates(sketches, sketcher)
    return sketches


def _strip_templates(sketches: Sequence[Sketch], sketcher: Sketcher) -> None:
    """Leave shingles out that `_COMMON` of the prompts hold; a prompt of nothing else keeps them."""
    from curation.dedup.minhash import boilerplate

    if not sketches:
        return
    common = boilerplate.common(sketches, _COMMON)
    if len(common) and boilerplate.strip(sketches, common):
        for sketch in sketches:
            sketch.bands = sketcher.band_keys(sketch.shingles, sketch.starts)
