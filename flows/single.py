"""`sieveline stage`: one stage alone on a file or folder, each a tool in itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from pydantic import ValidationError

from curation.digest import code_digest, sha256_file
from curation.ingest import read_into
from curation.progress import Terminal
from curation.runner import execute, outcome
from curation.stage import Context, Stage, StageConfig, load_stage
from curation.store import MANIFEST, Built, sync_file, temporary, write_file, write_table
from flows.profiles import name_sources, split_override, stage_config, tell_problems
from schemas.errors import ProfileError, UsageError
from schemas.profile.sources import Ingest, Source

OUTPUTS = ("kept.parquet", "decisions.parquet", MANIFEST)


def run_single(name: str, path: str, out: Path, overrides: Sequence[str], seed: int) -> None:
    """Ingest `path`, run the stage, and leave kept.parquet, decisions.parquet and manifest.json in `out`.

    The input's own `id` is the row_id where it has one. Quarantined lines are in decisions.parquet too.
    Raises UsageError for an unknown stage or an unusable folder, ProfileError for a bad setting.
    """
    stage = load_stage(name)
    config = _config(name, dict(split_override(override) for override in overrides))
    _check(out)
    progress = Terminal()
    context = Context(seed=seed, home=out, progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with temporary(out / "stage") as scratch:
        source = name_sources((Source(path=path),))[0]
        raw, made = scratch / "raw", scratch / "made"
        with _preparing(stage, config):
            read = read_into(source, Ingest(), raw, context)
        made.mkdir()
        parts = sorted(raw.glob("part-*.arrow"))
        built = execute(stage, name, config, parts, made, context, one_file=True)
        ledger = pl.concat([pl.scan_parquet(folder / "decisions.parquet") for folder in (raw, made)]).collect()
        write_table(ledger, made / "decisions.parquet")
        _publish(made, out, name, config, seed, read, built)
    counts = {**built.counts, "in": read.counts["in"]}
    told = outcome(counts, pl.scan_parquet(out / "decisions.parquet"), built.facts)
    progress.line(f"{name}  {told}  {time.monotonic() - started:.1f} s  -> {out}")


@contextmanager
def _preparing(stage: Stage, config: StageConfig) -> Iterator[None]:
    """Let a stage load what it needs (its optional `prepare`) while other processes read the input.

    What goes wrong there goes wrong again in the stage itself, and is told from there.
    """

    prepare = getattr(stage, "prepare", None)

    def work() -> None:
        with suppress(Exception):
            if prepare:
                prepare(config)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join()


def _config(name: str, options: dict[str, Any]) -> StageConfig:
    try:
        return stage_config(name, options)
    except ValidationError as error:
        keys = ", ".join(load_stage(name).Config.model_fields)
        raise ProfileError(f"--set of {name} (its keys: {keys})", tell_problems(error)) from error


def _check(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file", hint="name a folder")
    if any((out / name).exists() for name in OUTPUTS[:2]) and not (out / MANIFEST).exists():
        raise UsageError(f"--out {out} has tables of another origin", hint="name another folder")


def _clear(out: Path) -> None:
    """Take away what an earlier run left: its manifest first, then the tables that it names."""
    manifest = out / MANIFEST
    if manifest.exists():
        named = [file["name"] for file in orjson.loads(manifest.read_bytes())["files"]]
        manifest.unlink()
        for name in named:
            if Path(name).name == name:
                (out / name).unlink(missing_ok=True)


def _publish(made: Path, out: Path, name: str, config: StageConfig, seed: int, read: Built, built: Built) -> None:
    """Move the tables (and those of siblings) into place, the manifest last and the old ones away first."""
    _clear(out)
    files = []
    for table in sorted(file.name for file in made.glob("*.parquet")):
        sync_file(made / table)
        (made / table).rename(out / table)
        files.append({"name": table, "sha256": sha256_file(out / table), "bytes": (out / table).stat().st_size})
    manifest = {
        "format": 1,
        "stage": name,
        "code": code_digest(load_stage(name).__name__),
        "config": config.model_dump(mode="json"),
        "seed": seed,
        "inputs": read.facts["files"],
        "counts": {**built.counts, "in": read.counts["in"], "quarantined": read.counts["quarantined"]},
        "facts": built.facts,
        "files": files,
    }
    write_file(out / MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
