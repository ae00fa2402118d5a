"""Texts are cleaned as those of rows are, before ids are made of them, and each change is in the ledger."""

from __future__ import annotations

import pytest

from curation.clean import normalize
from curation.comparisons import editing
from curation.comparisons.cleaning import CLEANING
from curation.filter import empty
from curation.privacy import personal_data
from schemas.records import prompt_id_of
from tests.comparisons.helpers import judged, read, reasons


def edits(done) -> list[tuple[str, str, float]]:
    ledger = done.table("decisions").collect().filter(kind="edited")
    return sorted(ledger.select("row_id", "reason", "value").iter_rows())


def test_prompts_and_answers_are_normalised(tmp_path):
    """NFD becomes NFC, outer whitespace and a control character go: in the prompt, the first and the second answer."""
    done = read([{"prompt": "Cafe\u0301?", "chosen": " yes\n", "rejected": "n\u0008o"}], tmp_path)
    assert judged(done) == [("Café?", "yes", "no")]
    prompt_id = prompt_id_of([{"role": "user", "content": "Café?"}])
    assert done.scan().collect()["prompt_id"].unique().to_list() == [prompt_id]
    assert edits(done) == [
        ("s:000001", "control_characters", 1.0),
        ("s:000001", "unicode_normalized", 1.0),
        ("s:000001", "whitespace", 1.0),
    ]
    assert set(done.table("decisions").collect()["prompt_id"]) == {prompt_id}


def test_a_change_of_the_prompt_counts_once(tmp_path):
    """The prompt is looked at alone and before each answer: one message of it is changed, and one answer."""
    done = read([{"prompt": " Q", "chosen": "yes ", "rejected": "no"}], tmp_path)
    assert edits(done) == [("s:000001", "whitespace", 2.0)]


def test_leftovers_go(tmp_path):
    done = read([{"prompt": "Q\n<noinput>", "chosen": "a<[!newline]>b</s>", "rejected": "c"}], tmp_path)
    assert judged(done) == [("Q", "a\nb", "c")]


def test_answers_that_are_one_after_cleaning_are_identical(tmp_path):
    assert reasons(read([{"prompt": "Q", "chosen": "e\u0301", "rejected": "é "}], tmp_path)) == [
        ("s:000001", "identical_answers")
    ]


def test_an_answer_that_was_nothing_but_a_marker_is_empty(tmp_path):
    assert reasons(read([{"prompt": "Q", "chosen": "</s>", "rejected": "no"}], tmp_path)) == [
        ("s:000001", "empty_answer")
    ]


def test_references_are_cleaned_too(tmp_path):
    record = {"question": "Q", "ground_truth": "A: 2 ", "m": {"is_correct": True, "solution": "x "}}
    frame = read([record], tmp_path).scan().collect()
    assert frame.select("text", "reference").row(0) == ("x", "A: 2")


def test_the_profiles_stages_take_the_place_of_the_usual_ones(tmp_path):
    stages = [
        ("clean.normalize", normalize.Config()),
        ("privacy.personal_data", personal_data.Config()),
        ("filter.empty", empty.Config()),
    ]
    assert [name for name, _ in editing(stages)] == ["clean.normalize", "privacy.personal_data"]
    assert editing(stages[2:]) == CLEANING
    record = {"prompt": "Write to jane.doe@mail-host.org", "chosen": "Done: jane.doe@mail-host.org", "rejected": "No."}
    done = read([record], tmp_path, stages=editing(stages))
    assert judged(done) == [("Write to [EMAIL_1]", "Done: [EMAIL_1]", "No.")]
    assert read([record], tmp_path).path != done.path


@pytest.mark.parametrize("where", ["prompt", "chosen", "rejected"])
def test_a_record_of_which_a_stage_drops_a_text_is_dropped(where, tmp_path):
    config = personal_data.Config(actions={"email": "drop"})
    record = {"prompt": "Q", "chosen": "yes", "rejected": "no", where: "jane.doe@mail-host.org"}
    done = read(
        [record, {"prompt": "P", "chosen": "yes", "rejected": "no"}],
        tmp_path,
        stages=[("privacy.personal_data", config)],
    )
    assert reasons(done) == [("s:000001", "email")]
    assert judged(done) == [("P", "yes", "no")]
