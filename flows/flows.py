"""The flows: thin Prefect wrappings of the steps. Take the decorators away and everything still runs.

Tasks are given a folder and a run's name, never data. The store resumes and caches; Prefect orchestrates, retries
where a retry can help (an engine that crashed), schedules and shows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture

from flows import prefer as steps_of_pairs
from flows import steps
from flows.operation.artifacts import show, shown
from flows.operation.limits import engine_slot
from flows.operation.task_runner import task_runner
from flows.session import Session
from schemas.errors import EngineError
from schemas.profile import Profile

HOME = ".sieveline"
# Polars has all cores for each; more at once only take memory.
SHARDS_AT_ONCE = 2


def _engine_failed(task: Any, task_run: Any, state: Any) -> bool:
    """Retry an engine that crashed: finished requests are in its journal. Nothing else gets better by itself."""
    try:
        state.result()
    except EngineError:
        return True
    except BaseException:
        return False
    return False


once: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
retried: dict[str, Any] = once | {"retries": 2, "retry_delay_seconds": 5, "retry_condition_fn": _engine_failed}

ingest_source = task(name="ingest", task_run_name="ingest-{at}", **once)(shown(steps.ingest_source))
gate = task(name="gate", task_run_name="gate-{place}", **once)(shown(steps.gate))
read_held_out = task(name="held-out", **once)(shown(steps_of_pairs.read_held_out))
read_comparison = task(name="comparisons", task_run_name="comparisons-{at}", **once)(
    shown(steps_of_pairs.read_comparison)
)
generate_candidates = task(name="generate", **retried)(shown(steps_of_pairs.generate_candidates))
score_candidates = task(name="score", **retried)(shown(steps_of_pairs.score_candidates))
sample_best = task(name="rejection-sampling", **once)(shown(steps_of_pairs.sample_best))
take_verdicts = task(name="verdicts", **once)(shown(steps_of_pairs.take_verdicts))
make_pairs = task(name="pairs", **once)(shown(steps_of_pairs.make_pairs))
measure_bias = task(name="bias", **once)(shown(steps_of_pairs.measure_bias))
limit_bias = task(name="bias-limits", **once)(steps_of_pairs.limit_bias)
hand_over = task(name="hand-over", **once)(steps.hand_over)
train_chain = task(name="train", **once)(steps.train_chain)


@task(name="shard", task_run_name="{name}", **once)
def shard(name: str, work: Callable[[Path], Any], part: Path) -> Any:
    """The work of a stage on one part."""
    return work(part)


def as_tasks(work: Callable[[Path], Any], parts: Sequence[Path]) -> Iterator[Any]:
    """Each part as a task of its own, some at once, their results in order; a single part needs none."""
    if len(parts) < 2:
        yield from map(work, parts)
        return
    waiting: deque[PrefectFuture[Any]] = deque()
    for part in parts:
        waiting.append(shard.submit(part.stem, work, part))
        if len(waiting) >= SHARDS_AT_ONCE:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@task(name="stage", task_run_name="stage-{at}", **once)
def curation_stage(home: str, run: str, at: int) -> None:
    """One stage of the profile, its shards as tasks."""
    shown(steps.curation_stage)(home, run, at, as_tasks)


@flow(name="curate", flow_run_name="{run}", persist_result=False, task_runner=task_runner())
def curate(run: str, home: str = HOME) -> None:
    """Raw sources to the curated SFT set, with the gates before and after."""
    session = Session.open(home, run)
    for at in range(len(session.profile.sources)):
        ingest_source(home, run, at)
    read_held_out(home, run)
    gate(home, run, "ingested")
    for at in range(len(session.stages)):
        curation_stage(home, run, at)
    gate(home, run, "curated")


@flow(name="prefer", flow_run_name="{run}", persist_result=False)
def prefer(run: str, home: str = HOME) -> None:
    """Candidates, generated and given, to rewards, the rejection-sampling set, preference pairs and the bias panel."""
    profile = Session.open(home, run).profile
    for at in range(len(profile.comparisons)):
        read_comparison(home, run, at)
    with engine_slot():
        if profile.generation.engine != "none":
            generate_candidates(home, run)
        score_candidates(home, run)
    gate(home, run, "scored")
    sample_best(home, run)
    gate(home, run, "rejection_sampling")
    take_verdicts(home, run)
    make_pairs(home, run)
    measure_bias(home, run)
    gate(home, run, "pairs")
    limit_bias(home, run)


@flow(name="train", flow_run_name="{run}", persist_result=False)
def train(run: str, home: str = HOME, out: str = "out") -> None:
    """Train on a run's own sets."""
    with engine_slot():
        train_chain(home, run, out)


@flow(name="sets", flow_run_name="{run}", persist_result=False)
def sets(run: str, home: str = HOME, out: str = "out") -> dict[str, int]:
    """All sets with their report: curate, prefer (unless there are no candidates), hand over. Returns rows a set."""
    with steps.recorded(home, run):
        curate(run, home)
        if makes_pairs(Session.open(home, run).profile):
            prefer(run, home)
        rows = hand_over(home, run, out)
    show(home, run, out)
    return rows


def makes_pairs(profile: Profile) -> bool:
    """Whether a run goes beyond the curated set."""
    return profile.generation.engine != "none" or bool(profile.comparisons)
