"""Questions in other words: flagged by default, dropped by choice, looked for only where an encoder is named."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from pydantic import ValidationError

from curation import decontaminate
from curation.decontaminate import paraphrase
from curation.runner import execute
from curation.stage import Context
from curation.store import write_table
from schemas.errors import CanaryError
from tests.helpers import answer, rows

QUESTIONS = [
    "How many apples does a farmer with four full baskets of nine apples have?",
    "Tell me which one is the longer river, the one in the north or in the south?",
]
ASKED = "Nine apples, four baskets: the farmer has how many apples?"


class Words:
    """Counts of a few words as vectors."""

    name, digest, limit = "words", "0", None
    known = ("apples", "farmer", "river", "longer", "north")
    dimension = len(known) + 1

    def tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        return np.array([len(text) for text in texts], np.int32)

    def encode(self, texts: Sequence[str], task: str | None = None) -> npt.NDArray[np.float32]:
        counts = np.array([[*(text.lower().count(word) for word in self.known), 0.1] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    path = tmp_path / "bench.jsonl"
    path.write_text("\n".join(json.dumps({"id": str(at), "question": text}) for at, text in enumerate(QUESTIONS)))
    monkeypatch.setattr(paraphrase, "encoder_of", lambda model, home: Words())
    decontaminate._questions.cache_clear()
    yield str(path)
    decontaminate._questions.cache_clear()


def ran(tmp_path: Path, benchmark: str, *texts: str, **options: Any) -> tuple[pl.DataFrame, pl.DataFrame, Any]:
    """What is kept, the ledger, and the counts and facts."""
    settings = {"paraphrase_model": "words", "paraphrase_threshold": 0.9} | options
    config = decontaminate.Config(benchmarks=(benchmark,), **settings)
    write_table(rows(*(answer("x", text) for text in texts)), tmp_path / "source.parquet")
    made = tmp_path / "made"
    made.mkdir()
    built = execute(
        decontaminate, "decontaminate", config, [tmp_path / "source.parquet"], made, Context(home=tmp_path / "home")
    )
    return pl.read_parquet(made / "part-00000.parquet"), pl.read_parquet(made / "decisions.parquet"), built


def test_a_paraphrase_is_flagged_and_kept(tmp_path: Path, benchmark: str):
    kept, ledger, built = ran(tmp_path, benchmark, ASKED, "What is the weather like?", QUESTIONS[1])
    assert kept["row_id"].to_list() == ["t:000001", "t:000002"]
    assert ledger.select("row_id", "kind", "reason", "threshold").rows() == [
        ("t:000003", "dropped", "contaminated", 1.0),
        ("t:000001", "flagged", "paraphrase", 0.9),
    ]
    # Both have two counts of apples and one of farmer.
    flag = ledger.filter(pl.col("kind") == "flagged").row(0, named=True)
    assert flag["value"] == pytest.approx(1.0)
    assert json.loads(flag["detail"]) == {"benchmark": "bench", "item": "0", "layer": "paraphrase", "span": ASKED}
    assert (built.counts["kept"], built.facts["flagged"]) == (2, 1)
    assert built.facts["canaries"]["reworded"] == {"planted": 2, "found": 2}


def test_a_paraphrase_is_dropped_by_choice(tmp_path: Path, benchmark: str):
    kept, ledger, built = ran(tmp_path, benchmark, ASKED, "What is the weather like?", paraphrase_action="drop")
    assert kept["row_id"].to_list() == ["t:000002"]
    assert ledger.select("kind", "reason").rows() == [("dropped", "contaminated")]
    assert built.facts["contaminated_paraphrase"] == 1


def test_an_encoder_that_does_not_know_a_reworded_question_fails_the_run(
    tmp_path: Path, benchmark: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(paraphrase, "reworded", lambda texts, seed: ["nothing of it"] * 8)
    with pytest.raises(CanaryError, match=r"reworded: 0 of 8 found, stated recall 0\.9"):
        ran(tmp_path, benchmark, ASKED)


def test_of_a_conversation_the_nearest_user_message_counts(tmp_path: Path, benchmark: str):
    index = decontaminate._index(decontaminate.Config(benchmarks=(benchmark,)), (("one",),))
    known = paraphrase.questions(index, Words(), tmp_path)
    frame = rows([("user", "Hello river."), ("assistant", QUESTIONS[1]), ("user", ASKED), ("assistant", None)])
    found = paraphrase.find_paraphrases(frame, known, index, 0.5, tmp_path, Context().progress)
    assert found.select("row_id", "item", "span").rows() == [("t:000001", "0", ASKED)]
    assert paraphrase.find_paraphrases(frame.clear(), known, index, 0.5, tmp_path, Context().progress).is_empty()


def test_an_encoder_without_calibration_needs_a_threshold():
    with pytest.raises(ValidationError, match="paraphrase_threshold must be set: some/encoder is not calibrated"):
        decontaminate.Config(paraphrase_model="some/encoder")
    assert decontaminate.Config(paraphrase_model="minilm-l6-v2").near == 0.825
    assert decontaminate.Config(paraphrase_model="minilm-l6-v2", paraphrase_threshold=0.7).near == 0.7


def test_the_encoder_is_part_of_the_key(benchmark: str):
    config = decontaminate.Config(benchmarks=(benchmark,), paraphrase_model="words", paraphrase_threshold=0.9)
    assert decontaminate.fingerprint(config, Context())[1] == "0"


@pytest.mark.engine
def test_questions_in_other_words_with_the_real_encoder(tmp_path: Path):
    with (Path(__file__).parent / "paraphrased.tsv").open() as handle:
        pairs = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    path = tmp_path / "bench.jsonl"
    path.write_text("\n".join(json.dumps({"id": str(at), **pair}) for at, pair in enumerate(pairs)))
    unrelated = ["Write a poem about the sea in autumn.", "Explain to a child why leaves turn red.", "1 + 1?"]
    asked = [pair["paraphrase"] for pair in pairs] + unrelated
    options = {"paraphrase_model": "minilm-l6-v2", "paraphrase_threshold": None}
    kept, ledger, _ = ran(tmp_path, str(path), *asked, **options)
    assert kept.height == len(asked)
    told = {int(row["row_id"][2:]) - 1: int(json.loads(row["detail"])["item"]) for row in ledger.to_dicts()}
    assert all(at == item for at, item in told.items())
    assert len(told) >= 14  # of 15; one has .825 to a hair
