"""Small exported sets for training tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curation.handover.tables import write_split
from schemas.profile.training import Dpo, RewardTrainer, Supervised, Training
from schemas.records import MESSAGES

COLOURS = ("red", "blue", "green", "pink", "grey", "black", "white", "brown")
TURNS = Sequence[tuple[str, str]]


def messages(*turns: tuple[str, str]) -> list[dict[str, str | None]]:
    """Messages of (role, content) turns in the pipeline's own form."""
    return [{"role": role, "content": content, "extra": None} for role, content in turns]


def write_set(data: Path, name: str, **columns: Sequence[Any]) -> None:
    """Write an exported set with the exporter itself; columns named for messages become lists of them."""
    chat = {"messages", "prompt", "completion", "chosen", "rejected"}
    frame = pl.DataFrame(
        {key: pl.Series(key, values, MESSAGES if key in chat else None) for key, values in columns.items()}
    )
    write_split(frame, data / name)


def write_sft(data: Path, *conversations: TURNS) -> None:
    """An SFT set of conversations, with the columns that the exporter writes beside `messages`."""
    count = len(conversations)
    write_set(
        data,
        "sft",
        messages=[messages(*turns) for turns in conversations],
        row_id=[f"t:{at:06d}" for at in range(count)],
        prompt_id=[f"{at:016x}" for at in range(count)],
        source=["t"] * count,
        language=["en"] * count,
        metadata=["{}"] * count,
    )


def write_completions(data: Path, *rows: tuple[str, str]) -> None:
    """A rejection-sampling set of (prompt, completion)."""
    write_set(
        data,
        "rejection_sampling",
        prompt_id=[f"{at:016x}" for at in range(len(rows))],
        prompt=[messages(("user", prompt)) for prompt, _ in rows],
        completion=[messages(("assistant", completion)) for _, completion in rows],
        reward=[1.0] * len(rows),
    )


def write_pairs(data: Path, *rows: tuple[str, str, str]) -> None:
    """A preference set of (prompt, chosen, rejected)."""
    write_set(
        data,
        "preference",
        prompt_id=[f"{at:016x}" for at in range(len(rows))],
        prompt=[messages(("user", prompt)) for prompt, _, _ in rows],
        chosen=[messages(("assistant", chosen)) for _, chosen, _ in rows],
        rejected=[messages(("assistant", rejected)) for _, _, rejected in rows],
        score_chosen=[1.5] * len(rows),
        score_rejected=[1.0] * len(rows),
        margin=[0.5] * len(rows),
    )


def write_colours(data: Path) -> None:
    """All three sets, eight rows each: which colour has which number."""
    asked = [f"colour {at}?" for at in range(len(COLOURS))]
    write_sft(data, *[[("user", q), ("assistant", a)] for q, a in zip(asked, COLOURS, strict=True)])
    write_completions(data, *zip(asked, COLOURS, strict=True))
    write_pairs(data, *[(q, a, f"not {a}") for q, a in zip(asked, COLOURS, strict=True)])


def profile(model: str, reward_model: str = "", **settings: Any) -> Training:
    """The same settings for every stage; each takes those that it has."""
    said = {"max_length": 128, "per_device_train_batch_size": 8, **settings}
    kinds = {"sft": Supervised, "rejection_sampling": Supervised, "dpo": Dpo, "reward": RewardTrainer}
    own = {name: {key: said[key] for key in said if key in kind.model_fields} for name, kind in kinds.items()}
    assert all(any(key in one for one in own.values()) for key in said)
    return Training(model=model, reward_model=reward_model, **{name: kinds[name](**own[name]) for name in kinds})
