"""A causal language model through transformers: how it is shown a row, and the loss of a response's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from curation.digest import sha256_file
from curation.embedding.encoder import plan_batches
from curation.generation import template
from curation.generation.template import TemplateError, chat_messages, encode_chat, plain_ids
from curation.models import describe, resolve
from curation.scoring.perplexity.passages import Passage
from curation.scoring.pretrained import device, from_pretrained, load_network, read_limit
from schemas.errors import EngineError, UsageError
from schemas.records import Message

if TYPE_CHECKING:
    from curation.scoring.perplexity import Config

_WHAT = "causal language model"
# Logits are made for so many numbers at a time: 134 MB in float32.
_LOGITS: Final = 1 << 25


class CausalModel:
    """A model on the GPU (in bfloat16) where there is one, else on the CPU (in float32).

    The tokenizer is loaded with the first row, the weights with the first batch.
    limit:    most tokens of a passage
    opening:  token ids that begin an answer to nothing: the template's own, after the token that begins a text
    template: chat or plain
    """

    def __init__(self, config: Config, home: Path) -> None:
        self._model, self._config = resolve(config.model, home), config
        self._device, self._dtype = device()
        self.name = self._model.name

    def identity(self) -> dict[str, Any]:
        """What shapes a loss."""
        return {
            "version": version("transformers"),
            "torch": version("torch"),
            "device": self._device,
            "dtype": self._dtype,
            "model": describe(self._model),
            "template": self._config.template,
            "code": [sha256_file(Path(file)) for file in (template.__file__, __file__)],
            "batch_tokens": self._config.batch_tokens,
        }

    def prompt_ids(self, prompt: Sequence[Message]) -> Sequence[int]:
        """Everything before the response. Raises TemplateError where the template refuses it."""
        tokenizer = self._tokenizer
        if self.template == "chat":
            return encode_chat(tokenizer, prompt, add_generation_prompt=True)
        contents = (message["content"] or "" for message in chat_messages(prompt))
        return [*self.opening, *plain_ids(tokenizer, "\n".join([*contents, ""]))]

    def response_ids(self, response: str) -> Sequence[int]:
        """The response by itself. Raises TemplateError where it cannot be written without control tokens."""
        return plain_ids(self._tokenizer, response)

    @cached_property
    def limit(self) -> int:
        from transformers import AutoConfig

        known = from_pretrained(AutoConfig, self._model, _WHAT)
        return read_limit(known, self._tokenizer, self._config.max_length)

    @cached_property
    def template(self) -> str:
        has_one = bool(self._tokenizer.chat_template)
        if self._config.template == "chat" and not has_one:
            raise UsageError(f"{self.name} has no chat template", hint='set template = "plain", or "auto"')
        return "chat" if has_one and self._config.template != "plain" else "plain"

    @cached_property
    def opening(self) -> list[int]:
        header = self._header() if self.template == "chat" else []
        begins = [at for at in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id) if at is not None]
        if not header and not begins:
            raise EngineError(
                f"{self.name} has no token that begins a text", hint="name a model whose tokenizer has bos or eos"
            )
        return header or begins[:1]

    def _header(self) -> list[int]:
        """What the template writes before an answer, but for what it writes for the prompt; empty where it cannot be
        told apart."""
        probe = [{"role": "user", "content": "a", "extra": None}]
        try:
            shut, wide = (encode_chat(self._tokenizer, probe, add_generation_prompt=more) for more in (False, True))
        except TemplateError:
            return []
        header = wide[len(shut) :] if wide[: len(shut)] == shut else []
        # Only a token that begins the text is missing from it; in ChatML that token may begin the header itself.
        begin = [self._tokenizer.bos_token_id]
        return begin + header if wide[:1] == begin != header[:1] else header

    def plan(self, passages: Sequence[Passage]) -> list[list[Passage]]:
        """Batches of like length. The same set of passages in any order gives the same batches."""
        ordered = sorted(passages, key=lambda passage: (len(passage.ids), passage.key))
        lengths = np.fromiter((len(passage.ids) for passage in ordered), np.int32, len(ordered))
        return [[ordered[at] for at in batch] for batch in plan_batches(lengths, self._config.batch_tokens)]

    def losses(self, batch: Sequence[Passage]) -> list[dict[str, float | None]]:
        """`loss` of each passage: the sum of -log p, in nats, over its scored tokens; None where it is not finite."""
        import torch

        ids = np.zeros((len(batch), max(len(passage.ids) for passage in batch)), np.int64)
        mask = np.zeros_like(ids)
        for at, passage in enumerate(batch):
            ids[at, : len(passage.ids)], mask[at, : len(passage.ids)] = passage.ids, 1
        rows = np.repeat(np.arange(len(batch)), [len(passage.ids) - passage.start for passage in batch])
        ends = np.concatenate([np.arange(passage.start, len(passage.ids)) for passage in batch])
        try:
            with torch.inference_mode():
                found = self._log_probs(ids, mask, rows, ends)
        except torch.OutOfMemoryError as error:
            raise EngineError(
                f"the GPU has no room for {ids.size:,} tokens of {self.name} at a time",
                hint="lower batch_tokens; what is finished is kept",
            ) from error
        sums = -np.bincount(rows, weights=found, minlength=len(batch))
        return [{"loss": float(one) if np.isfinite(one) else None} for one in sums]

    def _log_probs(
        self, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64], rows: npt.NDArray[Any], ends: npt.NDArray[Any]
    ) -> npt.NDArray[np.float64]:
        """Log probabilities of the tokens at (rows, ends). Pads are on the right, where no token looks."""
        import torch

        network, width = self._network, self._network.get_input_embeddings().weight.shape[0]
        row, end, inputs, mask_ = (torch.from_numpy(x).to(self._device) for x in (rows, ends, ids, mask))
        if self._by_parts:
            states = network.base_model(input_ids=inputs, attention_mask=mask_, use_cache=False).last_hidden_state
            head = network.get_output_embeddings()
        else:
            states = network(input_ids=inputs, attention_mask=mask_, use_cache=False).logits
            head = torch.nn.Identity()
        states, targets = states[row, end - 1], inputs[row, end]
        size = max(1, _LOGITS // width)
        made = []
        for at in range(0, len(targets), size):
            logits = head(states[at : at + size]).float()
            chosen = logits.gather(1, targets[at : at + size, None])[:, 0]
            made.append((chosen - logits.logsumexp(1)).double().cpu())
        found: npt.NDArray[np.float64] = torch.cat(made).numpy()
        return found

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return from_pretrained(AutoTokenizer, self._model, _WHAT)

    @cached_property
    def _network(self) -> Any:
        from transformers import AutoModelForCausalLM

        return load_network(AutoModelForCausalLM, self._model, _WHAT, self._dtype).to(self._device).eval()

    @cached_property
    def _by_parts(self) -> bool:
        """Whether the body's last states through the output embedding are the logits.

        Then logits are made for the response alone, some at a time. Some models scale or cap them on the way (Gemma 2,
        Cohere): those are run whole.
        """
        import torch

        network, head = self._network, self._network.get_output_embeddings()
        if network.base_model is network or head is None:
            return False
        probe = torch.arange(8, device=self._device)[None] % network.get_input_embeddings().weight.shape[0]
        whole = network(input_ids=probe, use_cache=False).logits.float()
        states = network.base_model(input_ids=probe, use_cache=False).last_hidden_state
        return bool(torch.allclose(whole, head(states).float(), rtol=1e-3, atol=1e-3))
