"""Every kind of scorer that a profile can name, made and put to work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.scoring.engines import make_scorer
from curation.scoring.run import score
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas.errors import UsageError
from schemas.profile.scoring import Scoring
from schemas.records import COMPLETIONS

from .models import bert_folder

ANSWERS = {
    "short": "No.",
    "plain": "The sky is blue because air scatters short waves of light more than long ones.",
    "listed": "# Why\n\n- **Air** scatters light!\n- Blue most of all!\n",
    "digits": "It is four.\n#### 4",
}


def completions(store: Store) -> Committed:
    """Four answers to one question, whose reference is 4."""
    prompt = [{"role": "user", "content": "What is 2 + 2, and why is the sky blue?", "extra": None}]
    made = [
        {
            "completion_id": name,
            "prompt_id": "p",
            "prompt": prompt,
            "text": answer,
            "reference": "#### 4",
            "given_score": float(at),
        }
        for at, (name, answer) in enumerate(ANSWERS.items())
    ]

    def build(folder: Path) -> Built:
        write_table(pl.DataFrame(made, schema=COMPLETIONS), folder / "part-00000.parquet")
        return Built({"in": len(made), "kept": len(made), "dropped": 0, "quarantined": 0}, {})

    return store.commit("generate", {"answers": ANSWERS}, build)


def run(home: Path, settings: Scoring) -> tuple[dict[str, dict[str, Any]], Committed]:
    store = Store(home / "store")
    done = score(store, completions(store), settings, Context(home=home))
    return {row["completion_id"]: row for row in done.scan().collect().iter_rows(named=True)}, done


def test_each_kind_scores_in_one_run(tmp_path: Path):
    scorers: list[dict[str, Any]] = [
        {"kind": "reward_model", "name": "model", "model": str(bert_folder(tmp_path / "m")), "max_length": 64},
        {"kind": "length"},
        {"kind": "format"},
        {"kind": "given"},
        {"kind": "verifiable", "rule": "numeric"},
    ]
    found, done = run(tmp_path, Scoring(scorers=scorers))  # type: ignore[arg-type]
    assert done.manifest.counts == {"in": 4, "kept": 4, "dropped": 0, "quarantined": 0}
    assert {name: row["reward_length"] for name, row in found.items()} == {n: len(t) for n, t in ANSWERS.items()}
    assert {name: row["reward_given"] for name, row in found.items()} == dict(zip(ANSWERS, range(4), strict=True))
    assert {name for name, row in found.items() if row["reward_numeric"] == 1.0} == {"digits"}
    assert max(found, key=lambda name: found[name]["reward_format"]) == "listed"
    assert all(row["reward_model"] is not None for row in found.values())


@pytest.mark.parametrize(("mode", "high"), [("pointwise", 5.0), ("pairwise", 1.0)])
def test_a_judge_of_either_mode_scores_on_its_scale_or_not_at_all(tmp_path: Path, mode: str, high: float):
    judge = {"kind": "judge", "name": "judge", "mode": mode, "model": "none", "engine": "deterministic"}
    found, done = run(tmp_path, Scoring(scorers=[judge, {"kind": "length", "role": "monitor"}]))  # type: ignore[list-item]
    facts = done.manifest.facts["scorers"]["judge"]
    assert len(found) == facts["scored"] > 0
    assert len(found) + sum(facts["not_scored"].values()) == 4
    assert all(0.0 <= row["reward"] <= high for row in found.values())
    assert sum(facts["replies"].values()) > 0
    assert ("flips" in facts) == (mode == "pairwise")


def test_a_model_that_cannot_be_used_is_told_before_anything_is_scored(tmp_path: Path):
    settings = Scoring(scorers=[{"kind": "length"}, {"kind": "reward_model", "model": "./nowhere"}])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="is not a model"):
        run(tmp_path, settings)
    assert not list((tmp_path / "store").glob("journal/score/*"))


def test_a_revision_goes_with_the_name(tmp_path: Path):
    (entry,) = Scoring(scorers=[{"kind": "reward_model", "model": "own/er", "revision": "v2"}]).entries()  # type: ignore[list-item]
    assert make_scorer(entry, Context(home=tmp_path)).identity()["model"]["revision"] == "v2"


@pytest.mark.engine
def test_a_real_reward_model_in_an_ensemble_with_format(tmp_path: Path, model_home: Path):
    scorers: list[dict[str, Any]] = [
        {"kind": "reward_model"},
        {"kind": "format"},
        {"kind": "length", "role": "monitor"},
    ]
    store = Store(tmp_path / "store")
    context = Context(home=model_home)
    ensemble = {"combine": "mean_minus_sigma", "lambda": 0.5}
    settings = Scoring(scorers=scorers, ensemble=ensemble)  # type: ignore[arg-type]
    done = score(store, completions(store), settings, context)
    made = done.scan().collect().sort("completion_id")
    assert made["abstained"].to_list() == [False] * 4
    mean = made["reward"] + 0.5 * made["disagreement"]
    both = Scoring(scorers=scorers, ensemble={"combine": "worst"})  # type: ignore[arg-type]
    least = score(store, completions(store), both, context).scan().collect().sort("completion_id")["reward"]
    # Of two scorers the worse is their mean less their standard deviation.
    assert least.to_list() == pytest.approx((mean - made["disagreement"]).to_list())
    facts = done.manifest.facts
    assert facts["scorers"]["starter_reward"]["identity"].startswith("starter-reward@")
    assert set(facts["ensemble"]["rank_correlation"]) == {"format, starter_reward"}
    assert set(facts["ensemble"]["calibration"]["scorers"]) == {"format", "starter_reward"}
