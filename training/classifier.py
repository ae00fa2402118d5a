"""A quality filter: an encoder with a head that tells the labels of texts apart, for the stage `scoring.classifier`.

The labels are those of a column, or of two or more folders such as a curated and a rejected set. A share of each
label's texts is held out by a seeded digest of the text, whatever the order of the files, and measured on after each
epoch; a text that is there twice counts once, so that none is on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from schemas.profile.training import Classifier
from training import data as sets
from training.common import load_tokenizer
from training.encoders import load_model, load_reader, make_trainer
from training.job import Job, Prepared
from training.preflight import check_texts
from training.texts import held_out, labelled, labelled_files

STAGE = "classifier"
DATASET = "labelled texts"
files = labelled_files


def prepare(job: Job, work: Path) -> Prepared:
    """Load the texts as token ids, those to learn and those to measure on, and count the former."""
    from datasets import ClassLabel

    settings = cast(Classifier, job.settings)
    rows, left_out = labelled(job.data, settings.text)
    names = ClassLabel(names=rows["label"].unique().sort().to_list())
    learned, measured = held_out(rows, settings.held_out, job.seed)
    reader = load_reader(job)

    def ids_of(batch: Any) -> dict[str, Any]:
        whole = reader(batch["text"], verbose=False)["input_ids"]
        cut = reader(batch["text"], truncation=True, max_length=settings.max_length)
        return {**cut, "labels": names.str2int(batch["label"]), "tokens": [len(ids) for ids in whole]}

    def read(frame: pl.DataFrame, name: str) -> Any:
        dataset = sets.to_dataset(frame.lazy(), work / name)
        return dataset.map(ids_of, batched=True, remove_columns=["text", "label"]).cast_column("labels", names)

    train, test = read(learned, "train"), read(measured, "test")
    preflight = check_texts(train["tokens"], stage=STAGE, max_length=settings.max_length, empty=left_out)
    return Prepared(train.remove_columns("tokens"), load_tokenizer(job), preflight, test.remove_columns("tokens"))


def build(job: Job, work: Path, prepared: Prepared) -> Any:
    """Transformers' Trainer; the model's configuration says what the labels are and that one excludes the others."""
    from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding

    names = prepared.dataset.features["labels"].names
    model = load_model(
        AutoModelForSequenceClassification,
        job,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: at for at, name in enumerate(names)},
        problem_type="single_label_classification",
    )
    measure: Callable[[Any], dict[str, float]] = partial(measures, labels=len(names))
    return make_trainer(job, work, prepared, model, DataCollatorWithPadding(prepared.tokenizer), measure)


def measures(found: Any, labels: int) -> dict[str, float]:
    """Accuracy, F1, AUC, and the accuracy of always saying the label that is most frequent (`majority`).

    `found` has `predictions`, logits of shape (texts, labels), and `label_ids` (texts,). F1 and AUC are those of the
    second label where there are two, else unweighted means over the labels (AUC: each against the rest).
    """
    import torch
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    truth = np.asarray(found.label_ids)
    probabilities = torch.as_tensor(found.predictions, dtype=torch.float64).softmax(dim=1).numpy()
    said = probabilities.argmax(axis=1)
    two = labels == 2
    return {
        "accuracy": float(accuracy_score(truth, said)),
        "f1": float(f1_score(truth, said, average="binary" if two else "macro", zero_division=0)),
        "auc": float(roc_auc_score(truth, probabilities[:, 1] if two else probabilities, multi_class="ovr")),
        "majority": float(np.bincount(truth).max() / len(truth)),
    }
