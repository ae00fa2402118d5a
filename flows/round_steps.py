"""The steps of rounds as plain functions over a home folder, a run's name and its hand-over folder.

A round is a run of its own: its record has the profile with the newest model in the place of the one to be sampled from
and trained, what the run that it goes on from read and curated, and the round's prompts as the last of it. So what
makes candidates, scores and pairs of a run (`flows.prefer`) makes them of a round, and the gates are the same.

What is done is found again by what it was made of, in the store and in the folders of training runs: rounds that were
stopped go on where they were, and `rounds.json` is written anew.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.gates.leakage import leaks
from curation.generation.ids import policy_name
from curation.models import Model, describe, resolve
from curation.runs import Runs
from curation.scoring.engines import make_scorer
from curation.stage import Context
from curation.store import Committed, verify
from flows.prefer import COMPARISONS, HELD_OUT, candidates
from flows.profiles import name_sources
from flows.session import Session
from flows.steps import hand_over
from flows.stopping import is_stop
from schemas.errors import UsageError
from schemas.profile import Profile, Source
from schemas.profile.evaluation import Evaluation as Judging
from training.chain import run_all
from training.evaluation import leakage, prompts
from training.evaluation.proxy import alike
from training.evaluation.result import Evaluation
from training.evaluation.run import evaluate
from training.job import TrainedRun
from training.rounds import staleness
from training.rounds.decide import decide
from training.rounds.prompts import draw
from training.rounds.table import Checkpoint, Made, Round, Table, Written, load

COMMAND = "sieveline rounds"
CARRIED = ("ingest", HELD_OUT, "curate")
SEEN = "dedup.seen"


def start_rounds(home: str, run: str, out: str) -> None:
    """Check what can be checked, train what rounds start from, and begin the table.

    Raises UsageError for a profile whose rounds could not be run or judged, GateError for held-out prompts that are in
    the curated set.
    """
    session = Session.open(home, run)
    profile, folder = session.profile, Path(out)
    check(profile, session.context)
    _check_leaks(session)
    base = resolve(profile.training.model, Path(home))
    start = _train(session, folder, profile.rounds.start) if profile.rounds.start else []
    first = Checkpoint(policy=policy_name({"model": describe(base)}), weights=base.digest)
    trained = [_checkpoint(one, folder, home) for one in start]
    Table(run=run, base=first, start=trained, best=[first, *trained][-1]).save(folder)


def check(profile: Profile, context: Context) -> None:
    """Raises UsageError where rounds cannot sample from what was trained, or nobody but the trained-on reward judges
    them; with rounds.same_reward = "warn" the latter is a warning.
    """
    settings = profile.rounds
    if not settings.count:
        raise UsageError("rounds.count is 0: there are no rounds to run", hint="--set rounds.count=3, with held_out")
    if profile.generation.engine != "vllm":
        raise UsageError(
            f"generation.engine is {profile.generation.engine}: rounds sample from models that they have just trained",
            hint="set generation.engine to vllm, which loads them from their folders",
        )
    same = alike(profile.evaluation.scoring, profile.scoring, context, make_scorer)
    if not same:
        return
    told = f"the held-out reward {', '.join(same)} is the reward that rounds train on, so that hacking cannot be seen"
    if settings.same_reward == "refuse":
        raise UsageError(told, hint="set another scorer in [evaluation.scoring], or rounds.same_reward = warn")
    context.progress.line(f"WARNING: {told}")


def begin_round(home: str, run: str, out: str, at: int) -> str | None:
    """Open the record of a round, with its prompts drawn, and return its name; None where no prompt is left."""
    session, table = Session.open(home, run), load(Path(out))
    settings = session.profile.rounds
    earlier = [_made(session, one, "rounds.prompts") for one in table.rounds]
    before = [*earlier, *([asked] if (asked := session.runs.last(session.record, "generate")) else [])]
    curated, store = session.phase("curate")[-1], session.runs.store
    options: dict[str, Any] = {"at": at, "repeat": settings.repeat_prompts}
    drawn = draw(store, curated, before, settings.prompts, session.context, **options)
    if not drawn.manifest.counts["kept"]:
        table.ended = f"no prompt is left for round {at}: all of the curated set were drawn"
        table.save(Path(out))
        return None
    record = session.runs.begin(_profile_of_round(session.record.profile, table.newest, Path(out), at, drawn))
    record.steps = [step for step in session.record.steps if step.phase in CARRIED]
    record.notes |= {"round": at, "of": run}
    session.runs.add(record, "curate", drawn)
    session.context.progress.line(f"round {at} of at most {settings.count}: {record.run}, from {table.newest.policy}")
    return record.run


def flag_stale(home: str, name: str) -> None:
    """Mark the pairs whose answers are not by the model that DPO starts from."""
    session = Session.open(home, name)
    moved = session.profile.rounds.moves_before_dpo
    tables = candidates(session)
    paired = session.need("preference", COMMAND)
    session.add("prefer", staleness.flag(session.runs.store, paired, tables, session.context, moved=moved))


def hand_over_round(home: str, name: str, out: str) -> None:
    """Write a round's sets, report and record to its folder."""
    hand_over(home, name, str(_folder(out, Session.open(home, name))))


def train_round(home: str, name: str, out: str) -> None:
    """Train the round's stages, the first from the model that was sampled from."""
    session = Session.open(home, name)
    if "dpo" in session.profile.rounds.stages:
        marked = session.need(staleness.STAGE, COMMAND)
        staleness.admit(marked, session.profile.rounds.max_stale, session.context)
    _train(session, _folder(out, session), session.profile.rounds.stages)


def conclude_round(home: str, name: str, out: str) -> bool:
    """Evaluate what the round trained, decide, and write both to the table. Returns whether rounds end here."""
    session, table = Session.open(home, name), load(Path(out))
    at, settings = session.record.notes["round"], session.profile.rounds
    trained = [_checkpoint(one, Path(out), home) for one in _trained(_folder(out, session), settings.stages)]
    parent = Session.open(home, table.run)
    label = f"round-{at}"
    done = _evaluate(parent, table, trained, label, Path(out))
    done.copy_to(_folder(out, session) / "evaluation")
    decision = decide(at, done.against(label, "previous"), done.against(label), settings)
    made = [Made.of(session.runs.committed(step)) for step in session.record.steps[_carried(session) - 1 :]]
    entry = Round(
        round=at,
        run=name,
        policy=table.newest,
        steps=made,
        written=_written(session, table),
        stale=staleness.told(session.need(staleness.STAGE, COMMAND)),
        trained=trained,
        evaluation=_told(done, label),
        decision=decision.as_dict(),
    )
    table.rounds.append(entry)
    table.best = trained[-1] if decision.better else table.best
    table.ended = decision.told if decision.stop else None
    table.save(Path(out))
    session.context.progress.line(f"round {at}: {'ends here' if decision.stop else 'goes on'}: {decision.told}")
    return decision.stop


@contextlib.contextmanager
def closing(home: str, run: str, out: str) -> Iterator[None]:
    """Close the table at the end, as finished, as failed with the error's words, or as stopped; note it in the record
    of the run that the rounds go on from.
    """
    try:
        yield
    except BaseException as error:
        _close(home, run, out, "stopped" if is_stop(error) else "failed", str(error) or type(error).__name__)
        raise
    _close(home, run, out, "finished", None)


def _close(home: str, run: str, out: str, status: str, error: str | None) -> None:
    try:
        table = load(Path(out))
    except UsageError:
        return  # it ended before there was a table
    if table.run != run:
        return
    table.status = status
    table.ended = error if error is not None else table.ended
    table.save(Path(out))
    runs = Runs(Path(home))
    record = runs.load(run)
    names = [one.run for one in table.rounds]
    record.notes["rounds"] = {"runs": names, "status": status, "ended": table.ended, "best": table.best.folder}
    runs.save(record)


def _judging(profile: Profile) -> Judging:
    """How rounds are evaluated; the proxy is what they were trained on, which is known here."""
    return profile.evaluation.model_copy(update={"proxy": profile.evaluation.proxy or profile.scoring})


def _held_out(profile: Profile) -> tuple[Source, ...]:
    return name_sources([Source(path=path) for path in profile.rounds.held_out])


def _check_leaks(session: Session) -> None:
    """Before anything is trained: a round may draw any prompt of the curated set."""
    profile, context = session.profile, session.context
    rows = prompts.read(_held_out(profile), profile.ingest, session.runs.store, context)
    if profile.evaluation.on_leak == "fail":
        curated = session.phase("curate")[-1].scan()
        leakage.refuse(leaks(rows.lazy(), curated, profile.evaluation.leakage_threshold), rows.height)


def _train(session: Session, data: Path, stages: tuple[str, ...]) -> list[TrainedRun]:
    options: dict[str, Any] = {"seed": session.profile.seed, "home": session.runs.home, "stages": stages}
    progress = session.context.progress
    return run_all(data, data / "models", session.profile.training, progress=progress, **options)


def _trained(data: Path, stages: tuple[str, ...]) -> list[TrainedRun]:
    folders = {stage: data / "models" / stage for stage in stages}
    return [TrainedRun(stage, folder, verify(folder), reused=True) for stage, folder in folders.items()]


def _profile_of_round(
    profile: dict[str, Any], newest: Checkpoint, out: Path, at: int, drawn: Committed
) -> dict[str, Any]:
    """The run's profile with the newest model in its place; a run that trained LoRA has it merged in its model."""
    made = copy.deepcopy(profile)
    model = profile["training"]["model"] if newest.folder is None else str(out / newest.folder / "model")
    made["name"] = f"{profile['name']}-round-{at}"
    made["training"]["model"] = model
    sampled = {"model": model, "revision": None, "adapter": None, "prompts": drawn.manifest.counts["kept"]}
    made["generation"] |= sampled
    # The rows were published with the run's own sets; a round publishes none.
    made["stages"] = [entry for entry in made["stages"] if entry["use"] != SEEN] or made["stages"]
    if not profile["rounds"]["comparisons"]:
        made[COMPARISONS] = []
    return made


def _folder(out: str, session: Session) -> Path:
    return Path(out) / f"round-{session.record.notes['round']}"


def _checkpoint(run: TrainedRun, out: Path, home: str) -> Checkpoint:
    model: Model = resolve(str(run.model), Path(home))
    return Checkpoint(
        policy=policy_name({"model": describe(model)}),
        weights=model.digest,
        stage=run.stage,
        folder=run.path.relative_to(out).as_posix(),
        key=run.manifest.key,
    )


def _carried(session: Session) -> int:
    """How many steps of the record came before what the round made itself; the last of them are its prompts."""
    return sum(step.phase in CARRIED for step in session.record.steps)


def _made(session: Session, made: Round, stage: str) -> Committed:
    step = next(one for one in made.steps if one.stage == stage)
    found = session.runs.store.find(step.stage, step.key)
    if found is None:
        raise UsageError(f"round {made.round}: its {stage} is not in the store any more", hint=f"run: {COMMAND}")
    return found


def _evaluate(parent: Session, table: Table, trained: list[Checkpoint], label: str, out: Path) -> Evaluation:
    profile = parent.profile
    folders = [out / one.folder for one in (*table.checkpoints, *trained) if one.folder]
    before = table.newest
    return evaluate(
        [f"{label}={out / (trained[-1].folder or '')}"],
        _held_out(profile),
        _judging(profile),
        parent.context,
        base=profile.training.model,
        previous=str(out / before.folder) if before.folder else profile.training.model,
        ancestors=folders,
        ingest=profile.ingest,
    )


def _written(session: Session, table: Table) -> list[Written]:
    """Of each policy, how many candidates it wrote and which training run it is."""
    counts: dict[tuple[str, str], int] = {}
    for made in candidates(session):
        told = made.scan().group_by("policy", "origin").len().collect()
        for policy, origin, count in told.iter_rows():
            counts[policy, origin] = counts.get((policy, origin), 0) + count
    found = []
    for (policy, origin), count in sorted(counts.items()):
        by = table.made_by(policy)
        found.append(Written(policy=policy, origin=origin, candidates=count, checkpoint=by.folder if by else None))
    return found


def _told(done: Evaluation, label: str) -> dict[str, Any]:
    """What the table says of an evaluation; the whole stands in the round's folder."""
    versus = {
        other: {key: told[key] for key in ("win_rate", "proxy_win_rate", "gap", "gained", "parted")}
        for other in ("base", "previous")
        if (told := done.against(label, other)) is not None
    }
    return {"key": done.manifest.key, "digest": done.manifest.digest, "against": versus}
