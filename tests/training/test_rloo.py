"""What online training must do: raise a planted reward, start at its reference, and stop when it goes too far."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from curation.models import resolve
from curation.progress import Silent
from curation.stage import Context
from schemas.errors import UsageError
from schemas.profile.scoring import Ensemble, Format, Given, Length, Scoring, Verifiable
from schemas.profile.training import Rloo, Training
from tests.training.sets import messages, write_set, write_sft
from tests.training.test_training_resume import Stopped, StopsAt
from training import rloo
from training import watch as rloo_watch
from training.job import Job
from training.launch import train
from training.rewards import Rewards
from training.watch import MOST, Watch, change

pytestmark = pytest.mark.usefixtures("one_thread")

# An answer without the letter e: four tokens of random weights are so one time in seven or so.
NO_E = Verifiable(name="no_e", rule="pattern", options={"pattern": "[^eE]*"})
WORDS = Length(name="words", count="words", role="monitor")


def settings(model: str, **said: Any) -> Training:
    small = {
        "max_steps": 12,
        "learning_rate": 3e-2,
        "per_device_train_batch_size": 32,
        "num_generations": 8,
        "max_completion_length": 4,
        "max_length": 64,
        "max_kl": 0.0,
        "beta": 0.01,
        "lr_scheduler_type": "constant",
    }
    return Training(model=model, rloo=Rloo(**(small | said)))


def write_prompts(data: Path) -> None:
    write_sft(data, *[[("user", f"say {at}"), ("assistant", f"word {at}")] for at in range(8)])


def steps_of(run: Any) -> list[dict[str, Any]]:
    lines = (run.path / "metrics.jsonl").read_bytes().splitlines()
    return [step for step in map(orjson.loads, lines) if "reward" in step]


@pytest.fixture(scope="module", params=["rloo", pytest.param("grpo", marks=pytest.mark.slow)])
def climbed(request: pytest.FixtureRequest, tiny_llama: str, tmp_path_factory: pytest.TempPathFactory):
    data = tmp_path_factory.mktemp(request.param)
    write_prompts(data)
    return train(
        "rloo",
        data,
        data / "out",
        settings(tiny_llama, algorithm=request.param),
        seed=0,
        home=data,
        scoring=Scoring(scorers=(NO_E, WORDS)),
    )


def test_a_planted_reward_is_raised(climbed):
    rewards = [step["reward"] for step in steps_of(climbed)]
    first, last = sum(rewards[:3]) / 3, sum(rewards[-3:]) / 3
    assert first < 0.4
    assert last > 0.8


def test_every_step_tells_what_over_optimisation_is_seen_by(climbed):
    steps = steps_of(climbed)
    wanted = {"reward", "reward_std", "kl", "completions/mean_length", "completions/clipped_ratio", "held_out/words"}
    assert all(wanted | {"unscored"} <= step.keys() for step in steps)
    # The first answers are the reference's own, so that policy and reference say the same of them; later they do not.
    assert steps[0]["kl"] == pytest.approx(0.0, abs=1e-5)
    assert steps[-1]["kl"] > 0.01
    assert climbed.manifest.facts["stopped_early"] is None
    assert climbed.metrics["tokens"] > 0


def test_the_scorers_are_part_of_what_the_run_was_made_of(climbed):
    reads = climbed.manifest.recipe["reads"]
    assert [(one["name"], one["role"]) for one in reads["scorers"]] == [("no_e", "reward"), ("words", "monitor")]
    assert reads["scorers"][0]["engine"]["rule"]["pattern"] == "[^eE]*"


def test_a_policy_that_leaves_its_reference_is_stopped(tmp_path: Path, tiny_llama: str):
    write_prompts(tmp_path)
    run = train(
        "rloo",
        tmp_path,
        tmp_path / "out",
        settings(tiny_llama, beta=1e-6, max_kl=1.5),
        seed=0,
        home=tmp_path,
        scoring=Scoring(scorers=(NO_E,)),
    )
    stopped = run.manifest.facts["stopped_early"]
    assert stopped["reason"] == "kl"
    assert stopped["kl"] > stopped["max_kl"] == 1.5
    assert run.metrics["steps"] == stopped["step"] == len(steps_of(run)) < 12
    assert "stopped early: reason | kl" in (run.path / "README.md").read_text(encoding="utf-8")


def test_the_watch_of_a_run_that_goes_on_has_seen_the_steps_before_the_stop(
    tmp_path: Path, tiny_llama: str, monkeypatch: pytest.MonkeyPatch
):
    write_prompts(tmp_path)
    watches: list[Watch] = []
    monkeypatch.setattr(rloo_watch, "Watch", lambda *said: watches.append(Watch(*said)) or watches[-1])
    made = settings(tiny_llama, max_steps=6, save_steps=2, watch_window=6)
    options: dict[str, Any] = {"seed": 0, "home": tmp_path, "scoring": Scoring(scorers=(NO_E, WORDS))}
    with pytest.raises(Stopped):
        train("rloo", tmp_path, tmp_path / "out", made, progress=StopsAt(5), **options)
    run = train("rloo", tmp_path, tmp_path / "out", made, **options)
    assert run.manifest.facts["resumed_at"] == [4]
    first, second = watches
    steps = steps_of(run)
    assert [step["step"] for step in steps] == [1, 2, 3, 4, 5, 6]
    for name in ("reward", "held_out/words"):
        assert list(second.seen[name]) == [step[name] for step in steps]
        assert list(first.seen[name])[:4] == list(second.seen[name])[:4]


def watched(watch: Watch, *logs: dict[str, float]) -> list[bool]:
    """Whether it asks to stop, log by log."""
    asked = []
    for at, log in enumerate(logs, 1):
        control = SimpleNamespace(should_training_stop=False)
        state = SimpleNamespace(global_step=at, is_world_process_zero=True)
        watch.on_log(None, state, control, logs=log)  # type: ignore[arg-type]
        asked.append(control.should_training_stop)
    return asked


def test_a_proxy_that_rises_while_the_held_out_reward_falls_stops_the_run():
    watch = Watch(0.0, 6, ["held_out/judge"], Silent())
    logs = [{"reward": float(at), "held_out/judge": -float(at), "kl": 9.0} for at in range(8)]
    assert watched(watch, *logs) == [False] * 5 + [True] + [False] * 2
    # Halves 0, 1, 2 and 3, 4, 5: means 3 apart, variances 1, so t = 3 / sqrt(1 / 3 + 1 / 3) = 3.674.
    found = {"step": 6, "reason": "divergence", "held_out": "held_out/judge"}
    assert watch.facts()["stopped_early"] == found | {
        "proxy_t": pytest.approx(3.674, abs=1e-3),
        "held_out_t": pytest.approx(-3.674, abs=1e-3),
    }


@pytest.mark.parametrize(
    ("proxy", "held_out"), [(1.0, 1.0), (1.0, 0.0), (0.0, -1.0)], ids=["both rise", "one stays", "the proxy stays"]
)
def test_rewards_that_do_not_part_go_on(proxy: float, held_out: float):
    watch = Watch(0.0, 6, ["held_out/judge"], Silent())
    assert not any(watched(watch, *[{"reward": proxy * at, "held_out/judge": held_out * at} for at in range(20)]))


def test_noise_is_no_change():
    from collections import deque

    assert change(deque([0.0, 1.0, 0.0, 1.0, 0.0, 1.0], maxlen=6)) == pytest.approx(0.707, abs=1e-3)
    assert change(deque([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], maxlen=6)) == MOST
    assert change(deque([0.0, 0.0, 9.0], maxlen=6)) == 0.0


def test_prompts_come_with_what_rewards_read_and_without_their_answers(tmp_path: Path):
    talk = [("user", "one?"), ("assistant", "first"), ("user", "two?"), ("assistant", "second")]
    write_sft(tmp_path, talk, [("assistant", "hello")])
    rows = rloo.prompts(rloo.sets.scan(tmp_path, "sft")).collect().to_dicts()
    prompt = [{"role": role, "content": said} for role, said in talk[:3]]
    assert rows == [{"prompt": prompt, "reference": "second", "prompt_id": "0" * 16, "metadata": "{}"}]


def test_a_prompt_without_room_for_an_answer_is_dropped_and_counted(tmp_path: Path, tiny_llama: str):
    write_sft(tmp_path, [("user", "hi"), ("assistant", "a")], [("user", "hi " * 60), ("assistant", "b")])
    training = settings(tiny_llama).rloo
    job = Job("rloo", "sft", tmp_path, tmp_path / "out", training, resolve(tiny_llama, tmp_path), 0)
    prepared = rloo.prepare(job, tmp_path / "work")
    assert (prepared.preflight.examples, prepared.preflight.kept, prepared.preflight.dropped) == (2, 1, 1)
    assert prepared.dataset["reference"] == ["a"]


def score(scoring: Scoring, *answers: str) -> tuple[list[float | None], dict[str, float]]:
    logged: dict[str, float] = {}
    rewards = Rewards(scoring, Context())(
        [messages(("user", "q"))] * len(answers),
        [messages(("assistant", answer)) for answer in answers],
        prompt_id=["p"] * len(answers),
        reference=["The answer is 4."] * len(answers),
        metadata=["{}"] * len(answers),
        log_metric=logged.__setitem__,
    )
    return rewards, logged


def test_the_reward_is_that_of_the_scorers_in_order():
    numeric = Verifiable(name="right", rule="numeric", options={"last_number": True})
    rewards, logged = score(Scoring(scorers=(numeric, Length(name="long", role="monitor"))), "so 5", "so 4", "")
    assert rewards == [0.0, 1.0, 0.0]
    # What is held out is logged as a mean over the answers and moves nothing: (4 + 4 + 0) / 3 characters.
    assert logged == {"unscored": 0.0, "held_out/long": pytest.approx(8 / 3)}


def test_a_vote_of_several_scorers_ranks_the_answers_to_a_prompt():
    both = (Length(name="long", count="characters"), Format(name="marks"))
    rewards, _ = score(Scoring(scorers=both, ensemble=Ensemble(combine="vote")), "ab", "- a\n- b\n- c")
    assert rewards[1] > rewards[0]  # type: ignore[operator]


def test_rewards_that_cannot_be_had_online_are_refused():
    with pytest.raises(UsageError, match="the score that came with the data"):
        Rewards(Scoring(scorers=(Given(),)), Context())
    both = (Length(name="long"), Format(name="marks"))
    with pytest.raises(UsageError, match="would move with the policy"):
        Rewards(Scoring(scorers=both), Context())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"num_generations": 3}, "no multiple of num_generations"),
        ({"max_completion_length": 512}, "leaves no room"),
        ({"beta": 0.0}, "set max_kl = 0"),
        ({"activation_offloading": True}, "not offered"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(said: dict[str, Any], told: str):
    with pytest.raises(ValidationError, match=told):
        Rloo(**said)


def test_a_set_without_columns_for_ids_trains_too(tmp_path: Path):
    write_set(tmp_path, "sft", messages=[messages(("user", "q"), ("assistant", "a"))])
    row = rloo.prompts(rloo.sets.scan(tmp_path, "sft")).collect().row(0, named=True)
    assert (row["prompt_id"], row["metadata"]) == ("0", None)
