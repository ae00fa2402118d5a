"""The committed table of pairs: counts that add up, and a key that everything which shapes it is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from curation.preference import build_pairs
from curation.preference.truncation import Truncation
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas.profile.preference import Preference
from schemas.records import LABELS, PAIRS
from tests.generation.tokenizers import byte_tokenizer
from tests.preference.scored import frame, group, labels


def commit(store: Store, stage: str, table: pl.DataFrame, name: str = "part-00000") -> Committed:
    def build(folder: Path) -> Built:
        write_table(table, folder / f"{name}.parquet")
        if name != "part-00000":
            write_table(pl.DataFrame({"other": [1]}), folder / "part-00000.parquet")
        return Built({"in": table.height, "kept": table.height, "dropped": 0, "quarantined": 0}, {})

    return store.commit(stage, {"rows": table.height, "name": name}, build)


def test_counts_add_up_and_labels_are_human_or_given_by_where_they_come_from(tmp_path: Path):
    store = Store(tmp_path)
    one = group("a", [3.0, 1.0]) + group("b", [1.0, 2.0]) + group("c", [1.0, 1.05]) + group("d", [1.0])
    scored = commit(store, "score", frame(*one).collect())
    review = commit(store, "review", labels(("b-0", "b-1", "a", "")).select(LABELS.names()).cast(LABELS))
    given = labels(("c-0", "c-1", "a", "")).select(LABELS.names()).cast(LABELS)
    comparisons = commit(store, "comparisons", given, "labels")
    made = build_pairs(store, scored, [review, comparisons], Preference(), Context())
    assert made.scan().select("prompt_id", "label").collect().rows() == [("a", "reward"), ("c", "given")]
    assert made.scan().collect_schema() == PAIRS
    decisions = made.table("decisions").collect()
    assert decisions.select("prompt_id", "reason", "kind", "detail").rows() == [
        ("b", "human_disagrees", "dropped", "b-1 over b-0"),
        ("d", "fewer_than_two_candidates", "dropped", None),
    ]
    assert made.manifest.counts == {"in": 4, "kept": 2, "dropped": 2, "quarantined": 0}
    facts = made.manifest.facts
    assert (facts["unit"], facts["prompts"], facts["considered"], facts["labels"]) == (
        "pairs", 4, 3, {"given": 1, "reward": 1},
    )  # fmt: skip
    assert made.table("scores").collect().height == 7


def test_what_shapes_the_pairs_is_in_the_key(tmp_path: Path):
    store = Store(tmp_path)
    scored = commit(store, "score", frame(*group("a", [3.0, 1.0])).collect())
    verdict = commit(store, "review", labels(("a-0", "a-1", "b", "")).select(LABELS.names()).cast(LABELS))
    short, long = (Truncation(byte_tokenizer(), n, {"max_length": n}) for n in (99, 100))

    def key(said: list[Committed], settings: Preference, seed: int = 0, **more: Any) -> str:
        return build_pairs(store, scored, said, settings, Context(seed=seed), **more).manifest.key

    plain = key([], Preference())
    others = [
        key([verdict], Preference()),
        key([], Preference(min_margin=0.2)),
        key([], Preference(policy="all_pairs")),
        key([], Preference(), seed=1),
        key([], Preference(), truncate=short),
        key([], Preference(), truncate=long),
    ]
    assert len({plain, *others}) == 7
    assert build_pairs(store, scored, [], Preference(), Context()).reused
