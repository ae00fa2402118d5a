"""The work of `dedup.semantic`: rows by rank, those that may be compared, and cases planted behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.canaries import PREFIX, Canary, check, in_sample, scrambled
from curation.embedding.cache import Embedded, embed, prepared
from curation.embedding.encoder import Vectors, load_encoder
from curation.embedding.search import Kept, Positions, keep_first, similarities
from curation.language.languages import UNDETERMINED
from curation.language.scripts import SCRIPTS, dominant
from curation.progress import Task
from curation.stage import Context

if TYPE_CHECKING:
    from curation.dedup.semantic import Config

STAGE = "dedup.semantic"
PLANTED = 16
# Of the rows that have a better one above their threshold. An exact search finds all.
INDEX_RECALL = 0.95


@dataclass(frozen=True)
class Judged:
    """`rows`: row_id, kept_id, value, threshold and detail of each row to drop. `facts`: for the manifest."""

    rows: pl.DataFrame
    facts: dict[str, Any]


def judge(texts: pl.DataFrame, parts: Sequence[str], config: Config, context: Context) -> Judged:
    """Judge rows of row_id, language, score and the compared parts, of which one at least is visible.

    Raises CanaryError where cases are missed that were planted, or that an index had to find.
    """
    encoder = load_encoder(config.model, context.home)
    ranked = _ranked(texts, parts, context.seed)
    embedded = embed(
        pl.concat([ranked[part].alias("text") for part in parts]),
        encoder,
        context.home,
        config.task,
        batch_tokens=config.batch_tokens,
        skip_long=not config.compare_long,
        progress=context.progress,
    )
    rows = _described(ranked, parts, embedded, config)
    groups = rows.unique("group").sort("group")
    limits = _limits(groups, config)
    with context.progress.task(STAGE) as task:
        kept = _keep(rows, embedded.vectors, limits, config, context.seed, task)
    dropped = _dropped(rows, kept, limits)
    measured = check(STAGE, _canaries(rows, embedded.vectors, limits, kept))
    too_long = embedded.too_long.reshape(len(parts), -1)[:, : texts.height].any(axis=0)
    return Judged(dropped, _facts(groups, dropped, config) | {"rows_too_long": int(too_long.sum())} | measured)


def _facts(groups: pl.DataFrame, dropped: pl.DataFrame, config: Config) -> dict[str, Any]:
    sizes = dropped["kept_id"].value_counts()["count"].to_list()
    languages = sorted(set(groups["name"].fill_null("")))
    return {
        "thresholds": {language or UNDETERMINED: config.limit(language) for language in languages},
        "groups": len(sizes),
        "largest_group": 1 + max(sizes, default=0),
    }


def _ranked(texts: pl.DataFrame, parts: Sequence[str], seed: int) -> pl.DataFrame:
    """Rows by best score, longest text, lowest row_id, their parts as they are embedded; planted rows behind them.

    A part that a row does not have is an empty text. `text` is all of them.
    """
    plain = texts.with_columns(prepared(pl.col(part)).fill_null("") for part in parts)
    real = plain.with_columns(pl.concat_str(parts, separator="\n").alias("text"))
    order = real.sort(
        ["score", pl.col("text").str.len_chars(), "row_id"], descending=[True, True, False], nulls_last=True
    )
    words = scrambled(real.filter(in_sample(real.height, seed))["text"], PLANTED, seed)
    planted = [(f"{PREFIX}original:{at}", text) for at, text in enumerate(words)]
    planted += [(f"{PREFIX}copy:{at}", f" {text}".replace(" ", " \n")) for at, text in enumerate(words)]
    planted += [(f"{PREFIX}reworded:{at}", _reworded(text)) for at, text in enumerate(words)]
    behind = pl.DataFrame(planted, {"row_id": pl.String, "text": pl.String}, orient="row")
    return pl.concat([order, behind.with_columns(pl.col("text").alias(part) for part in parts)], how="diagonal")


def _reworded(text: str) -> str:
    """Without its first word, and the last two words changed about."""
    words = text.split(" ")
    return " ".join([*words[1:-2], words[-1], words[-2]])


def _described(ranked: pl.DataFrame, parts: Sequence[str], embedded: Embedded, config: Config) -> pl.DataFrame:
    """Of each row that is compared: row_id, at (the vectors of its parts), same (what must be the same in two rows),
    name (of its language, or null), script, group."""
    numbers = (pl.col(part).str.extract_all(r"\d+").list.sort().list.join(" ") for part in parts)
    absent = (pl.when(pl.col(part) == "").then(pl.lit("-")).otherwise(pl.lit("+")) for part in parts)
    same = pl.concat_str(*absent, *(numbers if config.same_numbers else ()), separator="|")
    script = dominant(ranked["text"])["script"]
    by_script = {name: form.language for name, form in SCRIPTS.items() if form.language}
    written = script.replace_strict(by_script, default=None, return_dtype=pl.String)
    told = pl.when(pl.col("language") != UNDETERMINED).then("language")
    places, too_long = (found.reshape(len(parts), -1).T for found in (embedded.at, embedded.too_long))
    described = ranked.select(
        "row_id",
        same.alias("same"),
        pl.coalesce(told, pl.lit(written)).alias("name"),
        script.alias("script"),
        pl.Series("at", np.ascontiguousarray(places), pl.Array(pl.Int64, len(parts))),
        pl.Series("too_long", np.atleast_1d(too_long.any(axis=1))),
    )
    compared = described.filter(pl.lit(config.compare_long) | ~pl.col("too_long"))
    group = pl.concat_str(pl.col("name").fill_null(""), pl.col("script").fill_null(""), separator="\t")
    return compared.with_columns((group.rank("dense") - 1).cast(pl.Int64).alias("group"))


def _limits(groups: pl.DataFrame, config: Config) -> npt.NDArray[np.float64]:
    """From which similarity on rows of two groups are too alike; infinite where they are not compared."""
    kinds = groups.select("name", "script").rows()

    def limit(one: tuple[str | None, str | None], other: tuple[str | None, str | None]) -> float:
        named = one[0] is not None and other[0] is not None
        if one[0] == other[0] if named else one[1] == other[1]:
            return max(config.limit(one[0] or ""), config.limit(other[0] or ""))
        return config.cross_lingual or np.inf

    return np.array([[limit(one, other) for other in kinds] for one in kinds], np.float64).reshape(
        len(kinds), len(kinds)
    )


def _keep(
    rows: pl.DataFrame,
    vectors: Vectors,
    limits: npt.NDArray[np.float64],
    config: Config,
    seed: int,
    task: Task,
) -> Kept:
    """`keep_first` among the rows of one `same`; positions are those in `rows`."""
    by, similarity = np.full(rows.height, -1, np.int64), np.full(rows.height, np.nan)
    at, group = rows["at"].to_numpy(), rows["group"].to_numpy()
    planted = rows["row_id"].str.starts_with(PREFIX).to_numpy()
    alike = rows.with_row_index("place").group_by("same").agg("place").filter(pl.col("place").list.len() > 1)
    indexed, with_match, found = False, 0, 0
    for place in alike.sort("same")["place"]:
        where: Positions = place.sort().to_numpy().astype(np.int64)
        part = keep_first(
            vectors,
            at[where],
            group[where],
            limits,
            exact_rows=config.exact_rows,
            behind=int(planted[where].sum()),
            seed=seed,
            task=task,
        )
        dropped = part.by >= 0
        by[where[dropped]] = where[part.by[dropped]]
        similarity[where] = part.similarity
        indexed |= part.indexed
        with_match, found = with_match + part.checked[0], found + part.checked[1]
    return Kept(by, similarity, indexed, (with_match, found))


def _dropped(rows: pl.DataFrame, kept: Kept, limits: npt.NDArray[np.float64]) -> pl.DataFrame:
    """The decisions on rows that were not planted."""
    places = np.flatnonzero((kept.by >= 0) & ~rows["row_id"].str.starts_with(PREFIX).to_numpy())
    row, other = rows[places], rows[kept.by[places]]
    pairs = pl.DataFrame(
        {
            "row_id": row["row_id"],
            "kept_id": other["row_id"],
            "value": kept.similarity[places],
            "threshold": limits[row["group"], other["group"]],
            "language": row["name"],
            "kept_language": other["name"],
            "too_long": row["too_long"] | other["too_long"],
        }
    )
    notable = (pl.col("language") != pl.col("kept_language")) | pl.col("too_long")
    note = pl.struct("language", "kept_language", "too_long").struct.json_encode()
    detail = pl.when(notable.fill_null(False)).then(note).alias("detail")
    return pairs.select("row_id", "kept_id", "value", "threshold", detail)


def _canaries(rows: pl.DataFrame, vectors: Vectors, limits: npt.NDArray[np.float64], kept: Kept) -> dict[str, Canary]:
    """Copies in other spacing, which are all to be found, and reworded texts that are alike enough by brute force.

    How many of those are alike enough is the encoder's affair and the threshold's; that they are found, the stage's.
    """
    recall = INDEX_RECALL if kept.indexed else 1.0
    results = {"indexed": Canary(*kept.checked, recall)} if kept.indexed else {}
    place = {row_id: at for at, row_id in enumerate(rows["row_id"]) if row_id.startswith(PREFIX)}
    for kind in ("copy", "reworded"):
        ids = [(f"{PREFIX}original:{at}", f"{PREFIX}{kind}:{at}") for at in range(PLANTED)]
        both = [(place[first], place[second]) for first, second in ids if first in place and second in place]
        alike = [(first, second) for first, second in both if _alike(rows, vectors, limits, first, second)]
        # Where a real row is as alike to the original, that is gone, and its reworded form rightly stays.
        left = [second for first, second in alike if kind == "copy" or kept.by[first] < 0]
        results[kind] = Canary(len(left), sum(int(kept.by[at] >= 0) for at in left), recall)
    return results


def _alike(rows: pl.DataFrame, vectors: Vectors, limits: npt.NDArray[np.float64], first: int, second: int) -> bool:
    one, other = rows.row(first, named=True), rows.row(second, named=True)
    found = similarities(vectors, np.array([one["at"]]), vectors, np.array([other["at"]]))[0]
    return one["same"] == other["same"] and bool(found >= limits[one["group"], other["group"]])
