"""The work of `select.best`, over candidates that have all their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.embedding.cache import embed
from curation.embedding.encoder import load_encoder
from curation.select import diversity, gains
from curation.select.budget import GROUP, Room, caps
from curation.select.candidates import Candidates, Order, best_first, longest_first, shuffled, within
from curation.select.diversity import GROUND, Chosen, Vectors
from curation.select.scores import quality
from curation.stage import Context

if TYPE_CHECKING:
    from curation.select.best import Config


@dataclass(frozen=True)
class Choice:
    """The candidates that are left out with their reasons, the siblings' row_ids by name, and what was gained."""

    dropped: pl.DataFrame
    siblings: Mapping[str, pl.DataFrame]
    facts: Mapping[str, Any]


class _Lens:
    """Vectors of candidates, embedded when they are asked for."""

    def __init__(self, found: Candidates, config: Config, context: Context) -> None:
        both = pl.concat_str("prompt", "response", separator="\n")
        self._texts = found.rows.select((both if config.text == "both" else pl.col(config.text)).alias("text"))["text"]
        self._encoder, self._context = load_encoder(config.model, context.home), context
        self._vectors = np.zeros((found.rows.height, self._encoder.dimension), np.float32)
        self._have = np.zeros(found.rows.height, np.bool_)

    def __call__(self, at: Order) -> Vectors:
        """Unit vectors of some positions, float32 (n, dimension)."""
        missing = at[~self._have[at]]
        if len(missing):
            texts, progress = self._texts.gather(missing), self._context.progress
            made = embed(texts, self._encoder, self._context.home, progress=progress)
            self._vectors[missing] = made.vectors[made.at]
            self._have[missing] = True
        return self._vectors[at]


def choose(found: Candidates, config: Config, limit: int, context: Context) -> Choice:
    """Choose among candidates within `limit` of cost."""
    found = found.at(shuffled(found, context.seed, "ties"))
    value = quality(found.rows, config.scores, config.combine)
    order = best_first(value)
    found, value = found.at(order), value[order]
    if config.diversity in ("k_center", "facility_location"):
        pool = len(within(np.arange(len(value)), found.cost, int(config.pool * limit)))
    else:
        pool = len(value)
    room = _room(found.at(np.arange(pool)), config, limit)
    lens = _Lens(found, config, context)
    made = _diverse(lens, room, config, context)
    controls = {
        "random": within(shuffled(found, context.seed), found.cost, room.spent),
        "longest": within(longest_first(found), found.cost, room.spent),
    }
    facts = _facts(found, value, config, room, controls, lens) | {"limit": limit, "pool": pool}
    siblings = {name: found.rows["row_id"].gather(positions).to_frame() for name, positions in controls.items()}
    return Choice(_dropped(found, value, config, room, made), siblings, facts)


def _room(found: Candidates, config: Config, limit: int) -> Room:
    groups = [caps(found.rows[f"{GROUP}{quota.by}"], quota, limit) for quota in config.quotas]
    return Room(found.cost, limit, groups)


def _diverse(lens: _Lens, room: Room, config: Config, context: Context) -> Chosen:
    """Fill the room in the configured way."""
    n = len(room.cost)
    if config.diversity == "none" or not n:
        return diversity.by_quality(room)
    most = room.limit if config.unit == "rows" else n
    with context.progress.task(f"choose by {config.diversity}", most) as task:
        if config.diversity == "novelty":
            return diversity.novelty(lens, room, config.threshold, task)
        vectors = lens(np.arange(n))
        if config.diversity == "k_center":
            return diversity.k_center(vectors, room, task)
        ground = np.linspace(0, n - 1, GROUND).astype(np.int64) if n > GROUND else None
        return diversity.facility_location(vectors, room, task, ground)


def _dropped(
    found: Candidates, value: npt.NDArray[np.float64], config: Config, room: Room, made: Chosen
) -> pl.DataFrame:
    """The candidates that are not chosen; those beyond the pool are `not_chosen` like those in it."""
    ids, n, pool = found.rows["row_id"], len(value), len(room.cost)
    padded = pl.DataFrame(
        {
            "row_id": ids,
            "quality": value,
            "nearest": np.concatenate([made.nearest, np.full(n - pool, -1)]),
            "similarity": np.concatenate([made.similarity, np.full(n - pool, np.nan)]),
            "too_like": np.concatenate([made.too_like, np.zeros(n - pool, np.bool_)]),
            "full": np.concatenate([made.full, np.zeros(n - pool, np.bool_)]),
            "groups": found.rows.with_columns(_group_words(config))["groups"],
        }
    )
    taken = np.zeros(n, np.bool_)
    taken[room.taken] = True
    least = float(value[taken].min()) if taken.any() else None
    nearest = pl.when(pl.col("nearest") >= 0).then(pl.col("nearest").replace_strict(range(n), ids, default=None))
    like, full = pl.when(pl.col("too_like")), pl.col("full")
    cosine = pl.when(pl.col("similarity").is_finite()).then(pl.format("cosine {}", "similarity"))
    why = like.then(pl.lit("too_similar")).when(full).then(pl.lit("quota_full")).otherwise(pl.lit("not_chosen"))
    return padded.filter(~taken).select(
        "row_id",
        why.alias("reason"),
        like.then("similarity").otherwise("quality").alias("value"),
        like.then(config.threshold).otherwise(pl.lit(least, pl.Float64)).alias("threshold"),
        nearest.alias("kept_id"),
        pl.when(full).then("groups").when(~pl.col("too_like")).then(cosine).alias("detail"),
    )


def _group_words(config: Config) -> pl.Expr:
    words = [pl.format("{}={}", pl.lit(quota.by), f"{GROUP}{quota.by}") for quota in config.quotas]
    return (pl.concat_str(words, separator=", ") if words else pl.lit("")).alias("groups")


def _facts(
    found: Candidates,
    value: npt.NDArray[np.float64],
    config: Config,
    room: Room,
    controls: Mapping[str, Order],
    lens: _Lens,
) -> dict[str, Any]:
    """What was gained, beside the controls."""
    chosen = np.array(room.taken, np.int64)
    sets = {"chosen": chosen, **controls}
    every = lens(gains.even(np.arange(len(value))))
    clusters = gains.centres(every, gains.CLUSTERS)
    told = {
        name: {
            "rows": len(positions),
            "cost": int(found.cost[positions].sum()),
            "mean_response": round(float(found.length[positions].mean()), 1) if len(positions) else 0.0,
            "scores": gains.means(found.rows, config.scores, positions),
            "shared_with_chosen": len(np.intersect1d(positions, chosen)),
            **gains.of_vectors(lens(gains.even(positions)), every, clusters),
        }
        for name, positions in sets.items()
    }
    groups = {
        quota.by: dict(
            pl.DataFrame({"group": found.rows[f"{GROUP}{quota.by}"].gather(chosen), "cost": found.cost[chosen]})
            .group_by("group").agg(pl.col("cost").sum()).sort("group").iter_rows()
        )
        for quota in config.quotas
    }  # fmt: skip
    return {
        "unit": config.unit,
        "clusters": len(clusters),
        "candidates": len(value),
        "sets": told,
        "scores": gains.of_scores(found.rows, value, config.scores, chosen),
        "groups": groups,
    }
