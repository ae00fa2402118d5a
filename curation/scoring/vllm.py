"""Reward models through vLLM's pooling runner, in a process of its own: raw logits, no activation.

The lower half runs in the child (`python -m curation.scoring.vllm`) and is the only code here that imports vllm. Token
ids come from `curation.scoring.encode`, as for transformers, so both engines read the very same; vLLM's own tokenizer,
template and truncation have no part in it. How equal their scores are: docs/scorers.md.

Prefix caching is off: with it the last digits of a score would depend on what was scored before, and a resumed run
would not give the numbers of a whole one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from curation.generation import offline
from curation.generation.process import Child, Parent, run_child
from curation.models import Model, describe
from curation.scoring.encode import Encoded, encoding_digests
from curation.scoring.encoded import EncodedScorer, ReadSettings
from curation.scoring.pretrained import expect_weights

INSTEAD: Final = "set engine = 'transformers'"
HINT: Final = (
    "where the model is not supported, set engine = 'transformers', which reads any sequence classifier; where memory "
    "ran out, lower max_length or VLLM_CPU_KVCACHE_SPACE (GiB); finished scores are kept and not made again"
)
# vLLM puts its own batches together, so ours only bound what a killed run makes again. It runs up to 256 at once.
BATCH: Final = 256


class VllmScorer(EncodedScorer):
    """Parent's end: starts the child at the first `score` and speaks to it.

    On a CPU in float32, else in bfloat16, as the engine of transformers.
    Raises EngineError where vllm is not installed, cannot load the model or crashes.
    """

    def __init__(self, model: Model, settings: ReadSettings) -> None:
        super().__init__(model, settings)
        self._version, self._cpu = offline.installed(INSTEAD)
        self._dtype = "float32" if self._cpu else "bfloat16"
        self._child: Child | None = None

    def identity(self) -> dict[str, Any]:
        """What shapes a score."""
        return {
            "engine": "vllm",
            "version": self._version,
            "device": "cpu" if self._cpu else "cuda",
            "dtype": self._dtype,
            "model": describe(self._model),
            **encoding_digests(),
            "max_length": self._settings.max_length,
            "batch_size": self._batch_size(),
        }

    def close(self) -> None:
        """End the child; a later `score` starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _logits(self, rows: Sequence[Encoded]) -> Sequence[float | None]:
        asked = [{"ids": row.ids.tolist(), "second": _second(row) if self.reader.segments else None} for row in rows]
        try:
            child = self._started()
            child.send({"rows": asked})
            found: list[float | None] = child.receive()["logits"]
        except BaseException:  # its next answer would be the one to this question
            self.close()
            raise
        return found

    def _batch_size(self) -> int:
        return max(BATCH, self._settings.batch_size)

    def _started(self) -> Child:
        if self._child is None:
            self._expect_head()
            settings = {
                "model": self._model.path,
                "revision": self._model.revision,
                "dtype": self._dtype,
                "max_model_len": self.reader.limit,
                "cpu": self._cpu,
            }
            environment = offline.environment(self._model.path, os.environ, cpu=self._cpu)
            self._child = Child(__name__, settings, environment, f"vllm's pooling of {self._model.name}", HINT)
        return self._child

    def _expect_head(self) -> None:
        """Raise EngineError where the head was never trained: for a decoder vLLM would score with what memory holds."""
        from transformers import AutoModelForSequenceClassification

        expect_weights(AutoModelForSequenceClassification, self._model, self.what)


def _second(row: Encoded) -> int | None:
    """Where the second segment begins, None where there is one segment."""
    return row.types.index(1) if 1 in row.types else None


# From here on: the child.


class _Engine:
    """vLLM with the model loaded."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        from vllm import LLM

        self._llm = LLM(
            model=settings["model"],
            revision=settings["revision"],
            runner="pooling",
            dtype=settings["dtype"],
            max_model_len=settings["max_model_len"],
            load_format="safetensors",
            enable_prefix_caching=False,
            enforce_eager=settings["cpu"],
        )

    def logits(self, rows: Sequence[Mapping[str, Any]]) -> list[float | None]:
        """One raw logit a row, in order."""
        from vllm import PoolingParams
        from vllm.inputs import TokensPrompt

        if any(row["second"] is not None for row in rows):
            self._expect_segments()
        parameters = [
            PoolingParams(
                use_activation=False,
                # What `LLM.score` passes on for a pair of texts: where the segment ids turn from 0 to 1.
                extra_kwargs=None if row["second"] is None else {"compressed_token_type_ids": row["second"]},
            )
            for row in rows
        ]
        prompts = [TokensPrompt(prompt_token_ids=row["ids"]) for row in rows]
        outputs = self._llm.classify(prompts, pooling_params=parameters, use_tqdm=False)
        return [_only(output.outputs.probs) for output in outputs]

    def _expect_segments(self) -> None:
        """Raise ValueError where vLLM's own code of this model would not tell the answer from the prompt."""
        import inspect

        from vllm.model_executor.models import ModelRegistry

        config = self._llm.model_config
        kind, name = ModelRegistry.resolve_model_cls(config.architectures, config)
        if "token_type_ids" not in inspect.signature(kind.forward).parameters:
            raise ValueError(f"vllm's {name} reads no segments, and this model is shown prompt and answer as two")


def _only(logits: Sequence[float]) -> float:
    if len(logits) != 1:
        raise ValueError(f"{len(logits)} logits for one conversation; a reward model has one")
    return logits[0]


def _serve(parent: Parent) -> None:
    settings = parent.receive()
    if settings is None:
        return
    engine = _Engine(settings)
    while (message := parent.receive()) is not None:
        parent.send({"logits": engine.logits(message["rows"])})
    if settings["cpu"]:
        os._exit(0)  # one process with nothing to give back but memory; vLLM's own end takes seconds


if __name__ == "__main__":
    run_child(_serve)
