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
from curation.gates import Beside, enforce, run_gate
from curation.gates.data_docs import write_docs
from curation.gates.earlier import earlier
from curation.gates.run_docs import FOLDER, checked, write_run_docs
from curation.handover import export
from curation.ingest import check_quarantine, ingest
from curation.lock import using
from curation.publish import as_published, publish
from curation.report import build
from curation.runner import run_stage
from curation.runs import RunRecord, Runs
from curation.store import write_file
from flows.operation.logs import progress
from flows.prefer import HELD_OUT, gate_inputs
from flows.session import Session
from flows.stopping import is_stop
from schemas import expectations
from schemas.errors import SievelineError


@contextlib.contextmanager
def recorded(home: str, run: str) -> Iterator[None]:
    """Close the run's record at the end: as finished, as failed with the error's words, or as stopped.

    Meanwhile the home is marked as in use, and the run as carried by this process.
    """
    runs = Runs(Path(home))
    with using(runs.home, run):
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
    """Check the expectations of one place; a critical one that fails ends the run once its results are kept."""
    session = Session.open(home, run)
    match place:
        case "ingested":
            suite, inputs, beside = expectations.ingested(session.profile.gates), session.phase("ingest"), Beside()
        case "curated":
            suite, inputs = expectations.curated(session.profile.gates), session.phase("curate")[-1:]
            threshold = session.profile.gates.held_out_threshold
            beside = Beside(held_out=session.phase(HELD_OUT), held_out_threshold=threshold)
        case _:
            suite, inputs, beside = gate_inputs(session, place)
    beside = replace(beside, earlier=earlier(session.runs.home, session.profile.name))
    done = run_gate(session.runs.store, suite, inputs, session.context, beside)
    session.add(f"gate {place}", done)
    session.record.notes["data_docs"] = write_run_docs(session.runs, session.record)
    session.runs.save(session.record)
    enforce(done)


def curation_stage(home: str, run: str, at: int, each: Any = None) -> None:
    """Run one stage of the profile on what the one before it kept; `each` as in `Context`."""
    session = Session.open(home, run)
    name, config = session.stages[at]
    inputs = session.phase("curate")[-1:] if at else session.phase("ingest")
    context = replace(session.context, each=each)
    session.add("curate", run_stage(session.runs.store, name, config, inputs, context))


def hand_over(home: str, run: str, out: str) -> dict[str, int]:
    """Write the three sets, the card, the report and the record into `out`; returns the rows of each set."""
    session = Session.open(home, run)
    session.record.notes["out"] = str(Path(out).resolve())
    session.runs.save(session.record)
    told = session.record.model_copy(update={"status": "finished"})
    report = build(session.runs, told)
    rows = export(session.runs, told, Path(out), report.html(), report.json())
    write_docs(Path(out) / FOLDER, told.run, checked(told))
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


def write_report(home: str, run: str, lang: str = "en") -> Path:
    """Render a run's report into its own folder, with its figures beside it, and return the page's file."""
    session = Session.open(home, run)
    report = build(session.runs, session.record)
    target = session.runs.folder(session.record) / "report.html"
    write_file(target, report.html(lang).encode())
    write_file(target.with_suffix(".json"), report.json())
    return target


def train_chain(home: str, run: str, out: str) -> None:
    """SFT, rejection-sampling SFT and DPO on the sets handed over to `out`, each from the model before it.

    A stage whose set the run did not make is left out: a profile that generates nothing may have the curated set alone.
    """
    from training.chain import run_all, stages_of

    session = Session.open(home, run)
    options: dict[str, Any] = {"seed": session.profile.seed, "home": Path(home), "progress": session.context.progress}
    run_all(Path(out), Path(out) / "models", session.profile.training, stages=stages_of(Path(out)), **options)
    refresh_report(session.runs, session.record, Path(out))


def refresh_report(runs: Runs, record: RunRecord, out: Path) -> None:
    """Write the report beside the sets anew, with what was trained and evaluated since; the sets stay as they are."""
    report = build(runs, record)
    write_file(out / "report.html", report.html().encode())
    write_file(out / "report.json", report.json())


def publish_sets(home: str, run: str) -> str | None:
    """Make a finished run the current version of its dataset; returns the run that is current now."""
    runs = Runs(Path(home))
    record = runs.load(run)

    def write(folder: Path) -> dict[str, int]:
        report = build(runs, as_published(record))
        rows = export(runs, record, folder, report.html(), report.json())
        write_docs(folder / FOLDER, record.run, checked(record))
        return rows

    outcome = publish(runs, record, write=write)
    refresh_report(runs, runs.load(run), Path(record.notes["out"]))
    progress().line(f"publish  {outcome.version.dataset}: {outcome.current} is current")
    return outcome.current
