"""Whose answers the pairs of a round are, and which prompts it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.progress import Silent
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas.errors import GateError
from schemas.records import DECISIONS, PAIRS
from tests.helpers import answer, rows
from training.rounds.prompts import draw
from training.rounds.staleness import admit, flag, staleness, told

# Two answers of the newest model, one of another one, one that came with the data.
COMPLETIONS = pl.DataFrame(
    {
        "completion_id": ["n1", "n2", "o1", "g1"],
        "policy": ["new@1", "new@1", "old@0", "people"],
        "origin": ["on_policy", "on_policy", "off_policy", "given"],
    }
)
COUPLES = {"p1": ("n1", "n2"), "p2": ("n1", "o1"), "p3": ("o1", "g1"), "p4": ("n2", "g1")}


class Heard(Silent):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def pairs(*ids: str) -> pl.DataFrame:
    found = [{"pair_id": i, "prompt_id": "q", "chosen_id": COUPLES[i][0], "rejected_id": COUPLES[i][1]} for i in ids]
    return pl.DataFrame(found, schema=PAIRS)


def committed(store: Store, name: str, frame: pl.DataFrame) -> Committed:
    def build(folder: Path) -> Built:
        write_table(frame, folder / "part-00000.parquet")
        write_table(pl.DataFrame(schema=DECISIONS), folder / "decisions.parquet")
        return Built({"in": frame.height, "kept": frame.height, "dropped": 0, "quarantined": 0}, {})

    return store.commit(name, {"name": name, "rows": frame.height}, build)


def flagged(folder: Path, *ids: str, moved: bool = False) -> Committed:
    store = Store(folder)
    tables = [committed(store, "made", COMPLETIONS.head(3)), committed(store, "given", COMPLETIONS.tail(2))]
    return flag(store, committed(store, "pairs", pairs(*ids)), tables, Context(), moved=moved)


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        (False, [None, "other_policy", "given", "given"]),
        (True, ["trained_since", "other_policy", "given", "given"]),
    ],
)
def test_reasons(moved: bool, expected: list[str | None]):
    found = staleness(pairs("p4", "p2", "p3", "p1").lazy(), [COMPLETIONS.lazy()], moved=moved)
    assert found["pair_id"].to_list() == ["p1", "p2", "p3", "p4"]
    assert found["stale"].to_list() == expected
    assert found.row(1) == ("p2", "q", "new@1", "old@0", expected[1])


def test_an_answer_that_nobody_is_known_to_have_written_is_stale():
    found = staleness(pairs("p1").lazy(), [COMPLETIONS.head(1).lazy()], moved=False)
    assert found["stale"].to_list() == ["other_policy"]


def test_stale_pairs_are_in_the_ledger_and_counted(tmp_path: Path):
    done = flagged(tmp_path, "p1", "p2", "p3", "p4")
    reasons = {"given": 2, "other_policy": 1, "trained_since": 0}
    assert told(done) == {"pairs": 4, "stale": 3, "share": 0.75, "reasons": reasons}
    ledger = done.table("decisions").select("row_id", "kind", "reason", "detail").collect().rows()
    assert ledger[0] == ("p2", "flagged", "other_policy", "new@1 over old@0")
    assert [row[0] for row in ledger] == ["p2", "p3", "p4"]
    assert done.manifest.counts == {"in": 4, "kept": 4, "dropped": 0, "quarantined": 0}
    assert told(flagged(tmp_path / "none"))["share"] is None


@pytest.mark.parametrize(("limit", "stops"), [(0.74, True), (0.75, False), (1.0, False)])
def test_too_many_of_them_stop_dpo_and_fewer_are_told(tmp_path: Path, limit: float, stops: bool):
    heard = Heard()
    context = Context(progress=heard)
    done = flagged(tmp_path, "p1", "p2", "p3", "p4")
    if stops:
        with pytest.raises(GateError, match=r"3 of 4 pairs \(75.0 %\) are stale \(given 2, other_policy 1\), above"):
            admit(done, limit, context)
        return
    admit(done, limit, context)
    assert heard.lines == ["WARNING: dpo: 3 of 4 pairs (75.0 %) are stale (given 2, other_policy 1)"]


def test_nothing_is_said_of_fresh_pairs(tmp_path: Path):
    heard = Heard()
    admit(flagged(tmp_path, "p1"), 0.0, Context(progress=heard))
    assert heard.lines == []


def drawn(folder: Path, at: int, before: list[Committed], **more: Any) -> Committed:
    store = Store(folder)
    frame = rows(*[answer("yes", f"Question {number}?") for number in range(5)])
    options = {"count": 2, "repeat": False} | more
    return draw(store, committed(store, "curated", frame), before, context=Context(seed=1), at=at, **options)


def test_every_round_has_prompts_of_its_own_until_none_is_left(tmp_path: Path):
    made: list[Committed] = []
    for at in (1, 2, 3, 4):
        made.append(drawn(tmp_path, at, list(made)))
    asked = [set(one.scan().collect()["prompt_id"]) for one in made]
    assert [len(one) for one in asked] == [2, 2, 1, 0]
    assert len(set.union(*asked)) == 5
    told = [dict(one.table("decisions").collect()["reason"].value_counts().iter_rows()) for one in made]
    assert told[1] == {"drawn_before": 2, "not_drawn": 1}
    assert told[3] == {"drawn_before": 5}
    assert made[0].manifest.counts == {"in": 5, "kept": 2, "dropped": 3, "quarantined": 0}
    assert drawn(tmp_path, 2, made[:1]).manifest.key == made[1].manifest.key


def test_a_prompt_may_come_again_where_that_is_asked_for(tmp_path: Path):
    first = drawn(tmp_path, 1, [], count=5)
    again = drawn(tmp_path, 2, [first], count=5, repeat=True)
    assert set(again.scan().collect()["prompt_id"]) == set(first.scan().collect()["prompt_id"])
    assert again.manifest.key != first.manifest.key  # another round, another draw
