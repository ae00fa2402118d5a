"""OpenRLHF: `messages` for SFT, and `prompt`, `chosen`, `rejected` as messages for DPO and reward models.

After openrlhf/datasets/{sft,reward}_dataset.py of github.com/OpenRLHF/OpenRLHF: with --data.apply_chat_template the
keys hold messages; without an output key the last message of `messages` is the answer, and with --data.multiturn every
answer is learned, which is wanted of the SFT set alone. Its call of the chat template passes no function schemas, so
rows with tools are left out. `margin` is used by the reward model's margin loss where that is asked for; it reads a
missing one as 0, as it is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.handover.formats.rows import (
    Conversation,
    Format,
    Holds,
    Pair,
    Written,
    argument_lines,
    plain,
)


def conversation(row: Conversation, _: Holds) -> dict[str, Any]:
    """Messages, the answer last."""
    return {"messages": plain(row.messages, row.tools)}


def pair(row: Pair, holds: Holds) -> dict[str, Any]:
    """The prompt's messages and those of each side."""
    sides = {"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected}
    told: dict[str, Any] = {name: plain(messages, row.tools) for name, messages in sides.items()}
    return told | ({"margin": row.margin or 0.0} if holds.margins else {})


def beside(written: Mapping[str, Written]) -> dict[str, str]:
    """The arguments of its trainers for each set."""
    return {"arguments.txt": argument_lines(written, _arguments)}


def _arguments(written: Written) -> list[str]:
    if written.holds.name == "preference":
        keys = "--data.prompt_key prompt --data.chosen_key chosen --data.rejected_key rejected"
        trainers = "openrlhf.cli.train_dpo or openrlhf.cli.train_rm"
    else:
        several = " --data.multiturn" if written.holds.name == "sft" else ""
        keys, trainers = f"--data.input_key messages{several}", "openrlhf.cli.train_sft"
    return [f"# {written.holds.name}: {trainers}", f"--data.dataset {written.file} {keys} --data.apply_chat_template"]


FORMAT = Format(conversation, pair, beside)
