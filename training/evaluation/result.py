"""The committed result of an evaluation, and its form for reading.

    evaluation.json       models, held-out prompts, scorers, leakage check, figures
    completions.parquet   every answer with every score and flag
    decisions.parquet     prompts left out as trained_on (detail: by what), or dropped as no_answer of any model
    manifest.json         recipe and digests (`curation.store.verify` reads it)

docs/evaluation.md lists the keys and columns.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from curation.bias.figures import Figure
from curation.store import Manifest, verify
from schemas.errors import UsageError

RESULT: Final = "evaluation.json"
ANSWERS: Final = "completions.parquet"
FORMAT: Final = 1


@dataclass(frozen=True)
class Evaluation:
    """A verified result."""

    path: Path
    manifest: Manifest
    told: dict[str, Any]

    @property
    def models(self) -> list[str]:
        """The models' names, the base first."""
        return list(self.told["models"])

    def figures(self, model: str) -> dict[str, Any]:
        """What `figures.of_model` told of a model."""
        found: dict[str, Any] = self.told["models"][model]["figures"]
        return found

    def against(self, model: str, other: str = "base") -> dict[str, Any] | None:
        """What `figures.against` told of a model and `base` or `previous`; None where they were not compared."""
        found: dict[str, Any] | None = self.told["models"][model]["against"].get(other)
        return found

    def answers(self) -> pl.LazyFrame:
        """All answers with their scores."""
        return pl.scan_parquet(self.path / ANSWERS)

    def copy_to(self, out: Path) -> None:
        """Copy the folder to a place of the user's.

        Raises UsageError where something else is there.
        """
        if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / RESULT).exists())):
            raise UsageError(f"--out {out} has something else in it", hint="name another folder")
        shutil.copytree(self.path, out, dirs_exist_ok=True)


def load(path: Path) -> Evaluation:
    """A result from its folder or its `evaluation.json`.

    Raises UsageError where it is none, StoreError where a file differs from the manifest.
    """
    folder = path.parent if path.name == RESULT else path
    if not (folder / RESULT).is_file():
        raise UsageError(f"{path}: no {RESULT} here", hint="name a folder that sieveline evaluate wrote")
    manifest = verify(folder)
    told = orjson.loads((folder / RESULT).read_bytes())
    if told.get("format") != FORMAT:
        raise UsageError(f"{path}: an {RESULT} of another version", hint="evaluate the models again")
    return Evaluation(folder, manifest, told)


def shown(figure: Figure | None, digits: int = 3, *, percent: bool = False) -> str:
    """`0.620 [0.540, 0.700]`, or in percent; a dash for what is not there."""
    if figure is None or figure["value"] is None:
        return "–"
    scale, unit = (100, " %") if percent else (1, "")
    value, *ends = (
        None if figure[key] is None else f"{scale * figure[key]:,.{digits}f}" for key in ("value", "low", "high")
    )
    return f"{value}{unit}" if None in ends else f"{value}{unit} [{ends[0]}, {ends[1]}]"
