"""The runner: both halves, conservation, order, resume."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import polars as pl
import pytest

from curation import runner
from curation.runner import conserve, run_stage
from curation.stage import Context, Result, Rule, StageConfig, filter_rows, load_stage, stage_names
from curation.store import Built, Committed, Store, write_table
from schemas.errors import StoreError, UsageError
from schemas.records import DECISIONS, prompt_id_of
from tests.helpers import rows


def committed(store: Store, *frames: pl.DataFrame) -> Committed:
    def build(folder: Path) -> Built:
        for at, frame in enumerate(frames):
            write_table(frame, folder / f"part-{at:05d}.parquet")
        total = sum(frame.height for frame in frames)
        return Built({"in": total, "kept": total, "dropped": 0, "quarantined": 0}, {})

    return store.commit("ingest", {"frames": [f["row_id"].to_list() for f in frames]}, build)


def conversation(answer: str) -> list[tuple[str, str | None]]:
    return [("user", "What is it?"), ("assistant", answer)]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch):
    """Install a throw-away stage made of a run function."""

    def install(run, scope="row") -> None:
        module = types.ModuleType("curation.filter.length")
        module.SCOPE, module.Config, module.run = scope, StageConfig, run
        monkeypatch.setattr(runner, "load_stage", lambda name: module)

    return install


def test_a_filter_stage_end_to_end(tmp_path: Path):
    store = Store(tmp_path)
    data = rows(conversation("fine"), conversation("x"), conversation("also fine"))
    config = load_stage("filter.length").Config(min_response=2)
    done = run_stage(store, "filter.length", config, [committed(store, data)], Context())
    assert done.scan().collect()["row_id"].to_list() == ["t:000001", "t:000003"]
    decisions = done.table("decisions").collect()
    assert decisions.schema == DECISIONS
    assert decisions.select("row_id", "kind", "reason", "value", "threshold").row(0) == (
        "t:000002", "dropped", "response_too_short", 1.0, 2.0,
    )  # fmt: skip
    assert done.manifest.counts == {"in": 3, "kept": 2, "dropped": 1, "quarantined": 0}
    again = run_stage(store, "filter.length", config, [committed(store, data)], Context())
    assert again.reused
    assert again.manifest == done.manifest


def test_parts_are_handled_one_by_one_and_stay_apart(tmp_path: Path):
    store = Store(tmp_path)
    first, second = rows(conversation("one"), source="a"), rows(conversation("y"), conversation("two"), source="b")
    config = load_stage("filter.length").Config(min_response=2)
    done = run_stage(store, "filter.length", config, [committed(store, first, second)], Context())
    assert [pl.read_parquet(part)["row_id"].to_list() for part in done.parts] == [["a:000001"], ["b:000002"]]


def test_several_inputs_are_taken_in_order(tmp_path: Path):
    store = Store(tmp_path)
    one, two = (committed(store, rows(conversation("text"), source=s)) for s in "ab")
    config = load_stage("filter.length").Config(min_response=2)
    done = run_stage(store, "filter.length", config, [two, one], Context())
    assert done.scan().collect()["row_id"].to_list() == ["b:000001", "a:000001"]


def test_a_stage_that_loses_a_row_is_an_error(tmp_path: Path, stage):
    stage(lambda rows, config, context: Result(kept=rows.head(1), dropped=rows.clear().select("row_id")))
    store = Store(tmp_path)
    data = committed(store, rows(conversation("a"), conversation("b")))
    with pytest.raises(StoreError, match="2 in, 1 kept, 0 dropped; 1 lost"):
        run_stage(store, "filter.length", StageConfig(), [data], Context())
    assert not (tmp_path / "filter.length").exists() or not list((tmp_path / "filter.length").glob("*"))


def test_a_row_that_is_both_kept_and_dropped_is_an_error(tmp_path: Path, stage):
    stage(lambda rows, config, context: Result(kept=rows, dropped=rows.head(1).select("row_id")))
    store = Store(tmp_path)
    with pytest.raises(StoreError, match="1 doubled"):
        run_stage(store, "filter.length", StageConfig(), [committed(store, rows(conversation("a")))], Context())


def test_a_set_stage_drops_by_id_across_parts(tmp_path: Path, stage):
    def run(rows, config, context):
        last = rows.select("row_id").tail(1).with_columns(reason=pl.lit("last"))
        return Result(dropped=last)

    stage(run, scope="set")
    store = Store(tmp_path)
    data = committed(store, rows(conversation("a"), source="a"), rows(conversation("b"), source="b"))
    done = run_stage(store, "filter.length", StageConfig(), [data], Context())
    assert [pl.read_parquet(part)["row_id"].to_list() for part in done.parts] == [["a:000001"], []]
    assert done.manifest.counts["dropped"] == 1
    ledger = done.table("decisions").collect().row(0, named=True)
    assert (ledger["row_id"], ledger["prompt_id"]) == (
        "b:000001",
        prompt_id_of([{"role": "user", "content": "What is it?"}]),
    )


def test_a_set_stage_adds_columns_to_every_part_and_writes_siblings_beside(tmp_path: Path, stage):
    def run(rows, config, context) -> Result:
        ids = rows.select("row_id").sort("row_id", descending=True)
        return Result(
            dropped=ids.filter(pl.col("row_id") == "b:000001").with_columns(reason=pl.lit("r")),
            added=ids.filter(pl.col("row_id") != "a:000002").with_columns(score_x=pl.lit(0.5)),
            siblings={"random": ids.filter(pl.col("row_id") != "a:000001")},
        )

    stage(run, scope="set")
    store = Store(tmp_path)
    data = committed(store, rows(conversation("a"), conversation("b"), source="a"), rows(conversation("c"), source="b"))
    done = run_stage(store, "filter.length", StageConfig(), [data], Context())
    assert done.scan().collect().select("row_id", "score_x").rows() == [("a:000001", 0.5), ("a:000002", None)]
    assert [pl.read_parquet(part).columns[-1] for part in done.parts] == ["score_x", "score_x"]
    beside = done.table("random").collect()
    assert beside["row_id"].to_list() == ["a:000002", "b:000001"], "whole rows, in the order of the input"
    assert beside.schema == data.scan().collect_schema()
    assert done.manifest.counts == {"in": 3, "kept": 2, "dropped": 1, "quarantined": 0}


def test_an_added_column_must_be_new(tmp_path: Path, stage):
    nothing = pl.LazyFrame(schema={"row_id": pl.String, "reason": pl.String})
    stage(lambda rows, c, x: Result(nothing, added=rows.select("row_id", "language")), scope="set")
    store = Store(tmp_path)
    with pytest.raises(UsageError, match="the rows already have language"):
        run_stage(store, "filter.length", StageConfig(), [committed(store, rows(conversation("a")))], Context())


def test_a_set_stage_cannot_drop_an_unknown_row(tmp_path: Path, stage):
    stage(lambda rows, c, x: Result(dropped=pl.LazyFrame({"row_id": ["ghost"], "reason": ["r"]})), scope="set")
    store = Store(tmp_path)
    with pytest.raises(StoreError, match="of which 0 are rows"):
        run_stage(store, "filter.length", StageConfig(), [committed(store, rows(conversation("a")))], Context())


def test_null_counts_as_a_drop_and_the_first_rule_is_the_reason():
    frame = rows(conversation("a"), conversation("b"), conversation("c")).with_columns(x=pl.Series([1.0, None, 9.0]))
    rules = {
        "high": Rule(pl.col("x") > 5, pl.col("x"), 5.0),
        "not_low": Rule(pl.col("x") > 0.5, pl.col("x"), 0.5),
    }
    result = filter_rows(frame.lazy(), rules)
    assert result.kept.collect().height == 0
    told = result.dropped.collect().select("row_id", "reason", "value", "threshold").rows()
    assert told == [("t:000001", "not_low", 1.0, 0.5), ("t:000002", "high", None, 5.0), ("t:000003", "high", 9.0, 5.0)]


def test_halves_are_put_in_the_order_of_the_input():
    frame = pl.DataFrame({"row_id": ["c", "a", "b", "d"]})
    kept, dropped = conserve("s", frame, pl.DataFrame({"row_id": ["b", "c"]}), pl.DataFrame({"row_id": ["d", "a"]}))
    assert kept["row_id"].to_list() == ["c", "b"]
    assert dropped["row_id"].to_list() == ["a", "d"]


def test_an_unknown_stage_names_those_there_are():
    with pytest.raises(UsageError, match=r"filter\.length"):
        load_stage("filter.nonsense")
    with pytest.raises(UsageError, match="not a stage"):
        load_stage("store")


def test_every_stage_keeps_the_contract():
    names = stage_names()
    assert "filter.length" in names
    for name in names:
        module = load_stage(name)
        assert module.SCOPE in ("row", "set"), name
        assert issubclass(module.Config, StageConfig), name
        assert module.Config.model_config["extra"] == "forbid", name
        assert (sys.modules[f"curation.{name}"].__doc__ or "").strip(), name


@pytest.mark.parametrize("name", ["dedup.exact", "dedup.minhash", "filter.length"])
def test_parts_worked_on_apart_and_in_any_order_give_the_same(name: str, tmp_path: Path):
    texts = [" ".join(f"w{at % 25}x{k}" for k in range(12 + at % 3 * (name != "dedup.exact"))) for at in range(60)]
    data, stage = rows(*map(conversation, texts)), load_stage(name)
    config = stage.Config(threshold=0.7) if name == "dedup.minhash" else stage.Config()
    parts = [tmp_path / f"{at}.parquet" for at in range(4)]
    for at, part in enumerate(parts):
        write_table(data[at * 15 : (at + 1) * 15], part)

    def backwards(work, given):
        done = {part: work(part) for part in reversed(given)}
        return [done[part] for part in given]

    made = []
    for folder, each in (("one", None), ("two", backwards)):
        (tmp_path / folder).mkdir()
        built = runner.execute(stage, name, config, parts, tmp_path / folder, Context(each=each))
        made.append((built.counts, *(pl.read_parquet(file) for file in sorted((tmp_path / folder).glob("*.parquet")))))
    assert made[0][0] == made[1][0]
    assert all(one.equals(two) for one, two in zip(made[0][1:], made[1][1:], strict=True))
    if name != "filter.length":
        assert made[0][0]["dropped"] > 20
