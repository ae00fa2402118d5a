"""Encoders for tests: nothing to load, and vectors that can be worked out by hand."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


class Angles:
    """Texts as unit vectors of two numbers, by an angle in degrees: two texts have the cosine of the difference.

    A text that `angles` does not name has an angle of its own. A token is a word.
    """

    name = "angles"
    dimension = 2

    def __init__(self, angles: Mapping[str, float] | None = None, limit: int | None = None) -> None:
        self.angles, self.limit = dict(angles or {}), limit
        self.digest = f"angles {sorted(self.angles.items())}"
        self.batches: list[list[str]] = []

    def tokens(self, texts: Sequence[str]) -> npt.NDArray[np.int32]:
        return np.array([len(text.split()) for text in texts], np.int32)

    def encode(self, texts: Sequence[str], task: str | None = None) -> npt.NDArray[np.float32]:
        self.batches.append(list(texts))
        degrees = [self.angles.get(text, _own(text)) for text in texts]
        radians = np.radians(degrees)
        return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)

    @property
    def embedded(self) -> list[str]:
        return [text for batch in self.batches for text in batch]


def _own(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32 * 360


def cosine(degrees: float) -> float:
    return round(math.cos(math.radians(degrees)), 6)
