"""Every kernel against its plain Python twin, on texts drawn from many scripts."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.dedup import text_kernels
from curation.dedup.codepoints import CHARACTER, SPACE, UNSTABLE, VALUE, WORD, table
from curation.dedup.exact.digests import Digester
from curation.dedup.minhash import set_kernels
from curation.dedup.minhash.clusters import Sets
from curation.dedup.minhash.lsh import Bands, permutations
from curation.dedup.texts import buffers, normalised, shingle
from tests.dedup import reference

# Letters with and without case, digits, marks, full-width forms, jamo, Han, Kana, Thai, planes above the first.
SCRIPTS = "abcABC019_ \t\n.,!?'’…-éÉßΣς½™①ＡＢ０！　한국어값이ㅋㅏ\u1100\u1161\u11a8漢字かなカナーｱﾞไทยกำ"
SCRIPTS += "ЖжñÑn\u0303e\u0301\u0327अआा"
ASTRAL = "😀👍🏽𝐀𝟘𠀀𠮷\U0001f1f0\U0001f1f7"
texts = st.lists(st.text(alphabet=SCRIPTS + ASTRAL, max_size=40), min_size=1, max_size=8)


def digests_of(batch: list[str]) -> pl.DataFrame:
    frame = pl.DataFrame({"text": pl.Series(batch, dtype=pl.String)}).with_columns(row_id=pl.lit("r"), score=None)
    made = Digester(["text"])(frame.with_columns(sampled=pl.lit(False)))
    return made.digests.select("text_0", "text_1")


@given(texts)
@example(["", " ", "a", "ΑΣ ΑΣΑ", "ﬁn", "İstanbul", "e\u0301", "\u1100\u1161", "𝐀𝐁 𠮷野家", "\x00"])
@settings(max_examples=150, deadline=None)
def test_shingles_and_keys(batch: list[str]):
    found = shingle(pl.Series(batch), 3, 2)
    for at, text in enumerate(batch):
        units = reference.words(text)
        expected = [reference.shingle_hash(s) for s in reference.windows(units, 3, 2)] if units else None
        mine = found.hashes[found.starts[at] : found.starts[at + 1]].tolist()
        assert found.units[at] == len(units)
        assert found.letters[at] == sum(len(unit) for unit, _ in units)
        if units:
            assert mine == expected
            assert tuple(found.keys[at].tolist()) == reference.sequence_key([unit for unit, _ in units])
        else:
            assert len(mine) == (1 if any(b > 32 for b in text.encode()) else 0)


@given(texts)
@example(["a b", " a\u00a0 b\n", "ＡＢ", "ab", "", "\t", "한", "\u1112\u1161\u11ab"])
@settings(max_examples=150, deadline=None)
def test_digests(batch: list[str]):
    frame = digests_of(batch)
    assert frame.rows() == [reference.digest(text) for text in batch]


def test_shingles_of_hangul_by_characters_do_not_see_spacing():
    found = shingle(pl.Series(["할 수 있다", "할수있다", "할 수 없다"]), 5, 2, hangul_characters=True)
    # 할수 수있 있다 in both of the first two, one unit of four changed in the third
    assert found.units.tolist() == [4, 4, 4]
    assert found.hashes[0:3].tolist() == found.hashes[3:6].tolist()
    assert len(set(found.hashes[0:3].tolist()) & set(found.hashes[6:9].tolist())) == 1


def test_a_text_longer_than_the_work_space():
    text = " ".join(f"w{i}" for i in range(3000))
    assert shingle(pl.Series(["a b", text, "c"]), 5, 5).units.tolist() == [2, 3000, 1]


def test_the_table_is_the_normal_form_of_every_character_it_calls_stable():
    entries = table()
    assigned = [cp for cp in range(0x110000) if unicodedata.category(chr(cp)) not in ("Cn", "Cs", "Co")]
    for cp in assigned[::7]:
        entry = int(entries[cp])
        form = reference.normal_form(chr(cp))
        if not entry & UNSTABLE:
            assert chr(entry & VALUE) == form, hex(cp)
            assert bool(entry & WORD) == (form.isalnum() or form == "_"), hex(cp)
            assert bool(entry & SPACE) == form.isspace(), hex(cp)


@pytest.mark.parametrize(
    ("char", "alone"), [("漢", True), ("か", True), ("ー", True), ("ก", True), ("한", False), ("a", False)]
)
def test_which_characters_stand_alone(char: str, alone: bool):
    assert bool(table()[ord(char)] & CHARACTER) is alone


def test_hangul_stands_alone_where_asked_for():
    assert table(hangul_characters=True)[ord("한")] & CHARACTER


@given(st.text(alphabet=SCRIPTS + ASTRAL, max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_text_is_stable_only_if_its_normal_form_is_that_of_its_characters(text: str):
    found = np.zeros(1, np.bool_)
    text_kernels.unstable(*buffers(pl.Series([text])), table(), found)
    if not found[0]:
        assert "".join(chr(table()[ord(c)] & VALUE) for c in text) == reference.normal_form(text)


def test_normalised_leaves_stable_texts_alone_and_keeps_the_order():
    batch = pl.Series(["Plain", "e\u0301x", "é", "ΑΣ"])
    assert normalised(batch, table()).to_list() == ["Plain", "éx", "é", "ας"]


def test_buffers_of_a_sliced_column():
    data, offsets = buffers(pl.Series(["ab", "", "cd", "é"]).slice(1, 3))
    assert [bytes(data[a:b]).decode() for a, b in pairwise(offsets.tolist())] == ["", "cd", "é"]


def test_buffers_of_nothing():
    data, offsets = buffers(pl.Series([], dtype=pl.String))
    assert len(data) == 0
    assert offsets.tolist() == [0]


@given(
    st.lists(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6), min_size=1, max_size=5), st.integers(0, 99)
)
@settings(max_examples=50, deadline=None)
def test_band_keys(sets: list[list[int]], seed: int):
    bands = Bands(3, 2)
    scale, shift = permutations(bands, seed)
    starts = np.cumsum([0, *map(len, sets)])
    out = np.empty((3, len(sets)), np.uint32)
    text_kernels.band_keys(np.array([x for s in sets for x in s], np.uint64), starts, scale, shift, 2, out)
    assert out.T.tolist() == [[reference.band_key(s, scale, shift, band, 2) for band in range(3)] for s in sets]


small_sets = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=2, max_size=12)


def as_sets(lists: list[list[int]]) -> Sets:
    starts = np.cumsum([0, *map(len, lists)])
    hashes = np.empty(starts[-1], np.uint64)
    begins, sizes = np.empty(len(lists), np.int64), np.empty(len(lists), np.int32)
    flat = np.array([x for each in lists for x in each], np.uint64)
    set_kernels.distinct(flat, starts, np.arange(len(lists)), hashes, 0, begins, sizes)
    return Sets(np.arange(len(lists)), hashes, begins, sizes)


@given(small_sets)
@settings(max_examples=100, deadline=None)
def test_distinct_sets_and_their_similarities(lists: list[list[int]]):
    sets = as_sets(lists)
    made = [sets.hashes[b : b + s].tolist() for b, s in zip(sets.begins, sets.sizes, strict=True)]
    assert made == [sorted(set(each)) for each in lists]
    left, right = np.arange(len(lists) - 1), np.arange(1, len(lists))
    expected = [reference.jaccard(set(a), set(b)) for a, b in pairwise(lists)]  # type: ignore[arg-type]
    assert sets.similarities(left, right).tolist() == expected


def linked(
    sets: Sets, threshold: float, buckets: list[list[int]]
) -> tuple[set[frozenset[int]], list[float], list[int]]:
    count = len(sets.sizes)
    parent, tally = np.arange(count, dtype=np.int32), np.zeros(2, np.int64)
    pairs, values = np.empty((count, 2), np.int32), np.empty(count)
    entries = np.array([key << 32 | at for key, bucket in enumerate(buckets) for at in bucket], np.uint64)
    edges = set_kernels.link(entries, sets.hashes, sets.begins, sets.sizes, threshold, parent, pairs, values, 0, tally)
    root = list(range(count))
    for at in range(count):
        while parent[root[at]] != root[at]:
            root[at] = parent[root[at]]
    made = {frozenset(at for at in range(count) if root[at] == label) for label in set(root)}
    return made, values[:edges].tolist(), tally.tolist()


@given(small_sets, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
@settings(max_examples=100, deadline=None)
def test_link_is_brute_force_on_one_bucket(lists: list[list[int]], threshold: float):
    made, values, _ = linked(as_sets(lists), threshold, [list(range(len(lists)))])
    alike = lambda a, b: reference.jaccard(set(lists[a]), set(lists[b])) >= threshold  # type: ignore[arg-type] # noqa: E731
    assert made == reference.clusters(len(lists), alike)
    assert all(value >= threshold for value in values)
    assert len(values) == len(lists) - len(made)  # a spanning tree each


def test_link_stays_inside_buckets():
    made, _, tally = linked(as_sets([[1, 2], [1, 2], [1, 2]]), 0.8, [[0, 1], [2]])
    assert made == {frozenset({0, 1}), frozenset({2})}
    assert tally == [1, 0]


def test_a_bucket_above_the_bound_costs_linear_work_and_keeps_the_clusters_of_its_leaders():
    # 600 sets in one bucket: 300 unlike one another, then a copy of each. The first 256 become leaders and find
    # their copies; the other 44 pairs resemble no leader. At most 256 comparisons a member: far below 600 * 599 / 2.
    lists = [[at, at + 1000] for at in range(300)] * 2
    made, values, tally = linked(as_sets(lists), 0.8, [list(range(600))])
    assert len(values) == set_kernels.LEADERS
    assert {at for pair in made if len(pair) == 2 for at in pair} == {*range(256), *range(300, 556)}
    assert tally[1] == 1
    assert tally[0] < 600 * set_kernels.LEADERS
    # One cluster of 600 is found whole, each member by one comparison: all others are in the leader's cluster already.
    made, _, tally = linked(as_sets([[*range(10), 100 + at] for at in range(600)]), 0.8, [list(range(600))])
    assert len(made) == 1
    assert tally == [599, 1]
