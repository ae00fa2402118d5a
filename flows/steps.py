"""The steps of a run as plain functions over a home folder and a run's name. Prefect wraps them elsewhere.

Each finds its inputs in the record, does one thing through the library, and notes what was committed. Done again, a
step finds its work in the store and notes that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.dedup import seen
from curation.gates import enforce, run_gate
from curation.generation.choose import choose_prompts
from curation.generation.engines import make_generator
from curation.generation.run import generate
from curation.handover import export
from curation.ingest import check_quarantine, ingest
from curation.preference import build_pairs
from curation.rejection_sampling import sample
from curation.report import render
from curation.runner import run_stage
from curation.runs import Runs
from curation.scoring.engines import make_scorer
from curation.scoring.run import score
from flows.session import Session
from flows.stopping import is_stop
from schemas import expectations
from schemas.errors import SievelineError


@contextlib.contextmanager
def recorded(home: str, run: str) -> Iterator[None]:
    """Close the run's record at the end: as finished, as failed with the error's words, or as stopped."""
    runs = Runs(Path(home))
    try:
        yield
    except SievelineError as error:
        runs.finish(runs.load(run), str(error))
        raise
    except BaseException as error:
        told = "stopped" if is_stop(error) else f"{type(error).__name__}: {error}"
        runs.finish(runs.load(run), told)
        raise
    runs.finish(runs.load(run))


def ingest_source(home: str, run: str, at: int) -> None:
    """Read one source of the profile; too many quarantined lines end the run."""
    session = Session.open(home, run)
    done = ingest(session.profile.sources[at], session.profile.ingest, session.runs.store, session.context)
    session.add("ingest", done)
    check_quarantine(done, session.profile.ingest.quarantine_limit)


def gate(home: str, run: str, place: expectations.Place) -> None:
    """Check the expectations of one place; a failed one ends the run, its results kept."""
    session = Session.open(home, run)
    match place:
        case "ingested":
            suite, inputs = expectations.ingested(session.profile.gates), session.phase("ingest")
        case "curated":
            suite, inputs = expectations.curated(session.profile.gates), session.phase("curate")[-1:]
        case "pairs":
            suite = expectations.pairs(session.profile.gates, session.profile.preference)
            inputs = [session.need("preference", "sieveline curate")]
    done = run_gate(session.runs.store, suite, inputs, session.context)
    session.add(f"gate {place}", done)
    enforce(done)


def curation_stage(home: str, run: str, at: int, each: Any = None) -> None:
    """Run one stage of the profile on what the one before it kept; `each` as in `Context`."""
    session = Session.open(home, run)
    name, config = session.stages[at]
    inputs = session.phase("curate")[-1:] if at else session.phase("ingest")
    context = replace(session.context, each=each)
    session.add("curate", run_stage(session.runs.store, name, config, inputs, context))


def generate_candidates(home: str, run: str) -> None:
    """Draw prompts from the curated set and generate candidates for them."""
    session = Session.open(home, run)
    settings = session.profile.generation
    rows = session.phase("curate")[-1].scan()
    prompts = choose_prompts(rows, settings.prompts, session.profile.seed)
    with make_generator(settings, Path(home)) as generator:
        done = generate(session.runs.store, prompts, settings, generator, session.context)
    session.add("prefer", done)


def score_candidates(home: str, run: str) -> None:
    """Score the candidates with the reward model."""
    session = Session.open(home, run)
    scorer = make_scorer(session.profile.scoring, Path(home))
    completions = session.need("generate", "sieveline curate")
    session.add("prefer", score(session.runs.store, completions, scorer, session.context))


def sample_best(home: str, run: str) -> None:
    """Make the rejection-sampling set."""
    session = Session.open(home, run)
    scored = session.need("score", "sieveline curate")
    session.add("prefer", sample(session.runs.store, scored, session.profile.rejection_sampling, session.context))


def make_pairs(home: str, run: str) -> None:
    """Make the preference pairs."""
    session = Session.open(home, run)
    scored = session.need("score", "sieveline curate")
    session.add("prefer", build_pairs(session.runs.store, scored, session.profile.preference, session.context))


def hand_over(home: str, run: str, out: str) -> dict[str, int]:
    """Write the three sets, the card, the report and the record into `out`; returns the rows of each set."""
    session = Session.open(home, run)
    session.record.notes["out"] = str(Path(out).resolve())
    session.runs.save(session.record)
    told = session.record.model_copy(update={"status": "finished"})
    page = render(session.runs, told)
    rows = export(session.runs, told, Path(out), page)
    session.context.progress.line(f"hand-over  {', '.join(f'{k} {v:,}' for k, v in rows.items())}  -> {out}")
    remember_published(session)
    return rows


def remember_published(session: Session) -> None:
    """Add the curated set to the index of each `dedup.seen` stage, so that later runs leave its rows out."""
    from curation.dedup.seen.index import remember

    for name, config in session.stages:
        if isinstance(config, seen.Config):
            done = remember(session.runs.store, session.runs.home, config, session.phase("curate")[-1])
            told = f"{done.manifest.counts['kept']:,} rows in the index {config.index!r}"
            session.context.progress.line(f"{name}  {told}{', as before' if done.reused else ''}")


def write_report(home: str, run: str) -> Path:
    """Render a run's report into its own folder and return the file."""
    session = Session.open(home, run)
    page = render(session.runs, session.record)
    target = session.runs.folder(session.record) / "report.html"
    target.write_text(page, encoding="utf-8")
    return target


def train_chain(home: str, run: str, out: str) -> None:
    """SFT, rejection-sampling SFT and DPO on the sets handed over to `out`, each from the model before it.

    A profile that generates nothing has the curated set alone, and ends with SFT.
    """
    from training import chain, sft

    session = Session.open(home, run)
    work = sft.train if session.profile.generation.engine == "none" else chain.run_all
    options: dict[str, Any] = {"seed": session.profile.seed, "home": Path(home), "progress": session.context.progress}
    work(Path(out), Path(out) / "models", session.profile.training, **options)
