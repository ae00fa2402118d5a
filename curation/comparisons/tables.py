"""Usable records of all files put together: completions, labels and prompts, each once, whatever their order.

- A completion is a prompt, a policy and a text. Where copies of it came with different scores, none of them stands.
- A label is two completions, a verdict and the votes for it. The two stand in the order of their ids, so that the order
  tells nothing of the verdict.
- A prompt has one row, `<source>:<prompt_id>`; its metadata is what all its records agree on.
- A record that adds neither a completion nor a label is a copy, and is dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, Final, NamedTuple

import orjson
import polars as pl

from curation.comparisons.cleaning import Given
from curation.comparisons.read import DECIDED
from curation.comparisons.record import Comparison
from curation.language.languages import languages
from curation.preference.messages import as_answer
from schemas.records import COMPLETIONS, LABELS, MESSAGES, ROWS, canonical_json, prompt_id_of

ANSWERS: Final = pl.Schema(
    {
        "record": pl.UInt32,
        "completion_id": pl.String,
        "prompt_id": pl.String,
        "policy": pl.String,
        "text": pl.String,
        "finish_reason": pl.String,
        "sampling": pl.String,
        "given_score": pl.Float64,
    }
)
RECORDS: Final = pl.Schema(
    {
        "record": pl.UInt32,
        "row_id": pl.String,
        "prompt_id": pl.String,
        "prompt": MESSAGES,
        "reference": pl.String,
        "metadata": pl.String,
        "a_id": pl.String,
        "b_id": pl.String,
        "verdict": pl.String,
        "votes_a": pl.Int32,
        "votes_b": pl.Int32,
        "votes_tie": pl.Int32,
    }
)
_LABEL: Final = ("prompt_id", "a_id", "b_id", "verdict", "votes_a", "votes_b", "votes_tie")
_OTHER: Final = {"a": "b", "b": "a", "tie": "tie"}


class Tables(NamedTuple):
    """COMPLETIONS, LABELS, ROWS, and what was decided on the way (DECIDED)."""

    completions: pl.DataFrame
    labels: pl.DataFrame
    rows: pl.DataFrame
    decided: pl.DataFrame


def completion_id_of(prompt_id: str, policy: str, text: str) -> str:
    """The prompt's id and 16 hex digits of a sha256 over prompt, policy and text.

    With the prompt in the digest, two texts that answer many prompts do not stand in one order in all of them.
    """
    return f"{prompt_id}-{hashlib.sha256(canonical_json([prompt_id, policy, text])).hexdigest()[:16]}"


def tabulate(records: Sequence[Given], source: str) -> Tables:
    """The tables of a source; completions and labels are sorted by their ids."""
    answers = pl.DataFrame(list(_answers(records)), schema=ANSWERS, orient="row")
    given = pl.DataFrame(list(_records(records)), schema=RECORDS, orient="row")
    rows, differing = _rows(given, source)
    completions, scored = _completions(answers, rows)
    labels = given.filter(pl.col("verdict").is_not_null()).select(*_LABEL).unique()
    labels = labels.sort(_LABEL).select(*_LABEL[:4], pl.lit(source).alias("by"), *_LABEL[4:])
    decided = pl.concat([_copies(given, answers), scored, differing], how="diagonal")
    return Tables(completions, labels.cast(LABELS), rows.select(ROWS.names()).cast(ROWS), _decided(decided))


def _decided(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=DECIDED), frame.cast({"value": pl.Float64})], how="diagonal")


def _answers(records: Sequence[Given]) -> Iterator[tuple[Any, ...]]:
    for number, (_, comparison, _) in enumerate(records):
        prompt_id = prompt_id_of([message._asdict() for message in comparison.prompt])
        for text, policy, score, finish, sampling in comparison.answers:
            completion_id = completion_id_of(prompt_id, policy, text)
            yield number, completion_id, prompt_id, policy, text, finish, sampling, score


def _records(records: Sequence[Given]) -> Iterator[tuple[Any, ...]]:
    for number, (record_id, comparison, metadata) in enumerate(records):
        prompt = [message._asdict() for message in comparison.prompt]
        prompt_id = prompt_id_of(prompt)
        yield number, record_id, prompt_id, prompt, comparison.reference, metadata, *_label(prompt_id, comparison)


def _label(prompt_id: str, comparison: Comparison) -> tuple[Any, ...]:
    """a_id, b_id, verdict and votes, with the smaller id first; nulls where there is no verdict."""
    if comparison.verdict is None:
        return (None,) * 6
    a, b = (completion_id_of(prompt_id, answer.policy, answer.text) for answer in comparison.answers)
    votes = comparison.votes or (None, None, None)
    if a < b:
        return a, b, comparison.verdict, *votes
    return b, a, _OTHER[comparison.verdict], votes[1], votes[0], votes[2]


def _copies(given: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """The records that add nothing, each with the first of those that make it superfluous."""
    fresh = answers.select("record", pl.col("completion_id").is_first_distinct().alias("fresh"))
    fresh = fresh.group_by("record").agg(pl.col("fresh").any())
    first = answers.group_by("record", maintain_order=True).agg(pl.col("completion_id").first())
    joined = given.join(fresh, on="record", how="left", maintain_order="left").join(
        first, on="record", how="left", maintain_order="left"
    )
    labelled = pl.col("verdict").is_not_null()
    joined = joined.with_columns(
        pl.when(labelled).then(pl.struct(_LABEL).is_first_distinct()).otherwise("fresh").alias("fresh"),
        pl.when(labelled)
        .then(pl.col("row_id").first().over(_LABEL))
        .otherwise(pl.col("row_id").first().over("completion_id"))
        .alias("kept_id"),
        pl.when(labelled).then(pl.lit("duplicate_comparison")).otherwise(pl.lit("duplicate_reply")).alias("reason"),
    )
    gone = joined.filter(~pl.col("fresh"))
    return gone.select("row_id", "prompt_id", "reason", "kept_id", pl.lit("dropped").alias("kind"))


def _completions(answers: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each completion once, and a flag on each whose scores differ (value: by how much)."""
    spread = pl.col("given_score").max() - pl.col("given_score").min()
    merged = (
        answers.group_by("completion_id")
        .agg(
            pl.col("prompt_id", "policy", "text").first(),
            # In the order of the alphabet, so that what was cut anywhere counts as cut.
            pl.col("finish_reason").min(),
            _agreed("sampling"),
            _agreed("given_score"),
            spread.alias("value"),
        )
        .sort("prompt_id", "policy", "completion_id")
    )
    about = rows.select("prompt_id", "row_id", "source", "language", "prompt", "reference", "metadata")
    whole = merged.join(about, on="prompt_id", how="left", maintain_order="left").with_columns(
        pl.lit("given").alias("origin"),
        pl.int_range(pl.len(), dtype=pl.Int32).over("prompt_id", "policy").alias("index"),
        pl.lit(None, pl.Int64).alias("seed"),
        pl.lit(None, pl.Int32).alias("tokens"),
    )
    flags = merged.filter(pl.col("value") > 0).select(
        pl.col("completion_id").alias("row_id"),
        "prompt_id",
        "value",
        pl.lit("flagged").alias("kind"),
        pl.lit("scores_differ").alias("reason"),
    )
    completions = whole.sort("prompt_id", "completion_id").select(COMPLETIONS.names()).cast(COMPLETIONS)
    return completions, flags


def _rows(given: pl.DataFrame, source: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A row of each prompt, with the columns `prompt` and `reference` beside, and a flag where references differ."""
    grouped = (
        given.group_by("prompt_id")
        .agg(
            pl.col("prompt").first(),
            _agreed("reference"),
            pl.col("reference").drop_nulls().n_unique().alias("references"),
            pl.col("metadata").unique(),
        )
        .sort("prompt_id")
    )
    common = pl.Series([_common(texts) for texts in grouped["metadata"].to_list()], dtype=pl.String)
    said = pl.element().filter(pl.element().struct.field("role") == "user").struct.field("content")
    asked = grouped.select(pl.col("prompt").list.eval(said).list.join("\n\n")).to_series()
    rows = grouped.with_columns(
        (pl.lit(f"{source}:") + pl.col("prompt_id")).alias("row_id"),
        pl.lit(source).alias("source"),
        languages(asked)["language"].alias("language"),
        common.alias("metadata"),
        pl.when(pl.col("reference").is_null())
        .then("prompt")
        .otherwise(pl.concat_list("prompt", as_answer("reference")))
        .alias("messages"),
    )
    flags = rows.filter(pl.col("references") > 1).select(
        "row_id",
        "prompt_id",
        pl.col("references").cast(pl.Float64).alias("value"),
        pl.lit("flagged").alias("kind"),
        pl.lit("references_differ").alias("reason"),
    )
    return rows, flags


def _agreed(column: str) -> pl.Expr:
    """The one value of a group, nulls apart; null where there are several."""
    values = pl.col(column).drop_nulls()
    return pl.when(values.n_unique() == 1).then(values.first()).alias(column)


def _common(texts: Sequence[str]) -> str:
    """The keys of JSON objects that all of them have with one value, as JSON."""
    if len(texts) == 1:
        return texts[0]
    parts = [{key: canonical_json(value) for key, value in orjson.loads(text).items()} for text in texts]
    shared: dict[str, bytes] = reduce(lambda one, other: dict(one.items() & other.items()), parts)
    return canonical_json({key: orjson.loads(value) for key, value in shared.items()}).decode()
