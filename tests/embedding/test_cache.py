"""The cache: what is embedded, how often, and what survives."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.embedding import cache
from curation.embedding.cache import embed
from curation.embedding.encoder import plan_batches
from tests.embedding.toys import Angles


def files(home: Path) -> list[Path]:
    return sorted(home.glob("store/embedding/*/*.parquet"))


def test_batches_are_sorted_by_tokens_and_bounded_with_their_padding():
    # 9 is a batch of its own; 5 + 4 would be padded to 10; 3, 2, 2, 1 to 12 at most: 3 * 4.
    batches = plan_batches(np.array([3, 9, 1, 2, 5, 4, 2], np.int32), 12)
    assert [batch.tolist() for batch in batches] == [[2, 3, 6, 0], [5, 4], [1]]
    assert plan_batches(np.array([], np.int32), 12) == []
    assert [batch.tolist() for batch in plan_batches(np.array([50, 1], np.int32), 12)] == [[1], [0]]


def test_equal_texts_are_embedded_once_and_each_row_has_its_own_vector(tmp_path: Path):
    encoder = Angles({"a b": 0, "c": 90})
    made = embed(pl.Series(["a b", "c", " a\n\x00b ", "ａ b"]), encoder, tmp_path)
    assert sorted(encoder.embedded) == ["a b", "c"]
    assert made.vectors[made.at].round(6).tolist() == [[1, 0], [0, 1], [1, 0], [1, 0]]
    assert made.tokens.tolist() == [2, 1, 2, 2]
    assert made.made == 2


def test_case_is_left_to_the_encoder(tmp_path: Path):
    encoder = Angles()
    embed(pl.Series(["US", "us"]), encoder, tmp_path)
    assert sorted(encoder.embedded) == ["US", "us"]


def test_a_second_run_embeds_nothing_and_another_set_what_is_new(tmp_path: Path):
    first, second, third = Angles(), Angles(), Angles()
    texts = pl.Series([f"text {at}" for at in range(40)])
    once = embed(texts, first, tmp_path)
    again = embed(texts, second, tmp_path)
    assert (second.batches, again.made) == ([], 0)
    assert np.array_equal(once.vectors, again.vectors)
    assert again.tokens.tolist() == [2] * 40
    embed(pl.Series(["text 3", "new"]), third, tmp_path)
    assert third.embedded == ["new"]


def test_another_task_or_encoder_has_its_own_vectors(tmp_path: Path):
    encoder, other = Angles(), Angles({"x": 1})
    embed(pl.Series(["a"]), encoder, tmp_path)
    embed(pl.Series(["a"]), encoder, tmp_path, "query")
    embed(pl.Series(["a"]), other, tmp_path)
    assert (encoder.embedded, other.embedded) == (["a", "a"], ["a"])


def test_batches_do_not_depend_on_the_order_of_rows(tmp_path: Path):
    texts = [" ".join(["w"] * (1 + at % 7) + [str(at)]) for at in range(60)]
    one, other = Angles(), Angles()
    embed(pl.Series(texts), one, tmp_path / "one", batch_tokens=30)
    random.Random(1).shuffle(texts)
    embed(pl.Series(texts), other, tmp_path / "other", batch_tokens=30)
    assert len(one.batches) > 5
    assert one.batches == other.batches


def test_a_killed_run_goes_on_with_the_batches_it_would_have_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache, "_SECONDS", 0.0)
    texts = pl.Series([" ".join(["w"] * (1 + at % 7) + [str(at)]) for at in range(60)])

    class Killed(Angles):
        def encode(self, texts, task=None):
            if len(self.batches) == 3:
                raise KeyboardInterrupt
            return super().encode(texts, task)

    whole, killed, resumed = Angles(), Killed(), Angles()
    expected = embed(texts, whole, tmp_path / "whole", batch_tokens=30)
    with pytest.raises(KeyboardInterrupt):
        embed(texts, killed, tmp_path / "home", batch_tokens=30)
    assert len(files(tmp_path / "home")) == 3
    made = embed(texts, resumed, tmp_path / "home", batch_tokens=30)
    assert killed.batches + resumed.batches == whole.batches
    assert np.array_equal(made.vectors, expected.vectors)


def test_a_damaged_file_is_set_aside_and_made_again(tmp_path: Path):
    first, second = Angles(), Angles()
    once = embed(pl.Series(["a", "b"]), first, tmp_path)
    (file,) = files(tmp_path)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    again = embed(pl.Series(["a", "b"]), second, tmp_path)
    assert sorted(second.embedded) == ["a", "b"]
    assert np.array_equal(once.vectors, again.vectors)
    assert file.with_suffix(".corrupt").exists()


def test_what_is_longer_than_the_encoder_reads_as_one_is_told(tmp_path: Path):
    made = embed(pl.Series(["a b c", "a b", "a b c"]), Angles(limit=2), tmp_path)
    assert made.too_long.tolist() == [True, False, True]
    assert not embed(pl.Series(["a b c"]), Angles(), tmp_path).too_long.any()


def test_what_is_too_long_need_not_be_embedded(tmp_path: Path):
    encoder = Angles({"a": 90}, limit=2)
    made = embed(pl.Series(["a b c", "a"]), encoder, tmp_path, skip_long=True)
    assert (encoder.embedded, made.made, made.too_long.tolist()) == (["a"], 1, [True, False])
    assert made.vectors[made.at[1]].round(6).tolist() == [0, 1]
    embed(pl.Series(["a b c", "a"]), encoder, tmp_path)
    assert encoder.embedded == ["a", "a b c"]


def test_no_texts(tmp_path: Path):
    made = embed(pl.Series([], dtype=pl.String), Angles(), tmp_path)
    assert (made.vectors.shape, made.at.tolist(), made.made) == ((0, 2), [], 0)
