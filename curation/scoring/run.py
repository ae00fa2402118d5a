"""Rewards for completions, resumable at the batch: a committed table of completions in, the same with rewards out.

A batch is journalled whole or not at all, under a key of its content, so a resumed run computes the same batches and
gets the same bytes: the last digits of a score depend on what else is in the batch. Scores are matched by id.
A completion that cannot be scored is dropped with a reason; nothing stands in for its reward.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path

import polars as pl

from curation.digest import code_digest, sha256_value
from curation.journal import Journal
from curation.runner import log_line
from curation.scoring.protocol import Item, Score, Scorer
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table
from curation.text import visible
from schemas.errors import EngineError

STAGE = "score"


def score(store: Store, completions: Committed, scorer: Scorer, context: Context) -> Committed:
    """Add `reward` (Float64, finite) and `reward_truncated` to completions, or return what is there.

    Reasons for a drop: empty_completion, template_refused, score_not_finite. Counts are of completions.

    Raises EngineError where the model cannot be loaded, or its answer is not one score for each item.
    """
    started = time.monotonic()
    identity = scorer.identity()
    recipe = {
        "stage": STAGE,
        "code": [code_digest(__name__), code_digest(type(scorer).__module__)],
        "inputs": [completions.manifest.digest],
        "engine": identity,
    }

    def build(folder: Path) -> Built:
        rows = completions.scan().collect()
        journal = store.root / "journal" / STAGE / f"{sha256_value(identity)[:32]}.jsonl"
        with Journal(journal) as finished:
            scores = _scores(rows, scorer, sha256_value(identity), finished, context)
        return _write(rows, scores, folder)

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


def _scores(rows: pl.DataFrame, scorer: Scorer, engine: str, journal: Journal, context: Context) -> list[Score]:
    able = rows.filter(visible(pl.col("text")))
    empty = rows.filter(~visible(pl.col("text")))["completion_id"]
    scores = [Score(name, None, "empty_completion") for name in empty]
    items = [
        Item(row["completion_id"], [*row["prompt"], {"role": "assistant", "content": row["text"], "extra": None}])
        for row in able.iter_rows(named=True)
    ]
    with context.progress.task(STAGE, len(items)) as task:
        for batch in scorer.batches(items) if items else []:
            key = sha256_value([engine, [list(item.messages) for item in batch]])
            found = journal.get(key)
            if found is None:
                made = _one_each(batch, scorer.score(batch))
                found = [asdict(score) | {"completion_id": None} for score in made]
                journal.append(key, found)
            names = [item.completion_id for item in batch]
            scores += [Score(**(record | {"completion_id": n})) for n, record in zip(names, found, strict=True)]
            task.advance(len(batch))
    return scores


def _one_each(batch: list[Item], made: list[Score]) -> list[Score]:
    """The scores in the order of the batch, matched by id."""
    by_id = {score.completion_id: score for score in made}
    missing = [item.completion_id for item in batch if item.completion_id not in by_id]
    if missing or len(made) != len(batch):
        raise EngineError(
            f"the scorer gave {len(made)} scores for {len(batch)} completions (none for {missing[:3]})",
            hint="this is a defect of the scorer: one score for each item, by its id",
        )
    return [by_id[item.completion_id].finite() for item in batch]


def _write(rows: pl.DataFrame, scores: list[Score], folder: Path) -> Built:
    schema = {"completion_id": pl.String, "reward": pl.Float64, "reason": pl.String, "truncated": pl.Boolean}
    told = pl.DataFrame([asdict(score) for score in scores], schema=schema)
    joined = rows.join(told, on="completion_id", how="left", maintain_order="left", validate="1:1")
    dropped = joined.filter(pl.col("reward").is_null()).select(
        pl.col("completion_id").alias("row_id"), "prompt_id", "reason"
    )
    scored = joined.filter(pl.col("reward").is_not_null()).drop("reason").rename({"truncated": "reward_truncated"})
    write_table(scored, folder / "part-00000.parquet")
    write_table(as_decisions(dropped, STAGE, "dropped"), folder / "decisions.parquet")
    counts = {"in": rows.height, "kept": scored.height, "dropped": dropped.height, "quarantined": 0}
    return Built(counts, {"unit": "completions", "reward_truncated": int(scored["reward_truncated"].sum())})
