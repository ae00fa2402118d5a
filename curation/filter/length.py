"""Drop rows whose prompt or response is too short or too long.

Lengths are in characters, or, with `unit = "words"`, in English words' worth of letters (`curation.text.words`), in
which the same bounds are right for Korean and English: a Korean text has half the characters of its translation.

The defaults drop only what no trainer can use: nothing at all, and answers above 32,768 characters (about 8,000
tokens of English), which every default `max_length` in use cuts. Raise the lower bounds with care: one character is a
whole answer to a classification or a sum ("3", "D") and a whole word of Korean ("네"), and two make a Korean prompt
("심심").
"""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from curation import text
from curation.stage import Context, Result, Rule, StageConfig, filter_rows

SCOPE = "row"


class Config(StageConfig):
    """Bounds in `unit`s, both ends inclusive; characters are counted after trimming, words as fractions."""

    unit: Literal["characters", "words"] = "characters"
    min_prompt: float = Field(default=1, ge=0)
    max_prompt: float = Field(default=32_768, gt=0)
    min_response: float = Field(default=1, ge=0)
    max_response: float = Field(default=32_768, gt=0)


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: prompt_too_short, prompt_too_long, response_too_short, response_too_long; value in the unit."""
    prompt, response = (_length(expr, config) for expr in (text.prompt(), text.response()))
    return filter_rows(
        rows,
        {
            "prompt_too_short": Rule(prompt < config.min_prompt, prompt, config.min_prompt),
            "prompt_too_long": Rule(prompt > config.max_prompt, prompt, config.max_prompt),
            "response_too_short": Rule(response < config.min_response, response, config.min_response),
            "response_too_long": Rule(response > config.max_response, response, config.max_response),
        },
    )


def _length(expr: pl.Expr, config: Config) -> pl.Expr:
    return text.words(expr) if config.unit == "words" else expr.str.strip_chars().str.len_chars()
