"""What the models were trained on against what they are evaluated on, before anything else is done.

The training sets are found by the digests in the runs' manifests. In a conversation of several turns every answer is
trained on, so what comes before each of them is a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from curation.digest import sha256_file
from curation.gates.leakage import leaks
from schemas.errors import GateError, UsageError
from training.evaluation.subjects import Run, Subject

_SHOWN: Final = 10
_ROLE = pl.element().struct.field("role")


@dataclass(frozen=True)
class Sets:
    """The files of training sets by digest, and those of them that have no prompts (plain text)."""

    files: dict[str, Path]
    prompts: pl.DataFrame
    without_prompts: list[str] = field(default_factory=list)

    @property
    def folders(self) -> list[Path]:
        """The hand-over folders that the files are of."""
        return sorted({file.parent.parent for file in self.files.values()})


def training_sets(subjects: Sequence[Subject], data: Sequence[Path]) -> Sets:
    """The sets that the subjects and their ancestors were trained on, in `data` or where the runs were made.

    Raises UsageError where a file is not found.
    """
    files: dict[str, Path] = {}
    for run in (run for subject in subjects for run in subject.lineage):
        for wanted in run.manifest.recipe.get("data", []):
            if wanted["sha256"] not in files:
                files[wanted["sha256"]] = _find(wanted, run, data)
    frames = {file: _prompts_in(file) for file in files.values()}
    told = [frame for frame in frames.values() if frame is not None]
    bare = [f"{file.parent.name}/{file.name}" for file, frame in frames.items() if frame is None]
    empty = pl.DataFrame(schema={"prompt_id": pl.String, "prompt": pl.List(_TURN)})
    return Sets(files, pl.concat([empty, *told]), bare)


def check(held_out: pl.DataFrame, sets: Sets, threshold: float) -> pl.DataFrame:
    """The held-out prompts that a training set has: `prompt_id`, `held_out_id` (the training prompt's), `by`, ..."""
    if sets.prompts.is_empty():
        return pl.DataFrame(schema={"prompt_id": pl.String, "held_out_id": pl.String, "by": pl.String})
    return leaks(held_out.lazy(), sets.prompts.lazy(), threshold)


def refuse(found: pl.DataFrame, held_out: int) -> None:
    """Raises GateError, with ids, where any prompt leaks."""
    if found.is_empty():
        return
    grounds = ", ".join(f"{by} {n}" for by, n in found["by"].value_counts().sort("by").iter_rows())
    shown = ", ".join(
        f"{row['prompt_id']} ({row['by']} of {row['held_out_id']})" for row in found.head(_SHOWN).iter_rows(named=True)
    )
    more = f" and {found.height - _SHOWN} more" if found.height > _SHOWN else ""
    raise GateError(
        f"{found.height} of {held_out} held-out prompts were trained on ({grounds}): {shown}{more}",
        hint="name other held-out prompts, or leave these out: --set evaluation.on_leak=leave_out",
    )


def facts(found: pl.DataFrame, sets: Sets, subjects: Iterable[Subject], threshold: float) -> dict[str, Any]:
    """What the result says of the check. `unknown`: models of which no training run is known."""
    return {
        "training_files": sorted(sets.files),
        "training_prompts": sets.prompts.height,
        "without_prompts": sets.without_prompts,
        "threshold": threshold,
        "left_out": found["prompt_id"].to_list(),
        "unknown": [subject.name for subject in subjects if not subject.lineage],
    }


_TURN: Final = pl.Struct({"role": pl.String, "content": pl.String})


def _find(wanted: dict[str, str], run: Run, data: Sequence[Path]) -> Path:
    # A run stands in <sets>/models/<stage> unless it was told otherwise.
    for folder in (*data, run.path.parent.parent, run.path.parent):
        file = folder / wanted["name"]
        if file.is_file() and sha256_file(file) == wanted["sha256"]:
            return file
    raise UsageError(
        f"{run.path}: the set {wanted['name']} (sha256 {wanted['sha256'][:12]}) that it was trained on is not found, "
        "so that it cannot be compared with the held-out prompts",
        hint="name the folder that it was trained from: --data FOLDER",
    )


def _prompts_in(file: Path) -> pl.DataFrame | None:
    """`prompt_id` and `prompt` of every prompt of a set; None where it has none, as plain text has."""
    if file.suffix != ".parquet":
        return None
    rows = pl.scan_parquet(file)
    names = rows.collect_schema().names()
    if "prompt_id" not in names:
        rows = rows.with_row_index("prompt_id").with_columns(pl.col("prompt_id").cast(pl.String))
    if "messages" in names:
        at = pl.col("messages").list.eval((_ROLE == "assistant").arg_true())
        rows = rows.with_columns(at.alias("at")).explode("at").drop_nulls("at")
        rows = rows.with_columns(pl.col("messages").list.head("at").alias("prompt"))
    elif "prompt" not in names:
        return None
    plain = pl.struct(_ROLE.alias("role"), pl.element().struct.field("content").cast(pl.String).alias("content"))
    return rows.select("prompt_id", pl.col("prompt").list.eval(plain)).collect()
