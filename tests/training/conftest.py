"""Tiny models for training tests: random weights behind the real tokenizers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.models import resolve

VOCABULARY = 2048


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For models this small a second thread costs more than it gains, and on a busy machine much more."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tokenizer_folder(model_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2's tokenizer and chat template, with its first 2,048 of 49,152 tokens: the output layer, which is most of
    a tiny model's arithmetic, shrinks to a twentieth. A BPE vocabulary is in merge order, so its beginning is one too.
    """
    source = Path(resolve("smollm2-135m-instruct", model_home).path)
    folder = tmp_path_factory.mktemp("tokenizer")
    for name in ("tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(source / name, folder)
    whole = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = {token: at for token, at in whole["model"]["vocab"].items() if at < VOCABULARY}
    whole["model"]["vocab"] = vocabulary
    whole["model"]["merges"] = [pair for pair in whole["model"]["merges"] if "".join(pair) in vocabulary]
    (folder / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A randomly initialised Llama (2 layers, hidden 64) behind the cut tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    shutil.copytree(tokenizer_folder, folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        initializer_range=0.1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def tiny_bert(model_home: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A randomly initialised BERT (2 layers, hidden 32) behind MiniLM's tokenizer, which has no chat template."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    tokenizer = AutoTokenizer.from_pretrained(resolve("minilm-l6-v2", model_home).path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
