"""What `sieveline export --format trl` writes is what TRL's own trainers read: every row, and not a column more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.handover.formats.write import export_as
from tests.handover.small import HELD, best, pairs, rows, run_of
from tests.training.test_training_preparation import told

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = ([("user", "Hi?")], [("system", "Be kind."), ("user", "Bye?")])


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    tables = {"sft": [rows(HELD[:2])], "rejection_sampling": [best(PROMPTS)], "preference": [pairs(PROMPTS)]}
    runs, record = run_of(tmp_path / "home", tables)
    export_as(runs, record, "trl", tmp_path / "out")
    return tmp_path / "out"


def supervised(shared: dict[str, Any], **given: Any) -> Any:
    from trl import SFTConfig, SFTTrainer

    return SFTTrainer(args=SFTConfig(**shared), **given)


def preference(shared: dict[str, Any], **given: Any) -> Any:
    from trl import DPOConfig, DPOTrainer

    return DPOTrainer(args=DPOConfig(**shared), **given)


def reward(shared: dict[str, Any], **given: Any) -> Any:
    from trl import RewardConfig, RewardTrainer

    return RewardTrainer(args=RewardConfig(**shared), **given)


@pytest.mark.parametrize(
    ("name", "make"),
    [("sft", supervised), ("rejection_sampling", supervised), ("preference", preference), ("preference", reward)],
    ids=["sft", "rejection_sampling", "dpo", "reward"],
)
def test_every_exported_row_trains_without_a_warning_about_columns(
    tmp_path: Path, tiny_llama: str, exported: Path, name: str, make: Callable[..., Any]
):
    from datasets import load_dataset

    [file] = exported.glob(f"{name}.parquet")
    dataset = load_dataset("parquet", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    shared = {
        "output_dir": str(tmp_path / "model"),
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "save_strategy": "no",
    }
    with told() as heard:
        trainer = make(shared, model=tiny_llama, train_dataset=dataset)
        trainer.train()
    assert len(trainer.train_dataset) == 2
    assert trainer.state.global_step == 1
    assert [message for message in heard if "column" in message.lower() or "ignored" in message.lower()] == []
