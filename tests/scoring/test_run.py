"""The score stage: every completion rewarded by its own id or dropped with a reason, and nothing done twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.scoring.protocol import Item, Score
from curation.scoring.run import score
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas.errors import EngineError
from schemas.profile.scoring import Scoring
from schemas.records import COMPLETIONS, SCORES

from . import child_score
from .child_score import BATCH, CANDIDATES, PROMPTS, Hashing, reward_of

ROOT = Path(__file__).resolve().parents[2]
BATCHES = PROMPTS * CANDIDATES // BATCH


def table(root: Path, *texts: str) -> Committed:
    """Completions c0, c1, ... with these texts, committed as the stage before would."""
    prompt = [{"role": "user", "content": "q", "extra": None}]
    made = [
        {"completion_id": f"c{at}", "prompt_id": "p", "prompt": prompt, "text": text} for at, text in enumerate(texts)
    ]

    def build(folder: Path) -> Built:
        write_table(pl.DataFrame(made, schema=COMPLETIONS), folder / "part-00000.parquet")
        return Built({"in": len(made), "kept": len(made), "dropped": 0, "quarantined": 0}, {})

    return Store(root).commit("generate", {"texts": list(texts)}, build)


class Given(Hashing):
    """Rewards by text."""

    def __init__(self, rewards: dict[str, Score]) -> None:
        super().__init__()
        self.rewards = rewards
        self.seen: list[list[str]] = []

    def score(self, batch: Sequence[Item]) -> list[Score]:
        self.seen.append([item.messages[-1]["content"] for item in batch])
        told = [self.rewards[item.messages[-1]["content"]] for item in batch]
        return [Score(i.completion_id, s.reward, s.reason, s.truncated) for i, s in zip(batch, told, strict=True)]


def run(root: Path, completions: Committed, scorer: Any) -> Committed:
    return score(Store(root), completions, Scoring(), Context(), lambda entry, context: scorer)


def test_each_completion_has_its_own_reward_though_they_come_back_in_another_order(tmp_path: Path):
    texts = ["one", "two", "three", "four", "five"]
    done = run(tmp_path, table(tmp_path, *texts), Hashing())
    made = done.scan().collect()
    batches = ["onetwo", "onetwo", "threefour", "threefour", "five"]
    assert made["completion_id"].to_list() == ["c0", "c1", "c2", "c3", "c4"]
    assert made["reward"].to_list() == [reward_of(text, whole) for text, whole in zip(texts, batches, strict=True)]
    assert made.schema == COMPLETIONS | SCORES | {"reward_starter_reward": pl.Float64}
    assert done.manifest.counts == {"in": 5, "kept": 5, "dropped": 0, "quarantined": 0}


def test_what_has_no_reward_is_dropped_with_its_reason(tmp_path: Path):
    scorer = Given(
        {
            "good": Score("", 1.5),
            "long": Score("", -2.0, None, True),
            "nan": Score("", None, "score_not_finite"),
            "odd": Score("", None, "template_refused"),
        }
    )
    done = run(tmp_path, table(tmp_path, "good", "", "nan", " \n\u200b", "long", "odd"), scorer)
    made = done.scan().collect()
    assert made.select("completion_id", "reward", "reward_truncated").rows() == [("c0", 1.5, False), ("c4", -2.0, True)]
    decisions = done.table("decisions").collect()
    assert decisions.select("row_id", "prompt_id", "kind", "reason").rows() == [
        ("c1", "p", "dropped", "empty_completion"),
        ("c2", "p", "dropped", "score_not_finite"),
        ("c3", "p", "dropped", "empty_completion"),
        ("c5", "p", "dropped", "template_refused"),
    ]
    assert done.manifest.counts == {"in": 6, "kept": 2, "dropped": 4, "quarantined": 0}
    assert done.manifest.facts["reward_truncated"] == 1
    assert sorted(text for batch in scorer.seen for text in batch) == ["good", "long", "nan", "odd"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda batch: [Score(batch[0].completion_id, 1.0)],
        lambda batch: [Score(batch[0].completion_id, 1.0)] * 2,
        lambda batch: [*(Score(item.completion_id, 1.0) for item in batch), Score("c9", 1.0)],
        lambda batch: [],
    ],
    ids=["fewer", "one twice", "more", "none"],
)
def test_anything_but_one_score_for_each_completion_is_an_error(tmp_path: Path, answer: Any):
    scorer = Hashing()
    scorer.score = answer  # type: ignore[method-assign]
    with pytest.raises(EngineError, match=r"scores for 2 completions"):
        run(tmp_path, table(tmp_path, "a", "b"), scorer)
    assert not list(tmp_path.glob("score/*"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_scorer_that_lets_a_number_that_is_none_through_is_stopped_here(tmp_path: Path, value: float):
    done = run(tmp_path, table(tmp_path, "a", "b"), Given({"a": Score("", value), "b": Score("", 0.0)}))
    assert done.scan().collect()["completion_id"].to_list() == ["c1"]
    assert done.table("decisions").collect()["reason"].to_list() == ["score_not_finite"]


def test_no_completions_are_no_error(tmp_path: Path):
    done = run(tmp_path, table(tmp_path), Hashing())
    assert done.scan().collect().height == 0
    assert done.manifest.counts == {"in": 0, "kept": 0, "dropped": 0, "quarantined": 0}


def test_finished_batches_are_not_scored_again(tmp_path: Path):
    noted = tmp_path / "noted"
    first = child_score.run(tmp_path / "store", noted, 0)
    assert len(noted.read_text().splitlines()) == BATCHES
    assert child_score.run(tmp_path / "store", noted, 0).reused
    for file in first.path.iterdir():
        file.unlink()
    first.path.rmdir()
    again = child_score.run(tmp_path / "store", noted, 0)
    assert not again.reused
    assert again.manifest == first.manifest
    assert len(noted.read_text().splitlines()) == BATCHES


def test_a_killed_run_resumes_at_the_batch(tmp_path: Path):
    noted = tmp_path / "noted"
    noted.touch()
    kills = (2, 7, 12)
    for limit in (*kills, None):
        command = [sys.executable, "-m", "tests.scoring.child_score", str(tmp_path / "store"), str(noted)]
        child = subprocess.Popen(command, cwd=ROOT)
        if limit is None:
            assert child.wait(60) == 0
            break
        while noted.read_text().count("\n") < limit:
            assert child.poll() is None, "the run ended before it could be killed"
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
    lines = noted.read_text().splitlines()
    assert len(set(lines)) == BATCHES
    assert len(lines) <= BATCHES + len(kills)
    resumed = child_score.run(tmp_path / "store", noted, 0)
    assert resumed.reused
    assert resumed.manifest == child_score.run(tmp_path / "whole", tmp_path / "unused", 0).manifest
