"""Two rounds of a tiny model from end to end: each samples from, trains on and is compared with the one before."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import polars as pl
import pytest
from rich.console import Console

from curation.runs import RunRecord, Runs
from curation.stage import Context
from curation.store import verify
from flows import round_steps
from flows.commands.rounds import as_table
from flows.commands.rounds import rounds as command
from flows.profiles import load_profile
from schemas.errors import GateError, ProfileError, UsageError
from tests.rounds import tiny
from tests.rounds.test_staleness import Heard
from training.evaluation.result import load as load_evaluation
from training.rounds.table import Table, load

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass
class World:
    """A folder with a profile, its home and its hand-over."""

    folder: Path
    profile: str

    @property
    def home(self) -> str:
        return str(self.folder / "home")

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def runs(self) -> Runs:
        return Runs(Path(self.home))

    def go(self) -> Table:
        """The whole command but for Prefect."""
        tiny.rounds(self.home, tiny.curated(self.home, self.profile, str(self.out)), str(self.out))
        return load(self.out)

    def record(self, at: int) -> RunRecord:
        return self.runs.load(load(self.out).rounds[at - 1].run)


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    """Answers are sampled here, and reports are not drawn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curation.generation.run.make_generator", tiny.make)
        patch.setattr("training.evaluation.run.make_generator", tiny.make)
        patch.setattr("flows.steps.build", tiny.no_report)
        yield patch


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, tiny_llama: str, patched: pytest.MonkeyPatch, one_thread: None
) -> World:
    folder = tmp_path_factory.mktemp("rounds")
    world = World(folder, tiny.write_profile(folder, tiny_llama))
    world.go()
    return world


def test_each_round_goes_on_from_the_one_before(done: World, tiny_llama: str):
    table = load(done.out)
    start, (one, two) = table.start[0], table.rounds
    assert [entry.folder for entry in table.checkpoints] == [
        None, "models/sft", "round-1/models/dpo", "round-2/models/dpo",
    ]  # fmt: skip
    assert (one.policy, two.policy) == (start, one.trained[0])
    bases = [verify(done.out / entry.folder).recipe["base"] for entry in table.checkpoints if entry.folder]
    assert bases == [entry.weights for entry in table.checkpoints[:-1]]  # each was trained from the one before
    assert table.newest == two.trained[0]
    assert (table.status, [entry.round for entry in table.rounds]) == ("finished", [1, 2])
    assert table.rounds[1].decision["told"] == table.ended


def test_every_candidate_resolves_to_the_checkpoint_that_made_it(done: World):
    table = load(done.out)
    for entry in table.rounds:
        (written,) = entry.written
        assert written.model_dump() == {
            "policy": entry.policy.policy, "origin": "on_policy", "candidates": 24, "checkpoint": entry.policy.folder,
        }  # fmt: skip
        assert done.out.joinpath(str(entry.policy.folder), "manifest.json").is_file()
        step = next(step for step in entry.steps if step.stage == "generate")
        made = done.runs.store.find("generate", step.key)
        assert made is not None
        assert made.manifest.digest == step.digest
        for policy in made.scan().collect()["policy"].unique():
            assert table.made_by(policy) == entry.policy
    assert table.made_by("another@000000000000") is None


def test_no_prompt_is_asked_twice_and_then_none_is_left(done: World):
    table = load(done.out)
    asked = [pl.read_parquet(done.out / f"round-{at}" / "sft" / "*.parquet")["prompt_id"].to_list() for at in (1, 2)]
    assert [len(set(one)) for one in asked] == [6, 6]
    assert not set(asked[0]) & set(asked[1])
    before = done.out.joinpath("rounds.json").read_bytes()
    assert round_steps.begin_round(done.home, table.run, str(done.out), 3) is None
    assert load(done.out).ended == "no prompt is left for round 3: all of the curated set were drawn"
    done.out.joinpath("rounds.json").write_bytes(before)


def test_a_round_is_a_run_of_its_own(done: World):
    table = load(done.out)
    parent = done.runs.load(table.run)
    assert parent.notes["rounds"]["runs"] == [entry.run for entry in table.rounds]
    for at in (1, 2):
        record = done.record(at)
        assert (record.status, record.notes["round"], record.notes["of"]) == ("finished", at, table.run)
        assert record.profile["generation"]["model"] == record.profile["training"]["model"]
        stages = [step.stage for step in record.steps]
        assert stages[:3] == ["ingest", "filter.empty", "rounds.prompts"]
        assert stages[-1] == "rounds.staleness"
        handed = orjson.loads((done.out / f"round-{at}" / "run.json").read_bytes())
        assert handed["run"] == record.run
    stale = [entry.stale for entry in table.rounds]
    assert [(one["pairs"], one["stale"]) for one in stale] == [(6, 0), (6, 0)]


def test_each_round_is_evaluated_against_the_base_and_the_round_before(done: World):
    table = load(done.out)
    two = load_evaluation(done.out / "round-2" / "evaluation")
    assert two.models == ["base", "previous", "round-2"]
    weights = {name: two.told["models"][name]["model"]["digest"] for name in two.models}
    assert weights == {
        "base": table.base.weights,
        "previous": table.rounds[0].trained[0].weights,
        "round-2": table.rounds[1].trained[0].weights,
    }
    assert table.rounds[1].evaluation["digest"] == two.manifest.digest
    assert table.rounds[1].evaluation["against"]["previous"]["gap"] == two.against("round-2", "previous")["gap"]  # type: ignore[index]
    # The proxy is the length, which was trained on; the held-out reward is another.
    assert two.told["scorers_trained_on"] == []
    assert two.figures("round-2")["proxy"]["value"] == two.figures("round-2")["characters"]["value"]


def test_started_again_nothing_is_done_twice(done: World, monkeypatch: pytest.MonkeyPatch):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was done before")

    first = load(done.out)
    monkeypatch.setattr(tiny.Tiny, "generate", never)
    monkeypatch.setattr("training.run.train_into", never)
    again = done.go()
    assert all(step.reused for at in (1, 2) for step in done.record(at).steps)
    assert without_names(again) == without_names(first)


def without_names(table: Table) -> bytes:
    """The table but for what is made of the time: names of runs, and evaluations, which tell seconds of training."""
    told = table.model_dump() | {"run": ""}
    for entry in told["rounds"]:
        entry["run"] = entry["evaluation"]["key"] = entry["evaluation"]["digest"] = ""
    return orjson.dumps(told)


@pytest.fixture
def opened(tmp_path: Path, tiny_llama: str, patched: pytest.MonkeyPatch) -> World:
    return World(tmp_path, tiny.write_profile(tmp_path, tiny_llama))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("count = 2", "count = 0"), "there are no rounds to run"),
        (('[generation]', '[generation]\nengine = "deterministic"'), "generation.engine is deterministic"),
        (('kind = "format"', 'kind = "length"'), "length is the reward that rounds train on"),
    ],
)  # fmt: skip
def test_rounds_that_could_not_be_run_or_judged_are_refused(opened: World, change: tuple[str, str], told: str):
    path = Path(opened.profile)
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(UsageError, match=told):
        round_steps.check(load_profile(opened.profile).profile, Context())
    if "kind" in change[0]:
        heard = Heard()
        warned = load_profile(opened.profile, ["rounds.same_reward=warn"]).profile
        round_steps.check(warned, Context(progress=heard))
        assert [line.startswith(f"WARNING: the held-out reward {told}") for line in heard.lines] == [True]


def test_the_command_refuses_before_it_begins_a_run(opened: World):
    with pytest.raises(UsageError, match=r"generation\.engine is deterministic"):
        command(
            profile=opened.profile, out=opened.out, home=Path(opened.home), set_=["generation.engine=deterministic"]
        )
    with pytest.raises(ProfileError, match=r"rounds\.stages"):
        command(profile=opened.profile, count=3, home=Path(opened.home), set_=["rounds.stages=[]"])
    assert not opened.runs.names()


def test_the_command_prints_a_row_a_round(done: World):
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(as_table(load(done.out)))
    told = console.export_text()
    for at, sampled in ((1, "models/sft"), (2, "round-1/models/dpo")):
        (row,) = [line for line in told.splitlines() if sampled in line]
        assert [cell.strip() for cell in row.split("│")[1:6]] == [str(at), sampled, "24", "6", "0"]


def test_held_out_prompts_that_could_be_drawn_are_told_before_anything_is_trained(opened: World):
    (opened.folder / "held.jsonl").write_bytes((opened.folder / "train.jsonl").read_bytes().splitlines()[0] + b"\n")
    run = tiny.curated(opened.home, opened.profile, str(opened.out))
    with pytest.raises(GateError, match="1 of 1 held-out prompts were trained on"):
        round_steps.start_rounds(opened.home, run, str(opened.out))
    assert not (opened.out / "models").exists()


def test_a_profile_whose_rounds_have_no_held_out_prompts_is_none(opened: World):
    with pytest.raises(ProfileError, match="rounds need held_out"):
        load_profile(opened.profile, ["rounds.held_out=[]"])


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), "stopped"), (GateError("too few"), "failed")])
def test_the_table_says_how_rounds_ended(done: World, error: BaseException, status: str):
    before, table = done.out.joinpath("rounds.json").read_bytes(), load(done.out)
    with pytest.raises(type(error)), round_steps.closing(done.home, table.run, str(done.out)):
        raise error
    ended = load(done.out)
    assert ended.status == status
    assert ended.ended == (str(error) or "KeyboardInterrupt")
    assert done.runs.load(table.run).notes["rounds"]["status"] == status
    done.out.joinpath("rounds.json").write_bytes(before)


@pytest.mark.slow
def test_a_round_without_gain_is_the_last(opened: World):
    # No step is large enough to change an answer: every prompt is a tie, and the win rate 0.5 [0.5, 0.5].
    text = Path(opened.profile).read_text().replace("learning_rate = 1e-3", "learning_rate = 1e-12")
    Path(opened.profile).write_text(text.replace("stop_without_gain = false", ""))
    table = opened.go()
    assert [entry.decision["found"] for entry in table.rounds] == ["no_gain"]
    assert (table.status, table.best) == ("finished", table.start[0])
    assert "covers zero" in str(table.ended)


@pytest.mark.slow
def test_rejection_sampling_before_dpo_makes_its_pairs_stale_and_lora_is_sampled_merged(opened: World):
    text = Path(opened.profile).read_text().replace("[rounds]", '[rounds]\nstages = ["rejection_sampling", "dpo"]')
    text = text.replace("prompts = 6", "prompts = 6\nmax_stale = 1.0").replace("start = ", "")
    Path(opened.profile).write_text(text.replace("[training.dpo]", "[training.dpo]\nlora_r = 4"))
    table = opened.go()
    assert [one.stage for one in table.rounds[0].trained] == ["rejection_sampling", "dpo"]
    assert table.rounds[0].stale["reasons"] == {"given": 0, "other_policy": 0, "trained_since": 6}
    assert (opened.out / "round-1/models/dpo/adapter").is_dir()
    (written,) = table.rounds[1].written
    assert (written.checkpoint, written.origin) == ("round-1/models/dpo", "on_policy")
