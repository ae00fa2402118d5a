"""The profile: one TOML file that holds everything that shapes the data.

Paths of the store, worker counts and devices are flags or environment variables, never here. Validated whole before
anything runs; an unknown key is an error. The settings of a stage are validated by the stage's own `Config`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """Base of every section: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(Section):
    """Names of the raw columns or keys to read, for data in none of the known shapes.

    Either `messages`, or `prompt` (with `input` and `system` where there are such) and `response`.
    """

    prompt: str | None = None
    input: str | None = None
    response: str | None = None
    system: str | None = None
    messages: str | None = None
    id: str | None = None
    ignore: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Columns:
        if self.messages and (self.prompt or self.response):
            raise ValueError("name either messages, or prompt and response")
        if bool(self.prompt) != bool(self.response):
            raise ValueError("prompt and response go together")
        return self


class Source(Section):
    """Where raw data comes from. `path`: `starter`, a file, folder or glob, or `hf:owner/name[:config][:split]`."""

    path: str
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    licence: str = "unknown"
    columns: Columns = Columns()
    limit: int | None = Field(default=None, gt=0)


class Ingest(Section):
    """Limits on what is read."""

    max_line_mb: int = Field(default=16, gt=0)
    part_rows: int = Field(default=50_000, gt=0)
    max_expansion: int = Field(default=200, gt=1, description="a file that unpacks to more times its size is a bomb")
    quarantine_limit: float = Field(default=0.05, ge=0.0, le=1.0)


class StageEntry(BaseModel):
    """One entry of the pipeline: `use` names the stage, everything else is that stage's configuration."""

    model_config = ConfigDict(frozen=True, extra="allow")
    use: str

    @property
    def options(self) -> dict[str, Any]:
        """The keys beside `use`."""
        return dict(self.model_extra or {})


class Gates(Section):
    """Thresholds of the gates on the ingested rows and on the curated set."""

    min_rows: int = Field(default=1, ge=1)
    min_pairs: int = Field(default=1, ge=0)


class Generation(Section):
    """How candidates are made. Seeds are derived from prompt ids; nothing depends on order.

    With engine `none` there are none: the run ends with the curated set, without rejection sampling and pairs.
    """

    engine: Literal["vllm", "openai", "deterministic", "none"] = "vllm"
    model: str = "smollm2-135m-instruct"
    prompts: int = Field(default=16, gt=0, description="how many prompts are drawn from the curated set")
    candidates: int = Field(default=4, ge=1)
    temperature: float = Field(default=0.8, ge=0.0)
    top_p: float = Field(default=0.95, gt=0.0, le=1.0)
    max_tokens: int = Field(default=128, gt=0)
    max_model_len: int = Field(default=2048, gt=0)
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    base_url: str | None = Field(default=None, description="engine openai: such as http://localhost:8000/v1")
    concurrency: int = Field(default=16, gt=0, description="engine openai: requests in flight")
    timeout_s: float = Field(default=120.0, gt=0.0, description="engine openai: read timeout of one attempt")
    deadline_s: float = Field(default=600.0, gt=0.0, description="engine openai: all attempts of one request")
    retries: int = Field(default=5, ge=0)
    max_failed: float = Field(default=0.05, ge=0.0, le=1.0, description="share of failed requests that ends the run")

    @model_validator(mode="after")
    def _server(self) -> Generation:
        if self.engine == "openai" and not self.base_url:
            raise ValueError("engine openai needs base_url")
        return self


class Scoring(Section):
    """The reward model: any sequence-classification model with one label."""

    engine: Literal["transformers"] = "transformers"
    model: str = "starter-reward"
    batch_size: int = Field(default=16, gt=0)
    max_length: int = Field(default=512, gt=0)


class RejectionSampling(Section):
    """Best of n above a threshold: an absolute reward, or a quantile of all rewards of the run."""

    min_reward: float | None = None
    min_quantile: float = Field(default=0.5, ge=0.0, le=1.0)
    top_k: int = Field(default=1, ge=1)


class Preference(Section):
    """Pairs from scored candidates."""

    policy: Literal["best_worst"] = "best_worst"
    min_margin: float = Field(default=0.1, gt=0.0)
    max_similarity: float = Field(
        default=0.9, gt=0.0, le=1.0, description="character 5-gram Jaccard of the two answers"
    )


class Trainer(Section):
    """Settings of one training stage, in TRL's words."""

    max_steps: int = -1
    num_train_epochs: float = Field(default=1.0, gt=0.0)
    learning_rate: float = Field(default=2e-5, gt=0.0)
    per_device_train_batch_size: int = Field(default=2, gt=0)
    gradient_accumulation_steps: int = Field(default=1, gt=0)
    max_length: int = Field(default=512, gt=0)
    warmup_steps: int = Field(default=0, ge=0)
    gradient_checkpointing: bool = False
    packing: bool = False
    beta: float = Field(default=0.1, gt=0.0, description="DPO's beta")
    lora_r: int = Field(default=0, ge=0, description="rank of LoRA adapters; 0 trains all weights")
    lora_alpha: int = Field(default=32, gt=0)
    bf16: bool | None = Field(default=None, description="unset: on where the device has it")
    attn_implementation: str | None = None


class Training(Section):
    """Training on the run's own sets, each stage from the model of the one before."""

    model: str = "smollm2-135m-instruct"
    sft: Trainer = Trainer()
    rejection_sampling: Trainer = Trainer()
    dpo: Trainer = Trainer(learning_rate=5e-6)
    reward: Trainer = Trainer(learning_rate=1e-4)
    reward_model: str = "minilm-l6-v2"


class Profile(Section):
    """Everything that shapes the data of one run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0)
    sources: tuple[Source, ...] = Field(min_length=1)
    ingest: Ingest = Ingest()
    stages: tuple[StageEntry, ...] = Field(min_length=1)
    gates: Gates = Gates()
    generation: Generation = Generation()
    scoring: Scoring = Scoring()
    rejection_sampling: RejectionSampling = RejectionSampling()
    preference: Preference = Preference()
    training: Training = Training()

    @model_validator(mode="after")
    def _names(self) -> Profile:
        named = [s.name for s in self.sources if s.name]
        if len(set(named)) != len(named):
            raise ValueError("two sources have the same name")
        return self
