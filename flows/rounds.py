"""Rounds as a Prefect flow, on the tasks of `flows.flows`: a thin wrapping of `flows.round_steps`."""

from __future__ import annotations

from prefect import flow, task

from flows import round_steps as steps_of_rounds
from flows.flows import HOME, curate, hand_over, once, prefer
from flows.operation.limits import engine_slot
from flows.session import Session
from flows.steps import recorded

start_rounds = task(name="rounds-start", **once)(steps_of_rounds.start_rounds)
begin_round = task(name="round-begin", task_run_name="round-{at}", **once)(steps_of_rounds.begin_round)
flag_stale = task(name="stale-pairs", **once)(steps_of_rounds.flag_stale)
hand_over_round = task(name="round-hand-over", **once)(steps_of_rounds.hand_over_round)
train_round = task(name="round-train", **once)(steps_of_rounds.train_round)
conclude_round = task(name="round-evaluate", **once)(steps_of_rounds.conclude_round)


@flow(name="round", flow_run_name="{name}", persist_result=False)
def one_round(name: str, home: str = HOME, out: str = "out") -> bool:
    """Sample, score, pair, hand over, train, evaluate. Returns whether rounds end here."""
    with recorded(home, name):
        prefer(name, home)
        flag_stale(home, name)
        hand_over_round(home, name, out)
        with engine_slot():
            train_round(home, name, out)
            return conclude_round(home, name, out)


@flow(name="rounds", flow_run_name="{run}-rounds", persist_result=False)
def rounds(run: str, home: str = HOME, out: str = "out") -> None:
    """Rounds on a run whose sets are in `out`, until one brings no gain, the rewards part, or all are done.

    Nothing is done where the run's profile has none.
    """
    count = Session.open(home, run).profile.rounds.count
    if not count:
        return
    with steps_of_rounds.closing(home, run, out):
        with engine_slot():
            start_rounds(home, run, out)
        for at in range(1, count + 1):
            name = begin_round(home, run, out, at)
            if name is None or one_round(name, home, out):
                break


@flow(name="sets-and-rounds", flow_run_name="{run}", persist_result=False)
def from_sources(run: str, home: str = HOME, out: str = "out") -> None:
    """Curate, hand over what rounds start from, and run them. The run has candidates of its own only where the start is
    more than SFT.
    """
    with recorded(home, run):
        curate(run, home)
        if set(Session.open(home, run).profile.rounds.start) - {"sft"}:
            prefer(run, home)
        hand_over(home, run, out)
    rounds(run, home, out)
