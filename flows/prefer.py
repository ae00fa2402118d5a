"""The second half of a run as plain functions: candidates, scores, the best of them, pairs, and what they teach.

Like the steps of `flows.steps`: each finds its inputs in the record, does one thing through the library, and notes what
was committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.bias import bias_panel
from curation.bias import enforce as enforce_limits
from curation.comparisons import editing, read_comparisons
from curation.gates import Beside, judges
from curation.generation.choose import choose_prompts
from curation.generation.run import Rewards, generate
from curation.ingest import check_quarantine, ingest
from curation.models import describe, resolve
from curation.preference import build_pairs
from curation.preference.truncation import Truncation, truncation
from curation.rejection_sampling import sample
from curation.review.labels import label
from curation.review.verdicts import file_of, read
from curation.scoring.rounds import rewards_of
from curation.scoring.run import score
from curation.store import Committed
from flows.session import Session
from schemas import expectations
from schemas.errors import UsageError
from schemas.profile.sources import Source

COMPARISONS, PREFER, HELD_OUT = "comparisons", "prefer", "held_out"
COMMAND = "sieveline curate"


def read_held_out(home: str, run: str) -> None:
    """Read the rows that must not be trained on; nothing is done where the profile names none."""
    session = Session.open(home, run)
    path = session.profile.gates.held_out
    if path is not None:
        source = Source(path=path, name="held-out")
        session.add(HELD_OUT, ingest(source, session.profile.ingest, session.runs.store, session.context))


def read_comparison(home: str, run: str, at: int) -> None:
    """Read one entry of the profile's preference data; too many quarantined lines end the run."""
    session = Session.open(home, run)
    entry, settings = session.profile.comparisons[at], session.profile.ingest
    done = read_comparisons(entry, settings, session.runs.store, session.context, editing(session.stages))
    session.add(COMPARISONS, done)
    check_quarantine(done, settings.quarantine_limit)


def generate_candidates(home: str, run: str) -> None:
    """Draw prompts from the curated set and generate candidates for them."""
    session = Session.open(home, run)
    settings = session.profile.generation
    prompts = choose_prompts(session.phase("curate")[-1].scan(), settings.prompts, session.profile.seed)
    rewards = (
        Rewards(*rewards_of(session.runs.store, session.profile.scoring, session.context))
        if settings.adaptive
        else None
    )
    trained = describe(resolve(session.profile.training.model, Path(home)))
    done = generate(session.runs.store, prompts, settings, session.context, trained=trained, rewards=rewards)
    session.add(PREFER, done)


def candidates(session: Session) -> list[Committed]:
    """The tables of completions that a run has: generated, and read from preference data.

    Raises UsageError where it has neither.
    """
    generated = session.runs.last(session.record, "generate")
    found = [*([generated] if generated else []), *session.phase(COMPARISONS)]
    if not found:
        raise UsageError(f"the run {session.record.run} has no candidates yet", hint=f"run: {COMMAND}")
    return found


def score_candidates(home: str, run: str) -> None:
    """Score the candidates with the profile's scorers."""
    session = Session.open(home, run)
    session.add(PREFER, score(session.runs.store, candidates(session), session.profile.scoring, session.context))


def sample_best(home: str, run: str) -> None:
    """Make the rejection-sampling set."""
    session = Session.open(home, run)
    scored = session.need("score", COMMAND)
    session.add(PREFER, sample(session.runs.store, scored, session.profile.rejection_sampling, session.context))


def take_verdicts(home: str, run: str) -> None:
    """Take reviewers' verdicts on this run's answers, unless there are none or the profile leaves them out."""
    session = Session.open(home, run)
    settings = session.profile.review
    verdicts = read(file_of(Path(home), settings.verdicts)) if settings.use else []
    if verdicts:
        scored = session.need("score", COMMAND)
        session.add(PREFER, label(session.runs.store, scored, verdicts, session.context))


def make_pairs(home: str, run: str) -> None:
    """Make the preference pairs, of rewards and of verdicts."""
    session = Session.open(home, run)
    scored = session.need("score", COMMAND)
    reviewed = session.runs.last(session.record, "review")
    labels = [*session.phase(COMPARISONS), *([reviewed] if reviewed else [])]
    settings, seen = session.profile.preference, truncated(session)
    session.add(PREFER, build_pairs(session.runs.store, scored, labels, settings, session.context, truncate=seen))


def measure_bias(home: str, run: str) -> None:
    """Measure what scores and pairs teach beside quality; limits are looked at once the pairs' gate has passed."""
    session = Session.open(home, run)
    tables = (session.need("score", COMMAND), session.need("preference", COMMAND))
    session.add(PREFER, bias_panel(session.runs.store, *tables, session.profile.gates.bias, session.context))


def limit_bias(home: str, run: str) -> None:
    """End the run where a figure of the bias panel is beyond its limit."""
    enforce_limits(Session.open(home, run).need("bias", COMMAND))


def truncated(session: Session) -> Truncation | None:
    """What DPO will see of a pair; None where the model to be trained has no chat template to render it with."""
    training = session.profile.training
    made = truncation(resolve(training.model, session.runs.home), training.dpo.max_length)
    return made if made.tokenizer.chat_template else None


def gate_inputs(session: Session, place: expectations.Place) -> tuple[expectations.Suite, list[Committed], Beside]:
    """The suite of a place behind the curated set, the table that it judges, and what it looks at beside it."""
    gates = session.profile.gates
    scored = session.need("score", COMMAND)
    beside: dict[str, Any] = {
        "completions": candidates(session),
        "scored": scored,
        "rows": [*session.phase("curate")[-1:], *session.phase(COMPARISONS)],
        "held_out": session.phase(HELD_OUT),
        "held_out_threshold": gates.held_out_threshold,
    }
    match place:
        case "scored":
            return expectations.scored(gates, judges(scored)), [scored], Beside(**beside)
        case "rejection_sampling":
            made = session.need("rejection_sampling", COMMAND)
            return expectations.rejection_sampling(gates), [made], Beside(**beside)
        case _:
            seen = truncated(session)
            suite = expectations.pairs(gates, session.profile.preference, truncated=seen is not None)
            return suite, [session.need("preference", COMMAND)], Beside(**beside, truncate=seen)
