"""The file of verdicts: what is written stands, what is torn is passed over, what is said again replaces."""

from __future__ import annotations

from pathlib import Path

from curation.review.verdicts import append, file_of, read, standing
from tests.review.support import verdict


def test_what_was_written_is_read_back_in_order(tmp_path: Path):
    path = tmp_path / "deep" / "verdicts.jsonl"
    said = [verdict("p", "red"), verdict("q", "up"), verdict("p", None, said="tie")]
    append(path, said[:1])
    append(path, said[1:])
    assert read(path) == said
    assert read(tmp_path / "none.jsonl") == []


def test_a_torn_line_costs_only_itself(tmp_path: Path):
    path = tmp_path / "verdicts.jsonl"
    append(path, [verdict("p", "red")])
    with path.open("ab") as handle:
        handle.write(b'{"prompt_id": "q", "a_te')
    append(path, [verdict("q", "up")])
    assert read(path) == [verdict("p", "red"), verdict("q", "up")]


def test_the_last_word_of_each_reviewer_stands_and_a_skip_takes_it_back():
    last = standing(
        [
            verdict("p", "red", "kim"),
            verdict("p", "blue", "lee"),
            verdict("p", "blue", "kim"),
            verdict("q", "up", "kim"),
            verdict("q", None, "kim", said="skip"),
        ]
    )
    ((pair, voices),) = last.items()
    assert pair[0] == "p"
    assert {by: one.verdict for by, one in voices.items()} == {
        "kim": verdict("p", "blue").verdict,
        "lee": verdict("p", "blue").verdict,
    }


def test_the_home_folder_has_a_file_of_its_own_unless_another_is_named(tmp_path: Path):
    assert file_of(tmp_path) == tmp_path / "review" / "verdicts.jsonl"
    assert file_of(tmp_path, "/elsewhere/v.jsonl") == Path("/elsewhere/v.jsonl")
