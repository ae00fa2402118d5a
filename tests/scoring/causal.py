"""Causal language models of a few thousand weights, and their losses the slow way: a token at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.generation.tokenizers import CHATML, byte_tokenizer

SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 32,
    "max_position_embeddings": 256,
    "initializer_range": 0.5,
}


def causal_folder(
    folder: Path, *, kind: str = "llama", template: str | None = CHATML, begin: str | None = None, **says: Any
) -> Path:
    """A model of two layers with random weights (from seed 0) and a byte tokenizer whose eos is `<|im_end|>`.

    A "gemma2" caps its logits, so that the output embedding alone does not give them.
    """
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.bos_token = begin
    if kind == "gemma2":
        config = Gemma2Config(
            vocab_size=len(tokenizer), head_dim=8, final_logit_softcapping=2.0, **(SHAPE | {"initializer_range": 2.0})
        )
        Gemma2ForCausalLM(config).save_pretrained(folder)
    else:
        LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **SHAPE | says)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def direct_loss(folder: Path | str, before: Sequence[int], answer: Sequence[int]) -> float:
    """-sum log p(answer_i | before, answer_<i): one forward pass a token, no batch, in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()
    total = 0.0
    with torch.inference_mode():
        for at, token in enumerate(answer):
            logits = model(input_ids=torch.tensor([[*before, *answer[:at]]])).logits[0, -1].double()
            total -= float(logits.log_softmax(0)[token])
    return total
