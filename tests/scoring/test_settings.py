"""What a profile may say of scorers and of how they are put together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.profile.scoring import RewardModel, Scoring, as_name

LENGTH, FORMAT = {"kind": "length"}, {"kind": "format"}


def test_the_flat_keys_are_one_reward_model_where_no_scorers_are_listed():
    settings = Scoring(model="a/b", batch_size=4, max_length=99, engine="vllm")
    assert settings.entries() == (RewardModel(model="a/b", batch_size=4, max_length=99, engine="vllm"),)
    assert settings.entries()[0].column == "reward_b"
    assert [entry.name for entry in Scoring().entries()] == ["starter_reward"]


def test_names_are_made_from_kind_and_model():
    scorers = [
        {"kind": "reward_model", "model": "org/My-RM.7b"},
        {"kind": "judge", "model": "m"},
        {"kind": "judge", "model": "m", "mode": "pairwise"},
        {"kind": "judge", "model": "m", "rubric": "rubrics/Our own.toml"},
        {"kind": "verifiable", "rule": "numeric"},
        {"kind": "given"},
        LENGTH | {"name": "how_long"},
    ]
    told = [entry.name for entry in Scoring(scorers=scorers).scorers]  # type: ignore[arg-type]
    assert told == ["my_rm_7b", "judge_helpfulness", "judge_pairwise", "judge_our_own", "numeric", "given", "how_long"]
    assert as_name("7B", "reward_model") == "reward_model_7b"
    assert as_name("한국어", "judge") == "judge"


def test_what_is_written_down_reads_as_the_same():
    ensemble = {"combine": "mean_minus_sigma", "lambda": 0.5, "calibration": "robust_z"}
    settings = Scoring(scorers=[LENGTH, FORMAT, {"kind": "judge", "model": "m", "mode": "pairwise"}], ensemble=ensemble)  # type: ignore[arg-type]
    assert settings.ensemble.lambda_ == 0.5
    assert Scoring.model_validate_json(settings.model_dump_json()) == settings
    assert Scoring(**settings.model_dump()) == settings


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"scorers": [LENGTH, LENGTH]}, "two scorers have the name 'length'"),
        ({"scorers": [LENGTH | {"name": "truncated"}]}, "reward_truncated is another thing"),
        ({"scorers": [LENGTH | {"name": "9"}]}, "should match pattern"),
        ({"scorers": [LENGTH | {"weight": 0}]}, "greater than 0"),
        ({"scorers": [{"kind": "magic"}]}, "magic"),
        ({"scorers": [LENGTH | {"role": "monitor"}]}, "no scorer has the role reward"),
        ({"scorers": [LENGTH, FORMAT | {"role": "monitor", "weight": 2}]}, "a monitor has no weight"),
        ({"scorers": [LENGTH, FORMAT | {"role": "monitor", "required": False}]}, "a monitor has no weight"),
        ({"scorers": [LENGTH], "model": "a/b"}, "model would do nothing beside scorers"),
        ({"scorers": [LENGTH | {"weight": 2}]}, "need two scorers of role reward"),
        ({"ensemble": {"combine": "worst"}}, "need two scorers of role reward"),
        ({"scorers": [LENGTH, FORMAT], "ensemble": {"calibration": "none"}}, r"different kinds \(characters, format\)"),
        ({"scorers": [LENGTH, FORMAT | {"weight": 2}], "ensemble": {"combine": "worst"}}, "has no weights"),
        ({"scorers": [LENGTH, FORMAT], "ensemble": {"lambda": 2}}, "lambda is for combine mean_minus_sigma"),
        ({"scorers": [LENGTH, FORMAT], "ensemble": {"combine": "vote", "calibration": "robust_z"}}, "a vote goes by"),
        ({"scorers": [LENGTH, FORMAT], "ensemble": {"combine": "vote", "reference": "abc"}}, "a vote goes by ranks"),
        ({"scorers": [{"kind": "verifiable", "rule": "json", "options": {"fenced": 1}}]}, "fenced: Extra inputs"),
        ({"scorers": [{"kind": "verifiable", "rule": "pattern"}]}, "pattern: Field required"),
    ],
)
def test_what_cannot_be_meant_is_an_error(said: dict[str, Any], told: str):
    with pytest.raises(ValidationError, match=told):
        Scoring(**said)


def test_scorers_of_one_unit_may_go_together_as_they_are():
    two = [LENGTH | {"name": "one"}, LENGTH | {"name": "other"}]
    assert not Scoring(scorers=two, ensemble={"calibration": "none"}).ensemble.calibrated  # type: ignore[arg-type]
