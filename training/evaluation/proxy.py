"""The reward that models were trained on, and whether the evaluation's own scorer is the same one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.digest import sha256_value
from curation.handover.export import RECORD
from curation.runs import RunRecord
from curation.scoring.run import Make
from curation.stage import Context
from schemas.errors import UsageError
from schemas.profile.scoring import Scoring

_UP = 3  # a control's set stands two folders below the record of its run: controls/random/sft


def proxy_of(folders: Sequence[Path]) -> Scoring | None:
    """The scoring of the runs that made some training sets, by the records in their hand-over folders.

    None where there is no record. Raises UsageError where they had different ones.
    """
    found: dict[str, Scoring] = {}
    for folder in folders:
        records = (place / RECORD for place in (folder, *folder.parents[: _UP - 1]))
        record = next((file for file in records if file.is_file()), None)
        if record is not None:
            raw = RunRecord.model_validate_json(record.read_bytes()).profile.get("scoring", {})
            scoring = Scoring.model_validate(raw)
            found[scoring.model_dump_json()] = scoring
    if len(found) > 1:
        raise UsageError(
            f"the models were trained on data of {len(found)} different rewards",
            hint="name the one to compare with in [evaluation.proxy], or evaluate the models apart",
        )
    return next(iter(found.values()), None)


def alike(scoring: Scoring, proxy: Scoring, context: Context, make: Make) -> list[str]:
    """The names of the evaluation's rewards that are the proxy's too: the same model, or the same rule."""
    theirs = {_kernel(make(entry, context).identity()) for entry in proxy.entries() if entry.role == "reward"}
    mine = [entry for entry in scoring.entries() if entry.role == "reward"]
    return [entry.name for entry in mine if _kernel(make(entry, context).identity()) in theirs]


def _kernel(identity: dict[str, Any]) -> str:
    """What a scorer's opinion comes from: the model where there is one, else all that shapes its numbers."""
    model = identity.get("model")
    return str(model["digest"]) if isinstance(model, dict) and model.get("digest") else sha256_value(identity)
