"""What holds for any rows, of each stage that looks at all of them, run as the pipeline runs it: in parts.

Idempotence of `dedup.minhash` does not rest on its recall. Whether two rows are compared hangs on these two alone, so
two survivors that were candidates of one another would be so again, and what is verified at or above the threshold is
of one cluster, which has one survivor. That survivors are pairwise below the threshold by brute force needs the recall
too, and is held for a recall of all but certainty.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.runner import execute
from curation.stage import Context, load_stage
from curation.store import write_table
from curation.text import both, comparable, text_of
from tests.dedup import reference
from tests.helpers import Turn, rows

CERTAIN = {"recall": 0.999999, "num_perm": 4096}
STAGES: dict[str, dict[str, Any]] = {
    "dedup.exact": {},
    "dedup.minhash": {"threshold": 0.6, "ngram": 2, "char_ngram": 2, **CERTAIN},
    "dedup.substring": {"min_words": 6, "min_chars": 12, "min_rows": 2},
}
SENTENCES = [
    "the sun is a star like many others.", "A cat sat on the mat, and slept", "서울은 한국의 수도이고 큰 도시입니다.",
    "東京は日本の首都です。",
    "please ask me again!\n\n", "x = y + 1", "Ｔｈｅ sun is a STAR like many others.", "and so",
]  # fmt: skip

texts = st.lists(st.sampled_from(SENTENCES), max_size=5).map(" ".join)
answered = st.tuples(st.sampled_from(["Why?", "why ?", "How many?"]), st.none() | texts)
conversations = st.lists(answered, min_size=1, max_size=12)


def table(given: Sequence[tuple[str, str | None]]) -> pl.DataFrame:
    turns: list[list[Turn]] = [[("system", "Be brief."), ("user", q), ("assistant", a)] for q, a in given]
    return rows(*turns)


def executed(name: str, frame: pl.DataFrame, parts: int = 1, **options: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All kept rows and the ledger, of rows in so many parts."""
    stage = load_stage(name)
    with TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        made.mkdir()
        size = -(-max(1, frame.height) // parts)
        files = [Path(folder) / f"part-{at:05d}.parquet" for at in range(0, max(1, frame.height), size)]
        for file in files:
            write_table(frame.slice(int(file.stem[5:]), size), file)
        execute(stage, name, stage.Config(**(STAGES[name] | options)), files, made, Context())
        kept = [pl.read_parquet(file) for file in sorted(made.glob("part-*.parquet"))]
        return pl.concat(kept), pl.read_parquet(made / "decisions.parquet")


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("row_id", *(["kind"] if "kind" in frame.columns else []))


def response_texts(frame: pl.DataFrame) -> list[str | None]:
    return frame.select(text_of("response").alias("text"))["text"].to_list()


@pytest.mark.parametrize("name", STAGES)
@given(conversations, st.integers(1, 4), st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_order_and_parts_make_no_difference(name: str, given: list[Any], parts: int, draw: random.Random):
    frame = table(given)
    kept, ledger = executed(name, frame)
    order = list(range(frame.height))
    draw.shuffle(order)
    again, other = executed(name, frame[order], parts)
    assert in_order(again).equals(in_order(kept))
    assert in_order(other).equals(in_order(ledger))
    place = {row_id: at for at, row_id in enumerate(frame[order]["row_id"])}
    assert again["row_id"].to_list() == sorted(kept["row_id"], key=place.__getitem__), "the input's order is kept"


@pytest.mark.parametrize("name", STAGES)
@given(conversations)
@settings(max_examples=12, deadline=None)
def test_what_is_kept_is_kept_again(name: str, given: list[Any]):
    kept, _ = executed(name, table(given))
    again, ledger = executed(name, kept)
    assert again.equals(kept)
    assert ledger.filter(pl.col("kind") != "flagged").is_empty()


@given(conversations, st.sampled_from([0.5, 0.9]))
@settings(max_examples=12, deadline=None)
def test_near_duplicates_are_dropped_once_whatever_the_recall(given: list[Any], recall: float):
    options = {"recall": recall, "num_perm": 128}
    kept, _ = executed("dedup.minhash", table(given), **options)
    assert executed("dedup.minhash", kept, **options)[1].is_empty()


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("new_id", ["u{}", "{}b"])
@given(conversations)
@settings(max_examples=8, deadline=None)
def test_twice_the_rows_leave_the_same_texts(name: str, new_id: str, given: list[Any]):
    """New ids come behind all others, or each behind its own: a copy never comes before its original.

    Of spans, held by twice as many rows, twice as many rows are asked for.
    """
    frame = table(given)
    copies = frame.with_columns(pl.format(new_id, "row_id").alias("row_id"))
    kept, _ = executed(name, frame)
    twice, _ = executed(name, pl.concat([copies, frame]), 2, **({"min_rows": 4} if name == "dedup.substring" else {}))
    original = pl.col("row_id").is_in(frame["row_id"].implode())
    assert in_order(twice.filter(original)).equals(in_order(kept))
    if name != "dedup.substring":
        silent = kept.filter(text_of("prompt" if name == "dedup.exact" else "both").is_null())
        assert twice.filter(~original).height == silent.height == 0, "every row has a prompt, and so one survivor"


@pytest.mark.parametrize("name", STAGES)
@given(conversations, st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_rows_that_share_nothing_with_others_change_nothing(name: str, given: list[Any], draw: random.Random):
    frame = table(given)
    strange = rows(
        *([("user", " ".join(f"q{at}z{k}" for k in range(9))), ("assistant", f"r{at}")] for at in range(5)), source="s"
    )
    kept, ledger = executed(name, frame)
    mixed = pl.concat([frame, strange])
    order = list(range(mixed.height))
    draw.shuffle(order)
    among, other = executed(name, mixed[order])
    assert in_order(among.filter(pl.col("source") == "t")).equals(in_order(kept))
    assert in_order(other).equals(in_order(ledger))
    assert among.filter(pl.col("source") == "s").height == 5


@given(conversations, st.sampled_from([(0.2, 0.5), (0.5, 0.6), (0.6, 0.9), (0.9, 1.0)]))
@settings(max_examples=20, deadline=None)
def test_a_lower_threshold_drops_the_same_rows_and_more(given: list[Any], thresholds: tuple[float, float]):
    # A lower threshold only unites clusters, and of two survivors, by one total order, one stays.
    frame = table(given)
    low, high = (set(executed("dedup.minhash", frame, threshold=t)[1]["row_id"]) for t in thresholds)
    assert low >= high


@given(conversations, st.sampled_from([0.3, 0.6, 0.9]))
@settings(max_examples=20, deadline=None)
def test_survivors_of_near_duplicates_are_those_of_brute_force(given: list[Any], threshold: float):
    frame = table(given)
    kept, ledger = executed("dedup.minhash", frame, threshold=threshold)
    compared = frame.select("row_id", both().alias("text"))
    sets = [set(reference.shingles(text, 2, 2)) for text in compared["text"]]
    alike = [[reference.jaccard(a, b) >= threshold for a in sets] for b in sets]
    clusters = reference.clusters(len(sets), lambda a, b: alike[a][b])
    letters = [sum(len(word) for word, _ in reference.words(text)) for text in compared["text"]]
    expected = {min(cluster, key=lambda at: (-letters[at], at)): cluster for cluster in clusters}
    ids = frame["row_id"].to_list()
    assert kept["row_id"].to_list() == [ids[at] for at in sorted(expected)]
    survivor = {ids[at]: ids[best] for best, cluster in expected.items() for at in cluster if at != best}
    assert dict(ledger.select("row_id", "kept_id").iter_rows()) == survivor
    assert all(value >= threshold for value in ledger["value"])
    assert not [(a, b) for a in expected for b in expected if a < b and alike[a][b]], "survivors are unlike"


@given(conversations)
@settings(max_examples=20, deadline=None)
def test_survivors_of_exact_copies_are_all_texts_once(given: list[Any]):
    frame = table(given)
    kept, ledger = executed("dedup.exact", frame)
    ledger = ledger.filter(kind="dropped")
    form = [
        pl.col("row_id"),
        *(comparable(text_of(which).fill_null("")).alias(which) for which in ("prompt", "response")),
    ]
    of = {row[0]: row[1:] for row in frame.select(form).iter_rows()}
    assert sorted({of[row_id] for row_id in kept["row_id"]}) == sorted(of[row_id] for row_id in kept["row_id"])
    assert {of[row_id] for row_id in kept["row_id"]} == set(of.values())
    for row_id, kept_id in ledger.select("row_id", "kept_id").iter_rows():
        assert of[row_id] == of[kept_id]
        assert kept_id < row_id
        assert kept_id in set(kept["row_id"])


@given(conversations)
@settings(max_examples=12, deadline=None)
def test_spans_are_taken_out_of_answers_and_nothing_is_put_in(given: list[Any]):
    frame = table(given)
    kept, ledger = executed("dedup.substring", frame)
    cut = set(ledger.filter(kind="edited")["row_id"])
    before = dict(zip(frame["row_id"], response_texts(frame), strict=True))
    for row_id, after in zip(kept["row_id"], response_texts(kept), strict=True):
        if row_id not in cut:
            assert after == before[row_id]
            continue
        characters = iter("".join((before[row_id] or "").split()))
        assert all(char in characters for char in "".join((after or "").split())), "a subsequence of what was there"
        assert len(after or "") < len(before[row_id] or "")
    assert executed("dedup.substring", frame)[0].drop("messages").equals(kept.drop("messages"))


SCRIPT = """
import polars as pl
from tests.dedup.test_properties import digest_of_all
print(pl.thread_pool_size(), digest_of_all())
"""


def digest_of_all() -> str:
    """Of all that the stages make of 300 rows, as bytes of the files."""
    draw = random.Random(7)
    words = [f"w{at}" for at in range(40)]
    given = [("Why?", " ".join([SENTENCES[at % 5] * 2, *draw.choices(words, k=30)])) for at in range(200)]
    given += [("Why?", " ".join([*text.split()[:-1], "other"])) for _, text in given[:60]] + given[60:100]
    told = hashlib.sha256()
    for name in STAGES:
        for frame in executed(name, table(given), 4):
            told.update(frame.write_ndjson().encode())
            assert frame.height > 20
    return told.hexdigest()


def test_threads_make_no_difference():
    made = []
    for threads in ("1", "3"):
        env = os.environ | {"POLARS_MAX_THREADS": threads, "NUMBA_NUM_THREADS": threads}
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=root, env=env, capture_output=True, text=True, check=True
        )
        made.append(done.stdout.split())
    assert [threads for threads, _ in made] == ["1", "3"]
    assert made[0][1] == made[1][1]
