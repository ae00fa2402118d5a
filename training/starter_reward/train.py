"""Training: the lower layers of the encoder are frozen, and one layer above them, pooler and head are trained whole.

The layer starts as a mean over tokens: its attention is uniform (queries of zero), its values are the states as they
are, and its feed-forward part adds nothing. The pooler starts as the standardisation of what it is given. So training
begins where a linear head on averaged features would, and the attention learns where to look.

The loss of a pair is Bradley-Terry's, -log sigmoid(r(chosen) - r(rejected)), with its weight, plus a small penalty on
the square of the sum of the two rewards, which holds their mean near zero (Eisenstein et al. 2023, arXiv 2312.09244,
and `center_rewards_coefficient` of TRL's RewardTrainer).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from curation.models import REWARD_WEIGHTS, STARTER_REWARD
from curation.progress import Progress
from curation.store import write_file
from training.starter_reward.evaluate import Rewards, criterion
from training.starter_reward.frozen import UpperLayers
from training.starter_reward.rows import Row, balanced, batches

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BASE: Final = "e5-small"
FROZEN: Final = 8
TRAINED: Final = (f"bert.encoder.layer.{FROZEN}.", "bert.pooler.", "classifier.")
INDENTED: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
MACHINE: Final = {"name_or_path", "is_local", "local_files_only"}
# Twice the mean beside the first token's own state, which a layer adds to what its attention finds.
MEAN_WEIGHT: Final = 2.0
# Standardised features times this, so that tanh is near linear for most of them.
POOLER_SCALE: Final = 0.3
# Every third training pair tells mean and deviation of the features well enough.
SAMPLED: Final = 3


@dataclass(frozen=True)
class Settings:
    """What shapes the weights.

    `max_tokens` and `most` bound the time on a small CPU: a training pair with a longer side is left out (it is never
    cut), and of the sources named only that many pairs are trained on. `validation_tokens` and `most_validation` do the
    same for the pairs that the step is chosen by, and `most_held_out` for those that are measured.
    """

    seed: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    epochs: int = 3
    batch_pairs: int = 16
    warmup_share: float = 0.06
    center_rewards_coefficient: float = 0.01
    most_weight: float = 4.0
    evaluations: int = 3
    max_tokens: Mapping[str, int] = field(default_factory=lambda: {"": 320, "korm": 420})
    validation_tokens: Mapping[str, int] = field(default_factory=lambda: {"": 512})
    most: Mapping[str, int] = field(
        default_factory=lambda: {"hrc": 200, "korm": 340, "made": 560, "made_ko": 200, "bloated": 420, "evasive": 400}
    )
    most_validation: Mapping[str, int] = field(
        default_factory=lambda: {"hrc": 90, "korm": 140, "made": 140, "made_ko": 90, "bloated": 140, "evasive": 90}
    )
    most_held_out: Mapping[str, int] = field(
        default_factory=lambda: {
            **{"hh": 300, "hrc": 150, "korm": 150},
            **{"made": 120, "made_ko": 80, "bloated": 120, "evasive": 120},
        }
    )


def prepare(body: Any) -> None:
    """Freeze the body but for its upper layer, pooler and head, and start these as described above."""
    import torch

    for name, weights in body.named_parameters():
        weights.requires_grad_(name.startswith(TRAINED))
    layer = body.bert.encoder.layer[FROZEN]
    attention, output = layer.attention.self, layer.attention.output
    identity = torch.eye(len(output.dense.weight))
    with torch.no_grad():
        for zero in (attention.query, layer.output.dense, body.classifier):
            zero.weight.zero_()
        attention.value.weight.copy_(identity)
        output.dense.weight.copy_(MEAN_WEIGHT * identity)
        for module in (attention.query, attention.value, output.dense, layer.output.dense, body.classifier):
            module.bias.zero_()
        for norm in (output.LayerNorm, layer.output.LayerNorm):
            norm.weight.fill_(1)
            norm.bias.zero_()


def standardise(body: Any, features: Tensor) -> None:
    """Start the pooler as tanh of the standardised features times POOLER_SCALE; `features` is (sequences, hidden)."""
    import torch

    mean, scale = features.mean(dim=0), POOLER_SCALE / features.std(dim=0)
    with torch.no_grad():
        body.bert.pooler.dense.weight.copy_(torch.diag(scale))
        body.bert.pooler.dense.bias.copy_(-mean * scale)


class Fit:
    """One training run over kept states: chosen conversations first, then the rejected ones, in the order of rows."""

    def __init__(
        self,
        body: PreTrainedModel,
        train: Mapping[str, Sequence[Row]],
        validation: Mapping[str, Sequence[Row]],
        settings: Settings,
    ) -> None:
        self.body, self.settings, self.validation = body, settings, validation
        self.train = [row for rows in train.values() for row in balanced(rows, settings.most_weight)]
        self.rows = [*self.train, *(row for rows in validation.values() for row in rows)]
        self.upper = UpperLayers(body, FROZEN)
        self.best_step = 0
        self.best_state: dict[str, Tensor] = {}
        self.history: dict[str, dict[str, float]] = {}

    def run(self, progress: Progress) -> dict[str, Any]:
        """Train in place; end with the weights whose criterion on validation pairs was best.

        Runs on the CPU wherever it is run, so that the figures of the card are those of the machine's arithmetic alone.
        """
        import torch

        torch.manual_seed(self.settings.seed)
        if not self.upper.states:
            self.upper.keep([row.ids[side] for side in (0, 1) for row in self.rows], progress)
        starts = (0, len(self.rows))
        sampled = [start + at for start in starts for at in range(0, len(self.train), SAMPLED)]
        standardise(self.body, self.upper.features(sampled))
        plan = batches(self.train, self.settings.batch_pairs, self.settings.epochs, self.settings.seed)
        stops = {round(len(plan) * at / self.settings.evaluations) for at in range(1, self.settings.evaluations + 1)}
        with progress.task("training steps", len(plan)) as task:
            for step, _ in enumerate(self._steps(plan), start=1):
                task.advance()
                if step in stops:
                    self._validate(step, progress)
        self.body.load_state_dict(self.best_state, strict=False)
        return {"steps": len(plan), "best_step": self.best_step, "validation": self.history}

    def _steps(self, plan: Sequence[Sequence[int]]) -> Iterator[None]:
        import torch

        trained = [weights for weights in self.body.parameters() if weights.requires_grad]
        optimizer = torch.optim.AdamW(trained, weight_decay=self.settings.weight_decay)
        self.body.train()
        for step, batch in enumerate(plan, start=1):
            for group in optimizer.param_groups:
                group["lr"] = self.settings.learning_rate * schedule(step, len(plan), self.settings.warmup_share)
            optimizer.zero_grad()
            self._loss(batch).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            yield
        self.body.eval()

    def _loss(self, batch: Sequence[int]) -> Tensor:
        import torch

        chosen, rejected = self.upper(batch), self.upper([at + len(self.rows) for at in batch])
        weights = torch.tensor([self.train[at].weight for at in batch])
        preference = -(weights * torch.nn.functional.logsigmoid(chosen - rejected)).mean()
        return preference + self.settings.center_rewards_coefficient * ((chosen + rejected) ** 2).mean()

    def _validate(self, step: int, progress: Progress) -> None:
        scored: dict[str, Rewards] = {}
        start = len(self.train)
        for name, rows in self.validation.items():
            places = range(start, start + len(rows))
            scored[name] = (
                self.upper.rewards(places),
                self.upper.rewards([at + len(self.rows) for at in places]),
            )
            start += len(rows)
        found = criterion({name: [row.pair for row in rows] for name, rows in self.validation.items()}, scored)
        progress.line(f"step {step}: validation  " + "  ".join(f"{name} {value:.3f}" for name, value in found.items()))
        if not self.history or found["mean"] > self.history[str(self.best_step)]["mean"]:
            self.best_step, self.best_state = step, trained_state(self.body)
        self.history[str(step)] = found


def schedule(step: int, steps: int, warmup_share: float) -> float:
    """Share of the learning rate at a step, from 1 on: a linear rise, times half a cosine down to zero."""
    return min(1.0, step / max(1.0, warmup_share * steps)) * 0.5 * (1 + math.cos(math.pi * step / steps))


def trained_state(body: PreTrainedModel) -> dict[str, Tensor]:
    """A copy of what is trained, by the body's own names."""
    return {name: value.detach().clone() for name, value in body.state_dict().items() if name.startswith(TRAINED)}


def write_head(body: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path = STARTER_REWARD) -> None:
    """Write what was trained, in float16, half the size on disk.

    Beside it: the body's configuration, which tells how many layers it has, and what the tokenizer has that its base
    has not. The vocabulary is the base's.
    """
    import torch
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: value.to(torch.float16).contiguous() for name, value in sorted(trained_state(body).items())}
    write_file(folder / REWARD_WEIGHTS, save(halves, metadata={"format": "pt"}))
    body.config.architectures = [type(body).__name__]
    write_file(folder / "config.json", body.config.to_json_string(use_diff=True).encode())
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer.save_pretrained(scratch)
        described = orjson.loads((Path(scratch) / "tokenizer_config.json").read_bytes())
        write_file(folder / "chat_template.jinja", (Path(scratch) / "chat_template.jinja").read_bytes())
    # Three keys tell of the machine. Those added are used but not saved by the library.
    kept = {key: value for key, value in described.items() if key not in MACHINE}
    kept |= {"split_special_tokens": True, "truncation_side": tokenizer.truncation_side}
    write_file(folder / "tokenizer_config.json", orjson.dumps(kept, option=INDENTED) + b"\n")
