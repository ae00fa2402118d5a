"""Bytes that the forward pass keeps for the backward pass, and that the output layer and the loss work with.

Counted after Korthikanti et al. 2022 (arXiv 2205.05198, section 4.1), who add up what each operation of a layer keeps
for GPT with dropout in 16 bits: 34 s b h + 5 a s^2 b bytes a layer (s tokens, b sequences, h hidden, a heads). Here the
same sum is taken over the operations of the layers that Transformers has: RMSNorm and a gated MLP, or LayerNorm and a
plain one, in 32 bits, in bfloat16, or with bfloat16 arithmetic on 32-bit weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.plan.parameters import Shape

# Tokens and columns of one tile of logits, and float32 copies of a tile in the backward pass where there is no Triton:
# trl.kernels.chunked_logprob (TOKEN_CHUNK_SIZE, _backward_tile) and trl.trainer.utils (_CHUNKED_LOGPROB_CHUNK_SIZE).
TILE_TOKENS = 4096
TILE_COLUMNS = 32768
TILE_COPIES = 7.25
# Losses of Transformers' own trainer keep logits in float32, their log-softmax and its gradient.
LOGIT_COPIES = 3


@dataclass(frozen=True)
class Batch:
    """What is in memory at once: `sequences` of `length` tokens, padding included; packed ones are one sequence."""

    sequences: int
    length: int

    @property
    def tokens(self) -> int:
        """All of them, padding included."""
        return self.sequences * self.length


@dataclass(frozen=True)
class Arithmetic:
    """Bytes of a number where it is carried from layer to layer (`residual`) and where it is multiplied (`compute`).

    With `adapters` the norms are frozen. `scores`: attention keeps its matrix of scores (eager attention, or dropout in
    it); `mask`: it is given a mask of each two tokens (all but flash attention).
    """

    residual: int
    compute: int
    adapters: bool
    scores: bool
    mask: bool
    dropout: bool

    @property
    def mixed(self) -> bool:
        """Inputs of linear layers are converted, a copy for each of them."""
        return self.compute == 2 and (self.residual == 4 or self.adapters)


def layer_bytes(shape: Shape, batch: Batch, arithmetic: Arithmetic) -> int:
    """What one layer keeps, for the whole batch."""
    per_token = _gated(shape, arithmetic) if shape.gated else _plain(shape, arithmetic)
    return batch.tokens * per_token + _scores(shape, batch, arithmetic)


def kept_bytes(shape: Shape, batch: Batch, arithmetic: Arithmetic, *, checkpointing: bool, offloading: bool) -> int:
    """What all layers keep.

    With gradient checkpointing (Chen et al. 2016, arXiv 1604.06174) a layer's input is kept and the rest computed again
    one layer at a time; with offloading, what is kept lies in the machine's memory but for two layers on their way.
    """
    one = layer_bytes(shape, batch, arithmetic)
    final = batch.tokens * shape.hidden * (arithmetic.residual + 8)
    if checkpointing:
        inputs = batch.tokens * shape.hidden * arithmetic.residual
        return final + one + (2 if offloading else shape.layers) * inputs
    return final + (min(2, shape.layers) if offloading else shape.layers) * one


def working_bytes(shape: Shape, batch: Batch, arithmetic: Arithmetic) -> int:
    """Gradients of one layer's activations while the backward pass is in its MLP: three of its width, two of hidden."""
    return batch.tokens * (3 * shape.intermediate + 2 * shape.hidden) * arithmetic.compute


def heap_bytes(shape: Shape, batch: Batch) -> int:
    """What the C library's heap keeps of freed results of adapted layers on a CPU: each linear layer's output once.

    Measured, not derived: with LoRA each output is made twice and one of them freed between tensors that stay, and the
    holes are not filled again (glibc; docs/training.md has the figures).
    """
    queries = shape.heads * shape.head_dim
    attention = queries + 2 * shape.kv_heads * shape.head_dim + shape.hidden
    mlp = (2 if shape.gated else 1) * shape.intermediate + shape.hidden
    return 4 * shape.layers * batch.tokens * (attention + mlp)


def logits_bytes(shape: Shape, batch: Batch, compute: int, *, head_trained: bool, fused: bool, triton: bool) -> int:
    """The output layer and the loss.

    TRL's trainers of causal models project tokens in tiles and never hold all logits; what they hold is the tile, its
    float32 copies where PyTorch does in steps what Triton does in one, and the gradients of hidden states and output
    weights in float32. Other trainers hold (tokens, vocabulary) several times.
    """
    if not fused:
        return batch.tokens * shape.vocabulary * (4 * LOGIT_COPIES + (4 if compute == 2 else 0))
    tokens = min(batch.tokens, TILE_TOKENS)
    tile = tokens * TILE_COLUMNS * compute
    copies = 0 if triton else int(TILE_COPIES * tokens * min(TILE_COLUMNS, shape.vocabulary) * 4)
    hidden = 2 * batch.tokens * shape.hidden * 4
    # The gradient of the output weights, and on its way into it that of a tile's columns.
    weights = (shape.vocabulary + (0 if triton else min(TILE_COLUMNS, shape.vocabulary))) * shape.hidden * 4
    return tile + copies + hidden + (weights if head_trained else 0)


def _gated(shape: Shape, arithmetic: Arithmetic) -> int:
    """Bytes a token of a layer such as Llama's.

    Each RMSNorm keeps its input in float32, its normalised input where its weight is trained, and its output as input
    of the linear layers that follow (three, then two); attention keeps queries, keys, values and output; the MLP keeps
    gate, activated gate, up and their product.
    """
    queries = shape.heads * shape.head_dim
    norms = 2 * shape.hidden * (4 + (0 if arithmetic.adapters else arithmetic.residual))
    inputs = shape.hidden * (5 if arithmetic.mixed else 2) * arithmetic.compute
    attention = 4 * queries * arithmetic.compute + 4 * shape.heads
    mlp = 4 * shape.intermediate * arithmetic.compute
    if arithmetic.mixed and arithmetic.adapters:
        mlp += (queries + shape.intermediate) * arithmetic.compute
    return norms + inputs + attention + mlp


def _plain(shape: Shape, arithmetic: Arithmetic) -> int:
    """Bytes a token of a layer such as BERT's.

    Two LayerNorms keep their inputs, attention its input, queries, keys, values and output, the MLP its input, and its
    inner width before and after the activation; dropout two masks of a byte.
    """
    queries = shape.heads * shape.head_dim
    norms = 2 * shape.hidden * 4
    inputs = shape.hidden * (4 if arithmetic.mixed else 2) * arithmetic.compute
    attention = 4 * queries * arithmetic.compute + 4 * shape.heads
    mlp = 2 * shape.intermediate * arithmetic.compute
    return norms + inputs + attention + mlp + (2 * shape.hidden if arithmetic.dropout else 0)


def _scores(shape: Shape, batch: Batch, arithmetic: Arithmetic) -> int:
    """What grows with the square of the length: the mask as numbers, and the scores of each head, after the softmax in
    float32 and, in 16 bits, once more; with dropout its mask and what it leaves as well (the 5 a s^2 b of the paper).
    """
    squares = batch.sequences * batch.length**2
    each = 4 + (2 if arithmetic.compute == 2 else 0) + (1 + arithmetic.compute if arithmetic.dropout else 0)
    mask = squares * arithmetic.compute if arithmetic.mask else 0
    return mask + (squares * shape.heads * each if arithmetic.scores else 0)
