"""The models' answers to the held-out prompts, with what scorers, rules and filters say of each.

Generation and scoring are the pipeline's own stages: committed, journalled a request and a batch at a time. All models'
answers are scored together, so that an ensemble's calibration and a judge that compares see the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from curation.generation.plan import Engines
from curation.generation.run import generate
from curation.scoring.protocol import Item
from curation.scoring.run import Make, score
from curation.scoring.verifiable import make_verifier
from curation.stage import Context, load_stage
from curation.store import Committed, Store
from curation.text import visible
from schemas.profile.evaluation import Evaluation as Settings
from schemas.profile.generation import Generation
from schemas.profile.scoring import Scoring, Verifiable
from schemas.profile.serving import Serving
from schemas.records import MESSAGE, ROWS
from training.evaluation.subjects import Subject

# What a filter of the curation drops an answer for, by the name that the share of such answers has here.
FILTERS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "refusal": ("filter.refusal", {"drop": ("full",)}),
    "repetition": ("filter.repetition", {}),
    "language_mismatch": ("language.mismatch", {}),
}


def ask(
    store: Store, rows: pl.DataFrame, subject: Subject, settings: Settings, context: Context, engines: Engines | None
) -> Committed:
    """One model's answers. A sample that says the same as another one is not replaced: `copies` counts it."""
    return generate(store, rows, generation(subject, settings), context, engines=engines)


def generation(subject: Subject, settings: Settings) -> Generation:
    """How one model is asked."""
    shared = settings.model_dump(include={"engine", "temperature", "top_p", "max_tokens", *Serving.model_fields})
    return Generation(
        **shared,
        model=subject.name if settings.engine == "openai" else subject.model.path,
        revision=subject.model.revision if settings.engine == "vllm" else None,
        candidates=settings.samples,
        max_model_len=settings.max_model_len,
        top_up=0,
    )


def table(asked: Mapping[str, Committed]) -> pl.DataFrame:
    """COMPLETIONS of all models with `model`, `copies` (how often it was given), `empty`, `cut` and `characters`."""
    frames = []
    for name, done in asked.items():
        repeats = done.table("decisions").filter(pl.col("reason") == "duplicate_candidate")
        again = repeats.group_by("kept_id").agg(pl.len().alias("again"))
        made = done.scan().join(again, left_on="completion_id", right_on="kept_id", how="left")
        frames.append(made.with_columns(pl.lit(name).alias("model"), copies=1 + pl.col("again").fill_null(0)).collect())
    return (
        pl.concat(frames)
        .drop("again")
        .with_columns(
            empty=~visible(pl.col("text")),
            cut=pl.col("finish_reason") == "length",
            characters=pl.col("text").fill_null("").str.len_chars(),
        )
        .sort("model", "prompt_id", "index")
    )


def rewards(
    store: Store, asked: Sequence[Committed], settings: Scoring, context: Context, make: Make, name: str
) -> pl.DataFrame:
    """`completion_id`, the reward as `name`, and each scorer's own number as `<name>_<scorer>`.

    Answers to a prompt that say the same have the numbers of the first of them by id: what else is in a batch, or a
    judge's mood, moves the last digits, and would decide what is a tie.
    """
    done = score(store, list(asked), settings, context, make)
    own = {f"{name}_{entry.name}": pl.col(entry.column) for entry in settings.entries()}
    numbers = {
        column: number.first().over("prompt_id", "text") for column, number in {name: pl.col("reward"), **own}.items()
    }
    return done.scan().sort("completion_id").select("completion_id", **numbers).collect()


def verdicts(answers: pl.DataFrame, rule: Verifiable) -> pl.DataFrame:
    """`completion_id`, `right` (1 or 0; 0 too where a rule cannot tell; null where no answer is known), `verdict`."""
    verifier = make_verifier(rule)
    each = answers.unique("completion_id", keep="first", maintain_order=True)
    items = [
        Item(row[0], [{"role": "assistant", "content": row[1] or "", "extra": None}], reference=row[2], metadata=row[3])
        for row in each.select("completion_id", "text", "reference", "metadata").iter_rows()
    ]
    found = verifier.verdicts(items)
    unknown = [verdict.reason.startswith("no_reference") for verdict in found]
    return pl.DataFrame(
        {
            "completion_id": [item.completion_id for item in items],
            "right": [None if none else v.score or 0.0 for v, none in zip(found, unknown, strict=True)],
            "verdict": [v.reason for v in found],
        },
        schema={"completion_id": pl.String, "right": pl.Float64, "verdict": pl.String},
    )


def flags(answers: pl.DataFrame, context: Context) -> pl.DataFrame:
    """`completion_id` and, by each of FILTERS, whether it would drop the answer."""
    said = pl.struct(role=pl.lit("assistant"), content=pl.col("text").fill_null(""), extra=pl.lit(None, pl.String))
    rows = answers.unique("completion_id", keep="first", maintain_order=True).select(
        pl.col("completion_id").alias("row_id"),
        "prompt_id",
        "source",
        messages=pl.concat_list("prompt", said.cast(MESSAGE)),
        language="language",
        metadata="metadata",
    )
    found = rows.select(completion_id="row_id")
    for name, (stage_name, options) in FILTERS.items():
        stage = load_stage(stage_name)
        dropped = stage.run(rows.select(ROWS.names()).lazy(), stage.Config(**options), context).dropped.collect()
        found = found.with_columns(pl.col("completion_id").is_in(dropped["row_id"].implode()).alias(name))
    return found
