"""Before training: what the trainer will truncate or drop, counted with the target's own tokenizer and chat template.

TRL's trainers differ in what they do to an example above `max_length`: SFT and DPO cut its end off and drop it where
that leaves nothing to learn, the reward trainer drops it. None of them says how many. The counts here come from the
same calls of the same tokenizer that the trainer makes, and `training.common` compares them with what it prepared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

BATCH = 256
NOTHING_TO_LEARN = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Preflight:
    """Counts of a set as one trainer sees it. An example is a conversation, a turn or a pair; a pair's tokens are
    those of both its sequences (prompt + chosen, prompt + rejected) and its length that of the longer one. `left_out`
    are rows that are no examples, for the chat template cannot write their tool calls.
    """

    stage: str
    max_length: int
    examples: int
    tokens: int
    tokens_kept: int
    longest: int
    truncated: int
    dropped: int
    without_completion: int
    left_out: int = 0

    @property
    def kept(self) -> int:
        """Examples that reach the model."""
        return self.examples - self.dropped

    def facts(self) -> dict[str, Any]:
        """The counts for a manifest."""
        return asdict(self)

    def table(self) -> str:
        """A small table of the counts."""
        lines = [
            ("examples", self.examples, ""),
            ("tokens", self.tokens, f"{self.tokens_kept:,} after truncation"),
            ("longest", self.longest, "tokens"),
            ("truncated", self.truncated, self._share(self.truncated)),
            ("dropped", self.dropped, self._share(self.dropped)),
            ("without completion", self.without_completion, self._share(self.without_completion)),
        ]
        if self.left_out:
            lines.append(("rows left out", self.left_out, "with tool calls, which the chat template does not write"))
        rows = [f"  {name:<20}{count:>14,}  {note}".rstrip() for name, count, note in lines]
        return "\n".join([f"preflight of {self.stage}, max_length {self.max_length:,}", *rows])

    def _share(self, count: int) -> str:
        return f"{100 * count / self.examples:.1f} %" if count else ""


def check_sft(
    dataset: Dataset,
    tokenizer: Any,
    *,
    stage: str,
    max_length: int,
    packing: bool,
    chat_template: str | None = None,
) -> Preflight:
    """Count examples for SFT: prompts with a completion, which alone gets loss, or whole conversations (`messages`)
    with a `chat_template` that marks the assistant's tokens. With packing TRL drops nothing.
    """
    firsts, lengths = [], []
    for batch in dataset.iter(batch_size=BATCH):
        if "messages" in batch:
            options = {"return_assistant_tokens_mask": True, "chat_template": chat_template}
            coded = _encode(tokenizer, batch["messages"], **options)
            sizes = [len(ids) for ids in coded["input_ids"]]
            starts = [mask.index(1) if 1 in mask else len(mask) for mask in coded["assistant_masks"]]
        else:
            starts, (sizes,) = _split(tokenizer, batch, "completion")
        lengths += [[size] for size in sizes]
        firsts += [start if start < size else NOTHING_TO_LEARN for start, size in zip(starts, sizes, strict=True)]
    return _count(stage, max_length, firsts, lengths, drops_empty=not packing)


def check_pairs(dataset: Dataset, tokenizer: Any, *, stage: str, max_length: int) -> Preflight:
    """Count preference pairs for DPO: a pair is dropped where its prompt alone fills `max_length`."""
    firsts, lengths = [], []
    for batch in dataset.iter(batch_size=BATCH):
        starts, (chosen, rejected) = _split(tokenizer, batch, "chosen", "rejected")
        lengths += [[c, r] for c, r in zip(chosen, rejected, strict=True)]
        firsts += starts
    return _count(stage, max_length, firsts, lengths, drops_empty=True)


def check_ranked(dataset: Dataset, *, stage: str, max_length: int) -> Preflight:
    """Count pairs for a reward model, given as `chosen_ids` and `rejected_ids`: a pair is dropped where either is over
    `max_length`.
    """
    lengths = []
    for batch in dataset.iter(batch_size=BATCH):
        lengths += [[len(c), len(r)] for c, r in zip(batch["chosen_ids"], batch["rejected_ids"], strict=True)]
    return _count(stage, max_length, [0] * len(lengths), lengths, drops_long=True)


def check_texts(lengths: Sequence[int], *, stage: str, max_length: int, empty: int, packing: bool = False) -> Preflight:
    """Count texts of these lengths in tokens, beside `empty` that are left out; packing cuts none of them off."""
    length = np.asarray(lengths, dtype=np.int64)
    kept = length if packing else np.minimum(length, max_length)
    return Preflight(
        stage=stage,
        max_length=max_length,
        examples=len(length) + empty,
        tokens=int(length.sum()),
        tokens_kept=int(kept.sum()),
        longest=int(length.max(initial=0)),
        truncated=int((kept < length).sum()),
        dropped=empty,
        without_completion=0,
    )


def prompt_lengths(dataset: Dataset, tokenizer: Any) -> list[int]:
    """Tokens of each `prompt` with the generation prompt, as a trainer that samples answers reads it."""
    return [
        len(ids)
        for batch in dataset.iter(batch_size=BATCH)
        for ids in _encode(tokenizer, batch["prompt"], add_generation_prompt=True)["input_ids"]
    ]


def _encode(tokenizer: Any, batch: list[Any], **options: Any) -> Any:
    """The call that TRL's trainers make of the tokenizer, for a batch of conversations."""
    return tokenizer.apply_chat_template(batch, tokenize=True, return_dict=True, **options)


def _split(tokenizer: Any, batch: Any, *sides: str) -> tuple[list[int], list[list[int]]]:
    """Where the completions of a batch start, and the length of prompt + side for each side.

    A completion starts where the prompt alone (with the generation prompt) and prompt + completion part ways; with
    two sides, at the earlier of the two places. That is TRL's rule.
    """
    prompts = _encode(tokenizer, batch["prompt"], add_generation_prompt=True)["input_ids"]
    starts = [len(ids) for ids in prompts]
    sizes = []
    for side in sides:
        whole = [p + c for p, c in zip(batch["prompt"], batch[side], strict=True)]
        coded = _encode(tokenizer, whole)["input_ids"]
        starts = [min(s, n) for s, n in zip(starts, _shared(prompts, coded), strict=True)]
        sizes.append([len(ids) for ids in coded])
    return starts, sizes


def _shared(prompts: list[list[int]], whole: list[list[int]]) -> Iterator[int]:
    from trl.data_utils import common_prefix_length

    return (common_prefix_length(p, w) for p, w in zip(prompts, whole, strict=True))


def _count(
    stage: str,
    max_length: int,
    firsts: list[int],
    lengths: list[list[int]],
    *,
    drops_empty: bool = False,
    drops_long: bool = False,
) -> Preflight:
    """Sum up. `firsts`: position of the first token with loss, per example; `lengths`: (examples, sequences).

    Raises UsageError where nothing is left to learn from.
    """
    first = np.asarray(firsts, dtype=np.int64)
    length = np.asarray(lengths, dtype=np.int64)
    longest = length.max(axis=1)
    over = longest > max_length
    empty = first >= max_length
    dropped = over if drops_long else empty & drops_empty
    counts = Preflight(
        stage=stage,
        max_length=max_length,
        examples=len(first),
        tokens=int(length.sum()),
        tokens_kept=int(np.minimum(length, max_length)[~dropped].sum()),
        longest=int(longest.max()),
        truncated=int((over & ~dropped).sum()),
        dropped=int(dropped.sum()),
        without_completion=int(empty.sum()),
    )
    if not (~(dropped | empty)).any():
        raise UsageError(
            f"{stage}: all {counts.examples:,} examples are lost at max_length {max_length:,} "
            f"(dropped {counts.dropped:,}; without a completion token {counts.without_completion:,}; "
            f"the longest has {counts.longest:,} tokens)",
            hint=f"raise training.{stage}.max_length, or drop long rows with filter.length and curate again",
        )
    return counts
