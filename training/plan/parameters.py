"""Parameters of a model, counted on its own modules on the meta device: shapes without weights, nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.card import TASKS
from training.common import lora
from training.job import Job

# What the stages put on a model, in PEFT's words; a decoder where nothing is said.
TASK_TYPES = {"reward": "SEQ_CLS", "classifier": "SEQ_CLS"}
HEADS = ("lm_head", "cls.predictions.decoder")


@dataclass(frozen=True)
class Parameters:
    """Counts of numbers. `total` and `trained` include the adapters; `quantised` are the weights that a 4-bit model
    holds in four bits: linear layers other than the output. `largest` is the largest trained tensor, `layer` one layer.
    `factored`: rows and columns of trained matrices and lengths of trained vectors, which Adafactor keeps.
    """

    total: int
    trained: int
    quantised: int
    largest: int
    layer: int
    factored: int
    head_trained: bool


@dataclass(frozen=True)
class Shape:
    """The widths that a model's activations come in. `gated`: RMSNorm and a gated MLP, as Llama, Qwen and Gemma have
    them; else LayerNorm and a plain MLP, as BERT has. `intermediate` counts all experts that a token is sent to.
    `dropout` says whether the model's configuration has any.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    gated: bool
    dropout: bool
    tied: bool


def count(job: Job) -> tuple[Parameters, Shape]:
    """Parameters and shape of a job's model, with its adapters where it has some."""
    model, config = _bare(job)
    shape = _shape(model, config)
    adapters = lora(job, TASK_TYPES.get(job.stage, "CAUSAL_LM"))
    if adapters is not None:
        import torch
        from peft import get_peft_model

        with torch.device("meta"):
            model = get_peft_model(model, adapters)
    return _parameters(model, shape), shape


def _bare(job: Job) -> tuple[Any, Any]:
    """A stage's model without weights, and its configuration."""
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(job.model.path, revision=job.model.revision)
    loader = getattr(transformers, TASKS.get(job.stage, ("", "AutoModelForCausalLM"))[1])
    if job.stage == "reward":
        config.num_labels = 1
    with torch.device("meta"):
        return loader.from_config(config), config


def _shape(model: Any, config: Any) -> Shape:
    text = config.get_text_config()
    heads = text.num_attention_heads
    experts = getattr(text, "num_experts_per_tok", None) or 1
    width = getattr(text, "moe_intermediate_size", None) or text.intermediate_size
    return Shape(
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        heads=heads,
        kv_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
        intermediate=width * experts,
        vocabulary=text.vocab_size,
        gated=any(name.endswith(("gate_proj", "gate_up_proj")) for name, _ in model.named_modules()),
        dropout=bool(getattr(text, "hidden_dropout_prob", 0.0) or getattr(text, "attention_probs_dropout_prob", 0.0)),
        tied=bool(getattr(config, "tie_word_embeddings", False)),
    )


def _parameters(model: Any, shape: Shape) -> Parameters:
    from torch import nn

    weights = list(model.named_parameters())
    trained = [weight for _, weight in weights if weight.requires_grad]
    adapters = [weight for name, weight in weights if "lora_" in name]
    linear = [
        module.weight.numel()
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and not name.endswith(HEADS)
        and "lora_" not in name
        and module.weight.ndim == 2
    ]
    embeddings = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    total = sum(weight.numel() for _, weight in weights)
    return Parameters(
        total=total,
        trained=sum(weight.numel() for weight in trained),
        quantised=sum(linear) if adapters else 0,
        largest=max(weight.numel() for weight in trained),
        layer=(total - embeddings.numel()) // shape.layers,
        factored=sum(sum(weight.shape) for weight in trained),
        head_trained=head is not None and any(weight is head.weight for weight in trained),
    )
