"""How the starter reward model is trained: which pairs, which weights, and the layers that are run once."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from training.starter_reward.data import Pair
from training.starter_reward.rows import Row, balanced, batches, drawn
from training.starter_reward.train import FROZEN, prepare, schedule, standardise


def user(text: str) -> tuple[dict[str, str], ...]:
    return ({"role": "user", "content": text},)


def row(chosen: str, rejected: str, tokens: int = 1) -> Row:
    return Row(Pair("t", user("p"), chosen, rejected), ([1] * tokens, [1]))


def test_either_preference_has_half_of_a_sources_weight():
    rows = [row("aa", "b"), row("aa", "b"), row("aa", "b"), row("a", "bb")]
    assert [r.weight for r in balanced(rows, 4.0)] == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2])
    assert [r.weight for r in balanced(rows, 1.5)] == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1.5])
    assert balanced(rows[:3], 4.0) == rows[:3]


def test_of_a_large_source_half_the_rows_drawn_prefer_the_shorter_answer():
    longer, shorter = [row("aa" * n, "b") for n in (1, 2, 3)], [row("a", "bb" * n) for n in (1, 2, 3)]
    mixed = [longer[0], shorter[0], longer[1], shorter[1], longer[2], shorter[2]]
    assert drawn(mixed, 4) == [longer[0], shorter[0], longer[1], shorter[1]]
    assert drawn([*longer, shorter[0]], 3) == [longer[0], longer[1], shorter[0]]
    assert drawn(shorter, 2) == shorter[:2]
    assert drawn(mixed, None) == mixed


def test_batches_have_pairs_of_like_length_and_each_pair_once_an_epoch():
    rows = [row("a", "b", tokens) for tokens in (3, 1, 2, 1, 3, 2)]
    found = batches(rows, size=2, epochs=2, seed=0)
    assert len(found) == 6
    for epoch in (found[:3], found[3:]):
        assert sorted(at for batch in epoch for at in batch) == list(range(6))
        assert sorted(sorted(rows[at].tokens for at in batch) for batch in epoch) == [[1, 1], [2, 2], [3, 3]]
    assert found == batches(rows, size=2, epochs=2, seed=0)
    assert len(batches(rows[:5], size=2, epochs=1, seed=0)) == 2


def test_the_learning_rate_rises_and_falls_to_zero():
    assert schedule(1, 100, 0.04) == pytest.approx(0.25 * 0.5 * (1 + math.cos(math.pi * 0.01)))
    assert schedule(50, 100, 0.04) == pytest.approx(0.5)
    assert schedule(100, 100, 0.04) == pytest.approx(0.0)


def test_rewards_from_kept_states_are_those_of_the_whole_model():
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from curation.progress import Silent
    from training.starter_reward.frozen import UpperLayers

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
    model = BertForSequenceClassification(
        BertConfig(vocab_size=20, max_position_embeddings=16, num_labels=1, pad_token_id=1, **sizes)
    ).eval()
    model.classifier.weight.data.normal_(std=5)
    sequences = [[5, 6, 7], [8, 9], [10, 11, 12, 13, 14], [15]]
    upper = UpperLayers(model, 1)
    upper.keep(sequences, Silent())
    with torch.no_grad():
        whole = [float(model(input_ids=torch.tensor([ids])).logits) for ids in sequences]
    # Kept states are rounded to float16: eleven bits.
    assert upper.rewards([2, 0, 3, 1]) == pytest.approx([whole[2], whole[0], whole[3], whole[1]], abs=5e-3)
    assert max(whole) - min(whole) > 0.3
    upper([0, 1]).sum().backward()
    assert model.bert.encoder.layer[1].output.dense.weight.grad is not None
    assert model.bert.encoder.layer[0].output.dense.weight.grad is None


def test_rewards_keep_the_order_given_and_mask_what_is_padded():
    import torch

    from training.starter_reward.model import rewards

    class Summing(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=(input_ids * attention_mask + attention_mask).sum(1, keepdim=True).float())

    # The sum of the ids plus the number of unmasked ones: 7 + 1, 1 + 2 + 3 + 3, 4 + 5 + 2.
    assert rewards(Summing(), [[7], [1, 2, 3], [4, 5]], batch_tokens=4) == [8.0, 9.0, 11.0]
    assert rewards(Summing(), [[7], [1, 2, 3], [4, 5]]) == [8.0, 9.0, 11.0]


def test_training_starts_from_the_mean_of_the_tokens():
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from curation.progress import Silent
    from training.starter_reward.frozen import UpperLayers

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": FROZEN + 1, "num_attention_heads": 2, "intermediate_size": 16}
    body = BertForSequenceClassification(
        BertConfig(vocab_size=20, max_position_embeddings=16, num_labels=1, pad_token_id=1, **sizes)
    ).eval()
    prepare(body)
    upper = UpperLayers(body, FROZEN)
    upper.keep([[5, 6, 7, 8], [9, 10]], Silent())
    for place, state in enumerate(upper.states):
        mixed = state.float()[0] + 2 * state.float().mean(dim=0)
        once = torch.nn.functional.layer_norm(mixed, [8])
        assert upper.features([place])[0].tolist() == pytest.approx(once.tolist(), abs=1e-3)
    # Nothing is trained below, and the reward is zero until the head is.
    trained = {name.split(".")[3] for name, p in body.named_parameters() if p.requires_grad and "layer." in name}
    assert trained == {str(FROZEN)}
    assert upper.rewards([0, 1]) == [0.0, 0.0]
    features = torch.tensor([[0.0] * 8, [2.0] * 8])
    standardise(body, features)
    # Mean 1, deviation sqrt 2: (0 - 1) / sqrt(2) * 0.3 = -0.2121.
    assert body.bert.pooler(features[:1, None])[0, 0].item() == pytest.approx(math.tanh(-0.2121), abs=1e-4)
