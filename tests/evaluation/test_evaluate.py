"""From held-out prompts to a committed result: leakage first, the same bytes again, and nothing asked twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curation.handover.export import RECORD
from curation.scoring.engines import make_scorer
from curation.scoring.protocol import Item, Score, Scorer
from curation.stage import Context
from curation.store import verify
from schemas.errors import EngineError, GateError, StoreError, UsageError
from schemas.profile.evaluation import Evaluation as Settings
from tests.evaluation.made import ASKED, FORMAT, LENGTH, SETTINGS, engines, held_out, model, run
from tests.training.sets import write_completions, write_sft
from training.evaluation.proxy import proxy_of
from training.evaluation.result import Evaluation, load
from training.evaluation.run import evaluate


@dataclass
class World:
    """A base model, a model trained from it, and what both say."""

    folder: Path
    log: list[str] = field(default_factory=list)

    @property
    def base(self) -> Path:
        return self.folder / "base-model"

    @property
    def sft(self) -> Path:
        return self.folder / "sets" / "models" / "sft"

    def evaluate(self, settings: Settings = SETTINGS, *models: Path | str, **more: Any) -> Evaluation:
        says = {
            "base-model": lambda prompt: "Short.",
            "sft": lambda prompt: "The answer is 42." if "6" in prompt else "A good deal longer.",
            "dpo": lambda prompt: "",
        }
        given = [str(one) for one in models] or [str(self.sft)]
        options = {"base": str(self.base), "engines": engines(says, self.log), **more}
        held = options.pop("held", None) or held_out(self.folder)
        return evaluate(given, held, settings, Context(home=self.folder / "home"), **options)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    model(made.base, "base")
    write_sft(tmp_path / "sets", [("user", "colour?"), ("assistant", "red"), ("user", "And why?"), ("assistant", "so")])
    run(made.sft.parent, "sft", made.base, tmp_path / "sets", "sft")
    return made


def test_a_model_against_its_base(world: World):
    done = world.evaluate()
    assert done.models == ["base", "sft"]
    versus, own = done.against("sft"), done.figures("sft")
    assert versus is not None
    assert (versus["win_rate"]["value"], versus["gained"]) == (1.0, True)  # the longer answer has the higher reward
    assert (versus["proxy_win_rate"]["value"], versus["gap"]["value"]) == (0.5, -0.5)  # neither has any layout
    assert own["characters"]["value"] == (3 * 19 + 17) / 4
    assert versus["difference"]["characters"]["value"] == (3 * 13 + 11) / 4  # "Short." has 6
    assert (own["accuracy"]["value"], own["accuracy"]["n"]) == (1.0, 1)  # only one reference has a number
    assert done.figures("base")["accuracy"]["value"] == 0.0
    assert done.told["held_out"]["prompts"] == 4
    assert {row["group"] for row in done.told["groups"] if row["by"] == "language"} == {"en", "ko"}
    told = done.told["models"]["sft"]["training"]
    assert [(one["stage"], one["tokens"], one["seconds"]) for one in told] == [("sft", 100, 2.5)]
    assert done.told["scorers_trained_on"] == []
    assert str(world.folder) not in orjson.dumps(done.told).decode()


def test_all_answers_are_there_with_their_scores(world: World):
    table = world.evaluate().answers().collect()
    assert table.group_by("model").len().sort("model").rows() == [("base", 4), ("sft", 4)]
    row = table.filter(model="sft", verdict="equal_number").row(0, named=True)
    assert (row["text"], row["reward"], row["reward_length"], row["right"]) == ("The answer is 42.", 17.0, 17.0, 1.0)
    assert {"proxy", "proxy_format", "refusal", "repetition", "language_mismatch", "cut", "kl"} <= set(table.columns)
    assert not table["cut"].any()


def test_a_finished_evaluation_is_found_again_and_a_new_one_has_the_same_bytes(world: World):
    first = world.evaluate()
    asked = len(world.log)
    assert world.evaluate().path == first.path
    assert len(world.log) == asked
    other = World(world.folder)
    digest = first.manifest.digest
    (first.path / "manifest.json").unlink()  # what does not verify is built again
    assert other.evaluate().manifest.digest == digest
    assert other.log == []  # from answers and scores that were kept


def test_a_stopped_evaluation_goes_on_where_it_was(world: World):
    def broken(*_: Any) -> Any:
        raise EngineError("the scorer fell over")

    class Falls:
        def identity(self) -> dict[str, Any]:
            return {"engine": "falls"}

        batches = score = broken

    with pytest.raises(EngineError, match="fell over"):
        world.evaluate(make=lambda entry, context: Falls())
    assert sum(":" in line and "closed" not in line for line in world.log) == 8  # two models, four prompts
    world.log.clear()
    assert world.evaluate().figures("sft")["answered"] == 4
    assert world.log == []


@pytest.mark.parametrize("asked", ["colour?", "COLOUR?  ", "And why?"])
def test_a_held_out_prompt_that_was_trained_on_fails_before_anything_is_asked(world: World, asked: str):
    prompt = [ASKED[0], asked]
    if asked == "And why?":
        # The second turn alone was never asked; as the second turn of that conversation it was.
        assert world.evaluate(held=held_out(world.folder, *prompt)).told["held_out"]["prompts"] == 2
        return
    with pytest.raises(GateError, match=r"1 of 2 held-out prompts were trained on") as caught:
        world.evaluate(held=held_out(world.folder, *prompt))
    assert "0000000000000000" in str(caught.value)  # the training prompt's id
    assert world.log == []


def test_leaking_prompts_can_be_left_out(world: World):
    settings = SETTINGS.model_copy(update={"on_leak": "leave_out"})
    done = world.evaluate(settings, held=held_out(world.folder, "Colour?", *ASKED[:2]))
    assert done.told["held_out"]["prompts"] == 2
    assert len(done.told["leakage"]["left_out"]) == 1


def test_what_an_ancestor_was_trained_on_counts_too(world: World, tmp_path: Path):
    write_completions(tmp_path / "sets", ("Another prompt altogether.", "yes"))
    out = world.sft.parent
    later = run(out, "rejection_sampling", world.sft / "model", tmp_path / "sets", "rejection_sampling", ("sft",))
    with pytest.raises(GateError, match="trained on"):
        world.evaluate(SETTINGS, later, held=held_out(world.folder, "colour?"))
    world.sft.rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="a model of the stage sft, whose run is not found"):
        world.evaluate(SETTINGS, later, held=held_out(world.folder, "colour?"))
    with pytest.raises(GateError, match="trained on"):
        world.evaluate(
            SETTINGS,
            later,
            held=held_out(world.folder, "colour?"),
            ancestors=[tmp_path / "elsewhere"],
            data=[tmp_path / "sets"],
        )


def test_a_training_set_that_has_changed_or_gone_is_an_error(world: World, tmp_path: Path):
    (tmp_path / "sets" / "sft").rename(tmp_path / "moved")
    with pytest.raises(UsageError, match="is not found, so that it cannot be compared"):
        world.evaluate()
    (tmp_path / "given").mkdir()
    (tmp_path / "moved").rename(tmp_path / "given" / "sft")
    assert world.evaluate(data=[tmp_path / "given"]).told["leakage"]["training_prompts"] == 2


def test_the_reward_that_was_trained_on_is_found_and_told_where_it_is_the_judge(world: World, tmp_path: Path):
    settings = SETTINGS.model_copy(update={"proxy": None})
    warned = world.evaluate(settings)
    assert any("not known" in one for one in warned.told["warnings"])
    assert warned.figures("sft")["proxy"]["value"] is None
    record = {"run": "r", "started": "now", "profile": {"scoring": LENGTH.model_dump(mode="json")}}
    (tmp_path / "sets" / RECORD).write_bytes(orjson.dumps(record))
    done = world.evaluate(settings)
    assert done.told["scorers_trained_on"] == ["length"]
    assert "is the reward that the models were trained on" in done.told["warnings"][0]
    assert done.figures("sft")["proxy"] == done.figures("sft")["reward"]
    assert done.told["models"]["sft"]["against"]["base"]["gap"]["value"] == 0.0
    different = world.evaluate(settings.model_copy(update={"scoring": FORMAT}))
    assert different.told["scorers_trained_on"] == []


def test_plain_text_has_no_prompts_and_that_is_told(world: World, tmp_path: Path):
    (tmp_path / "sets" / "text").mkdir()
    (tmp_path / "sets" / "text" / "a.jsonl").write_text('{"text": "colour?"}')
    pl.DataFrame({"text": ["colour?"]}).write_parquet(tmp_path / "sets" / "text" / "b.parquet")
    out = world.sft.parent
    for pattern in ("*.jsonl", "*.parquet"):
        run(out, f"dpo-{pattern[2:]}", world.base, tmp_path / "sets", "text", pattern=pattern)
    done = world.evaluate(SETTINGS, *(out / f"dpo-{kind}" for kind in ("jsonl", "parquet")))
    assert done.told["leakage"]["without_prompts"] == ["text/a.jsonl", "text/b.parquet"]
    assert "not compared with the held-out prompts: text/a.jsonl, text/b.parquet" in done.told["warnings"][0]


def test_the_record_of_a_controls_run_stands_above_it(tmp_path: Path):
    record = {"run": "r", "started": "now", "profile": {"scoring": FORMAT.model_dump(mode="json")}}
    for name in ("out", "other"):
        (tmp_path / name / "controls" / "random" / "sft").mkdir(parents=True)
        (tmp_path / name / RECORD).write_bytes(orjson.dumps(record))
        record["profile"] = {"scoring": LENGTH.model_dump(mode="json")}
    assert proxy_of([tmp_path / "out", tmp_path / "out" / "controls" / "random"]) == FORMAT
    assert proxy_of([tmp_path / "out" / "controls" / "random" / "sft" / "deeper"]) is None
    with pytest.raises(UsageError, match="2 different rewards"):
        proxy_of([tmp_path / "out", tmp_path / "other"])


def test_the_base_is_what_the_run_went_back_to_unless_it_is_named(world: World):
    found, named = (done.told["models"]["base"]["model"] for done in (world.evaluate(base=None), world.evaluate()))
    assert found["digest"] == named["digest"]
    assert world.evaluate(base=f"start={world.base}").models == ["start", "sft"]
    (world.base / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="is not found as it was then"):
        world.evaluate(base=None)
    with pytest.raises(UsageError, match="no model to compare with"):
        world.evaluate(SETTINGS, world.base, base=None)


def test_against_the_previous_round_and_with_empty_answers(world: World):
    model(world.folder / "dpo", "dpo")
    done = world.evaluate(SETTINGS, f"new={world.folder / 'dpo'}", previous=str(world.sft))
    assert done.models == ["base", "previous", "new"]
    assert done.told["models"]["new"]["against"]["previous"]["win_rate"]["value"] == 0.0
    assert done.figures("new")["empty"]["value"] == 1.0
    assert done.figures("new")["reward"]["n"] == 0
    assert any("new was trained on is not known" in one for one in done.told["warnings"])


class Noisy:
    """A scorer that adds to each answer's number what depends on the others in its batch, as padding does."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.identity, self.batches = scorer.identity, scorer.batches

    def score(self, batch: Sequence[Item]) -> list[Score]:
        return [replace(one, reward=(one.reward or 0) + 1e-6 * at) for at, one in enumerate(self.scorer.score(batch))]


def test_answers_that_say_the_same_are_a_tie_whatever_the_batch(world: World):
    says = {name: lambda prompt: "The same." for name in ("base-model", "sft")}
    noisy: Any = lambda entry, context: Noisy(make_scorer(entry, context))  # noqa: E731
    done = world.evaluate(engines=engines(says, world.log), make=noisy)
    versus = done.against("sft")
    assert versus is not None
    assert (versus["win_rate"]["value"], versus["ties"]) == (0.5, 4)
    assert versus["proxy_win_rate"]["value"] == 0.5
    assert versus["difference"]["reward"]["value"] == 0.0


def test_two_models_of_one_name_need_labels(world: World):
    other = model(world.folder / "other" / "sft", "other")
    with pytest.raises(UsageError, match="two models are named 'sft'"):
        world.evaluate(SETTINGS, world.sft, other)
    assert world.evaluate(SETTINGS, world.sft, f"other={other}").models == ["base", "sft", "other"]


def test_a_smaller_draw_is_part_of_a_larger_one(world: World):
    draws = [world.evaluate(SETTINGS.model_copy(update={"prompts": n})) for n in (2, 3)]
    two, three = ({*done.answers().collect()["prompt_id"]} for done in draws)
    assert (len(two), len(three)) == (2, 3)
    assert two < three


def test_samples_that_say_the_same_are_counted(world: World):
    settings = SETTINGS.model_copy(update={"samples": 3, "temperature": 1.0})
    table = world.evaluate(settings).answers().collect()
    assert (table.height, set(table["copies"])) == (8, {3})


def test_a_result_is_copied_and_read_back_whole(world: World, tmp_path: Path):
    done = world.evaluate()
    done.copy_to(tmp_path / "out")
    assert load(tmp_path / "out" / "evaluation.json").told == done.told
    assert verify(tmp_path / "out").digest == done.manifest.digest
    done.copy_to(tmp_path / "out")
    (tmp_path / "out" / "evaluation.json").write_text("{}")
    with pytest.raises(StoreError, match="does not match"):
        load(tmp_path / "out")
    with pytest.raises(UsageError, match="has something else in it"):
        done.copy_to(tmp_path / "sets")
    with pytest.raises(UsageError, match=r"no evaluation\.json here"):
        load(tmp_path / "sets")
