"""Reward models of a few thousand weights, written into a folder in the Hugging Face layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.models import resolve

ROLES = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"


def bert_folder(
    folder: Path, labels: int = 1, template: str | None = None, positions: int = 128, hidden_size: int = 16, **says: Any
) -> Path:
    """A BERT of one layer with random weights (from seed 0) and MiniLM's vocabulary; vLLM takes none of 16 wide."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(resolve("minilm-l6-v2", folder).path, **says)
    tokenizer.chat_template = template
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
        num_labels=labels,
        initializer_range=0.5,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def llama_folder(folder: Path, template: str | None = None) -> Path:
    """A Llama of one layer that reads its score at the last token, with a byte tokenizer, by default with ChatML."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    from tests.generation.tokenizers import byte_tokenizer

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    tokenizer.chat_template = template or tokenizer.chat_template
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=32,
        max_position_embeddings=256,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.5,
    )
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def direct_logit(folder: Path, ids: list[int], types: list[int] | None = None) -> float:
    """What the model says of ids, by itself and without any batch."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    more = {"token_type_ids": torch.tensor([types])} if types is not None else {}
    with torch.inference_mode():
        return float(model(input_ids=torch.tensor([ids]), **more).logits[0, 0])


def decoder_folder(folder: Path, home: Path) -> Path:
    """A Llama of two layers with random weights (from seed 0) and SmolLM2's tokenizer, in sizes that vLLM takes.

    Its template ends with the very token that pads, where engines differ in what they call the last token.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(resolve("smollm2-135m-instruct", home).path)
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>{% endfor %}"
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=256,
        max_position_embeddings=256,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.2,
    )
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
