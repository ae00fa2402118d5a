"""The texts of comparisons, cleaned by the stages that clean rows, before any id is made of them.

Without that, a prompt here and the same prompt among the curated rows would have two ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import polars as pl

from curation.clean import leftovers, normalize
from curation.comparisons.record import Comparison
from curation.digest import code_digest
from curation.ingest.convert import Message
from curation.stage import Context, StageConfig, load_stage
from schemas.records import ROWS

Stages = Sequence[tuple[str, StageConfig]]
CLEANING: Final[Stages] = (("clean.normalize", normalize.Config()), ("clean.leftovers", leftovers.Config()))
_KINDS: Final = ("clean.", "privacy.")
# Between a record's id and what of it a row is; no row id has it.
_PART: Final = "\n"


class Given(NamedTuple):
    """A converted record: its id, what it says, and its metadata as JSON."""

    record_id: str
    comparison: Comparison
    metadata: str


class Cleaned(NamedTuple):
    """What is left of some records, and what was done to them: `row_id`, `kind`, and columns of the ledger."""

    records: list[Given]
    decisions: pl.DataFrame


DECIDED: Final = pl.Schema(
    {
        "row_id": pl.String,
        "kind": pl.String,
        "reason": pl.String,
        "value": pl.Float64,
        "threshold": pl.Float64,
        "detail": pl.String,
    }
)


def editing(stages: Iterable[tuple[str, StageConfig]]) -> Stages:
    """The stages of a profile that change texts (`clean.*`, `privacy.*`), in its order; CLEANING where it has none."""
    return [(name, config) for name, config in stages if name.startswith(_KINDS)] or CLEANING


def fingerprint(stages: Stages, context: Context) -> list[Any]:
    """All that shapes what the stages do."""
    told = []
    for name, config in stages:
        read = getattr(load_stage(name), "fingerprint", None)
        told.append(
            [
                name,
                code_digest(f"curation.{name}"),
                config.model_dump(mode="json"),
                read(config, context) if read else None,
            ]
        )
    return told


def clean(records: Sequence[Given], stages: Stages, context: Context) -> Cleaned:
    """Run the stages over prompts, answers and references, each text after its prompt and apart from the others.

    So what becomes of an answer does not depend on what it is compared with. A record of which a stage drops any text
    is dropped.
    """
    frame = pl.DataFrame(list(_as_rows(records)), schema=ROWS, orient="row")
    found = []
    for name, config in stages:
        result = load_stage(name).run(frame.lazy(), config, context)
        assert result.kept is not None
        frame = result.kept.collect()
        for kind, plan in (("dropped", result.dropped), ("edited", result.edited), ("flagged", result.flagged)):
            if plan is not None:
                found.append(plan.collect().with_columns(kind=pl.lit(kind)))
    decided = pl.concat([pl.DataFrame(schema=DECIDED), *map(_shaped, found)])
    gone = {row_id.split(_PART)[0] for row_id in decided.filter(kind="dropped")["row_id"]}
    changed = frame.filter(pl.col("row_id").is_in(decided.filter(kind="edited")["row_id"].implode()))
    new = {row_id: texts for row_id, *texts in changed.select("row_id", "messages", "metadata").iter_rows()}
    kept = [_mended(given, new) for given in records if given.record_id not in gone]
    return Cleaned(kept, _per_record(decided, {given.record_id for given in kept}))


def _as_rows(records: Sequence[Given]) -> Iterable[tuple[Any, ...]]:
    """A row of each prompt, with the metadata, and a row of each answer and reference with its prompt."""
    for given in records:
        prompt = [message._asdict() for message in given.comparison.prompt]
        yield given.record_id, None, "", prompt, None, given.metadata
        for name, text in _parts(given):
            last = {"role": "assistant", "content": text, "extra": None}
            yield name, None, "", [*prompt, last], None, "{}"


def _parts(given: Given) -> list[tuple[str, str]]:
    """The ids and texts of a record's answers and, last, of its reference where it has one."""
    texts = [answer.text for answer in given.comparison.answers]
    if given.comparison.reference is not None:
        texts.append(given.comparison.reference)
    return [(f"{given.record_id}{_PART}{at}", text) for at, text in enumerate(texts)]


def _mended(given: Given, new: Mapping[str, list[Any]]) -> Given:
    """The record with the messages and the metadata of those of its rows that were changed."""
    record_id, comparison, metadata = given
    parts = _parts(given)
    if record_id not in new and not any(name in new for name, _ in parts):
        return given
    if record_id in new:
        messages, metadata = new[record_id]
        comparison = comparison._replace(prompt=[Message(**turn) for turn in messages])
    texts = [new[name][0][-1]["content"] if name in new else text for name, text in parts]
    answers = tuple(answer._replace(text=text) for answer, text in zip(comparison.answers, texts, strict=False))
    reference = None if comparison.reference is None else texts[-1]
    return Given(record_id, comparison._replace(answers=answers, reference=reference), metadata)


def _shaped(frame: pl.DataFrame) -> pl.DataFrame:
    have = frame.columns
    return frame.select(
        pl.col(name).cast(dtype) if name in have else pl.lit(None, dtype).alias(name) for name, dtype in DECIDED.items()
    )


def _per_record(decided: pl.DataFrame, kept: set[str]) -> pl.DataFrame:
    """One decision a record, kind and reason; of a record that is dropped the first drop alone.

    A change of the prompt is found in the prompt's row and again in each answer's: it counts once.
    """
    split = decided.with_columns(
        pl.col("row_id").str.split(_PART).list.first().alias("record"),
        pl.col("row_id").str.contains(_PART, literal=True).alias("answer"),
    )
    whole = split.group_by("record", "kind", "reason", maintain_order=True).agg(
        _changes().alias("value"), pl.col("threshold", "detail").sort_by("row_id").first()
    )
    alive = pl.col("record").is_in(pl.Series(sorted(kept), dtype=pl.String).implode())
    drops = whole.filter((pl.col("kind") == "dropped") & ~alive).unique("record", keep="first", maintain_order=True)
    remarks = whole.filter((pl.col("kind") != "dropped") & alive)
    return _shaped(pl.concat([drops, remarks]).rename({"record": "row_id"}))


def _changes() -> pl.Expr:
    """How many messages or finds: those of the prompt, and what each answer adds to them."""
    value = pl.col("value")
    prompt = value.filter(~pl.col("answer")).first().fill_null(0)
    return pl.when(value.is_not_null().any()).then(prompt + (value.filter("answer") - prompt).clip(0).sum())
