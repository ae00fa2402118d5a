"""The four tables that flow through the pipeline, as Polars schemas, and the ids that tie them together.

Column names follow TRL's dataset formats: messages, prompt, chosen, rejected, margin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import polars as pl

ROLES: Final = ("system", "user", "assistant", "tool")

# `extra` holds, as JSON text, whatever a message carries beside its role and content (tool_calls, name, ...):
# tool schemas differ from row to row, and text survives where a common struct would not.
MESSAGE: Final = pl.Struct({"role": pl.String, "content": pl.String, "extra": pl.String})
MESSAGES: Final[Any] = pl.List(MESSAGE)

ROWS: Final = pl.Schema(
    {
        "row_id": pl.String,
        "prompt_id": pl.String,
        "source": pl.String,
        "messages": MESSAGES,
        "language": pl.String,
        "metadata": pl.String,
    }
)

# Who wrote an answer: the model that is to be trained, another one, or it came with the data.
ORIGINS: Final = ("on_policy", "off_policy", "given")

# `reference` and `metadata` are the row's own: its last answer as text, and what came beside its messages (JSON);
# verifiable rewards read them. `given_score` is a score that came with the data.
COMPLETIONS: Final = pl.Schema(
    {
        "completion_id": pl.String,
        "prompt_id": pl.String,
        "row_id": pl.String,
        "source": pl.String,
        "language": pl.String,
        "prompt": MESSAGES,
        "reference": pl.String,
        "metadata": pl.String,
        "policy": pl.String,
        "origin": pl.String,
        "sampling": pl.String,
        "index": pl.Int32,
        "seed": pl.Int64,
        "text": pl.String,
        "finish_reason": pl.String,
        "tokens": pl.Int32,
        "given_score": pl.Float64,
    }
)

# COMPLETIONS with what the scorers say. `reward` is what selection goes by: one scorer's own number, or the ensemble's;
# null where they abstain. Beside it stands one `reward_<name>` (Float64, raw) a scorer. `disagreement` is null where
# there is one scorer only. `reward_truncated`: some scorer could not read the whole conversation.
SCORES: Final = pl.Schema(
    {"reward": pl.Float64, "disagreement": pl.Float64, "abstained": pl.Boolean, "reward_truncated": pl.Boolean}
)

# A verdict on two completions of one prompt, by a person or by those who labelled a set. `verdict`: a, b or tie.
LABELS: Final = pl.Schema(
    {
        "prompt_id": pl.String,
        "a_id": pl.String,
        "b_id": pl.String,
        "verdict": pl.String,
        "by": pl.String,
        "votes_a": pl.Int32,
        "votes_b": pl.Int32,
        "votes_tie": pl.Int32,
    }
)

# `label` says what made the pair: reward, human (a reviewer's verdict) or given (it came with the data). Only a pair by
# reward always has scores and a margin.
PAIRS: Final = pl.Schema(
    {
        "pair_id": pl.String,
        "prompt_id": pl.String,
        "row_id": pl.String,
        "source": pl.String,
        "language": pl.String,
        "label": pl.String,
        "prompt": MESSAGES,
        "chosen": MESSAGES,
        "rejected": MESSAGES,
        "chosen_id": pl.String,
        "rejected_id": pl.String,
        "score_chosen": pl.Float64,
        "score_rejected": pl.Float64,
        "margin": pl.Float64,
    }
)

# The ledger. `row_id` is the id of whatever the stage handles: a row, a completion, a pair.
DECISIONS: Final = pl.Schema(
    {
        "stage": pl.String,
        "row_id": pl.String,
        "prompt_id": pl.String,
        "kind": pl.String,
        "reason": pl.String,
        "value": pl.Float64,
        "threshold": pl.Float64,
        "kept_id": pl.String,
        "detail": pl.String,
    }
)
# A row that is edited or flagged is kept.
KINDS: Final = ("dropped", "edited", "flagged", "quarantined")

# One record a quarantined line or file, beside its row in the ledger.
QUARANTINE: Final = pl.Schema(
    {
        "row_id": pl.String,
        "source": pl.String,
        "file": pl.String,
        "file_sha256": pl.String,
        "line": pl.Int64,
        "byte_offset": pl.Int64,
        "reason": pl.String,
        "excerpt": pl.String,
    }
)

Message = Mapping[str, Any]


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: one value, one byte string."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def prompt_of(messages: Sequence[Message]) -> list[Message]:
    """All messages before the last assistant turn; all of them where there is none."""
    for at in range(len(messages) - 1, -1, -1):
        if messages[at]["role"] == "assistant":
            return list(messages[:at])
    return list(messages)


def pair_id_of(chosen_id: str, rejected_id: str) -> str:
    """Sixteen hex digits of a sha256 over both ids, in this order."""
    return hashlib.sha256(canonical_json([chosen_id, rejected_id])).hexdigest()[:16]


def prompt_id_of(prompt: Sequence[Message]) -> str:
    """Sixteen hex digits of the sha256 of the canonical prompt, every turn of it.

    A digest of the first user turn alone makes conversations collide that merely open alike.
    """
    canonical = [[m["role"], m["content"], m.get("extra")] for m in prompt]
    return hashlib.sha256(canonical_json(canonical)).hexdigest()[:16]
