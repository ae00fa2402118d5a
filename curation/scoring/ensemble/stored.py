"""Calibrations in the store, so that a later run's numbers do not move with its own data.

    store/scoring.calibration/<key>/calibration.json

A run that calibrates on its own completions stores what it found; the key is in its manifest's facts, and `reference`
of a later profile names it (or its first digits, or the file).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import orjson
import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from curation.digest import code_digest, sha256_value
from curation.scoring.ensemble.calibration import Curve, fit
from curation.store import Built, Committed, Store, write_file
from schemas.errors import StoreError, UsageError

STAGE: Final = "scoring.calibration"
FILE: Final = "calibration.json"
# What may differ between the run that calibrated and the one that uses it: it does not change what a score means.
_INCIDENTAL: Final = {"version", "torch", "device", "dtype", "batch_size", "seed"}


class Fitted(BaseModel):
    """One scorer's curve, and a digest of what the scorer is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    scorer: str
    curve: Curve


class Calibration(BaseModel):
    """Curves by the scorers' names, all of one method."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    method: Literal["rank", "robust_z"]
    scorers: dict[str, Fitted]

    @property
    def digest(self) -> str:
        """Names its content."""
        return sha256_value(self.model_dump(mode="json"))

    def check(self, method: str, identities: Mapping[str, Mapping[str, Any]]) -> None:
        """Raise UsageError where it is of another method, or lacks a scorer, or knows another one by its name."""
        hint = "score the reference set again with these scorers and name the calibration of that run"
        if self.method != method:
            raise UsageError(f"the calibration is by {self.method}, and the profile says {method}", hint=hint)
        for name, identity in identities.items():
            if name not in self.scorers:
                known = ", ".join(sorted(self.scorers))
                raise UsageError(f"the calibration has no scorer {name!r}; it has {known}", hint=hint)
            if self.scorers[name].scorer != essence(identity):
                raise UsageError(f"the calibration was made with another scorer by the name of {name!r}", hint=hint)


def essence(identity: Mapping[str, Any]) -> str:
    """Digest of a scorer's identity without library versions, device, precision, batch size and seed."""
    return sha256_value({key: value for key, value in identity.items() if key not in _INCIDENTAL})


def store_fitted(
    store: Store, raw: pl.DataFrame, method: Literal["rank", "robust_z"], identities: Mapping[str, Mapping[str, Any]]
) -> tuple[Calibration, Committed]:
    """Fit the columns of `raw` (Float64, one a scorer, by name; nulls left out) and commit what is found.

    A scorer without any number is not in the calibration. Raises UsageError as `fit` does.
    """
    numbers = {name: raw[name].drop_nulls() for name in sorted(identities)}
    scorers = {
        name: Fitted(scorer=essence(identities[name]), curve=fit(name, series, method))
        for name, series in numbers.items()
        if len(series)
    }
    made = Calibration(method=method, scorers=scorers)
    recipe = {
        "stage": STAGE,
        "code": code_digest(__name__),
        "method": method,
        "scorers": {name: one.scorer for name, one in scorers.items()},
        "numbers": {name: _digest(series) for name, series in numbers.items()},
    }

    def build(folder: Path) -> Built:
        write_file(folder / FILE, orjson.dumps(made.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS))
        counts = {"in": raw.height, "kept": raw.height, "dropped": 0, "quarantined": 0}
        return Built(counts, {"unit": "completions", "method": method, **_told(made)})

    return made, store.commit(STAGE, recipe, build)


def load(store: Store, reference: str) -> Calibration:
    """The calibration of a key, of its first digits (eight or more), or of a file or its folder.

    Raises UsageError where there is none, several, or it cannot be read.
    """
    hint = f"a run's manifest has the key of its calibration; they are in {store.root / STAGE}"
    path = Path(reference)
    if path.exists():
        return _read(path / FILE if path.is_dir() else path)
    found = sorted(
        folder.name for folder in (store.root / STAGE).glob("[0-9a-f]*") if folder.name.startswith(reference)
    )
    if len(reference) < 8 or len(found) != 1:
        raise UsageError(
            f"{reference!r} names {len(found) or 'no'} stored calibration{'s' * (len(found) > 1)}", hint=hint
        )
    committed = store.find(STAGE, found[0])
    if committed is None:
        raise StoreError(f"the calibration {reference!r} does not match its manifest", hint=hint)
    return _read(committed.path / FILE)


def _read(file: Path) -> Calibration:
    try:
        return Calibration.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(f"{file}: cannot be read as a calibration: {error}") from error


def _told(made: Calibration) -> dict[str, Any]:
    return {"scorers": {name: one.curve.told() for name, one in made.scorers.items()}}


def _digest(numbers: pl.Series) -> str:
    return hashlib.sha256(numbers.sort().to_numpy().tobytes()).hexdigest()
