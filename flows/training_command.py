"""`sieveline train`: from a run, or a folder of sets, to trained models."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from curation.handover.export import RECORD
from curation.progress import Terminal
from curation.runs import RunRecord, Runs
from flows.profiles import apply_override, load_profile, recorded
from flows.steps import refresh_report
from schemas.errors import UsageError
from schemas.profile import Profile
from training.provenance import record_of

STAGES = ("sft", "rejection-sampling", "dpo", "reward", "rloo", "pretrain", "masked-lm", "classifier")
REPORT_TO = "SIEVELINE_REPORT_TO"


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
    report_to: str | None = None,
) -> None:
    """Train one stage, or `all`: SFT, rejection-sampling SFT and DPO, each from the model before it.

    `data` is a hand-over folder; for pretrain and masked-lm a folder of texts as well, for classifier one of labelled
    texts. Settings are those that the run was made with, or those of `profile`; overrides are keys under `training`,
    such as `training.sft.max_steps=20`, and for rloo, whose reward they are, under `scoring`. Models go to `models`
    beside the sets unless `out` says otherwise. `report_to` names a tracker of Transformers, such as trackio; without
    it the environment's SIEVELINE_REPORT_TO does, or none.

    Raises UsageError for an unknown stage, a run without sets, or an override outside of these.
    """
    if what != "all" and what not in STAGES:
        raise UsageError(f"{what!r} cannot be trained", hint=f"one of: {', '.join(STAGES)}, all")
    sets, record = find_sets(run, data, home)
    made = settings(record, profile, overrides, ("training.", "scoring.") if what == "rloo" else ("training.",))
    training = made.training
    target = out or sets / "models"
    options: dict[str, Any] = {"seed": made.seed, "home": home, "base": base, "progress": Terminal()}
    options["report_to"] = report_to or os.environ.get(REPORT_TO) or "none"
    if what == "all":
        from training.chain import run_all

        run_all(sets, target, training, **options)
    else:
        from training.launch import train

        train(what.replace("-", "_"), sets, target, training, scoring=made.scoring, **options)
    if data is None and record is not None:
        refresh_report(Runs(home), record, sets)
        options["progress"].line(f"report: {sets / 'report.html'}, now with what was trained")


def find_sets(run: str, data: Path | None, home: Path) -> tuple[Path, RunRecord | None]:
    """The hand-over folder to train on and, where it has one, the record of the run that made it; that of a control is
    the record of the hand-over that it stands in.
    """
    if data is not None:
        record = record_of(data)
        return data, RunRecord.model_validate_json(record.read_bytes()) if record else None
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


def settings(
    record: RunRecord | None, profile: str | None, overrides: Sequence[str], keys: tuple[str, ...] = ("training.",)
) -> Profile:
    """The named profile, else that of the run, else quickstart, with overrides; those begin with one of `keys`."""
    for override in overrides:
        if not override.startswith(keys):
            raise UsageError(
                f"--set {override}", hint=f"keys here begin with {' or '.join(keys)}, such as training.sft.max_steps=20"
            )
    if profile is not None or record is None:
        return load_profile(profile or "quickstart", overrides).profile
    raw = dict(record.profile)
    for override in overrides:
        apply_override(raw, override)
    return recorded(record.run, raw)
