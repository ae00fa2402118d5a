"""Runs the steps of a run without Prefect, in this process or as a program: child_steps.py HOME OUT PROFILE."""

from __future__ import annotations

import sys

from flows import prefer, steps
from flows.flows import makes_pairs
from flows.profiles import load_profile
from flows.session import Session, begin


def run(home: str, out: str, profile: str) -> str:
    """The whole flow, steps as plain functions; returns the run's name."""
    name = begin(home, load_profile(profile))
    session = Session.open(home, name)
    with steps.recorded(home, name):
        steps.ingest_source(home, name, 0)
        for at in range(len(session.stages)):
            steps.curation_stage(home, name, at)
        if makes_pairs(session.profile):
            pairs(home, name, session)
        steps.hand_over(home, name, out)
    return name


def pairs(home: str, name: str, session: Session) -> None:
    """Candidates to pairs and the bias panel."""
    for at in range(len(session.profile.comparisons)):
        prefer.read_comparison(home, name, at)
    if session.profile.generation.engine != "none":
        prefer.generate_candidates(home, name)
    prefer.score_candidates(home, name)
    prefer.sample_best(home, name)
    prefer.take_verdicts(home, name)
    prefer.make_pairs(home, name)
    prefer.measure_bias(home, name)
    steps.gate(home, name, "pairs")
    prefer.limit_bias(home, name)


if __name__ == "__main__":
    run(*sys.argv[1:4])
