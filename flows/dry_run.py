"""`sieveline curate --dry-run`: what a run would read and do, and about how long it would take.

The sources are read for real, into the store, so that rows are counted and not guessed, and the run that follows does
not read them again. Behind the first stage that is not in the store yet, rows are estimates: each stage keeps the share
that it kept in this home's run of it that was nearest in size, and all where there was none. Its pace is told only
where that run had a quarter to four times the rows: starting costs are most of what a small run takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from curation import text
from curation.ingest import check_quarantine, ingest
from curation.models import resolve
from curation.progress import Terminal
from curation.runner import find_stage
from curation.runs import Runs, Step
from curation.stage import Context
from curation.store import Committed
from flows.profiles import Loaded
from schemas.profile.generation import Generation

SAMPLE = 1_000  # rows whose tokens are counted
ALIKE = 4.0


@dataclass(frozen=True)
class Planned:
    """A stage of the plan. `rows` enter it; `exact` says whether they were counted; `seconds` is None where unknown."""

    stage: str
    rows: int
    exact: bool
    done: bool
    seconds: float | None


def dry_run(home: Path, loaded: Loaded) -> dict[str, Any]:
    """The plan of a run: sources, stages, candidates, as one dict of numbers and names.

    Raises what reading raises: UsageError for a missing source or an unknown shape, QuarantineError above the limit.
    """
    runs, profile = Runs(home), loaded.profile
    context = Context(seed=profile.seed, home=home, progress=Terminal())
    read = []
    for source in profile.sources:
        read.append(ingest(source, profile.ingest, runs.store, context))
        check_quarantine(read[-1], profile.ingest.quarantine_limit)
    earlier = Earlier.of(runs)
    stages = plan_stages(runs, loaded, read, context, earlier)
    rows = stages[-1][1] if stages else sum(done.manifest.counts["kept"] for done in read)
    return {
        "profile": profile.name,
        "sources": [
            {
                "name": source.name,
                "rows": done.manifest.counts["kept"],
                "quarantined": done.manifest.counts["quarantined"],
            }
            for source, done in zip(profile.sources, read, strict=True)
        ],
        "tokens_a_row": tokens_a_row(read, profile.training.model, home),
        "stages": [vars(planned) for planned, _ in stages],
        "rows": rows,
        "generation": plan_generation(profile.generation, rows, earlier),
    }


@dataclass(frozen=True)
class Earlier:
    """What the runs of this home tell of each stage: the steps that did work, the newest last."""

    steps: dict[str, list[Step]]

    @classmethod
    def of(cls, runs: Runs) -> Earlier:
        """Read the records."""
        found: dict[str, list[Step]] = {}
        for name in runs.names():
            for step in runs.load(name).steps:
                if not step.reused and step.counts.get("in"):
                    found.setdefault(step.stage, []).append(step)
        return cls(found)

    def share(self, stage: str, rows: int) -> float:
        """What the stage may keep of so many rows."""
        step = self._nearest(stage, rows)
        return step.counts["kept"] / step.counts["in"] if step else 1.0

    def seconds(self, stage: str, rows: int) -> float | None:
        """What the stage may take for so many rows; None where no run of it was of such a size."""
        step = self._nearest(stage, rows)
        if step is None or not 1 / ALIKE <= rows / step.counts["in"] <= ALIKE:
            return None
        return round(step.seconds / step.counts["in"] * rows, 1)

    def _nearest(self, stage: str, rows: int) -> Step | None:
        """The step whose rows are nearest in ratio; of equals the newest."""
        steps = reversed(self.steps.get(stage, []))
        return min(steps, key=lambda step: abs(math.log(max(rows, 1) / step.counts["in"])), default=None)


def plan_stages(
    runs: Runs, loaded: Loaded, read: Sequence[Committed], context: Context, earlier: Earlier
) -> list[tuple[Planned, int]]:
    """Each stage with the rows that come out of it."""
    inputs: Sequence[Committed] | None = read
    rows = sum(done.manifest.counts["kept"] for done in read)
    planned = []
    for name, config in loaded.stages:
        done = find_stage(runs.store, name, config, inputs, context) if inputs is not None else None
        exact, entered = inputs is not None, rows
        seconds: float | None = 0.0
        if done is not None:
            rows, inputs = done.manifest.counts["kept"], [done]
        else:
            seconds = earlier.seconds(name, entered)
            rows, inputs = round(entered * earlier.share(name, entered)), None
        planned.append((Planned(name, entered, exact, done is not None, seconds), rows))
    return planned


def tokens_a_row(read: Sequence[Committed], model: str, home: Path) -> float | None:
    """Mean tokens of prompt and answer together, by the tokenizer of the model to be trained, over a spread sample.

    None where there are no rows, or the tokenizer cannot be had here.
    """
    from transformers import AutoTokenizer

    frame = pl.concat([done.scan() for done in read]).select(text.both().alias("text"))
    total = frame.select(pl.len()).collect().item()
    texts = frame.gather_every(max(1, total // SAMPLE)).head(SAMPLE).collect()["text"].to_list()
    if not texts:
        return None
    found = resolve(model, home)
    try:
        tokenizer = AutoTokenizer.from_pretrained(found.path, revision=found.revision)
    except OSError:  # a Hub id that is not in the cache of a machine without the Hub
        return None
    return round(sum(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"])) / len(texts), 1)


def plan_generation(settings: Generation, rows: int, earlier: Earlier) -> dict[str, Any]:
    """Prompts, most candidates and most tokens; seconds by the pace of the last generation in this home."""
    if settings.engine == "none":
        return {"prompts": 0, "candidates": 0, "most_tokens": 0, "seconds": None}
    arms = [settings.under(policy) for policy in settings.policies] or [settings]
    prompts = min(settings.prompts, rows)
    each = [(1 if arm.temperature == 0 else arm.candidates + settings.greedy) for arm in arms]
    most = sum(prompts * count * arm.max_tokens for count, arm in zip(each, arms, strict=True))
    return {
        "prompts": prompts,
        "candidates": prompts * sum(each),
        "most_tokens": min(most, settings.token_budget or most),
        "seconds": earlier.seconds("generate", prompts * sum(each)),
    }


def tell(console: Console, told: dict[str, Any]) -> None:
    """Print the plan."""
    table = Table(title=f"{told['profile']}: a plan, nothing was run but reading", title_justify="left")
    for column, justify in (("stage", "left"), ("rows in", "right"), ("", "left"), ("about s", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for source in told["sources"]:
        table.add_row(
            f"ingest {source['name']}", f"{source['rows']:,}", f"{source['quarantined']:,} quarantined", "read"
        )
    for stage in told["stages"]:
        about = "" if stage["exact"] else "about "
        seconds = "?" if stage["seconds"] is None else f"{stage['seconds']:,.1f}"
        table.add_row(
            stage["stage"], f"{about}{stage['rows']:,}", "in the store" if stage["done"] else "to do", seconds
        )
    console.print(table, markup=False)
    lines = [f"rows in the curated set: about {told['rows']:,}"]
    if told["tokens_a_row"]:
        lines.append(
            f"tokens: {told['tokens_a_row']:,.1f} a row, about {told['tokens_a_row'] * told['rows']:,.0f} in all"
        )
    made = told["generation"]
    if made["prompts"]:
        seconds = "" if made["seconds"] is None else f", about {made['seconds']:,.0f} s"
        lines.append(
            f"candidates: {made['prompts']:,} prompts, {made['candidates']:,} candidates, "
            f"at most {made['most_tokens']:,} tokens{seconds}"
        )
    known = [stage["seconds"] for stage in told["stages"] if stage["seconds"] is not None]
    unknown = len(told["stages"]) - len(known)
    pace = f"about {sum(known):,.0f} s" if known else "time not known yet"
    rest = f"; {unknown} stages not known, as no run here was of such a size" if unknown and known else ""
    lines.append(f"curation: {pace}{rest}")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
