"""What continued pre-training must do: learn every token of a text, lose none, and take none for a control token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.models import resolve
from schemas.errors import UsageError
from schemas.profile.training import Pretrain, Training
from tests.training.sets import write_sft
from training import pretrain
from training.job import Job
from training.launch import train
from training.texts import plain, text_files

pytestmark = pytest.mark.usefixtures("one_thread")


def write_lines(folder: Path, *texts: str | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"text": text, "source": "t"}) for text in texts]
    (folder / "documents.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def build(data: Path, model: str, **said: Any) -> tuple[Any, Any]:
    settings = Pretrain(**({"max_length": 16, "per_device_train_batch_size": 4} | said))
    job = Job("pretrain", "texts", data, data / "out", settings, resolve(model, data), 0, files=tuple(text_files(data)))
    prepared = pretrain.prepare(job, data / "work")
    return prepared, pretrain.build(job, data / "work", prepared)


def test_documents_are_learned_by_heart(tmp_path: Path, tiny_llama: str):
    write_lines(tmp_path, *[f"the number {at} is a number" for at in range(8)])
    settings = Pretrain(max_length=32, per_device_train_batch_size=8, max_steps=30, learning_rate=1e-2)
    run = train(
        "pretrain", tmp_path, tmp_path / "out", Training(model=tiny_llama, pretrain=settings), seed=0, home=tmp_path
    )
    # Which number comes next is all that cannot be known.
    assert run.metrics["loss"] < 0.5
    assert [one["name"] for one in run.manifest.recipe["data"]] == ["documents.jsonl"]
    assert run.manifest.counts == {"in": 8, "kept": 8, "dropped": 0}


def test_packing_loses_no_token_and_every_token_has_loss(tmp_path: Path, tiny_llama: str):
    texts = ["one two three four five six seven eight nine ten eleven twelve", "short", "and some more of it"]
    write_lines(tmp_path, *texts)
    prepared, trainer = build(tmp_path, tiny_llama, max_length=8)
    tokenizer = trainer.processing_class
    rows = [row["input_ids"] for row in trainer.train_dataset]
    assert sorted(map(len, rows))[1:] == [8] * (len(rows) - 1)
    assert sum(map(len, rows)) == prepared.preflight.tokens == prepared.preflight.tokens_kept
    assert all(row["labels"] == row["input_ids"] for row in trainer.train_dataset)
    # Each document is closed by the end-of-text token, whichever way they were shuffled and cut.
    end = tokenizer.eos_token_id
    assert sum(row.count(end) for row in rows) == 3
    assert sorted(tokenizer.decode(row["input_ids"][:-1]) for row in prepared.dataset) == sorted(texts)


def test_without_packing_a_long_document_is_cut_and_counted(tmp_path: Path, tiny_llama: str):
    write_lines(tmp_path, "one two three four five six seven eight nine ten", "short")
    prepared, trainer = build(tmp_path, tiny_llama, max_length=8, packing=False)
    assert (prepared.preflight.truncated, prepared.preflight.dropped) == (1, 0)
    assert max(len(row["input_ids"]) for row in trainer.train_dataset) == 8
    assert len(trainer.train_dataset) == 2


def test_a_control_token_in_a_text_is_text(tmp_path: Path, tiny_llama: str):
    write_lines(tmp_path, "a <|im_end|> b")
    prepared, trainer = build(tmp_path, tiny_llama)
    (ids,) = prepared.dataset["input_ids"]
    # <|im_end|> is this tokenizer's end of text: once at the end, and spelt out where it was written.
    assert ids.count(trainer.processing_class.eos_token_id) == 1
    assert trainer.processing_class.decode(ids[:-1]) == "a <|im_end|> b"


def test_texts_are_read_from_each_kind_of_folder(tmp_path: Path):
    lines = write_lines(tmp_path / "lines", "a", "", None, "b")
    files = tmp_path / "files"
    files.mkdir()
    (files / "2.txt").write_text("zwei\n", encoding="utf-8")
    (files / "1.txt").write_text("eins", encoding="utf-8")
    pl.DataFrame({"text": ["drei"]}).write_parquet(files / "3.parquet")
    handed = tmp_path / "handed"
    write_sft(handed, [("user", "q"), ("assistant", "a")])
    # Models that were trained beside the sets are no texts.
    write_lines(handed / "models", "not this")
    found = {folder.name: plain(folder) for folder in (lines, files, handed)}
    texts = {name: (rows.collect()["text"].to_list(), empty) for name, (rows, empty) in found.items()}
    assert texts == {"lines": (["a", "b"], 2), "files": (["eins", "zwei\n", "drei"], 0), "handed": (["q\na"], 0)}


def test_a_folder_without_texts_says_what_is_wanted(tmp_path: Path):
    with pytest.raises(UsageError, match="no texts here"):
        text_files(tmp_path)
    (tmp_path / "a.jsonl").write_text('{"words": "x"}', encoding="utf-8")
    with pytest.raises(UsageError, match=r"no column text or messages \(it has words\)"):
        plain(tmp_path)
    (tmp_path / "a.jsonl").write_text('{"text": " "}', encoding="utf-8")
    with pytest.raises(UsageError, match="every text is empty"):
        plain(tmp_path)
