"""The body (MiniLM with one label), its tokenizer with Hangul syllables, and the reward of a conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from curation.models import extend_vocabulary
from schemas.records import Message

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MAX_LENGTH: Final = 512
# A syllable seen less often than this in the training text falls back to the base's jamo.
MIN_SYLLABLE_COUNT: Final = 20
# Turns as lines with role words. The tokenizer adds [CLS] and [SEP]; a template that wrote them would double them.
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}"
    "{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\nassistant: ' }}{% endif %}"
)


def hangul_syllables(texts: Iterable[str]) -> list[str]:
    """The precomposed Hangul syllables that are frequent enough to be tokens, in code point order."""
    counts = Counter(char for text in texts for char in text if "가" <= char <= "힣")
    return sorted(char for char, count in counts.items() if count >= MIN_SYLLABLE_COUNT)


def make_tokenizer(base: Path, syllables: Sequence[str]) -> PreTrainedTokenizerFast:
    """MiniLM's tokenizer plus one token a Hangul syllable.

    The base splits a syllable into two or three jamo and knows only some of the finals: about a fifth of Korean
    words became [UNK], and answers were 2.5 times as long in tokens. Text is cut from the left, so that what is
    judged, the last answer, stays. `split_special_tokens` keeps a literal "[SEP]" in a text from being one.
    """
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(base))
    tokenizer.add_tokens(list(syllables))
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.model_max_length = MAX_LENGTH
    tokenizer.truncation_side = "left"
    tokenizer.split_special_tokens = True
    # The package's file carries the 128-token padding of a sentence embedder.
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    return tokenizer


def make_body(base: Path, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """MiniLM with a regression head; `seed` draws the head's first weights."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

    set_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(str(base), num_labels=1, dtype=torch.float32)
    extend_vocabulary(model, AutoTokenizer.from_pretrained(str(base)), tokenizer)
    return model


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
