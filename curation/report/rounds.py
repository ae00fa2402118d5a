"""The rounds that began with a run, as `rounds.json` beside its sets tells of them; it is read as a plain file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from typing_extensions import TypedDict

from curation.report.interval import Interval
from curation.runs import RunRecord

FILE = "rounds.json"
FORMAT = 1


class Round(TypedDict):
    """One round that is done."""

    round: int
    run: str
    """Its own run."""
    sampled: str
    """The model that its candidates are of."""
    candidates: int
    pairs: int | None
    stale: int | None
    """Pairs with an answer that the model did not give as it is."""
    stages: list[str]
    """Of training, in order."""
    win_rate: Interval | None
    """Against the model of the round before."""
    win_rate_base: Interval | None
    """Against the base."""
    gap: Interval | None
    """By the reward that was trained on less by the held-out one, against the round before."""
    found: str
    """parted, no_gain or gained."""
    best: bool
    """Whether its model is the best of all rounds."""


class Table(TypedDict):
    """All rounds so far."""

    status: str
    """running, finished, failed or stopped."""
    ended: str | None
    """Why, in the words of the rounds."""
    best: str
    """The last model that was shown to be better than the one before it, or what rounds started from."""
    rounds: list[Round]


def gather(record: RunRecord) -> Table | None:
    """The table of the rounds that began with this run; None where there is none, or one of another version."""
    out = record.notes.get("out")
    if out is None:
        return None
    try:
        told = orjson.loads((Path(out) / FILE).read_bytes())
        if told["format"] != FORMAT or told["run"] != record.run:
            return None
        best = told["best"]["weights"]
        made = [_round(each, best) for each in told["rounds"]]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return Table(status=told["status"], ended=told["ended"], best=told["best"]["policy"], rounds=made)


def _round(told: dict[str, Any], best: str) -> Round:
    against = told["evaluation"]["against"]
    before, base = against.get("previous") or {}, against.get("base") or {}
    return Round(
        round=told["round"],
        run=told["run"],
        sampled=told["policy"]["policy"],
        candidates=sum(each["candidates"] for each in told["written"]),
        pairs=told["stale"].get("pairs"),
        stale=told["stale"].get("stale"),
        stages=[each["stage"] for each in told["trained"]],
        win_rate=before.get("win_rate"),
        win_rate_base=base.get("win_rate"),
        gap=before.get("gap"),
        found=told["decision"]["found"],
        best=any(each["weights"] == best for each in told["trained"]),
    )
