"""One runner for every stage: a part at a time, both halves in one pass, conservation checked, committed whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from curation.digest import code_digest
from curation.stage import Context, Result, Stage, StageConfig, as_decisions, load_stage
from curation.store import Built, Committed, Store, write_table
from schemas.errors import StoreError
from schemas.records import DECISIONS


def run_stage(
    store: Store,
    name: str,
    config: StageConfig,
    inputs: Sequence[Committed],
    context: Context,
) -> Committed:
    """Run one stage over committed inputs, in order, and commit what it makes, or return what is already there.

    Raises StoreError where the stage loses, invents or doubles a row.
    """
    stage = load_stage(name)
    started = time.monotonic()
    recipe = {
        "stage": name,
        "code": code_digest(stage.__name__),
        "config": config.model_dump(mode="json"),
        "inputs": [committed.manifest.digest for committed in inputs],
        "seed": context.seed,
        "extra": _fingerprint(stage, config, context),
    }

    def build(folder: Path) -> Built:
        parts = [part for committed in inputs for part in committed.parts]
        return execute(stage, name, config, parts, folder, context)

    done = store.commit(name, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(name, done))
    return done


def execute(
    stage: Stage,
    name: str,
    config: StageConfig,
    parts: Sequence[Path],
    folder: Path,
    context: Context,
) -> Built:
    """Run a stage over Parquet parts and write its parts and `decisions.parquet` into a folder."""
    tally = _Tally(name, folder)
    if stage.SCOPE == "set":
        result = stage.run(pl.scan_parquet(list(parts)), config, context)
        dropped = result.dropped.drop("prompt_id", strict=False).collect()
        edited = result.edited.collect() if result.edited is not None else None
        for part in parts:
            frame = pl.read_parquet(part)
            mine = frame.select("row_id", "prompt_id").join(dropped, on="row_id", how="inner", maintain_order="left")
            tally.add(frame, frame.join(dropped, on="row_id", how="anti", maintain_order="left"), mine, None)
        if tally.dropped != dropped.height:
            raise StoreError(f"{name}: dropped {dropped.height} ids, of which {tally.dropped} are rows of its input")
        if edited is not None and edited.height:
            tally.ledger.append(as_decisions(edited, name, "edited"))
        tally.facts.append(result.facts)
    else:
        with context.progress.task(name, len(parts)) as task:
            for part in parts:
                frame = pl.read_parquet(part)
                result = stage.run(frame.lazy(), config, context)
                tally.add(frame, *_collect(name, result))
                tally.facts.append(result.facts)
                task.advance()
    return tally.close()


def _collect(name: str, result: Result) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame | None]:
    """Collect all halves in one pass, so that a plan they share runs once."""
    if result.kept is None:
        raise StoreError(f"{name}: a row-scoped stage must return what it keeps")
    plans = [result.kept, result.dropped, *([result.edited] if result.edited is not None else [])]
    frames = pl.collect_all(plans)
    return frames[0], frames[1], frames[2] if len(frames) > 2 else None


@dataclass
class _Tally:
    """Writes parts and adds up what became of each row."""

    name: str
    folder: Path

    def __post_init__(self) -> None:
        self.parts = 0
        self.rows_in = self.kept = self.dropped = self.edited = 0
        self.ledger: list[pl.DataFrame] = []
        self.facts: list[Mapping[str, Any]] = []

    def add(self, frame: pl.DataFrame, kept: pl.DataFrame, dropped: pl.DataFrame, edited: pl.DataFrame | None) -> None:
        kept, dropped = conserve(self.name, frame, kept, dropped)
        write_table(kept, self.folder / f"part-{self.parts:05d}.parquet")
        self.parts += 1
        self.rows_in += frame.height
        self.kept += kept.height
        self.dropped += dropped.height
        self.ledger.append(as_decisions(dropped, self.name, "dropped"))
        if edited is not None:
            self.edited += edited.height
            self.ledger.append(as_decisions(edited, self.name, "edited"))

    def close(self) -> Built:
        ledger = pl.concat(self.ledger) if self.ledger else pl.DataFrame(schema=DECISIONS)
        write_table(ledger, self.folder / "decisions.parquet")
        counts = {"in": self.rows_in, "kept": self.kept, "dropped": self.dropped, "quarantined": 0}
        return Built(counts, merge_facts(self.facts) | {"edited": ledger.filter(pl.col("kind") == "edited").height})


def conserve(
    name: str, frame: pl.DataFrame, kept: pl.DataFrame, dropped: pl.DataFrame, key: str = "row_id"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Check that each id of `frame` is in exactly one half, and put both halves in the input's order.

    Raises StoreError, with counts and an example id, where an id is lost, doubled or unknown.
    """
    order = frame.select(key).with_row_index("__at")
    after = pl.concat([kept.select(key), dropped.select(key)])
    if after.height != frame.height or not after[key].sort().equals(frame[key].sort()):
        lost = order.join(after, on=key, how="anti")
        unknown = after.join(order, on=key, how="anti")
        twice = after.filter(pl.col(key).is_duplicated()).unique()
        example = next((t[key][0] for t in (lost, unknown, twice) if t.height), "?")
        raise StoreError(
            f"{name}: {frame.height} in, {kept.height} kept, {dropped.height} dropped; {lost.height} lost, "
            f"{unknown.height} unknown, {twice.height} doubled (for instance {example})",
            hint="this is a defect of the stage: each id must be kept or dropped, exactly once",
        )
    return _in_order(kept, order, key), _in_order(dropped, order, key)


def _in_order(half: pl.DataFrame, order: pl.DataFrame, key: str) -> pl.DataFrame:
    return half.join(order, on=key, how="left", maintain_order="left").sort("__at").drop("__at")


def merge_facts(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up the figures of several parts: numbers are summed, anything else must be equal and is kept once."""
    merged: dict[str, Any] = {}
    for part in facts:
        for name, value in part.items():
            numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
            merged[name] = merged[name] + value if numeric and name in merged else value
    return merged


def log_line(name: str, done: Committed) -> str:
    """`dedup.exact  10,000 -> 8,412  (1,588 exact_duplicate)  3.1 s`"""
    counts = done.manifest.counts
    decisions = done.table("decisions").filter(pl.col("kind") != "edited").group_by("reason").len()
    reasons = decisions.sort(["len", "reason"], descending=[True, False]).collect()
    told = ", ".join(f"{count:,} {reason}" for reason, count in reasons.iter_rows())
    edited = done.manifest.facts.get("edited") or 0
    told = ", ".join(filter(None, [told, f"{edited:,} edited" if edited else ""]))
    took = "reused" if done.reused else f"{done.seconds:.1f} s"
    return f"{name}  {counts['in']:,} -> {counts['kept']:,}{f'  ({told})' if told else ''}  {took}"


def _fingerprint(stage: Stage, config: StageConfig, context: Context) -> Any:
    """What a stage reads besides its rows (benchmark files, models), as digests: its optional `fingerprint`."""
    fingerprint = getattr(stage, "fingerprint", None)
    return fingerprint(config, context) if fingerprint else None
