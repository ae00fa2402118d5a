"""Similarity to a trusted set: cosines worked out by hand, and what the set is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curation.embedding import encoder as encoders
from curation.scoring import similarity
from curation.stage import Context, Result
from schemas.errors import UsageError
from tests.embedding.toys import Angles, cosine
from tests.helpers import answer, reasons, rows

WHEEL = {"red": 0, "orange": 20, "yellow": 40, "green": 90, "blue": 180, "Say red": 0, "Say blue": 180}


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> Angles:
    made = Angles(WHEEL, limit=3)
    monkeypatch.setattr(encoders, "load_encoder", lambda model, home: made)
    return made


def trusted(folder: Path, *answers: str, prompt: str = "Say red") -> Path:
    folder.mkdir(exist_ok=True)
    lines = [orjson.dumps({"instruction": prompt, "input": "", "output": text}) for text in answers]
    file = folder / "trusted.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    return file


def run(frame: pl.DataFrame, file: Path | str, home: Path, **options: Any) -> Result:
    return similarity.run(frame.lazy(), similarity.Config(trusted=str(file), **options), Context(home=home))


def column(result: Result) -> list[float | None]:
    assert result.added is not None
    return result.added.collect().sort("row_id")["score_similarity"].to_list()


def flags(result: Result) -> pl.DataFrame:
    assert result.flagged is not None
    return result.flagged.collect()


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize(
    ("k", "expected"),
    [
        # yellow is 20 degrees from orange, 40 from red and 140 from blue; green 70, 90 and 90.
        (1, [cosine(20), cosine(70)]),
        (2, [(cosine(20) + cosine(40)) / 2, (cosine(70) + cosine(90)) / 2]),
        (3, [(cosine(20) + cosine(40) + cosine(140)) / 3, (cosine(70) + 2 * cosine(90)) / 3]),
    ],
)
def test_the_mean_of_the_k_nearest(tmp_path: Path, k: int, expected: list[float]):
    file = trusted(tmp_path, "red", "orange", "blue")
    found = run(rows(answer("yellow"), answer("green")), file, tmp_path, k=k)
    assert column(found) == pytest.approx(expected, abs=1e-6)
    assert found.facts["trusted_rows"] == 3


@pytest.mark.usefixtures("wheel")
def test_the_part_that_is_compared_is_that_of_both_sides(tmp_path: Path):
    file = trusted(tmp_path, "blue", prompt="Say red")
    frame = rows(answer("blue", "Say blue"), answer("red", "Say red"))
    assert column(run(frame, file, tmp_path, k=1, compare="response")) == [1.0, -1.0]
    assert column(run(frame, file, tmp_path, k=1, compare="prompt")) == [-1.0, 1.0]


@pytest.mark.usefixtures("wheel")
def test_order_and_repeats_make_no_difference(tmp_path: Path):
    file = trusted(tmp_path, "red", "orange", "blue")
    frame = rows(answer("yellow"), answer("green"), answer("yellow"), answer("red"))
    first = column(run(frame, file, tmp_path / "a", k=2))
    assert column(run(frame.reverse(), file, tmp_path / "b", k=2)) == first
    assert first[0] == first[2]


@pytest.mark.usefixtures("wheel")
def test_what_has_no_text_has_no_score_and_what_is_cut_a_flag(tmp_path: Path):
    file = trusted(tmp_path, "red")
    frame = rows(answer(None), answer("green"), answer("a b c d"), [("user", "hi")])
    found = run(frame, file, tmp_path, k=1)
    assert [value is None for value in column(found)] == [True, False, False, True]
    assert reasons(flags(found)) == {1: "no_response", 3: "text_truncated", 4: "no_response"}
    assert found.facts["text_truncated"] == 1
    nothing = run(rows([("assistant", None)]), file, tmp_path, k=1, compare="both")
    assert reasons(flags(nothing)) == {1: "no_text"}


@pytest.mark.usefixtures("wheel")
def test_a_set_smaller_than_k_is_an_error(tmp_path: Path):
    file = trusted(tmp_path, "red", "  ", "blue")
    with pytest.raises(UsageError, match=r"has 2 of .* rows with a response, and k is 3"):
        run(rows(answer("red")), file, tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        run(rows(answer("red")), tmp_path / "none.jsonl", tmp_path)


@pytest.mark.usefixtures("wheel")
def test_the_digest_of_the_trusted_set_is_in_the_fingerprint(tmp_path: Path):
    def fingerprint(file: Path | str) -> Any:
        return similarity.fingerprint(similarity.Config(trusted=str(file)), Context(home=tmp_path))

    first = fingerprint(trusted(tmp_path / "a", "red"))
    assert fingerprint(trusted(tmp_path / "b", "red")) == first
    assert fingerprint(trusted(tmp_path / "a", "blue")) != first
    assert "planted.json" in str(fingerprint("starter"))


def test_the_starter_set_is_its_rows_without_a_planted_defect(wheel: Angles, tmp_path: Path):
    found = run(rows(answer("red")), "starter", tmp_path)
    assert found.facts["trusted_rows"] == 420
    planted = orjson.loads(similarity._PLANTED.read_bytes())
    assert len(planted) == 88


@pytest.mark.engine
def test_an_answer_in_the_manner_of_the_set_is_nearer(tmp_path: Path):
    file = trusted(tmp_path, "Boil the pasta in salted water for ten minutes.", "물을 끓이고 소금을 넣으세요.")
    frame = rows(answer("Cook the noodles in boiling water with salt."), answer("The court dismissed the appeal."))
    near, far = column(run(frame, file, tmp_path, k=1))
    assert near is not None
    assert far is not None
    assert near > far
