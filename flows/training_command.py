"""`sieveline train`: from a run, or a folder of sets, to trained models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from curation.handover.export import RECORD
from curation.progress import Terminal
from curation.runs import RunRecord, Runs
from flows.profiles import Loaded, apply_override, load_profile
from schemas.errors import UsageError
from schemas.profile import Profile, Training

STAGES = ("sft", "rejection-sampling", "dpo", "reward")


def run_training(
    what: str,
    *,
    run: str,
    data: Path | None,
    out: Path | None,
    base: str | None,
    profile: str | None,
    overrides: Sequence[str],
    home: Path,
) -> None:
    """Train one stage, or `all`: SFT, rejection-sampling SFT and DPO, each from the model before it.

    Settings are those that the run was made with, or those of `profile`; overrides are keys under `training`, such as
    `training.sft.max_steps=20`. Models go to `models` beside the sets unless `out` says otherwise.
    Raises UsageError for an unknown stage, a run without sets, or an override outside `training`.
    """
    if what != "all" and what not in STAGES:
        raise UsageError(f"{what!r} cannot be trained", hint=f"one of: {', '.join(STAGES)}, all")
    sets, record = find_sets(run, data, home)
    training, seed = settings(record, profile, overrides)
    target = out or sets / "models"
    options: dict[str, Any] = {"seed": seed, "home": home, "base": base, "progress": Terminal()}
    if what == "all":
        from training.chain import run_all

        run_all(sets, target, training, **options)
        return
    from training.launch import train

    train(what.replace("-", "_"), sets, target, training, **options)


def find_sets(run: str, data: Path | None, home: Path) -> tuple[Path, RunRecord | None]:
    """The hand-over folder to train on and, where it has one, the record of the run that made it."""
    if data is not None:
        record = data / RECORD
        return data, RunRecord.model_validate_json(record.read_bytes()) if record.exists() else None
    found = Runs(home).load(run)
    folder = found.notes.get("out")
    if folder is None:
        raise UsageError(f"the run {found.run} was not handed over", hint="run: sieveline curate")
    whole = Path(folder) / RECORD
    if not whole.exists() or orjson.loads(whole.read_bytes())["run"] != found.run:
        raise UsageError(
            f"{folder} does not hold the sets of run {found.run} any more",
            hint=f"run `sieveline curate` again, or name the folder itself: --data {folder}",
        )
    return Path(folder), found


def settings(record: RunRecord | None, profile: str | None, overrides: Sequence[str]) -> tuple[Training, int]:
    """Training settings and seed: of the named profile, else of the run, else of quickstart, with overrides."""
    for override in overrides:
        if not override.startswith("training."):
            raise UsageError(
                f"--set {override}", hint="keys here begin with training., such as training.sft.max_steps=20"
            )
    if profile is not None or record is None:
        loaded: Loaded = load_profile(profile or "quickstart", overrides)
        return loaded.profile.training, loaded.profile.seed
    raw = dict(record.profile)
    for override in overrides:
        apply_override(raw, override)
    made = Profile.model_validate(raw)
    return made.training, made.seed
