"""What the reward trainer must do: learn a planted rule, read a pair as a scorer would, and mind the margin."""

from __future__ import annotations

import random
from pathlib import Path

import orjson
import pytest

from curation.models import resolve
from curation.scoring.protocol import Item
from curation.scoring.transformers import TransformersScorer
from schemas.errors import UsageError
from schemas.profile.scoring import Scoring
from tests.training.sets import messages, profile, write_pairs, write_set
from training import reward
from training.launch import train

pytestmark = pytest.mark.usefixtures("one_thread")

WORDS = ("river", "stone", "cloud", "table", "green", "walk", "paper", "light")


def answers(rng: random.Random) -> tuple[str, str]:
    """Two answers, the better first. The planted rule: the better one says please."""
    plain = [" ".join(rng.choices(WORDS, k=5)) for _ in range(2)]
    return f"{plain[0]} please", f"{plain[1]} {rng.choice(WORDS)}"


def test_several_sources_with_rules_of_their_own_are_learned_at_once(tmp_path: Path, tiny_bert: str):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    def pair(rng: random.Random, at: int) -> tuple[str, str, str]:
        """The better answer of the source "manners" says please, that of the source "brief" is the shorter one."""
        good, bad = answers(rng)
        return (f"say {at}", good, bad) if at % 2 else (f"sum up {at}", " ".join(good.split()[:2]), bad)

    rng = random.Random(0)
    rows = [pair(rng, at) for at in range(200)]
    sides = (
        [messages(("user", row[0])) for row in rows],
        *([messages(("assistant", row[k])) for row in rows] for k in (1, 2)),
    )
    columns = dict(zip(("prompt", "chosen", "rejected"), sides, strict=True))
    write_set(tmp_path, "preference", **columns, source=["brief", "manners"] * 100, margin=[None, 0.5] * 100)
    training = profile("", tiny_bert, num_train_epochs=6, learning_rate=5e-3, per_device_train_batch_size=20)
    run = train("reward", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)

    model = AutoModelForSequenceClassification.from_pretrained(run.model).eval()
    tokenizer = AutoTokenizer.from_pretrained(run.model)
    right = {0: 0, 1: 0}
    for at in range(200, 300):
        prompt, *both = pair(rng, at)
        ids = reward.token_ids(tokenizer, [messages(("user", prompt), ("assistant", side)) for side in both])
        with torch.no_grad():
            better, worse = (float(model(torch.tensor([one])).logits) for one in ids)
        right[at % 2] += better > worse
    assert min(right.values()) > 0.95 * 50


def test_pairs_without_a_margin_are_refused_where_it_is_asked_for(tmp_path: Path, tiny_bert: str):
    sides = {name: [messages(("user", name))] * 2 for name in ("prompt", "chosen", "rejected")}
    write_set(tmp_path, "preference", **sides, margin=[None, 0.5])
    with pytest.raises(UsageError, match="reward: 1 pairs have no margin"):
        train("reward", tmp_path, tmp_path / "out", profile("", tiny_bert, margin=True), seed=0, home=tmp_path)
    write_set(tmp_path, "preference", **sides)
    with pytest.raises(UsageError, match="reward: the set has no column margin"):
        train("reward", tmp_path, tmp_path / "out", profile("", tiny_bert, margin=True), seed=0, home=tmp_path)


def test_a_planted_rule_is_learned_and_holds_for_unseen_pairs_in_the_scorer(tmp_path: Path, tiny_bert: str):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    rng = random.Random(0)
    write_pairs(tmp_path, *[(f"say {at}", *answers(rng)) for at in range(200)])
    training = profile("", tiny_bert, num_train_epochs=4, learning_rate=5e-3, per_device_train_batch_size=20)
    run = train("reward", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)

    talks = {}
    for at in range(200, 300):
        for side, answer in zip(("better", "worse"), answers(rng), strict=True):
            question = {"role": "user", "content": f"say {at}"}
            talks[f"{side}{at}"] = [question, {"role": "assistant", "content": answer}]
    scorer = TransformersScorer(resolve(str(run.model), tmp_path), Scoring(max_length=128))
    batches = scorer.batches([Item(name, talk) for name, talk in talks.items()])
    rewards = {score.completion_id: score.reward for batch in batches for score in scorer.score(batch)}
    assert sum(rewards[f"better{at}"] > rewards[f"worse{at}"] for at in range(200, 300)) > 95

    # The scorer reads the very ids that were trained on; a literal [SEP] in a text is no separator for either.
    model = AutoModelForSequenceClassification.from_pretrained(run.model)
    tokenizer = AutoTokenizer.from_pretrained(run.model)
    talks["literal"] = [{"role": "user", "content": "a [SEP] b"}, {"role": "assistant", "content": "c"}]
    (batch,) = scorer.batches([Item("literal", talks["literal"])])
    (rewards["literal"],) = [score.reward for score in scorer.score(batch)]
    for name in ("better200", "worse200", "literal"):
        ids = reward.token_ids(tokenizer, [talks[name]])
        assert ids[0].count(tokenizer.sep_token_id) == 1
        with torch.no_grad():
            assert float(model(torch.tensor(ids)).logits) == pytest.approx(rewards[name], abs=1e-5)


def test_a_pair_is_read_with_the_special_tokens_once(tiny_bert: str, tiny_llama: str):
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    talk = [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "b"}]
    encoder = AutoTokenizer.from_pretrained(tiny_bert)
    encoder.chat_template = reward.CHAT_TEMPLATE
    (ids,) = reward.token_ids(encoder, [talk])
    assert encoder.convert_ids_to_tokens(ids) == ["[CLS]", "user", ":", "a", "?", "assistant", ":", "b", "[SEP]"]

    # A decoder's template writes the opening token itself; its tokenizer would add it to any text, as Llama's does.
    decoder = AutoTokenizer.from_pretrained(tiny_llama)
    opening = (decoder.bos_token, decoder.bos_token_id)
    decoder.backend_tokenizer.post_processor = TemplateProcessing(single=f"{opening[0]} $A", special_tokens=[opening])
    assert decoder("b")["input_ids"][0] == decoder.bos_token_id
    (ids,) = reward.token_ids(decoder, [talk])
    assert ids == decoder.apply_chat_template(talk, tokenize=True, return_dict=True)["input_ids"]


def test_the_margin_is_part_of_the_loss_when_asked_for(tmp_path: Path, tiny_bert: str):
    write_pairs(tmp_path, *[(f"say {at}", "yes", "no") for at in range(8)])
    firsts = {}
    for margin in (False, True):
        training = profile("", tiny_bert, max_steps=1, margin=margin)
        run = train("reward", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
        firsts[margin] = orjson.loads((run.path / "metrics.jsonl").read_bytes().splitlines()[0])
        assert not run.reused
    # The exported margin is 0.5 and both rewards are near 0 before the first step:
    # -log sigmoid(0) = 0.6931 without it, -log sigmoid(0 - 0.5) = 0.9741 with it.
    assert firsts[False]["loss"] == pytest.approx(0.6931, abs=0.02)
    assert firsts[True]["loss"] == pytest.approx(0.9741, abs=0.02)
