"""Figures of a hand-made table of answers: two prompts in English, one in Korean."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from training.evaluation.figures import Answers, against, all_figures, by_group, of_model

PROMPTS = pl.DataFrame({"prompt_id": ["a", "b", "c"], "source": ["s", "s", "t"], "language": ["en", "en", "ko"]})


def answer(model: str, prompt_id: str, reward: float | None, proxy: float | None = 0.0, **more: Any) -> dict[str, Any]:
    plain = dict.fromkeys(("refusal", "repetition", "cut", "language_mismatch", "empty"), False)
    numbers = {"right": None, "tokens": 4, "characters": 10, "kl": None, "kl_tokens": None, "copies": 1}
    return {"model": model, "prompt_id": prompt_id, "reward": reward, "proxy": proxy, **plain, **numbers, **more}


def answers(*rows: dict[str, Any]) -> Answers:
    floats = ("reward", "proxy", "right", "kl")
    schema = dict.fromkeys(floats, pl.Float64) | {"kl_tokens": pl.Int64}
    return Answers(pl.DataFrame(list(rows), schema_overrides=schema), PROMPTS, seed=0, resamples=100)


BOTH = answers(
    answer("base", "a", 1.0, 1.0, tokens=10),
    answer("base", "b", 2.0, 2.0, tokens=10),
    answer("base", "c", 3.0, 3.0, tokens=10),
    answer("sft", "a", 2.0, 4.0, tokens=30, right=1.0, kl=1.0, kl_tokens=1),
    answer("sft", "b", 2.0, 4.0, tokens=20, right=0.0, kl=5.0, kl_tokens=2),
    answer("sft", "c", 1.0, 4.0, tokens=10, refusal=True),
)


def test_a_models_own_figures():
    told = of_model(BOTH, "sft")
    assert told["reward"]["value"] == pytest.approx(5 / 3)
    assert told["accuracy"] | {"low": 0, "high": 0} == {"value": 0.5, "low": 0, "high": 0, "n": 2}
    assert told["refusal"]["value"] == pytest.approx(1 / 3)
    assert told["tokens"]["value"] == 20
    assert told["kl_sequence"]["value"] == 3  # (1 + 5) / 2 answers
    assert told["kl_token"]["value"] == 2  # (1 + 5) / (1 + 2) tokens
    assert (told["answered"], told["unanswered"], told["answers"]) == (3, 0, 3)
    assert of_model(BOTH, "base")["kl_token"]["value"] is None


def test_a_model_against_its_base():
    told = against(BOTH, "sft", "base")
    assert told["win_rate"]["value"] == 0.5  # 2 > 1, 2 = 2, 1 < 3
    assert told["ties"] == 1
    assert told["proxy_win_rate"]["value"] == 1.0
    assert told["gap"]["value"] == 0.5
    # Both rewards of the base have a standard deviation of 1: (12 - 6) / 3 - (5 - 6) / 3.
    assert told["gap_sd"]["value"] == pytest.approx(2 + 1 / 3)
    assert told["difference"]["tokens"]["value"] == 10
    assert told["difference"]["reward"]["value"] == pytest.approx(-1 / 3)
    assert told["gained"] is False


def test_a_gap_on_every_prompt_means_that_the_rewards_have_parted():
    rows = [answer("base", key, 1.0, 1.0) for key in "abc"] + [answer("rl", key, 1.0, 2.0) for key in "abc"]
    told = against(answers(*rows), "rl", "base")
    assert (told["win_rate"]["value"], told["proxy_win_rate"]["value"]) == (0.5, 1.0)
    assert (told["gained"], told["parted"]) == (False, True)


def test_a_missing_reward_is_left_out_and_an_empty_answer_loses():
    rows = [
        answer("base", "a", 1.0),
        answer("base", "b", 1.0),
        answer("base", "c", None),
        answer("sft", "a", None, empty=True),
        answer("sft", "c", 1.0),
    ]
    told = against(answers(*rows), "sft", "base")
    assert (told["win_rate"]["value"], told["win_rate"]["n"]) == (0.0, 1)
    assert (of_model(answers(*rows), "sft")["unanswered"], of_model(answers(*rows), "sft")["empty"]["value"]) == (
        1,
        0.5,
    )


def test_samples_count_by_how_often_they_were_given():
    rows = [answer("base", "a", 2.0), answer("sft", "a", 1.0, copies=3), answer("sft", "a", 5.0)]
    assert of_model(answers(*rows), "sft")["reward"]["value"] == 2.0  # (3 * 1 + 5) / 4
    assert against(answers(*rows), "sft", "base")["win_rate"]["value"] == 0.25


def test_groups_are_sources_and_languages():
    rows = {(row["by"], row["group"], row["model"]): row for row in by_group(BOTH, ["base", "sft"], "base")}
    groups = [("source", "s"), ("source", "t"), ("language", "en"), ("language", "ko")]
    assert list(dict.fromkeys((by, group) for by, group, _ in rows)) == groups
    korean = rows["language", "ko", "sft"]
    assert (korean["prompts"], korean["reward"]["value"], korean["win_rate"]["value"]) == (1, 1.0, 0.0)
    assert rows["source", "s", "sft"]["win_rate"]["value"] == 0.75
    assert "win_rate" not in rows["source", "s", "base"]


def test_models_are_compared_with_base_and_previous():
    told = all_figures(BOTH, ["base", "sft"], "base", "sft")["models"]
    assert {name: sorted(one["against"]) for name, one in told.items()} == {"base": ["previous"], "sft": ["base"]}
