"""One runner for every stage: a part at a time, both halves in one pass, conservation checked, committed whole."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from curation.digest import code_digest
from curation.stage import Context, Stage, StageConfig, as_decisions, load_stage
from curation.store import PARQUET, Built, Committed, Store, read_part, scan_parts, write_part, write_table
from schemas.errors import StoreError, UsageError
from schemas.records import DECISIONS

Table = pl.DataFrame | None


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

    def build(folder: Path) -> Built:
        parts = [part for committed in inputs for part in committed.parts]
        return execute(stage, name, config, parts, folder, context)

    done = store.commit(name, recipe_of(name, config, inputs, context), build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(name, done))
    return done


def find_stage(
    store: Store, name: str, config: StageConfig, inputs: Sequence[Committed], context: Context
) -> Committed | None:
    """What `run_stage` would return without work, or None where there is work to do."""
    return store.find(name, store.key(recipe_of(name, config, inputs, context)))


def recipe_of(name: str, config: StageConfig, inputs: Sequence[Committed], context: Context) -> dict[str, Any]:
    """All that decides what a stage makes: its code, its configuration, its inputs' content, the seed."""
    stage = load_stage(name)
    return {
        "stage": name,
        "code": code_digest(stage.__name__),
        "config": config.model_dump(mode="json"),
        "inputs": [committed.manifest.digest for committed in inputs],
        "seed": context.seed,
        "extra": _fingerprint(stage, config, context),
    }


def execute(
    stage: Stage,
    name: str,
    config: StageConfig,
    parts: Sequence[Path],
    folder: Path,
    context: Context,
    *,
    one_file: bool = False,
) -> Built:
    """Run a stage over parts and write into a folder its own parts, or `kept.parquet`, and `decisions.parquet`."""
    prepare = getattr(stage, "prepare", None)
    if context.each and prepare:
        prepare(config)  # once, before parts are worked on side by side
    run = _execute_set if stage.SCOPE == "set" else _execute_rows
    return run(stage, (_OneFile if one_file else _Tally)(name, folder), config, parts, context)


def _execute_rows(stage: Stage, tally: _Tally, config: StageConfig, parts: Sequence[Path], context: Context) -> Built:
    name = tally.name  # `one` may be sent to another process: it holds no more than it needs

    def one(part: Path) -> _Part:
        frame = read_part(part)
        result = stage.run(frame.lazy(), config, context)
        if result.kept is None:
            raise StoreError(f"{name}: a row-scoped stage must return what it keeps")
        kept, dropped, edited, flagged = _collect(result.kept, result.dropped, result.edited, result.flagged)
        return _Part(frame.height, *conserve(name, frame, kept, dropped), edited, flagged, result.facts)

    with context.progress.task(tally.name, len(parts)) as task:
        for done in (context.each or map)(one, parts):
            tally.add(done.rows, done.kept, done.dropped)
            tally.remark(done.edited, done.flagged)
            tally.facts.append(done.facts)
            task.advance()
    return tally.close()


def _execute_set(stage: Stage, tally: _Tally, config: StageConfig, parts: Sequence[Path], context: Context) -> Built:
    shard, merge = getattr(stage, "shard", None), getattr(stage, "merge", None)
    if context.each and shard and merge:
        shards = list(context.each(lambda part: shard(scan_parts([part]), config, context), parts))
        result = merge(shards, config, context)
    else:
        result = stage.run(scan_parts(parts), config, context)
    dropped, edited, flagged, replaced, added, *siblings = _collect(
        result.dropped, result.edited, result.flagged, result.replaced, result.added, *result.siblings.values()
    )
    dropped = dropped.drop("prompt_id", strict=False)
    if dropped["row_id"].is_duplicated().any():
        twice = dropped.filter(pl.col("row_id").is_duplicated())["row_id"]
        raise StoreError(f"{tally.name}: {twice.n_unique():,} ids dropped twice (for instance {twice[0]})")
    tally.rest(parts, dropped, replaced, added)
    if tally.dropped != dropped.height:
        raise StoreError(f"{tally.name}: dropped {dropped.height} ids, of which {tally.dropped} are rows of its input")
    tally.remark(edited, flagged)
    tally.facts.append(result.facts)
    for sibling, chosen in zip(result.siblings, siblings, strict=True):
        tally.beside(sibling, parts, chosen)
    return tally.close()


def _collect(*plans: pl.LazyFrame | None) -> list[Any]:
    """Collect plans in one pass, so that what they share runs once. None stays None."""
    frames = iter(pl.collect_all([plan for plan in plans if plan is not None]))
    return [next(frames) if plan is not None else None for plan in plans]


@dataclass(frozen=True)
class _Part:
    """What became of the rows of one part."""

    rows: int
    kept: pl.DataFrame
    dropped: pl.DataFrame
    edited: pl.DataFrame | None
    flagged: pl.DataFrame | None
    facts: Mapping[str, Any]


@dataclass
class _Tally:
    """Writes parts and adds up what became of each row."""

    name: str
    folder: Path
    parts: list[Path] = field(default_factory=list)
    rows_in: int = 0
    kept: int = 0
    dropped: int = 0
    ledger: list[pl.DataFrame] = field(default_factory=list)
    facts: list[Mapping[str, Any]] = field(default_factory=list)
    suffix = ".parquet"

    def add(self, rows: int, kept: pl.DataFrame, dropped: pl.DataFrame) -> None:
        """Write the kept rows as a part, and note the dropped ones."""
        self.parts.append(self.folder / f"part-{len(self.parts):05d}{self.suffix}")
        write_part(kept, self.parts[-1])
        self.note(rows, dropped)

    def rest(self, parts: Sequence[Path], dropped: pl.DataFrame, replaced: Table, added: Table) -> None:
        """Write the rows of some parts that are not dropped, with what is replaced and added; note the dropped."""
        gone = pl.col("row_id").is_in(dropped["row_id"].implode())
        for part in parts:
            frame = read_part(part)
            kept = frame.filter(~gone)
            if replaced is not None:
                kept = kept.update(replaced, on="row_id", how="left", maintain_order="left")
            if added is not None:
                _check_new(self.name, kept.columns, added.columns)
                kept = kept.join(added, on="row_id", how="left", maintain_order="left", validate="1:1")
            self.add(frame.height, kept, _with_prompt_ids(frame.filter(gone), dropped))

    def note(self, rows: int, dropped: pl.DataFrame) -> None:
        """Add up."""
        self.rows_in += rows
        self.kept += rows - dropped.height
        self.dropped += dropped.height
        self.ledger.append(as_decisions(dropped, self.name, "dropped"))

    def remark(self, edited: pl.DataFrame | None, flagged: pl.DataFrame | None) -> None:
        """Note what was said of rows that are kept."""
        for kind, frame in (("edited", edited), ("flagged", flagged)):
            if frame is not None:
                self.ledger.append(as_decisions(frame, self.name, kind))

    def beside(self, sibling: str, parts: Sequence[Path], chosen: pl.DataFrame) -> None:
        """Write the rows of a sibling, in the order of the input, as a table of its own."""
        rows = scan_parts(parts).filter(pl.col("row_id").is_in(chosen["row_id"].implode()))
        rows.sink_parquet(self.folder / f"{sibling}.parquet", maintain_order=True, **PARQUET)  # type: ignore[call-overload]

    def close(self) -> Built:
        """Write the ledger."""
        ledger = pl.concat(self.ledger) if self.ledger else pl.DataFrame(schema=DECISIONS)
        write_table(ledger, self.folder / "decisions.parquet")
        counts = {"in": self.rows_in, "kept": self.kept, "dropped": self.dropped, "quarantined": 0}
        remarks = {kind: int((ledger["kind"] == kind).sum()) for kind in ("edited", "flagged")}
        return Built(counts, merge_facts(self.facts) | remarks)


class _OneFile(_Tally):
    """Writes one file of all that is kept. Where a stage only drops rows, they are streamed into it from the input."""

    suffix = ".arrow"
    plan: pl.LazyFrame | None = None

    def rest(self, parts: Sequence[Path], dropped: pl.DataFrame, replaced: Table, added: Table) -> None:
        if replaced is not None or added is not None:
            super().rest(parts, dropped, replaced, added)
            return
        rows = scan_parts(parts)
        gone = pl.col("row_id").is_in(dropped["row_id"].implode())
        self.plan = rows.filter(~gone)
        mine, count = pl.collect_all([rows.filter(gone).select("row_id", "prompt_id"), rows.select(pl.len())])
        self.note(count.item(), _with_prompt_ids(mine, dropped))

    def close(self) -> Built:
        plan = scan_parts(self.parts) if self.plan is None else self.plan
        plan.sink_parquet(self.folder / "kept.parquet", maintain_order=True, **PARQUET)  # type: ignore[call-overload]
        for part in self.parts:
            part.unlink()
        return super().close()


def _check_new(name: str, have: Sequence[str], added: Sequence[str]) -> None:
    taken = sorted(set(have) & set(added) - {"row_id"})
    if taken:
        raise UsageError(
            f"{name}: the rows already have {', '.join(taken)}", hint="give the column another name in the profile"
        )


def _with_prompt_ids(rows: pl.DataFrame, dropped: pl.DataFrame) -> pl.DataFrame:
    """The ledger's columns of rows that are dropped, in the order of the rows."""
    return rows.select("row_id", "prompt_id").join(dropped, on="row_id", how="left", maintain_order="left")


def conserve(
    name: str, frame: pl.DataFrame, kept: pl.DataFrame, dropped: pl.DataFrame, key: str = "row_id"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Check that each id of `frame` is in exactly one half, and put both halves in the input's order.

    Raises StoreError, with counts and an example id, where an id is lost, doubled or unknown.
    """
    gone = frame[key].is_in(dropped[key].implode())
    if kept[key].equals(frame[key].filter(~gone)) and dropped[key].equals(frame[key].filter(gone)):
        return kept, dropped
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
    """Add up the figures of several parts: numbers are summed, also in dicts; anything else is equal and kept once."""
    merged: dict[str, Any] = {}
    for part in facts:
        for name, value in part.items():
            if name in merged and isinstance(value, Mapping):
                merged[name] = merge_facts([merged[name], value])
            elif name in merged and isinstance(value, (int, float)) and not isinstance(value, bool):
                merged[name] += value
            else:
                merged[name] = value
    return merged


def log_line(name: str, done: Committed) -> str:
    """`dedup.exact  10,000 -> 8,412  (1,588 exact_duplicate)  3.1 s`"""
    told = outcome(done.manifest.counts, done.table("decisions"), done.manifest.facts)
    return f"{name}  {told}  {'reused' if done.reused else f'{done.seconds:.1f} s'}"


def outcome(counts: Mapping[str, int], decisions: pl.LazyFrame, facts: Mapping[str, Any]) -> str:
    """`10,000 -> 8,412  (1,588 exact_duplicate, 3 flagged)`"""
    lost = decisions.filter(~pl.col("kind").is_in(["edited", "flagged"])).group_by("reason").len()
    reasons = lost.sort(["len", "reason"], descending=[True, False]).collect()
    told = [f"{count:,} {reason}" for reason, count in reasons.iter_rows()]
    remarks = ((facts.get(kind) or 0, kind) for kind in ("edited", "flagged"))
    told += [f"{count:,} {kind}" for count, kind in remarks if count]
    shown = f"  ({', '.join(told)})" if told else ""
    return f"{counts['in']:,} -> {counts['kept']:,}{shown}"


def _fingerprint(stage: Stage, config: StageConfig, context: Context) -> Any:
    """What a stage reads besides its rows (benchmark files, models), as digests: its optional `fingerprint`."""
    fingerprint = getattr(stage, "fingerprint", None)
    return fingerprint(config, context) if fingerprint else None
