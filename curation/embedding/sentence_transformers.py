"""Any sentence-transformers encoder: a packaged one, a folder, or a Hub id. Weights are safetensors, no code is run.

In float32 the last digits of a vector depend on what else is in the batch: by 1.5e-7 with MiniLM on a CPU. `cache`
plans batches by content alone, so that the same set of texts gives the same vectors in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.digest import sha256_value
from curation.embedding.encoder import Vectors
from curation.models import Model, describe
from schemas.errors import EngineError, UsageError


class SentenceEncoder:
    """An encoder on the GPU where there is one, else on the CPU; in float32."""

    def __init__(self, model: Model) -> None:
        self.name = model.name
        libraries = [version("sentence-transformers"), version("transformers"), version("torch")]
        self.digest = sha256_value([*libraries, describe(model)])
        self._source = model
        self._model: Any = None

    @property
    def dimension(self) -> int:
        return int(self._loaded().get_embedding_dimension())

    @property
    def limit(self) -> int | None:
        found = self._loaded().max_seq_length
        return None if found is None else int(found)

    def tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        tokenizer = self._loaded().tokenizer
        ids = tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return np.fromiter(map(len, ids), np.int32, len(texts))

    def encode(self, texts: Sequence[str], task: str | None = None) -> Vectors:
        model = self._loaded()
        if task is not None and task not in model.prompts:
            names = ", ".join(model.prompts) or "none"
            raise UsageError(
                f"{self.name} has no prompt {task!r}; it has {names}", hint="name one of them, or leave it out"
            )
        found = model.encode(
            list(texts),
            prompt_name=task,
            batch_size=max(1, len(texts)),
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        vectors: Vectors = np.asarray(found, np.float32)
        return vectors

    def _loaded(self) -> Any:
        if self._model is None:
            _refuse_pickles(self._source)
            from sentence_transformers import SentenceTransformer

            try:
                self._model = SentenceTransformer(
                    self._source.path,
                    revision=self._source.revision,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
            except (OSError, ValueError, KeyError) as error:
                raise EngineError(
                    f"the encoder {self.name} cannot be loaded: {type(error).__name__}: {error}",
                    hint="name a sentence-transformers folder with safetensors weights, or a Hub id that is reachable",
                ) from error
        return self._model


def _refuse_pickles(model: Model) -> None:
    """Raise UsageError where a layer of a local folder has its weights as a pickle alone."""
    for weights in sorted(Path(model.path).rglob("pytorch_model.bin")):
        if not (weights.parent / "model.safetensors").exists():
            raise UsageError(f"{weights} is a pickle", hint="convert the weights to model.safetensors")
