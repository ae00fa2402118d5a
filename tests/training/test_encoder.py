"""What an encoder's roads must do: learn a planted rule, measure on texts that were held out, serve as a filter."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from curation.models import resolve
from curation.scoring import classifier as stage
from curation.stage import Context
from schemas.errors import UsageError
from schemas.profile.training import Classifier, MaskedLm, Training
from tests.training.sets import messages, write_sft
from training import masked_lm
from training.classifier import measures
from training.job import Job
from training.launch import train
from training.texts import held_out, labelled, text_files

pytestmark = pytest.mark.usefixtures("one_thread")

GOOD, BAD = "thank you for the clear question", "buy cheap pills now"


def write_texts(folder: Path, *texts: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "texts.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in texts), encoding="utf-8")


@pytest.fixture(scope="module")
def filtered(tiny_bert: str, tmp_path_factory: pytest.TempPathFactory):
    """A classifier of 40 good and 40 bad texts, trained for a moment."""
    data = tmp_path_factory.mktemp("classifier")
    write_texts(data / "good", *[f"{GOOD} {at}" for at in range(40)])
    write_texts(data / "bad", *[f"{BAD} {at}" for at in range(40)])
    settings = Classifier(max_length=32, num_train_epochs=2, learning_rate=5e-3, held_out=0.25)
    training = Training(encoder=tiny_bert, classifier=settings)
    return train("classifier", data, data / "out", training, seed=0, home=data)


def test_a_planted_rule_is_learned_and_measured_on_texts_held_out(filtered):
    # A quarter of 40, twice, is held out: 60 texts to learn, half of what is held out of either label.
    assert filtered.manifest.counts == {"in": 60, "kept": 60, "dropped": 0}
    measured = filtered.manifest.facts["evaluation"]
    assert {name: measured[name] for name in ("accuracy", "f1", "auc", "majority")} == {
        "accuracy": 1.0,
        "f1": 1.0,
        "auc": 1.0,
        "majority": 0.5,
    }
    assert filtered.metrics["tokens"] > 0


def test_the_trained_filter_scores_rows(filtered, tmp_path: Path):
    texts = [f"{GOOD} {at}" for at in range(90, 93)] + [f"{BAD} {at}" for at in range(90, 93)]
    rows = pl.LazyFrame(
        {
            "row_id": [f"t:{at}" for at in range(6)],
            "messages": pl.Series([messages(("user", "q"), ("assistant", text)) for text in texts]),
        }
    )
    config = stage.Config(model=str(filtered.model), label="good", column="score_quality")
    result = stage.run(rows, config, Context(home=tmp_path))
    assert result.added is not None
    scores = result.added.collect().sort("row_id")["score_quality"].to_list()
    assert min(scores[:3]) > 0.5 > max(scores[3:])


def test_two_curated_sets_are_labels(tmp_path: Path):
    write_sft(tmp_path / "curated", [("user", "q"), ("assistant", "fine")])
    write_sft(tmp_path / "rejected", [("user", "q"), ("assistant", "poor")], [("user", "r"), ("assistant", "poor")])
    rows, left_out = labelled(tmp_path, "response")
    assert sorted(rows.rows()) == [("fine", "curated"), ("poor", "rejected")]
    assert left_out == 1


def test_labels_may_be_a_column(tmp_path: Path):
    pl.DataFrame({"text": ["a", "b", "c", " "], "label": ["1", "0", None, "0"]}).write_parquet(tmp_path / "x.parquet")
    rows, left_out = labelled(tmp_path, "response")
    assert (sorted(rows.rows()), left_out) == ([("a", "1"), ("b", "0")], 2)


def test_what_is_held_out_goes_by_the_text_and_the_seed():
    rows = pl.DataFrame({"text": [f"t{at}" for at in range(30)], "label": ["a"] * 20 + ["b"] * 10})
    train_rows, test_rows = held_out(rows, 0.1, seed=0)
    assert test_rows.group_by("label").len().sort("label").rows() == [("a", 2), ("b", 1)]
    assert (train_rows.height, set(train_rows["text"]) & set(test_rows["text"])) == (27, set())
    again = held_out(rows.reverse(), 0.1, seed=0)[1]
    assert set(again["text"]) == set(test_rows["text"])
    assert set(held_out(rows, 0.1, seed=1)[1]["text"]) != set(test_rows["text"])


def test_texts_that_cannot_be_told_apart_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="no labelled texts"):
        train("classifier", tmp_path, tmp_path / "out", Training(), seed=0, home=tmp_path)
    write_texts(tmp_path / "good", "same", "fine")
    with pytest.raises(UsageError, match="all texts have the label 'good'"):
        labelled(tmp_path, "response")
    write_texts(tmp_path / "bad", "same")
    with pytest.raises(UsageError, match="1 texts have several labels, such as bad and good"):
        labelled(tmp_path, "response")
    with pytest.raises(UsageError, match="the label 'b' has one text"):
        held_out(pl.DataFrame({"text": ["x", "y", "z"], "label": ["a", "a", "b"]}), 0.5, 0)


def test_the_measures_of_three_right_out_of_four():
    found = SimpleNamespace(predictions=[[2.0, 0.0], [0.0, 1.0], [0.0, 2.0], [0.0, 3.0]], label_ids=[0, 0, 1, 1])
    # Precision 2 / 3 and recall 1: F1 = 0.8. Each of the two positives is above both negatives: AUC 1.
    assert measures(found, 2) == pytest.approx({"accuracy": 0.75, "f1": 0.8, "auc": 1.0, "majority": 0.5})


def job_of(data: Path, model: str, **said: Any) -> Job:
    files = tuple(text_files(data))
    settings = MaskedLm(**({"max_length": 16} | said))
    return Job("masked_lm", "texts", data, data / "out", settings, resolve(model, data), 0, files=files)


def test_a_long_document_becomes_windows_and_a_share_of_its_tokens_is_masked(tmp_path: Path, tiny_bert: str):
    write_texts(tmp_path, "one two three four five six seven eight nine ten " * 20, "short [MASK] text")
    job = job_of(tmp_path, tiny_bert)
    prepared = masked_lm.prepare(job, tmp_path / "work")
    tokenizer = prepared.tokenizer
    rows = prepared.dataset["input_ids"]
    # 200 words of one token each, 14 to a window beside [CLS] and [SEP]: 15 windows, and one for the other document.
    assert len(rows) == 16
    assert sum(len(row) for row in rows[:15]) == 200 + 15 * 2
    # A literal [MASK] in a text is spelt out.
    assert tokenizer.mask_token_id not in rows[15]
    trainer = masked_lm.build(job, tmp_path / "work", prepared)
    labels = [batch["labels"] for _ in range(8) for batch in trainer.get_train_dataloader()]
    chosen = sum(int((batch != -100).sum()) for batch in labels) / (8 * sum(len(row) - 2 for row in rows))
    # 8 * 205 tokens, each chosen with p = 0.15: standard deviation 0.0088.
    assert chosen == pytest.approx(0.15, abs=0.04)


def test_masked_tokens_are_learned_and_a_classifier_starts_from_the_encoder(tmp_path: Path, tiny_bert: str):
    write_texts(tmp_path, *[f"the sky is blue {'and blue ' * at}" for at in range(1, 9)])
    settings = MaskedLm(max_length=32, max_steps=30, per_device_train_batch_size=8, learning_rate=1e-2)
    run = train(
        "masked_lm", tmp_path, tmp_path / "out", Training(encoder=tiny_bert, masked_lm=settings), seed=0, home=tmp_path
    )
    # Log of the vocabulary, 10.3, is to know nothing.
    assert run.metrics["loss"] < 3.0
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: fill-mask\n" in card
    assert "tags:\n- masked-lm\n" in card
    write_texts(tmp_path / "l" / "a", "x", "y")
    write_texts(tmp_path / "l" / "b", "v", "w")
    told = Training(classifier=Classifier(max_length=16, max_steps=1))
    after = train("classifier", tmp_path / "l", tmp_path / "out", told, seed=0, home=tmp_path, base=str(run.model))
    assert after.manifest.facts["base"]["stages"] == ["masked_lm"]


def test_an_encoder_is_trained_whole():
    with pytest.raises(ValidationError, match="lora_r: an encoder is trained whole"):
        MaskedLm(lora_r=4)
