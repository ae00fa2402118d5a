"""The score stage with several scorers: one table, one reward, one model at a time, and nothing done twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import polars as pl
import pytest

from curation.scoring.given import GivenScorer
from curation.scoring.protocol import Item, Score
from curation.scoring.run import score
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas.errors import EngineError, StoreError, UsageError
from schemas.profile.scoring import AnyScorer, Scoring
from schemas.records import COMPLETIONS, SCORES

from . import child_ensemble
from .child_score import BATCH, CANDIDATES, PROMPTS

ROOT = Path(__file__).resolve().parents[2]
Z = NormalDist().inv_cdf


class Says:
    """A scorer whose numbers are given by the text of the answer; it notes when it loads and lets go."""

    def __init__(self, name: str, numbers: dict[str, Any], log: list[str]) -> None:
        self.name, self.numbers, self.log = name, numbers, log

    def identity(self) -> dict[str, Any]:
        return {"engine": "says", "name": self.name, "device": "cpu"}

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        self.log.append(f"{self.name} loads")
        return [[item] for item in sorted(items, key=lambda item: item.completion_id)]

    def score(self, batch: Sequence[Item]) -> list[Score]:
        told = self.numbers[batch[0].messages[-1]["content"]]
        reason = told if isinstance(told, str) else None
        return [Score(batch[0].completion_id, None if reason else told, reason, truncated=told == 9.0)]

    def close(self) -> None:
        self.log.append(f"{self.name} lets go")


def table(store: Store, name: str, *texts: str, ids: str = "", **more: Any) -> Committed:
    """Completions <name>0, <name>1, ... of one prompt (or with the ids given) and these texts."""
    prompt = [{"role": "user", "content": "q", "extra": None}]
    made = [
        {"completion_id": ids or f"{name}{at}", "prompt_id": "p", "prompt": prompt, "text": text, **more}
        for at, text in enumerate(texts)
    ]

    def build(folder: Path) -> Built:
        write_table(pl.DataFrame(made, schema=COMPLETIONS), folder / "part-00000.parquet")
        return Built({"in": len(made), "kept": len(made), "dropped": 0, "quarantined": 0}, {})

    return store.commit("generate", {"name": name, "texts": list(texts), "more": str(more)}, build)


def maker(numbers: dict[str, dict[str, Any]], log: list[str] | None = None) -> Callable[[AnyScorer, Context], Says]:
    return lambda entry, context: Says(entry.name, numbers[entry.name], [] if log is None else log)


def settings(*scorers: dict[str, Any], **ensemble: Any) -> Scoring:
    named = [{"kind": "length", "name": name} | more for name, more in zip("abcd", scorers, strict=False)]
    return Scoring(scorers=named, **({"ensemble": ensemble} if ensemble else {}))  # type: ignore[arg-type]


def run(store: Store, inputs: Any, chosen: Scoring, numbers: dict[str, Any], log: list[str] | None = None) -> Committed:
    return score(store, inputs, chosen, Context(), maker(numbers, log))


THREE = {"a": {"x": 1.0, "y": 2.0, "z": 4.0}, "b": {"x": 30.0, "y": 10.0, "z": 90.0}}


def test_a_column_a_scorer_in_the_order_given_and_one_reward(tmp_path: Path):
    store = Store(tmp_path)
    done = run(store, table(store, "c", "x", "y", "z"), settings({}, {"weight": 3.0}), THREE)
    made = done.scan().collect()
    assert made.schema == COMPLETIONS | SCORES | {"reward_a": pl.Float64, "reward_b": pl.Float64}
    assert made["reward_a"].to_list() == [1.0, 2.0, 4.0]
    assert made["reward_b"].to_list() == [30.0, 10.0, 90.0]
    # Ranks of a: 1 2 3; of b: 2 1 3; as normal scores -z 0 z and 0 -z z with z of (3 - 1/2) / 3. Weights 1 and 3.
    z = Z(2.5 / 3)
    assert made["reward"].to_list() == pytest.approx([-z / 4, -3 * z / 4, z])
    # x: a says -z, b 0, their mean -z/4: sqrt((1 * (3z/4)^2 + 3 * (z/4)^2) / 4) = z sqrt(3) / 4. y likewise.
    assert made["disagreement"].to_list() == pytest.approx([z * 3**0.5 / 4, z * 3**0.5 / 4, 0.0])
    assert made["abstained"].to_list() == [False] * 3
    facts = done.manifest.facts["ensemble"]
    # Spearman of 1 2 3 and 2 1 3: 1 - 6 * (1 + 1 + 0) / (3 * 8)
    assert facts["rank_correlation"] == {"a, b": 0.5}
    assert facts["abstained"] == {}
    assert facts["calibration"]["beyond_reference"] == {"a": 0, "b": 0}


def test_one_scorer_s_number_is_the_reward_and_a_monitor_has_no_part(tmp_path: Path):
    store = Store(tmp_path)
    numbers = {"a": {"x": 1.0, "y": 2.0}, "b": {"x": "refused", "y": 9.0}}
    done = run(store, table(store, "c", "x", "y"), settings({}, {"role": "monitor"}), numbers)
    made = done.scan().collect()
    assert made["reward"].to_list() == [1.0, 2.0]
    assert made["reward_b"].to_list() == [None, 9.0]
    assert made["disagreement"].to_list() == [None, None]
    assert made["reward_truncated"].to_list() == [False, True]
    assert "ensemble" not in done.manifest.facts
    assert done.manifest.facts["scorers"]["b"] == {
        "kind": "length",
        "role": "monitor",
        "unit": "characters",
        "identity": "length",
        "scored": 1,
        "not_scored": {"refused": 1},
        "truncated": 1,
        "mean": 9.0,
        "std": None,
    }


def test_what_a_required_scorer_cannot_score_is_dropped_and_its_name_told(tmp_path: Path):
    store = Store(tmp_path)
    numbers = {
        "a": {"x": 1.0, "y": float("nan"), "z": 3.0, "w": 4.0},
        "b": {"x": 1.0, "y": "odd", "z": "template_refused", "w": "unparsed"},
        "c": {"x": 5.0, "y": 1.0, "z": 2.0, "w": 3.0},
    }
    chosen = settings({}, {}, {"required": False}, calibration="none")
    done = run(store, table(store, "c", "x", "y", "z", " ", "w"), chosen, numbers)
    decisions = done.table("decisions").collect()
    assert decisions.select("row_id", "kind", "reason", "detail").rows() == [
        ("c1", "dropped", "score_not_finite", "a"),
        ("c2", "dropped", "template_refused", "b"),
        ("c3", "dropped", "empty_completion", None),
        ("c4", "dropped", "unparsed", "b"),
    ]
    assert done.manifest.counts == {"in": 5, "kept": 1, "dropped": 4, "quarantined": 0}


def test_what_is_not_required_leaves_a_null_and_all_of_them_missing_a_drop(tmp_path: Path):
    store = Store(tmp_path)
    numbers = {"a": {"x": 1.0, "y": "odd", "z": "odd"}, "b": {"x": 5.0, "y": 7.0, "z": "unparsed"}}
    chosen = settings({"required": False}, {"required": False}, calibration="none")
    done = run(store, table(store, "c", "x", "y", "z"), chosen, numbers)
    made = done.scan().collect()
    assert made.select("completion_id", "reward", "reward_a", "reward_b", "abstained").rows() == [
        ("c0", 3.0, 1.0, 5.0, False),
        ("c1", None, None, 7.0, True),
    ]
    told = done.table("decisions").collect().select("row_id", "kind", "reason", "detail").rows()
    assert told == [("c2", "dropped", "odd", "a"), ("c1", "flagged", "scorer_missing", "a")]
    assert done.manifest.facts["ensemble"]["abstained"] == {"scorer_missing": 1}


def test_inputs_are_one_table_by_prompt_and_id_and_what_comes_twice_is_scored_once(tmp_path: Path):
    store, log = Store(tmp_path), list[str]()
    numbers = {"a": {"x": 1.0, "y": 2.0, "z": 3.0}}
    inputs = [table(store, "d", "z"), table(store, "c", "x", "y"), table(store, "c", "x")]
    done = run(store, inputs, settings({}), numbers, log)
    assert done.scan().select("completion_id", "reward").collect().rows() == [("c0", 1.0), ("c1", 2.0), ("d0", 3.0)]
    assert done.manifest.counts == {"in": 3, "kept": 3, "dropped": 0, "quarantined": 0}
    assert done.manifest.facts["repeated"] == 1


def test_the_order_of_completions_and_of_inputs_changes_no_byte(tmp_path: Path):
    store = Store(tmp_path)
    parts = [table(store, "c", "x", "y"), table(store, "d", "z")]
    backwards = pl.concat([part.scan().collect() for part in parts]).reverse()

    def build(folder: Path) -> Built:
        write_table(backwards, folder / "part-00000.parquet")
        return Built({"in": 3, "kept": 3, "dropped": 0, "quarantined": 0}, {})

    other = store.commit("generate", {"backwards": True}, build)
    chosen = settings({}, {"weight": 2.0}, combine="vote")
    made = [run(store, inputs, chosen, THREE) for inputs in (parts, parts[::-1], other)]
    assert len({done.manifest.key for done in made}) == 3
    assert len({done.manifest.digest for done in made}) == 1


def test_one_id_for_two_texts_is_an_error(tmp_path: Path):
    store = Store(tmp_path)
    inputs = [table(store, "c", "x"), table(store, "c", "y")]
    with pytest.raises(StoreError, match=r"1 completion ids stand for different completions, for instance c0"):
        run(store, inputs, settings({}), THREE)


def test_one_model_at_a_time_and_all_let_go(tmp_path: Path):
    store, log = Store(tmp_path), list[str]()
    inputs = table(store, "c", "x", "y", "z")
    run(store, inputs, settings({}, {}), THREE, log)
    assert log == ["a loads", "a lets go", "b loads", "b lets go"]
    log.clear()
    assert run(store, inputs, settings({}, {}), THREE, log).reused
    assert sorted(log) == ["a lets go", "b lets go"]


def test_a_scorer_is_gone_when_the_next_one_loads(tmp_path: Path):
    made: list[weakref.ref[Says]] = []

    class Counting(Says):
        def batches(self, items: Sequence[Item]) -> list[list[Item]]:
            self.log.append(str(sum(one() is not None for one in made)))
            return super().batches(items)

    log: list[str] = []

    def make(entry: AnyScorer, context: Context) -> Says:
        scorer = Counting(entry.name, THREE["a"], log)
        made.append(weakref.ref(scorer))
        return scorer

    store = Store(tmp_path)
    score(store, table(store, "c", "x", "y"), settings({}, {}, {}), Context(), make)
    assert [line for line in log if line.isdigit()] == ["3", "2", "1"]


def test_a_scorer_that_fails_lets_go_and_so_do_those_that_never_came_to_it(tmp_path: Path):
    store, log = Store(tmp_path), list[str]()
    with pytest.raises(KeyError):
        run(store, table(store, "c", "unknown"), settings({}, {}), THREE, log)
    assert sorted(log) == ["a lets go", "a loads", "b lets go"]


def test_a_stored_calibration_is_used_and_numbers_do_not_move_with_the_data(tmp_path: Path):
    store = Store(tmp_path)
    first = run(store, table(store, "c", "x", "y", "z"), settings({}, {}), THREE)
    key = first.manifest.facts["ensemble"]["calibration_key"]
    stored = store.root / "scoring.calibration" / key
    z = Z(2.5 / 3)
    for reference in (key, key[:8], str(stored), str(stored / "calibration.json")):
        chosen = settings({}, {}, reference=reference)
        alone = run(store, table(store, "c", "x"), chosen, THREE).scan().collect()
        assert alone["reward"].to_list() == pytest.approx([-z / 2])
    beyond = run(store, table(store, "d", "w"), settings({}, {}, reference=key), {"a": {"w": 5.0}, "b": {"w": 99.0}})
    assert beyond.scan().collect()["reward"].to_list() == pytest.approx([z])
    assert beyond.manifest.facts["ensemble"]["calibration"]["beyond_reference"] == {"a": 1, "b": 1}
    assert beyond.manifest.facts["ensemble"]["calibration_key"] is None


def test_a_calibration_of_other_scorers_is_refused(tmp_path: Path):
    store = Store(tmp_path)
    inputs = table(store, "c", "x", "y", "z")
    key = run(store, inputs, settings({}, {}), THREE).manifest.facts["ensemble"]["calibration_key"]

    def attempt(scorers: int = 2, other: str = "", device: str = "cpu", **ensemble: Any) -> Committed:
        def make(entry: AnyScorer, context: Context) -> Says:
            made = Says(entry.name, THREE["a"], [])
            made.identity = lambda: {"engine": "says", "name": other or entry.name, "device": device}  # type: ignore
            return made

        chosen = settings(*[{}] * scorers, **({"reference": key} | ensemble))
        return score(store, inputs, chosen, Context(), make)

    with pytest.raises(UsageError, match=r"has no scorer 'c'; it has a, b"):
        attempt(scorers=3)
    with pytest.raises(UsageError, match="made with another scorer by the name of 'a'"):
        attempt(other="else")
    with pytest.raises(UsageError, match="is by rank, and the profile says robust_z"):
        attempt(calibration="robust_z")
    with pytest.raises(UsageError, match="names no stored calibration"):
        attempt(reference="00000000")
    assert attempt(device="cuda").manifest.counts["kept"] == 3


def test_a_constant_scorer_ends_a_run_by_robust_z(tmp_path: Path):
    store = Store(tmp_path)
    numbers = {"a": {"x": 1.0, "y": 2.0}, "b": {"x": 4.0, "y": 4.0}}
    with pytest.raises(UsageError, match=r"'b' is constant: 2 of its 2 numbers are 4"):
        run(store, table(store, "c", "x", "y"), settings({}, {}, calibration="robust_z"), numbers)


def test_the_score_that_came_with_the_data(tmp_path: Path):
    store = Store(tmp_path)
    inputs = [table(store, "c", "x", given_score=4.5), table(store, "d", "y")]
    done = score(
        store,
        inputs,
        Scoring(scorers=({"kind": "given"},)),
        Context(),
        lambda entry, context: GivenScorer(),  # type: ignore[arg-type]
    )
    assert done.scan().select("completion_id", "reward", "reward_given").collect().rows() == [("c0", 4.5, 4.5)]
    assert done.table("decisions").collect().select("row_id", "reason").rows() == [("d0", "no_given_score")]


def test_a_scorer_of_whole_groups_that_splits_one_is_an_error(tmp_path: Path):
    store = Store(tmp_path)

    class Splits(Says):
        whole_groups = True

    with pytest.raises(EngineError, match="split the candidates of the prompt p over two batches"):
        score(
            store,
            table(store, "c", "x", "y"),
            settings({}),
            Context(),
            lambda entry, context: Splits("a", THREE["a"], []),
        )


@pytest.mark.slow
def test_a_killed_run_of_two_scorers_ends_as_if_there_had_been_no_kill(tmp_path: Path):
    noted = tmp_path / "noted"
    noted.touch()
    batches = PROMPTS * CANDIDATES // BATCH + PROMPTS
    kills = (3, 14, 17, 22)
    for limit in (*kills, None):
        command = [sys.executable, "-m", "tests.scoring.child_ensemble", str(tmp_path / "store"), str(noted)]
        child = subprocess.Popen(command, cwd=ROOT)
        if limit is None:
            assert child.wait(120) == 0
            break
        while noted.read_text().count("\n") < limit:
            assert child.poll() is None, "the run ended before it could be killed"
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
    lines = noted.read_text().splitlines()
    assert len(set(lines)) == batches
    assert len(lines) <= batches + len(kills)
    resumed = child_ensemble.run(tmp_path / "store", noted, 0)
    whole = child_ensemble.run(tmp_path / "whole", tmp_path / "unused", 0)
    assert resumed.reused
    assert resumed.manifest == whole.manifest
    assert resumed.manifest.facts["scorers"]["grouped"]["others"] == PROMPTS * CANDIDATES * (CANDIDATES - 1)
