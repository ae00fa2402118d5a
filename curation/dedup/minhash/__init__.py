"""Drop near duplicates: MinHash and LSH find candidates, the Jaccard similarity of their shingles decides.

A shingle is five words in a row, in normal form (NFKC, lower case, `\\w+`); in scripts without spaces between words
five characters. A text of fewer is one shingle. Bands are solved from the recall asked for at the threshold, and no
pair counts that is not verified on the whole sets. Verified pairs make clusters by union-find; of each the best score
survives, else the longest text, else the lowest row_id.

Shingles that half a percent of all texts hold (`common`; a tool's preamble, a template) are left out, so that rows are
compared by what is their own. Of 7,673 tool calls with 44 preambles plain similarity of prompts from .7 on drops 89 %;
this way it is 8 %; 6 % have the request of an earlier row word for word (docs/deduplication.md).

In the ledger `kept_id` is the survivor and `value` the similarity to it. A row that is alike to the survivor only
through others has as `value` the similarity to the nearest row it is linked to, and in `detail` that row's id and the
similarity to the survivor.

What follows the batches works in the order of the texts' own hashes, so survivors do not depend on the order of rows,
on batches or on threads. Memory is 8 bytes a shingle, 4 a band and row, and the ids; texts are not held. A row
without text in the compared part is kept and not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import Field

from curation import canaries
from curation.dedup import survivors
from curation.dedup.minhash.settings import Similarity
from curation.stage import Context, Result
from curation.text import text_of

if TYPE_CHECKING:
    from curation.dedup.minhash.sketches import Sketch, Sketcher

SCOPE = "set"


class Config(Similarity):
    """What is compared, how alike is too alike, and who survives."""

    common: float = Field(
        default=0.005,
        gt=0.0,
        le=1.0,
        description="share of texts from which on a shingle is left out; 1 leaves none out",
    )
    score_column: str | None = Field(default=None, description="the highest of a cluster survives")


def prepare(config: Config) -> None:
    """Load the kernels and the table of characters, which takes most of a second."""
    from curation.dedup.codepoints import table
    from curation.dedup.minhash import boilerplate, clusters  # noqa: F401 - loads all kernels

    table(config.hangul_characters)


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: near_duplicate; value: Jaccard similarity of shingle sets, from `threshold` to 1.

    Raises CanaryError where too few of the copies planted beside the data are found.
    """
    return merge([shard(rows, config, context)], config, context)


def shard(rows: pl.LazyFrame, config: Config, context: Context) -> list[Sketch]:
    """Sketches of rows: hashes of their shingles, band keys, ids."""
    # Imported here: numba takes half a second, which reading a profile should not cost.
    from curation.dedup.texts import map_batches

    score = survivors.score(rows, config.score_column, "dedup.minhash")
    sampled = canaries.in_sample(rows.select(pl.len()).collect().item(), context.seed).alias("sampled")
    with context.progress.task("dedup.minhash") as task:
        texts = rows.select("row_id", score, sampled, text_of(config.compare).alias("text"))
        return map_batches(texts, _sketcher(config, context), task)


def _sketcher(config: Config, context: Context) -> Sketcher:
    from curation.dedup.minhash.sketches import Sketcher

    return Sketcher(config.ngram, config.char_ngram, config.hangul_characters, config.bands(), context.seed)


def merge(shards: Sequence[list[Sketch]], config: Config, context: Context) -> Result:
    """Find the copies among all shards. Returns and raises as `run`."""
    from curation.dedup.minhash import planted

    sketcher, sketches = _sketcher(config, context), [sketch for shard in shards for sketch in shard]
    bands = sketcher.bands
    if not sketches:
        return Result(dropped=pl.LazyFrame(schema={"row_id": pl.String}))
    facts: dict[str, Any] = _without_boilerplate(sketches, sketcher, config.common) if config.common < 1 else {}
    copies = planted.copies(pl.concat([sketch.sample for sketch in sketches]), config, context.seed)
    judged, found = _judge([*sketches, sketcher(copies)] if copies.height else sketches, config)
    judged, results = planted.take_out(judged, copies, bands.recall(config.threshold))
    removed = judged["kept_id"].value_counts()["count"].to_list()
    facts |= found | {
        "bands": bands.count,
        "band_rows": bands.rows,
        "recall_at_threshold": bands.recall(config.threshold),
        "clusters": len(removed),
        "largest_cluster": 1 + max(removed, default=0),
        "chained": judged["nearest_id"].count(),
    }
    facts |= canaries.check("dedup.minhash", results)
    return Result(dropped=_decisions(judged, config.threshold).lazy(), facts=facts)


def _without_boilerplate(sketches: Sequence[Sketch], sketcher: Sketcher, share: float) -> dict[str, int]:
    """Leave shingles out of the sketches that a share of all texts hold."""
    from curation.dedup.minhash import boilerplate

    common = boilerplate.common(sketches, share)
    lost = boilerplate.strip(sketches, common) if len(common) else 0
    if lost:
        with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
            keys = pool.map(lambda sketch: sketcher.band_keys(sketch.shingles, sketch.starts), sketches)
            for sketch, bands in zip(sketches, keys, strict=True):
                sketch.bands = bands
    return {"boilerplate_shingles": len(common), "boilerplate_rows": lost}


def _judge(sketches: Sequence[Sketch], config: Config) -> tuple[pl.DataFrame, dict[str, int]]:
    """All rows that are copies, with their survivors, and figures of the search. Empties the sketches."""
    from curation.dedup.minhash import clusters

    groups = clusters.group(sketches)
    candidates = clusters.buckets(sketches, groups)
    sets = clusters.gather(sketches, groups, candidates)
    links = clusters.link(sets, candidates, config.threshold)
    judged = clusters.judged(clusters.members(sketches, groups, sets, links), sets, links, config.threshold)
    return judged, {
        "comparisons": links.comparisons,
        "crowded": int(candidates.crowded.sum()),
        "bounded_buckets": links.bounded,
        "rows_without_text": int((groups.of_row < 0).sum()),
    }


def _decisions(judged: pl.DataFrame, threshold: float) -> pl.DataFrame:
    chain = pl.struct("nearest_id", survivor_similarity=pl.col("to_survivor").round(4)).struct.json_encode()
    return judged.select(
        "row_id",
        "kept_id",
        "value",
        pl.lit("near_duplicate").alias("reason"),
        pl.lit(threshold).alias("threshold"),
        pl.when(pl.col("nearest_id").is_not_null()).then(chain).alias("detail"),
    )
