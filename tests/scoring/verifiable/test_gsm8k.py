"""GSM8K's published model solutions, known right and wrong: verdicts, then rewards, rejection sampling and pairs."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.preference.build import build_pairs
from curation.rejection_sampling import sample
from curation.scoring.run import score
from curation.scoring.verifiable.answers import stated_in
from curation.scoring.verifiable.numeric import judge
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas.profile.preference import Preference, RejectionSampling
from schemas.profile.scoring import Scoring
from schemas.profile.verifiable import NumericRule
from schemas.records import COMPLETIONS, prompt_id_of

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
DATA, TRAIN = SHARED / "gsm8k_example_model_solutions.jsonl", SHARED / "gsm8k_train.jsonl"
CORRECT = {"6b_finetuning": 286, "6b_verification": 515, "175b_finetuning": 458, "175b_verification": 742}
QUESTIONS = 1319

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the data set is not there")


@pytest.fixture(scope="module")
def questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("model", CORRECT)
def test_the_verdicts_are_those_published(questions: list[dict[str, Any]], model: str):
    verdicts = [judge(one[model]["solution"], one["ground_truth"], None, NumericRule()) for one in questions]
    assert [verdict.score == 1.0 for verdict in verdicts] == [one[model]["is_correct"] for one in questions]
    assert None not in {verdict.score for verdict in verdicts}
    assert sum(verdict.score == 1.0 for verdict in verdicts) == CORRECT[model]


@pytest.mark.skipif(not TRAIN.exists(), reason="the training set is not there")
def test_every_reference_of_the_training_set_is_read():
    answers = [json.loads(line)["answer"] for line in TRAIN.read_text(encoding="utf-8").splitlines()]
    stated = [stated_in(answer).values for answer in answers]
    assert stated == [(Fraction(answer.rpartition("#### ")[2].replace(",", "")),) for answer in answers]


@pytest.fixture(scope="module")
def scored(questions: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Committed]:
    """All 4 x 1,319 solutions as completions, rewarded by the numeric rule."""
    store = Store(tmp_path_factory.mktemp("gsm8k"))
    records = [_completion(at, one, model) for at, one in enumerate(questions) for model in CORRECT]

    def build(folder: Path) -> Built:
        write_table(pl.DataFrame(records, schema=COMPLETIONS), folder / "part-00000.parquet")
        return Built({"in": len(records), "kept": len(records), "dropped": 0, "quarantined": 0}, {})

    made = store.commit("generate", {"data": DATA.name}, build)
    settings = Scoring.model_validate({"scorers": [{"kind": "verifiable", "rule": "numeric"}]})
    return store, score(store, made, settings, Context())


def _completion(at: int, question: dict[str, Any], model: str) -> dict[str, Any]:
    prompt = [{"role": "user", "content": question["question"], "extra": None}]
    return {
        "completion_id": f"gsm8k:{at:06d}/{model}",
        "prompt_id": prompt_id_of(prompt),
        "row_id": f"gsm8k:{at:06d}",
        "source": "gsm8k",
        "language": "en",
        "prompt": prompt,
        "reference": question["ground_truth"],
        "metadata": "{}",
        "policy": model,
        "origin": "given",
        "sampling": "{}",
        "index": 0,
        "text": question[model]["solution"],
        "finish_reason": "stop",
    }


@pytest.fixture(scope="module")
def right(questions: list[dict[str, Any]]) -> set[str]:
    """Ids of the completions that the data set calls right."""
    return {
        f"gsm8k:{at:06d}/{model}" for at, one in enumerate(questions) for model in CORRECT if one[model]["is_correct"]
    }


def test_rewards_are_the_published_labels(scored: tuple[Store, Committed], right: set[str]):
    table = scored[1].scan().collect()
    assert table.height == 4 * QUESTIONS
    assert set(table["reward"].unique()) == {0.0, 1.0}
    # 3,275 wrong: 11 solutions break off before an answer.
    told = scored[1].manifest.facts["scorers"]["numeric"]["verdicts"]
    assert told == {"equal_number": 2001, "no_answer_found": 11, "other_number": 3264}
    assert set(table.filter(pl.col("reward") == 1.0)["completion_id"]) == right


def test_the_rejection_sampling_set_is_all_right(scored: tuple[Store, Committed], right: set[str]):
    store, rewarded = scored
    kept = sample(store, rewarded, RejectionSampling(min_reward=1.0), Context())
    ids = kept.scan().collect()["completion_id"].to_list()
    # 731 questions have right and wrong solutions, 156 right ones only, 432 wrong ones only.
    assert len(ids) == 731 + 156
    assert set(ids) <= right
    assert kept.manifest.counts["dropped"] == 432


@pytest.mark.parametrize(
    "settings",
    [
        Preference(),
        Preference(policy="all_pairs"),
        Preference(policy="best_random"),
        Preference(policy="verified", verifier="numeric", pairs_per_prompt=4, max_uses=4),
    ],
    ids=lambda one: one.policy,
)
def test_pairs_are_right_over_wrong(scored: tuple[Store, Committed], right: set[str], settings: Preference):
    store, rewarded = scored
    pairs = build_pairs(store, rewarded, [], settings, Context()).scan().collect()
    assert pairs.height > 500
    assert set(pairs["chosen_id"]) <= right
    assert not set(pairs["rejected_id"]) & right
    assert (pairs["margin"] == 1.0).all()
