"""Runs the steps of a run without Prefect, for tests that kill it: child_steps.py HOME OUT PROFILE."""

from __future__ import annotations

import sys

from flows import steps
from flows.profiles import load_profile
from flows.session import Session, begin

if __name__ == "__main__":
    home, out, profile = sys.argv[1:4]
    run = begin(home, load_profile(profile))
    session = Session.open(home, run)
    with steps.recorded(home, run):
        steps.ingest_source(home, run, 0)
        for at in range(len(session.stages)):
            steps.curation_stage(home, run, at)
        steps.generate_candidates(home, run)
        steps.score_candidates(home, run)
        steps.sample_best(home, run)
        steps.make_pairs(home, run)
        steps.hand_over(home, run, out)
