"""The body (an encoder with one label), its tokenizer with a chat template, and the reward of a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from curation.models import whole_reward
from schemas.records import Message

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MAX_LENGTH: Final = 512
# Before the head alone: in attention it would bar the fast kernel of the CPU.
DROPOUT: Final = 0.1
# Turns as lines with role words. The tokenizer adds <s> and </s>; a template that wrote them would double them.
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}"
    "{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\nassistant: ' }}{% endif %}"
)


def make_tokenizer(base: Path) -> PreTrainedTokenizerFast:
    """The base's tokenizer with a chat template.

    Text is cut from the left, so that what is judged, the last answer, stays. `split_special_tokens` keeps a literal
    "</s>" in a text from being one.
    """
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(base))
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.model_max_length = MAX_LENGTH
    tokenizer.truncation_side = "left"
    tokenizer.split_special_tokens = True
    return tokenizer


def make_body(base: Path, layers: int) -> PreTrainedModel:
    """The lower `layers` of the base with a pooler and a regression head, whose weights are yet to be set."""
    import torch
    from transformers import AutoModelForSequenceClassification

    body: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        str(base),
        num_labels=1,
        num_hidden_layers=layers,
        dtype=torch.float32,
        attention_probs_dropout_prob=0.0,
        hidden_dropout_prob=0.0,
        classifier_dropout=DROPOUT,
    )
    return body


def load_whole(folder: Path, home: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model as a scorer loads it: put together with its base in float16, read in float32; and its tokenizer."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    path = whole_reward(folder, home).path
    model: Any = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(path)
    return model, tokenizer


def token_ids(tokenizer: PreTrainedTokenizerFast, conversations: Sequence[Sequence[Message]]) -> list[list[int]]:
    """Ids as a scorer makes them: the chat template's text, special tokens by the tokenizer, cut at 512."""
    texts = [str(tokenizer.apply_chat_template([dict(m) for m in c], tokenize=False)) for c in conversations]
    return list(tokenizer(texts, truncation=True, max_length=MAX_LENGTH)["input_ids"])


def rewards(model: torch.nn.Module, ids: Sequence[Sequence[int]], batch_tokens: int = 8192) -> list[float]:
    """One reward a sequence, in the order given; batches hold sequences of like length."""
    import torch

    order = sorted(range(len(ids)), key=lambda at: (len(ids[at]), at))
    out = [0.0] * len(ids)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for batch in _batches(order, ids, batch_tokens):
            width = max(len(ids[at]) for at in batch)
            padded = torch.tensor([[*ids[at], *[0] * (width - len(ids[at]))] for at in batch])
            mask = torch.tensor([[1] * len(ids[at]) + [0] * (width - len(ids[at])) for at in batch])
            logits: Any = model(input_ids=padded, attention_mask=mask).logits
            for at, value in zip(batch, logits.squeeze(-1).tolist(), strict=True):
                out[at] = value
    model.train(was_training)
    return out


def _batches(order: Sequence[int], ids: Sequence[Sequence[int]], batch_tokens: int) -> Iterable[list[int]]:
    batch: list[int] = []
    for at in order:
        if batch and (len(batch) + 1) * len(ids[at]) > batch_tokens:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch
