"""Training with TRL: LoRA on the upper layers of the encoder; the pooler and the head are trained whole."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from curation.models import STARTER_REWARD
from curation.progress import Progress
from curation.store import write_file
from training.starter_reward.data import Pair
from training.starter_reward.evaluate import hits, model_scores
from training.starter_reward.model import token_ids

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BASE: Final = "minilm-l6-v2"
# Every linear layer of the upper four of six layers: nothing is propagated back through the lower two.
ADAPTED: Final = r".*encoder\.layer\.[2-5]\..*(query|key|value|dense)"


@dataclass(frozen=True)
class Settings:
    """What shapes the weights.

    `max_tokens` and `most` bound the time on a small CPU: a training pair with a longer side is left out (it is
    never cut), and of the sources named only that many pairs are trained on. Held-out pairs are not bounded.
    """

    seed: int = 0
    lora_r: int = 16
    learning_rate: float = 5e-4
    epochs: int = 2
    batch_pairs: int = 8
    warmup_steps: int = 30
    center_rewards_coefficient: float = 0.01
    max_tokens: int = 384
    most: Mapping[str, int] = field(default_factory=lambda: {"hrc": 350, "korm": 350, "made": 600})
    validation_pairs: int = 60
    evaluate_every: int = 260


def training_rows(
    pairs: Mapping[str, Sequence[Pair]], tokenizer: PreTrainedTokenizerFast, settings: Settings
) -> dict[str, list[dict[str, Any]]]:
    """Tokenised pairs a source, in TRL's columns `chosen_ids` and `rejected_ids`, with the longer side's length."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, of_source in pairs.items():
        both = [p.conversations() for p in of_source]
        sides = [token_ids(tokenizer, [c[at] for c in both]) for at in (0, 1)]
        made = [
            {"chosen_ids": c, "rejected_ids": r, "length": max(len(c), len(r))} for c, r in zip(*sides, strict=True)
        ]
        fitting = [row for row in made if row["length"] <= settings.max_tokens]
        rows[name] = fitting[: settings.most.get(name)]
    return rows


def in_order(rows: Sequence[Mapping[str, Any]], settings: Settings) -> list[Mapping[str, Any]]:
    """The rows of all epochs, batch after batch: pairs of like length in a batch, batches in random order.

    The library's own grouping by length leaves the batches sorted within each fifty. Here length goes with the
    source, so that the model swung between sources, and was measured just after the shortest ones. The pairs that
    do not fill a batch, other ones each epoch, are left out of it.
    """
    size, ordered = settings.batch_pairs, list[Mapping[str, Any]]()
    for epoch in range(settings.epochs):
        draw = random.Random(f"{settings.seed}:{epoch}")  # noqa: S311 - nothing secret
        mixed = draw.sample(list(rows), len(rows))
        batches = []
        for start in range(0, len(mixed), 50 * size):
            pool = sorted(mixed[start : start + 50 * size], key=lambda row: row["length"])
            batches += [pool[at : at + size] for at in range(0, len(pool) - size + 1, size)]
        draw.shuffle(batches)
        ordered += [row for batch in batches for row in batch]
    return ordered


def adapted(body: PreTrainedModel, settings: Settings) -> PeftModel:
    """The body under a LoRA adapter; alpha is twice the rank."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        task_type="SEQ_CLS",
        r=settings.lora_r,
        lora_alpha=2 * settings.lora_r,
        target_modules=ADAPTED,
        modules_to_save=["pooler"],
    )
    return get_peft_model(body, config)  # type: ignore[return-value]


def fit(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[Mapping[str, Any]],
    validation: Mapping[str, Sequence[Pair]],
    settings: Settings,
    progress: Progress,
) -> dict[str, Any]:
    """Train in place; end with the weights whose validation accuracy, averaged over sources, was best.

    Runs on the CPU wherever it is run, so that the figures of the card are those of the machine's arithmetic alone.
    """
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback
    from trl import RewardConfig, RewardTrainer

    with tempfile.TemporaryDirectory() as scratch:
        config = RewardConfig(
            output_dir=scratch,
            seed=settings.seed,
            learning_rate=settings.learning_rate,
            num_train_epochs=1,
            per_device_train_batch_size=settings.batch_pairs,
            warmup_steps=settings.warmup_steps,
            center_rewards_coefficient=settings.center_rewards_coefficient,
            lr_scheduler_type="cosine",
            weight_decay=0.01,
            max_length=None,
            train_sampling_strategy="sequential",
            remove_unused_columns=False,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            dataloader_pin_memory=False,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        data = Dataset.from_list([dict(row) for row in in_order(rows, settings)])
        watch = _watch(tokenizer, validation, settings, progress)
        trainer = RewardTrainer(
            model=model, args=config, train_dataset=data, processing_class=tokenizer, callbacks=[watch]
        )
        trainer.remove_callback(PrinterCallback)
        steps = len(data) // settings.batch_pairs
        with progress.task("training steps", steps) as task:
            watch.task = task
            trainer.train()
    restore(model, watch.best_state)
    return {"steps": steps, "best_step": watch.best_step, "validation": watch.history}


def _watch(
    tokenizer: PreTrainedTokenizerFast,
    validation: Mapping[str, Sequence[Pair]],
    settings: Settings,
    progress: Progress,
) -> Any:
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        """Says how far training is, and keeps a copy of the best adapter so far."""

        def __init__(self) -> None:
            self.task: Any = None
            self.best_step = 0
            self.best_state: dict[str, Tensor] = {}
            self.history: dict[str, dict[str, float]] = {}

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
            self.task.advance()
            if state.global_step % settings.evaluate_every and state.global_step != state.max_steps:
                return
            score = model_scores(model, tokenizer)
            found = {name: round(float(np.mean(hits(*score(p)))), 3) for name, p in validation.items()}
            found["mean"] = round(float(np.mean(list(found.values()))), 3)
            told = "  ".join(f"{name} {value:.3f}" for name, value in found.items())
            progress.line(f"step {state.global_step}: validation  {told}")
            if not self.history or found["mean"] > self.history[str(self.best_step)]["mean"]:
                self.best_step, self.best_state = state.global_step, adapter_state(model)
            self.history[str(state.global_step)] = found

    return Watch()


def adapter_state(model: PeftModel) -> dict[str, Tensor]:
    """A copy of what was trained, by PEFT's names."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {name: value.detach().clone() for name, value in state.items()}


def restore(model: PeftModel, state: Mapping[str, Tensor]) -> None:
    """Put a copy taken by `adapter_state` back."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(model, dict(state))


def write_adapter(model: PeftModel, tokenizer: PreTrainedTokenizerFast, folder: Path = STARTER_REWARD) -> None:
    """Write adapter, configuration and tokenizer in PEFT's layout; weights in float16, half the size on disk."""
    import orjson
    import torch
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: value.to(torch.float16).contiguous() for name, value in sorted(adapter_state(model).items())}
    write_file(folder / "adapter_model.safetensors", save(halves, metadata={"format": "pt"}))
    config = model.peft_config["default"]
    config.base_model_name_or_path = BASE
    config.inference_mode = True
    config.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    described = orjson.loads((folder / "tokenizer_config.json").read_bytes())
    # Two keys that tell of the machine, one of the base's package; the last is used but not saved by the library.
    kept = {
        k: v for k, v in described.items() if k not in ("name_or_path", "is_local", "local_files_only", "max_length")
    }
    kept["split_special_tokens"] = True
    write_file(folder / "tokenizer_config.json", orjson.dumps(kept, option=orjson.OPT_SORT_KEYS))
    tokens = orjson.loads((folder / "tokenizer.json").read_bytes())
    write_file(folder / "tokenizer.json", orjson.dumps(tokens))
