"""Reward models and classifiers on rows: what they read, which label they tell, and what has no score."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from curation.models import resolve
from curation.scoring import classifier, reward
from curation.scoring.transformers import TransformersScorer
from curation.stage import Context, Result
from schemas.errors import EngineError, UsageError
from tests.helpers import answer, reasons, rows

from .models import ROLES, bert_folder, direct_logit, llama_folder

LABELS = {0: "fine", 1: "rude", 2: "toxic"}
SKY = [answer("yes", "is the sky blue"), answer("the sky is blue because of the air", "why is the sky blue")]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled(tmp_path_factory.mktemp("three"), LABELS)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert_folder(tmp_path_factory.mktemp("one"))


def labelled(folder: Path, labels: dict[int, str], problem: str | None = None, **options: Any) -> Path:
    """A tiny BERT with names for its labels."""
    from transformers import AutoConfig

    bert_folder(folder, labels=len(labels), **options)
    config = AutoConfig.from_pretrained(folder)
    config.id2label, config.label2id, config.problem_type = labels, {n: at for at, n in labels.items()}, problem
    config.save_pretrained(folder)
    return folder


def logits(folder: Path, *texts: str) -> list[float]:
    """Logits of a text, or of a pair of texts, by the model itself."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(folder)(*texts, return_tensors="pt")
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        found: list[float] = model(**inputs).logits[0].tolist()
    return found


def softmax(values: list[float], at: int) -> float:
    return math.exp(values[at]) / sum(map(math.exp, values))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def classified(frame: pl.DataFrame, folder: Path, home: Path, **options: Any) -> Result:
    config = classifier.Config(**{"model": str(folder), "column": "score_x", "max_length": 64} | options)
    return classifier.run(frame.lazy(), config, Context(home=home))


def column(result: Result, name: str = "score_x") -> list[float | None]:
    assert result.added is not None
    return result.added.collect().sort("row_id")[name].to_list()


def flags(result: Result) -> pl.DataFrame:
    assert result.flagged is not None
    return result.flagged.collect()


@pytest.mark.parametrize("label", ["toxic", 2])
def test_the_label_by_name_or_number_through_each_activation(three: Path, tmp_path: Path, label: str | int):
    raw = logits(three, "yes")
    expected = {"softmax": softmax(raw, 2), "auto": softmax(raw, 2), "sigmoid": sigmoid(raw[2]), "none": raw[2]}
    for activation, value in expected.items():
        found = classified(rows(SKY[0]), three, tmp_path, label=label, activation=activation)
        assert column(found) == [pytest.approx(value, abs=1e-5)], activation


@pytest.mark.parametrize(
    ("problem", "activated"),
    [
        ("multi_label_classification", lambda raw: sigmoid(raw[1])),
        ("single_label_classification", lambda raw: softmax(raw, 1)),
        ("regression", lambda raw: raw[1]),
    ],
)
def test_auto_goes_by_the_models_own_problem(tmp_path: Path, problem: str, activated: Any):
    folder = labelled(tmp_path, LABELS, problem)
    found = classified(rows(SKY[0]), folder, tmp_path / "home", label="rude")
    assert column(found) == [pytest.approx(activated(logits(folder, "yes")), abs=1e-5)]


def test_a_model_of_one_label_needs_no_name_and_has_no_activation(one: Path, tmp_path: Path):
    assert column(classified(rows(SKY[0]), one, tmp_path)) == [pytest.approx(logits(one, "yes")[0], abs=1e-5)]
    with pytest.raises(UsageError, match="a softmax is always 1"):
        classified(rows(SKY[0]), one, tmp_path, activation="softmax")


@pytest.mark.parametrize("label", [None, "kind", 3, -1])
def test_a_label_that_the_model_does_not_have_is_told_with_those_it_has(
    three: Path, tmp_path: Path, label: str | int | None
):
    with pytest.raises(UsageError, match="its labels are 0 'fine', 1 'rude', 2 'toxic'"):
        classified(rows(SKY[0]), three, tmp_path, label=label)


def test_what_is_read_is_the_response_the_prompt_or_the_pair(three: Path, tmp_path: Path):
    read = {"response": ("yes",), "prompt": ("is the sky blue",), "both": ("is the sky blue", "yes")}
    for text, texts in read.items():
        found = classified(rows(SKY[0]), three, tmp_path, label=2, text=text)
        assert column(found) == [pytest.approx(softmax(logits(three, *texts), 2), abs=1e-5)], text


def test_both_goes_through_the_template_of_a_model_that_has_one(tmp_path: Path):
    folder = labelled(tmp_path, LABELS, template=ROLES)
    found = classified(rows(SKY[0]), folder, tmp_path / "home", label=2, text="both")
    raw = logits(folder, "user: is the sky blue assistant: yes")
    assert column(found) == [pytest.approx(softmax(raw, 2), abs=1e-5)]


def test_order_and_batches_make_no_difference(three: Path, tmp_path: Path):
    frame = rows(*SKY, *(answer("word " * count) for count in range(1, 9)))
    alone = column(classified(frame, three, tmp_path / "a", label=2, batch_size=1))
    for size in (2, 3, 16):
        home = tmp_path / str(size)
        together = column(classified(frame, three, home, label=2, batch_size=size))
        assert together == pytest.approx(alone, abs=1e-5)
        assert column(classified(frame.reverse(), three, home / "again", label=2, batch_size=size)) == together


def test_what_has_no_text_has_no_score(three: Path, tmp_path: Path):
    frame = rows(answer(None), answer(" "), [("user", "hi")], [("assistant", "hi")], answer("yes"))
    found = classified(frame, three, tmp_path, label=2)
    assert [value is None for value in column(found)] == [True, True, True, False, False]
    assert reasons(flags(found)) == {1: "no_response", 2: "no_response", 3: "no_response"}
    both = classified(frame, three, tmp_path, label=2, text="both")
    assert reasons(flags(both)) == {1: "no_response", 2: "no_response", 3: "no_response", 4: "no_prompt"}


def test_a_text_that_is_cut_has_its_score_and_a_flag(three: Path, tmp_path: Path):
    found = classified(rows(answer("a b c"), answer("a b c d")), three, tmp_path, label=2, max_length=5)
    assert column(found)[1] == pytest.approx(softmax(logits(three, "a b c"), 2), abs=1e-5)
    assert flags(found).rows() == [("t:000002", "text_truncated", "score_x")]
    assert found.facts["text_truncated"] == 1


def test_no_text_is_a_control_token(three: Path, tmp_path: Path):
    frame = rows(answer("a [SEP] b"), answer("a b"))
    scorer = classifier._scorer(classifier.Config(model=str(three), column="score_x", label=2), Context(home=tmp_path))
    from curation.scoring.protocol import Item

    item = Item("c", [{"role": "user", "content": "a [SEP] b", "extra": None}])
    scorer.batches([item])
    ids = scorer._encoded["c"].ids.tolist()
    assert ids.count(scorer.reader.tokenizer.sep_token_id) == 1
    first, second = column(classified(frame, three, tmp_path, label=2))
    assert first != second


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_null(three: Path, tmp_path: Path, value: float, monkeypatch: pytest.MonkeyPatch):
    sound = TransformersScorer._load_network

    def broken(self: Any) -> None:
        sound(self)
        self._network.classifier.bias.data.fill_(value)

    monkeypatch.setattr(TransformersScorer, "_load_network", broken)
    found = classified(rows(*SKY), three, tmp_path, label=2, activation="none")
    assert column(found) == [None, None]
    assert reasons(flags(found)) == {1: "score_not_finite", 2: "score_not_finite"}


def test_equal_texts_are_scored_once_and_none_twice(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[int] = []
    sound = TransformersScorer._logits
    monkeypatch.setattr(
        TransformersScorer, "_logits", lambda self, found: read.append(len(found)) or sound(self, found)
    )
    frame = rows(answer("yes", "a"), answer("yes", "b"), answer("no", "c"))
    first = column(classified(frame, three, tmp_path, label=2))
    assert read == [2]
    assert first[0] == first[1] != first[2]
    assert column(classified(frame.head(2), three, tmp_path, label=2)) == first[:2]
    assert column(classified(frame, three, tmp_path, label=1)) != first
    assert read == [2, 2]


def test_nothing_is_loaded_to_read_a_profile(three: Path):
    with pytest.raises(ValidationError, match="score_"):
        classifier.Config(model=str(three), column="toxicity")
    made = classifier.fingerprint(classifier.Config(model="owner/name@abc", column="score_x"), Context())
    assert made["model"] == {"name": "owner/name", "revision": "abc", "digest": made["model"]["digest"]}


def test_the_reward_is_the_raw_logit_of_prompt_and_response(one: Path, tmp_path: Path):
    config = reward.Config(model=str(one), max_length=64)
    found = reward.run(rows(*SKY, answer(None)).lazy(), config, Context(home=tmp_path))
    expected = [logits(one, prompt[1], response[1])[0] for prompt, response in SKY]
    assert column(found, "score_reward") == [*(pytest.approx(value, abs=1e-5) for value in expected), None]
    assert reasons(flags(found)) == {3: "no_response"}


def test_the_reward_reads_every_turn_and_nothing_behind_the_answer(tmp_path: Path):
    folder = llama_folder(tmp_path)
    turns = [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e")]
    config = reward.Config(model=str(folder), max_length=256)
    found = reward.run(rows(turns).lazy(), config, Context(home=tmp_path / "home"))
    from transformers import AutoTokenizer

    written = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns[:-1])
    ids = AutoTokenizer.from_pretrained(folder).encode(written, add_special_tokens=False)
    assert column(found, "score_reward") == [pytest.approx(direct_logit(folder, ids), abs=1e-5)]


def test_a_classifier_of_three_labels_is_no_reward_model(three: Path, tmp_path: Path):
    with pytest.raises(EngineError, match="has 3 labels"):
        reward.run(rows(*SKY).lazy(), reward.Config(model=str(three)), Context(home=tmp_path))


@pytest.mark.engine
def test_the_starter_reward_model_prefers_an_answer_to_the_question(model_home: Path, tmp_path: Path):
    (tmp_path / "models").symlink_to(model_home / "models")
    question = "How do I boil an egg?"
    frame = rows(
        answer("Put the egg into boiling water for eight minutes, then cool it under cold water.", question),
        answer("no", question),
    )
    good, bad = column(reward.run(frame.lazy(), reward.Config(), Context(home=tmp_path)), "score_reward")
    assert good is not None
    assert bad is not None
    assert good > bad
    assert resolve("starter-reward", tmp_path).name == "starter-reward"
