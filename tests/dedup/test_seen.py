"""Rows published before: found without rereading them, never mistaken for themselves."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.dedup import seen
from curation.dedup.seen.index import Index, remember
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas.errors import CanaryError, UsageError
from tests.dedup import reference
from tests.helpers import answer, rows

WORDS = [f"w{at}" for at in range(3_000)]


def text(number: int, count: int = 40) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=count))


def table(*texts: str, source: str = "t") -> pl.DataFrame:
    return rows(*(answer(each, "q") for each in texts), source=source)


def committed(store: Store, frame: pl.DataFrame) -> Committed:
    def build(folder: Path) -> Built:
        write_table(frame, folder / "part-00000.parquet")
        return Built({"in": frame.height, "kept": frame.height, "dropped": 0, "quarantined": 0}, {})

    return store.commit(
        "curated", {"rows": frame["row_id"].to_list(), "texts": str(frame["messages"].to_list())}, build
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def publish(home: Path, frame: pl.DataFrame, config: seen.Config) -> Committed:
    store = Store(home / "store")
    return remember(store, home, config, committed(store, frame))


def drops(home: Path, frame: pl.DataFrame, config: seen.Config) -> dict[str, tuple[str, float]]:
    result = seen.run(frame.lazy(), config, Context(home=home))
    assert result.kept is not None
    found = result.dropped.collect()
    assert result.kept.collect().equals(frame.filter(~pl.col("row_id").is_in(found["row_id"].implode())))
    return {
        row_id: (kept, round(value, 6)) for row_id, kept, value in found.select("row_id", "kept_id", "value").rows()
    }


def test_nothing_was_published_yet(home: Path):
    assert drops(home, table(text(1)), seen.Config()) == {}


def test_tonights_copies_are_dropped_with_who_and_how_alike(home: Path):
    config = seen.Config()
    publish(home, table(*map(text, range(20)), source="monday"), config)
    # "q" and 40 words make 37 shingles; five words more make 42: 37 / 42 = .881
    longer = text(3) + " a b c d e"
    tonight = table(text(5), longer, text(99), source="tuesday")
    assert drops(home, tonight, config) == {
        "tuesday:000001": ("monday:000006", 1.0),
        "tuesday:000002": ("monday:000004", round(37 / 42, 6)),
    }


def test_a_row_is_not_a_copy_of_itself_but_its_id_alone_does_not_save_it(home: Path):
    config = seen.Config()
    published = table(text(1), text(2))
    publish(home, published, config)
    assert drops(home, published, config) == {}
    # Under the id of the first now stands the text of the second.
    swapped = table(text(2))
    assert drops(home, swapped, config) == {"t:000001": ("t:000002", 1.0)}


def test_several_nights_add_up_and_a_run_repeated_adds_nothing(home: Path):
    config = seen.Config()
    first = publish(home, table(text(1), source="a"), config)
    publish(home, table(text(2), source="b"), config)
    assert publish(home, table(text(1), source="a"), config).manifest.key == first.manifest.key
    index = Index.open(home, config)
    assert index.rows == 2
    assert len(index.segments) == 2
    assert set(drops(home, table(text(1), text(2), text(3), source="c"), config)) == {"c:000001", "c:000002"}


def test_all_pairs_at_the_threshold_are_found(home: Path):
    config = seen.Config(threshold=0.7, compare="response")
    old = [text(at, 30) for at in range(40)]
    new = []
    for at, each in enumerate(old):
        words = each.split()
        words[-1 - at % 4 :] = [f"new{at}x{k}" for k in range(1 + at % 4)]
        new.append(" ".join(words))
    publish(home, table(*old, source="old"), config)
    found = drops(home, table(*new, source="new"), config)
    expected = {}
    for at, each in enumerate(new, start=1):
        left, right = (set(reference.shingles(t)) for t in (each, old[at - 1]))
        if reference.jaccard(left, right) >= 0.7:
            expected[f"new:{at:06d}"] = (f"old:{at:06d}", round(reference.jaccard(left, right), 6))
    assert found == expected
    assert len(expected) > 0


def test_other_settings_are_refused(home: Path):
    publish(home, table(text(1)), seen.Config())
    with pytest.raises(UsageError, match=r"'published' .* begun with threshold 0\.8 and not 0\.9"):
        seen.run(table(text(1)).lazy(), seen.Config(threshold=0.9), Context(home=home))
    assert drops(home, table(text(1)), seen.Config(threshold=0.9, index="other")) == {}


def test_a_lost_segment_is_told(home: Path):
    done = publish(home, table(text(1)), seen.Config())
    (done.path / "shingles.npy").unlink()
    with pytest.raises(UsageError, match="lacks 1 of 1 segments"):
        Index.open(home, seen.Config())


def test_what_is_published_changes_the_fingerprint(home: Path):
    config, context = seen.Config(), Context(home=home)
    assert seen.fingerprint(config, context) == []
    done = publish(home, table(text(1)), config)
    assert seen.fingerprint(config, context) == [done.manifest.digest]


def test_the_segment_does_not_depend_on_the_order_of_rows(home: Path, tmp_path_factory: pytest.TempPathFactory):
    frame = table(*map(text, range(30)))
    other = tmp_path_factory.mktemp("other")
    one, two = publish(home, frame, seen.Config()), publish(other, frame.reverse(), seen.Config())
    assert one.manifest.digest == two.manifest.digest


def test_rows_without_text_are_not_in_it(home: Path):
    publish(home, rows([("user", "")], answer(text(1), "q")), seen.Config())
    assert Index.open(home, seen.Config()).rows == 1
    assert drops(home, rows([("user", " ")], source="new"), seen.Config()) == {}


def test_a_blind_index_fails_the_run(home: Path, monkeypatch: pytest.MonkeyPatch):
    publish(home, table(*map(text, range(30))), seen.Config())
    result = seen.run(table(text(50)).lazy(), seen.Config(), Context(home=home))
    assert result.facts["canaries"] == {"near": {"planted": 30, "found": 30}}
    none = np.zeros(0, np.int64)
    monkeypatch.setattr("curation.dedup.seen.index.Segment.candidates", lambda self, bands: (none, none))
    with pytest.raises(CanaryError, match="near: 0 of 30 found"):
        seen.run(table(text(50)).lazy(), seen.Config(), Context(home=home))
