"""Lengths of prompts and answers are those of the rows, in tokens of the model to be trained or in words."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.report.sampling import draw
from curation.report.sections import tokens
from tests.helpers import rows
from tests.report.made import add, new_run, opened

TALKS = rows(
    [("user", "What is a star?"), ("assistant", "A ball of hot gas.")],
    [("user", "Say y."), ("assistant", "y")],
    [("system", "Be kind."), ("user", "별이 뭐야?"), ("assistant", "뜨거운 가스 덩어리예요.")],
)


def figures(home: Path) -> tokens.Figures:
    runs, record = new_run(home)
    add(runs, record, "ingest", "ingest", TALKS)
    add(runs, record, "curate", "filter.length", TALKS[[0, 2]])
    found = tokens.gather(opened((runs, record)))
    assert found is not None
    return found


def write_tokenizer(folder: Path) -> None:
    """One token a letter."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Split(Regex("."), "isolated")
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def test_words_are_counted_where_the_tokenizer_is_not_here(tmp_path: Path):
    found = figures(tmp_path)
    assert (found["unit"], found["model"], found["beyond"], found["findings"]) == ("words", "base", None, [])
    prompts, answers, kept_prompts, kept_answers = found["lengths"]
    # Prompts of 4, 2 and 4 words; answers of 5, 1 and 3.
    assert (prompts["rows"], prompts["counted"], prompts["sum"], prompts["mean"]) == (3, 3, 10, 3.333333333)
    assert prompts["quantiles"] == {"0.05": 2.2, "0.5": 4.0, "0.95": 4.0, "1": 4.0}
    assert prompts["bins"] == [
        {"low": 2, "high": 4, "count": 1, "share": 1 / 3},
        {"low": 4, "high": 8, "count": 2, "share": 2 / 3},
    ]
    assert [answers["sum"], kept_prompts["sum"], kept_answers["sum"]] == [9, 8, 8]
    assert [one["count"] for one in answers["bins"]] == [1, 1, 1]
    assert [(one["what"], one["when"]) for one in (answers, kept_prompts)] == [
        ("response", "read"), ("prompt", "curated"),
    ]  # fmt: skip


def test_tokens_are_those_of_the_model_to_be_trained(tmp_path: Path):
    write_tokenizer(tmp_path / "models" / "base-0123")
    found = figures(tmp_path)
    # "What is a star?" has 15 letters, "Say y." 6, "Be kind." and "별이 뭐야?" 8 + 1 + 6, less the newline, which `.`
    # does not split off but leaves as a token of its own.
    assert (found["unit"], [one["sum"] for one in found["lengths"]]) == ("tokens", [36, 32, 30, 31])
    # SFT reads 8 tokens of a row: both rows have more.
    assert found["beyond"] == {"max_length": 8, "rows": 2, "share": 1.0}
    assert [one["key"] for one in found["findings"]] == ["tokens.finding_beyond"]


def test_what_looks_like_a_special_token_is_text(tmp_path: Path):
    write_tokenizer(tmp_path / "base")
    count = tokens.tokens(tmp_path / "base" / "tokenizer.json")
    assert count(pl.Series(["[UNK]", ""])).to_list() == [5, 0]


def test_of_a_large_table_some_rows_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "SAMPLE", 2)
    prompts, _, kept, _ = figures(tmp_path)["lengths"]
    assert (prompts["rows"], prompts["counted"], kept["rows"], kept["counted"]) == (3, 2, 2, 2)


def test_a_draw_goes_by_the_ids_alone():
    ids = pl.Series([f"t:{n:06d}" for n in range(100)])
    drawn = draw(ids, 10, 0, "tokens")
    assert len(set(drawn)) == 10
    assert draw(ids.reverse(), 10, 0, "tokens") == drawn
    assert draw(ids, 10, 1, "tokens") != drawn
    assert draw(ids, 10, 0, "scores") != drawn
    # One that is not drawn may leave; one that is makes room for one other.
    assert draw(ids.filter(ids != drawn[0]), 10, 0, "tokens")[:9] == drawn[1:]


def test_a_tokenizer_is_found_in_a_folder_by_its_path_and_among_what_was_converted(tmp_path: Path):
    folder, converted = tmp_path / "trained" / "model", tmp_path / "home" / "models" / "small-0123"
    for place in (folder, converted):
        place.mkdir(parents=True)
        (place / "tokenizer.json").write_text("{}")
    home = tmp_path / "home"
    assert tokens.tokenizer_file(str(folder), home) == folder / "tokenizer.json"
    assert tokens.tokenizer_file("small", home) == converted / "tokenizer.json"
    for absent in (str(tmp_path / "gone"), "*", "other", "../x"):
        assert tokens.tokenizer_file(absent, home) is None
