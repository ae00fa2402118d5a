"""Write a run's hand-over folder, whole or not at all.

    <out>/sft/ rejection_sampling/ preference/   train-00000-of-00001.parquet each
    <out>/controls/random/sft/ longest/sft/       the siblings of a selection, where the run made one
    <out>/README.md report.html run.json          the card, the report, the record
    <out>/report.json                             the figures of the report
    <out>/profile.toml                            the profile, to make the same again

Everything is built in a temporary folder inside `out` and moved into place entry by entry, `run.json` last and taken
away first, so that a folder with a `run.json` is a whole one. Other files in the folder are left alone. While entries
are moved, `.moving.json` names them: what a kill left half done is known as ours by it.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curation import ledger
from curation.handover.card import CONFIGS, CONTROLS, PROFILE, Told, dataset_card
from curation.handover.figures import figures, languages
from curation.handover.profile_file import as_toml
from curation.handover.tables import write_split
from curation.runs import RunRecord, Runs
from curation.store import Committed, sync_file, sync_folder, write_file
from schemas.errors import UsageError

RECORD = "run.json"
MOVING = ".moving.json"
DECISIONS_FILE = "decisions.parquet"
ENTRIES = (*CONFIGS, CONTROLS, "README.md", PROFILE, "report.html", "report.json", RECORD)
SFT_COLUMNS = ("messages", "row_id", "prompt_id", "source", "language", "metadata")


def export(
    runs: Runs, record: RunRecord, out: Path, report: str | None, report_figures: bytes | None = None
) -> dict[str, int]:
    """Write the sets of a run into `out`, with its report and this one's figures; returns how many rows each set has.

    Raises UsageError where `out` is a file, or holds entries of ours that another tool wrote.
    """
    check_out(out)
    with staged(out) as staging:
        made = sets(runs, record)
        rows = {name: _write(frame, staging / name) for name, frame in made.items()}
        for name, frame in controls(runs, record).items():
            rows[f"sft_{name}"] = _write(frame, staging / CONTROLS / name / "sft")
        funnel, counted = ledger.counts(runs, record), (figures(made), languages(made))
        told = Told(rows, sources(runs, record), comparisons(runs, record), funnel, *counted)
        (staging / "README.md").write_text(dataset_card(record, told), encoding="utf-8")
        (staging / PROFILE).write_text(as_toml(record.profile), encoding="utf-8")
        if report is not None:
            (staging / "report.html").write_text(report, encoding="utf-8")
        if report_figures is not None:
            (staging / "report.json").write_bytes(report_figures)
        (staging / RECORD).write_bytes(orjson.dumps(record.model_dump(), option=orjson.OPT_INDENT_2))
        move_into(staging, out, ENTRIES)
    return rows


def check_out(out: Path) -> None:
    """Whether `out` may be written to: absent, empty, an earlier hand-over, or free of our entries' names."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file", hint="name a folder")
    taken = [name for name in ENTRIES if (out / name).exists()]
    ours = (out / RECORD).exists() or bool(unfinished(out)) or not {"README.md", *CONFIGS} & set(taken)
    if not ours:
        raise UsageError(
            f"--out {out} already has {', '.join(taken)}, and no {RECORD} that says this tool wrote them",
            hint="name another folder, or move these away",
        )


def sets(runs: Runs, record: RunRecord) -> dict[str, pl.DataFrame]:
    """The three sets of a run, those that it got to, in their exported columns."""
    found: dict[str, pl.DataFrame] = {}
    curated = curated_step(runs, record)
    if curated is not None:
        found["sft"] = _sft(curated)
    for name in ("rejection_sampling", "preference"):
        done = runs.last(record, name)
        if done is not None:
            found[name] = done.scan().collect()
    return found


def controls(runs: Runs, record: RunRecord) -> dict[str, pl.DataFrame]:
    """The siblings of the run's last selection, by name, in the columns of the SFT set."""
    for step in reversed([step for step in record.steps if step.phase == "curate"]):
        done = runs.committed(step)
        names = [file.name.removesuffix(".parquet") for file in done.manifest.files if file.name != DECISIONS_FILE]
        siblings = [name for name in names if not name.startswith("part-")]
        if siblings:
            return {name: _sft(done.table(name)) for name in siblings}
    return {}


def _sft(rows: pl.LazyFrame) -> pl.DataFrame:
    """Rows in the columns that are exported: all scores among them."""
    scores = [name for name in rows.collect_schema().names() if name.startswith("score_")]
    return _with_tools(rows.select(*SFT_COLUMNS, *scores).collect())


def _with_tools(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the function schemas of tool-calling rows as `tools`, in TRL's column, where any row has them."""
    tools = rows["metadata"].str.json_path_match("$.tools").alias("tools")
    return rows if tools.is_null().all() else rows.with_columns(tools)


def curated_table(runs: Runs, record: RunRecord) -> Committed | None:
    """What the last curation stage of a run committed."""
    steps = [step for step in record.steps if step.phase == "curate"]
    return runs.committed(steps[-1]) if steps else None


def curated_step(runs: Runs, record: RunRecord) -> pl.LazyFrame | None:
    """The rows that the last curation stage kept."""
    done = curated_table(runs, record)
    return done.scan() if done else None


def sources(runs: Runs, record: RunRecord) -> list[dict[str, Any]]:
    """Each source with its licence, rows read, rows in the curated set, and their languages."""
    curated = curated_step(runs, record)
    kept: Mapping[str, tuple[int, Sequence[str]]] = {}
    if curated is not None:
        grouped = curated.group_by("source").agg(pl.len(), pl.col("language").drop_nulls().unique().sort())
        kept = {name: (count, codes) for name, count, codes in grouped.collect().iter_rows()}
    read = [step for step in record.steps if step.phase == "ingest"]
    told = []
    for source, step in zip(record.profile["sources"], read, strict=False):
        count, codes = kept.get(source["name"], (0, []))
        told.append(
            {
                "name": source["name"],
                "licence": source["licence"],
                "read": step.counts["in"],
                "kept": count,
                "languages": list(codes),
            }
        )
    return told


def comparisons(runs: Runs, record: RunRecord) -> list[dict[str, Any]]:
    """Each entry of preference data that was read, with its licence, records read and kept, and pairs made of it."""
    done = runs.last(record, "preference")
    pairs: Mapping[str, int] = dict(done.scan().group_by("source").len().collect().iter_rows()) if done else {}
    read = [step for step in record.steps if step.phase == "comparisons"]
    told = []
    for entry, step in zip(record.profile.get("comparisons", []), read, strict=False):
        made = runs.committed(step).scan().select("source", "language").unique().collect()
        names = made["source"].unique().sort().to_list()
        told.append(
            {
                "name": entry["name"] or ", ".join(names),
                "licence": entry["licence"],
                "read": step.counts["in"],
                "kept": step.counts["kept"],
                "pairs": sum(pairs.get(name, 0) for name in names),
                "languages": made["language"].drop_nulls().unique().sort().to_list(),
            }
        )
    return told


def _write(frame: pl.DataFrame, folder: Path) -> int:
    if frame.height:
        write_split(frame, folder)
    return frame.height


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A temporary folder inside `out`, which is made if need be; those of killed writers are removed."""
    out.mkdir(parents=True, exist_ok=True)
    for stale in out.glob(".tmp-*"):
        shutil.rmtree(stale, ignore_errors=True)
    staging = out / f".tmp-{uuid.uuid4().hex}"
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def move_into(staging: Path, out: Path, entries: Sequence[str]) -> None:
    """Put entries of a synced `staging` in place of those in `out`, one by one; the last one says that all are there.

    An entry that `staging` has not is taken away.
    """
    for path in staging.rglob("*"):
        (sync_folder if path.is_dir() else sync_file)(path)
    write_file(out / MOVING, orjson.dumps(list(entries)))
    (out / entries[-1]).unlink(missing_ok=True)
    for name in entries:
        target = out / name
        if target.is_dir():
            shutil.rmtree(target)
        elif target.exists():
            target.unlink()
        if (staging / name).exists():
            os.rename(staging / name, target)
    sync_folder(out)
    (out / MOVING).unlink()


def unfinished(out: Path) -> list[str]:
    """The entries that a move was about to put into `out` when it was killed."""
    try:
        return [str(name) for name in orjson.loads((out / MOVING).read_bytes())]
    except FileNotFoundError:
        return []
