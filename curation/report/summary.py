"""What stands on top of the report: verdict, sizes, cost, what changed since the run before, and what to look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl
from typing_extensions import TypedDict

from curation.report.context import ReportRun
from curation.report.finding import Finding, foremost
from curation.runs import RunRecord

DEAREST = 3


class Broken(TypedDict):
    """A gate that did not let the run pass."""

    place: str
    """Which gate."""
    expectations: list[str]
    """The names of what failed there."""


class Verdict(TypedDict):
    """How the run ended."""

    status: Literal["published", "passed", "stopped", "running"]
    """passed: it was finished and every gate passed; published: it was made the current version, too."""
    gates: int
    """Gates that the run came to."""
    broken: list[Broken]
    """Gates at which a critical expectation, or a limit of the bias panel, did not hold."""
    error: str | None
    """The words that the run stopped with."""


class Sizes(TypedDict):
    """How much came in and went out; None for a set that the run did not get to."""

    read: int
    """Rows read, quarantined lines among them."""
    quarantined: int
    """Lines that could not be read."""
    sft: int | None
    """Rows of the SFT set."""
    sft_characters: int | None
    """Characters of all messages of the SFT set."""
    sft_tokens: int | None
    """Tokens of its prompts and answers, by the tokenizer of the model to be trained; null where that is not here."""
    sft_tokens_about: bool
    """Whether that is the mean of a sample times the rows."""
    rejection_sampling: int | None
    """Rows of the rejection-sampling set."""
    preference: int | None
    """Preference pairs."""
    candidates: int | None
    """Scored candidates."""
    candidate_tokens: int | None
    """Tokens of the scored candidates, as the engine that made them counted."""


class Dear(TypedDict):
    """One of the stages that took longest."""

    stage: str
    seconds: float
    share: float
    """Of the time of all stages."""


class Cost(TypedDict):
    """Where the time went."""

    seconds: float | None
    """From the start of the run to its end, by the clock."""
    stages: float
    """Seconds in stages; a stage that was done before costs none."""
    reused: int
    """Stages that were done before."""
    dearest: list[Dear]


class Change(TypedDict):
    """The run before of the same profile, and this one. None where a run did not get that far."""

    run: str
    started: str
    rows_before: int | None
    rows_now: int | None
    pairs_before: int | None
    pairs_now: int | None
    kept_before: float | None
    """Rows of the SFT set as a share of the rows read."""
    kept_now: float | None


class Figures(TypedDict):
    """The summary of a run."""

    verdict: Verdict
    sizes: Sizes
    cost: Cost
    change: Change | None
    """None where no finished run of the same profile is before this one."""
    foremost: list[Finding]
    """At most five, chosen by severity, then weight, at most two of a section."""


def gather(run: ReportRun, sections: Mapping[str, Any]) -> Figures:
    """The summary, from the record, the tables and what the sections found."""
    return Figures(
        verdict=verdict(run.record),
        sizes=sizes(run, sections.get("tokens")),
        cost=cost(run.record),
        change=change(run.record, run.previous),
        foremost=foremost({name: figures.get("findings", []) for name, figures in sections.items()}),
    )


def verdict(record: RunRecord) -> Verdict:
    """Whether a run came through, and which gates it failed."""
    gates = [step for step in record.steps if step.stage.startswith("gates.")]
    broken = [
        Broken(
            place=step.stage.removeprefix("gates."),
            expectations=[
                result["name"]
                for result in step.facts["results"]
                if not result["passed"] and result.get("severity", "critical") == "critical"
            ],
        )
        for step in gates
    ]
    broken = [gate for gate in broken if gate["expectations"]]
    for step in record.steps:
        limits = [limit["name"] for limit in step.facts.get("limits", []) if not limit["passed"]]
        if step.stage == "bias" and limits:
            broken.append(Broken(place="bias", expectations=limits))
    status: Literal["published", "passed", "stopped", "running"] = "passed"
    if record.error or record.status == "failed" or broken:
        status = "stopped"
    elif record.status == "running":
        status = "running"
    elif record.notes.get("published"):
        status = "published"
    return Verdict(status=status, gates=len(gates), broken=broken, error=record.error)


def sets(record: RunRecord) -> dict[str, int | None]:
    """Rows of the three sets; None for one that the run did not get to."""
    told: dict[str, int | None] = {"sft": None, "rejection_sampling": None, "preference": None}
    for step in record.steps:
        if step.phase == "curate":
            told["sft"] = step.counts["kept"]
        elif step.stage == "preference":
            told["preference"] = step.counts["kept"]
        elif step.stage == "rejection_sampling":
            told["rejection_sampling"] = step.facts["completions"]
    return told


def sft_tokens(section: Mapping[str, Any] | None) -> tuple[int | None, bool]:
    """The tokens of the SFT set, from the section of lengths in tokens, and whether they are scaled up of a sample."""
    if section is None or section["unit"] != "tokens":
        return None, False
    mine = [entry for entry in section["lengths"] if entry["when"] == "curated" and entry["counted"]]
    whole = sum(entry["sum"] / entry["counted"] * entry["rows"] for entry in mine)
    return (round(whole) if mine else None), any(entry["counted"] < entry["rows"] for entry in mine)


def sizes(run: ReportRun, lengths: Mapping[str, Any] | None) -> Sizes:
    """Rows, characters, tokens and pairs."""
    made, read = sets(run.record), run.steps("ingest")
    characters = None
    if run.curated is not None:
        contents = pl.col("messages").list.eval(pl.element().struct.field("content").str.len_chars()).list.sum()
        characters = int(run.curated.select(contents.cast(pl.Int64).sum()).collect().item())
    tokens = None
    if run.scored is not None:
        tokens = int(run.scored.select(pl.col("tokens").cast(pl.Int64).sum()).collect().item())
    score = run.step("score")
    told, about = sft_tokens(lengths)
    return Sizes(
        read=sum(step.counts["in"] for step in read),
        quarantined=sum(step.counts["quarantined"] for step in read),
        sft=made["sft"],
        sft_characters=characters,
        sft_tokens=told,
        sft_tokens_about=about,
        rejection_sampling=made["rejection_sampling"],
        preference=made["preference"],
        candidates=score.counts["kept"] if score else None,
        candidate_tokens=tokens,
    )


def cost(record: RunRecord) -> Cost:
    """The time of the run, and the stages that took most of it."""
    paid = [step for step in record.steps if not step.reused]
    whole = sum(step.seconds for step in paid)
    dearest = sorted(paid, key=lambda step: (-step.seconds, step.stage))[:DEAREST]
    return Cost(
        seconds=record.seconds,
        stages=round(whole, 3),
        reused=len(record.steps) - len(paid),
        dearest=[
            Dear(stage=step.stage, seconds=step.seconds, share=step.seconds / whole)
            for step in dearest
            if step.seconds > 0
        ],
    )


def change(record: RunRecord, previous: RunRecord | None) -> Change | None:
    """What the run before of the same profile came to, beside this one."""
    if previous is None:
        return None
    now, before = sets(record), sets(previous)
    return Change(
        run=previous.run,
        started=previous.started,
        rows_before=before["sft"],
        rows_now=now["sft"],
        pairs_before=before["preference"],
        pairs_now=now["preference"],
        kept_before=_kept(previous, before["sft"]),
        kept_now=_kept(record, now["sft"]),
    )


def _kept(record: RunRecord, rows: int | None) -> float | None:
    read = sum(step.counts["in"] for step in record.steps if step.phase == "ingest")
    return rows / read if rows is not None and read else None
