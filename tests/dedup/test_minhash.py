"""Near duplicates: what is found, who survives, what the ledger says, and what must not make a difference."""

from __future__ import annotations

import json
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.dedup import minhash, texts
from curation.dedup.minhash import clusters
from curation.runner import execute
from curation.stage import Context
from curation.store import write_table
from schemas.errors import UsageError
from tests.dedup import reference
from tests.helpers import answer, outcome, rows

WORDS = [f"word{at}" for at in range(60)]
# 1 - 10^-6 of the pairs at the threshold: what brute force finds is found.
CERTAIN = {"recall": 0.999999, "num_perm": 4096}


def run(frame: pl.DataFrame, **options: object) -> pl.DataFrame:
    config = minhash.Config(**({"compare": "response"} | options))  # type: ignore[arg-type]
    return minhash.run(frame.lazy(), config, Context()).dropped.collect()


def kept_ids(dropped: pl.DataFrame) -> dict[str, str]:
    return dict(dropped.select("row_id", "kept_id").rows())


def edited(words: list[str], at: int, word: str) -> str:
    return " ".join([*words[:at], word, *words[at + 1 :]])


def test_a_copy_with_one_word_changed():
    # 60 words are 56 5-grams; a change in the middle breaks 5: 51 shared of 56 + 56 - 51 = 61.
    frame = rows(answer(" ".join(WORDS)), answer(edited(WORDS, 30, "other0")), answer(" ".join(reversed(WORDS))))
    kept, ledger = outcome("dedup.minhash", frame, compare="response")
    assert kept["row_id"].to_list() == ["t:000001", "t:000003"]
    assert ledger.select("row_id", "kind", "reason", "threshold", "kept_id", "detail").rows() == [
        ("t:000002", "dropped", "near_duplicate", 0.8, "t:000001", None)
    ]
    assert ledger["value"].to_list() == [pytest.approx(51 / 61)]


def test_the_threshold_is_reached_at_equality():
    # Words as 1-grams: 4 shared of 5 is 0.8 exactly; 3 of 5 is 0.6.
    frame = rows(answer("a b c d"), answer("a b c d e"), answer("a b c x y"))
    assert run(frame, ngram=1).select("row_id", "value").rows() == [("t:000001", 0.8)]
    assert run(frame, ngram=1, threshold=0.81).is_empty()


def test_both_members_of_a_pair_are_never_dropped():
    """Regression: a tool that flagged each member of a duplicate pair as the other's copy dropped both."""
    frame = rows(*(answer(edited(WORDS, at, "other")) for at in (10, 20)), answer(" ".join(WORDS)))
    kept, _ = outcome("dedup.minhash", frame, threshold=0.6)
    assert kept.height == 1


@pytest.mark.parametrize("text", ["one", "one two", "one two three four", "!", "😀", "한국어"])
def test_texts_of_fewer_words_than_a_shingle(text: str):
    """Regression: a MinHash that crashed on texts of fewer than five tokens. They are one shingle each."""
    frame = rows(answer(text), answer(f" {text.upper()} "), answer("another"), answer(text + " more"))
    dropped = kept_ids(run(frame))
    assert dropped.pop("t:000002") == "t:000001"
    # Symbols are compared where there is no word; "! more" has one.
    assert dropped == {}


def test_symbols_are_compared_where_there_are_no_words():
    assert kept_ids(run(rows(answer("!!!"), answer("???"), answer("! ! !")))) == {"t:000003": "t:000001"}


def test_a_row_without_text_is_kept_and_not_compared():
    frame = rows(answer(None), answer(None), answer(" \n"), answer(""), [("user", "q")])
    result = minhash.run(frame.lazy(), minhash.Config(compare="response"), Context())
    assert result.dropped.collect().is_empty()
    assert result.facts["rows_without_text"] == 5


def test_prompt_and_response_are_compared_together_by_default():
    frame = rows(answer("yes", " ".join(WORDS)), answer("no", " ".join(WORDS)), answer("yes", "Another question?"))
    # 61 words and 57 5-grams each, of which the last word changes one: 56 of 58. "yes" is the longer answer.
    assert kept_ids(run(frame, compare="both")) == {"t:000002": "t:000001"}
    assert kept_ids(run(frame, compare="response")) == {"t:000003": "t:000001"}


def test_unsegmented_scripts_are_shingled_by_character():
    # 20 characters are 16 5-grams; the last one changed breaks 1: 15 of 17. As words they would have nothing in common.
    text = "東京都は日本の首都であり人口が最も多い都"
    assert len(text) == 20
    dropped = run(rows(answer(text), answer(text[:-1] + "町")))
    assert dropped["value"].to_list() == [pytest.approx(15 / 17)]
    assert run(rows(answer(text), answer(text[:-1] + "町")), char_ngram=20).is_empty()


def test_hangul_by_characters_does_not_see_spacing():
    frame = rows(answer("오늘은 날씨가 참 좋네요 산책을 갈까요"), answer("오늘은날씨가참 좋네요 산책을갈까요"))
    assert run(frame).is_empty()
    assert run(frame, hangul_characters=True)["value"].to_list() == [1.0]


def test_code_points_above_the_first_plane_are_letters():
    frame = rows(answer("𝐡𝐞𝐥𝐥𝐨 𠮷野家"), answer("hello 𠮷野家"), answer("hello 𠮶野家"))
    assert kept_ids(run(frame)) == {"t:000002": "t:000001"}


def test_survivor_by_score_then_length_then_id():
    short, long = edited(WORDS, 30, "x"), edited(WORDS, 30, "xxxxxxxx")
    frame = rows(answer(short), answer(long), answer(long + " \n\n\n ... "), answer(short))
    assert set(kept_ids(run(frame)).values()) == {"t:000002"}  # 3 is as long in letters
    frame = frame.with_columns(reward=pl.Series([None, 0.1, float("nan"), 0.2]))
    assert set(kept_ids(run(frame, score_column="reward")).values()) == {"t:000004"}
    with pytest.raises(UsageError, match="'quality', which the rows do not have"):
        run(frame, score_column="quality")


def test_a_chain_names_the_nearest_link_and_the_similarity_to_the_survivor():
    # {a..h}, {b..i}, {c..j}: neighbours share 7 of 9, the ends 6 of 10, which is below the threshold.
    frame = rows(answer("a b c d e f g h"), answer("b c d e f g h i"), answer("c d e f g h i j"))
    dropped = run(frame, ngram=1, threshold=0.7)
    assert kept_ids(dropped) == {"t:000002": "t:000001", "t:000003": "t:000001"}
    assert dropped["value"].to_list() == [pytest.approx(7 / 9)] * 2
    details = dropped["detail"].to_list()
    assert details[0] is None
    assert json.loads(details[1]) == {"nearest_id": "t:000002", "survivor_similarity": 0.6}


def test_facts():
    frame = rows(*(answer(" ".join(WORDS)) for _ in range(3)), answer("a b"), answer("a b"), answer("c"))
    facts = minhash.run(frame.lazy(), minhash.Config(compare="response"), Context()).facts
    assert facts == {
        "bands": 18,
        "band_rows": 5,
        "recall_at_threshold": pytest.approx(0.99921, abs=1e-5),
        "comparisons": 0,
        "crowded": 0,
        "bounded_buckets": 0,
        "rows_without_text": 0,
        "clusters": 2,
        "largest_cluster": 3,
        "chained": 0,
        "boilerplate_shingles": 0,
        "boilerplate_rows": 0,
        "canaries": {},
    }


def test_no_rows():
    kept, ledger = outcome("dedup.minhash", rows(answer("a")).clear())
    assert kept.is_empty()
    assert ledger.is_empty()


def test_a_recall_out_of_reach_is_refused_with_the_profile():
    with pytest.raises(ValidationError, match="raise num_perm or threshold, or lower recall"):
        minhash.Config(threshold=0.1, num_perm=32)


def corpus(count: int, seed: int) -> list[str]:
    """Texts of 30 to 80 words from 300, every third a copy of an earlier one with up to 3 words changed."""
    draw = random.Random(seed)
    vocabulary = [f"w{at}" for at in range(300)]
    made: list[list[str]] = []
    for at in range(count):
        if at % 3 == 2:
            copy = list(draw.choice(made))
            for _ in range(draw.randrange(4)):
                copy[draw.randrange(len(copy))] = draw.choice(vocabulary)
            made.append(copy)
        else:
            made.append(draw.choices(vocabulary, k=draw.randrange(30, 80)))
    return [" ".join(text) for text in made]


def made_clusters(count: int, dropped: pl.DataFrame) -> set[frozenset[int]]:
    kept = kept_ids(dropped)
    of = {at: int(kept.get(f"t:{at + 1:06d}", f"t:{at + 1:06d}")[2:]) - 1 for at in range(count)}
    return {frozenset(at for at in of if of[at] == label) for label in set(of.values())}


def test_clusters_are_those_of_brute_force():
    batch = corpus(240, 1)
    sets = [set(reference.shingles(text)) for text in batch]
    expected = reference.clusters(len(batch), lambda a, b: reference.jaccard(sets[a], sets[b]) >= 0.7)
    assert sum(len(cluster) > 1 for cluster in expected) > 20
    frame = rows(*(answer(text) for text in batch))
    assert made_clusters(len(batch), run(frame, threshold=0.7, **CERTAIN)) == expected


def test_rows_of_one_template_are_joined_exactly_and_cheaply():
    # 50 words of a template and 10 of their own: 46 shingles of 56 are shared, 46 / 66 = .70, so most are candidates of
    # one another. Twenty have a copy with one word of their own changed.
    draw = random.Random(6)
    vocabulary = [f"v{at}" for at in range(5000)]
    template = draw.choices(vocabulary, k=50)
    own = [draw.choices(vocabulary, k=10) for _ in range(180)]
    own += [[*words[:9], "changed"] for words in own[:20]]
    frame = rows(*(answer(" ".join(template + words)) for words in own))
    result = minhash.run(frame.lazy(), minhash.Config(compare="response", common=1), Context())
    dropped = kept_ids(result.dropped.collect())
    # "changed" is longer than any word it replaces, so the copy survives.
    assert dropped == {f"t:{at:06d}": f"t:{at + 180:06d}" for at in range(1, 21)}
    assert result.facts["crowded"] > 150
    assert result.facts["bounded_buckets"] == 0
    assert result.facts["comparisons"] < 1000  # of 19,900 pairs


@given(
    st.lists(st.text(alphabet="abcdef ", max_size=20), min_size=2, max_size=20), st.sampled_from([0.3, 0.5, 0.8, 1.0])
)
@settings(max_examples=60, deadline=None)
def test_the_prefix_join_of_crowded_buckets_is_brute_force(batch: list[str], threshold: float):
    frame = rows(*(answer(text) for text in batch))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clusters, "CROWD", 1)
        dropped = run(frame, threshold=threshold, ngram=1, **CERTAIN)
    sets = [set(reference.shingles(text, 1)) for text in batch]
    expected = reference.clusters(
        len(batch), lambda a, b: bool(sets[a] and sets[b]) and reference.jaccard(sets[a], sets[b]) >= threshold
    )
    assert made_clusters(len(batch), dropped) == expected


def test_clusters_are_those_of_datasketch_verified():
    datasketch = pytest.importorskip("datasketch")
    batch = corpus(240, 2)
    sets = [set(reference.shingles(text)) for text in batch]
    index = datasketch.MinHashLSH(threshold=0.5, num_perm=128)
    sketches = []
    for at, members in enumerate(sets):
        sketch = datasketch.MinHash(num_perm=128, seed=1)
        sketch.update_batch(["\0".join(member).encode() for member in members])
        index.insert(at, sketch)
        sketches.append(sketch)
    near = {(a, b) for a, sketch in enumerate(sketches) for b in index.query(sketch)}
    expected = reference.clusters(
        len(batch), lambda a, b: (a, b) in near and reference.jaccard(sets[a], sets[b]) >= 0.8
    )
    assert sum(len(cluster) > 1 for cluster in expected) > 10
    assert made_clusters(len(batch), run(rows(*(answer(text) for text in batch)))) == expected


small = st.lists(st.text(alphabet="abcd ", max_size=14), min_size=1, max_size=14)


@given(small, st.sampled_from([0.4, 0.6, 0.8]), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_order_repetition_and_doubling_change_nothing(batch: list[str], threshold: float, draw: random.Random):
    frame = rows(*(answer(text) for text in batch))
    options = {"threshold": threshold, "ngram": 1, **CERTAIN}
    once = run(frame, **options)
    order = list(range(len(batch)))
    draw.shuffle(order)
    assert run(frame[order], **options).equals(once)
    kept = frame.filter(~pl.col("row_id").is_in(once["row_id"].to_list()))
    assert run(kept, **options).is_empty()
    copies = frame.with_columns(("u" + pl.col("row_id")).alias("row_id"))  # after all others in the order of ids
    twice = run(pl.concat([frame, copies]), **options)
    compared = [row_id for row_id, text in zip(frame["row_id"], batch, strict=True) if text.strip()]
    one = kept_ids(once)
    assert kept_ids(twice) == one | {f"u{row_id}": one.get(row_id, row_id) for row_id in compared}


@given(small, st.sampled_from([(0.4, 0.6), (0.5, 0.8), (0.8, 1.0)]))
@settings(max_examples=30, deadline=None)
def test_a_lower_threshold_removes_a_superset(batch: list[str], thresholds: tuple[float, float]):
    frame = rows(*(answer(text) for text in batch))
    low, high = (set(kept_ids(run(frame, threshold=t, ngram=1, **CERTAIN))) for t in thresholds)
    assert low >= high


@pytest.mark.parametrize(("batch_rows", "threads"), [(7, 1), (50, 4), (8192, 2)])
def test_batches_and_threads_change_nothing(batch_rows: int, threads: int, monkeypatch: pytest.MonkeyPatch):
    frame = rows(*(answer(text) for text in corpus(120, 3)))
    expected = run(frame)
    assert expected.height > 10
    monkeypatch.setattr(texts, "BATCH_ROWS", batch_rows)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: threads)
    assert run(frame).equals(expected)


def test_parts_change_nothing(tmp_path: Path):
    frame = rows(*(answer(text) for text in corpus(120, 4)))
    ledgers = []
    for size in (120, 50, 7):
        parts, made = tmp_path / f"{size}", tmp_path / f"{size}-made"
        parts.mkdir()
        made.mkdir()
        files = [parts / f"part-{at:05d}.parquet" for at in range(0, 120, size)]
        for at, file in enumerate(files):
            write_table(frame[at * size : (at + 1) * size], file)
        execute(minhash, "dedup.minhash", minhash.Config(), files, made, Context())
        ledgers.append((made / "decisions.parquet").read_bytes())
    assert ledgers[0] == ledgers[1] == ledgers[2]
