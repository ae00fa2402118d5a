"""Drop rows whose prompt or response is too short or too long.

Lengths are in characters, so that the bounds mean the same with and without spaces between words. The defaults
drop only what no trainer can use: nothing at all, and answers above 32,768 characters (about 8,000 tokens of English),
which every default `max_length` in use cuts. Raise the lower bounds with care: one character is a whole answer to a
classification or a sum ("3", "D") and a whole word of Korean ("네"), and two make a Korean prompt ("심심").
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from curation import text
from curation.stage import Context, Result, Rule, StageConfig, filter_rows

SCOPE = "row"


class Config(StageConfig):
    """Bounds in characters after trimming, both ends inclusive."""

    min_prompt: int = Field(default=1, ge=0)
    max_prompt: int = Field(default=32_768, gt=0)
    min_response: int = Field(default=1, ge=0)
    max_response: int = Field(default=32_768, gt=0)


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: prompt_too_short, prompt_too_long, response_too_short, response_too_long; value in characters."""
    prompt = text.prompt().str.strip_chars().str.len_chars()
    response = text.response().str.strip_chars().str.len_chars()
    return filter_rows(
        rows,
        {
            "prompt_too_short": Rule(prompt < config.min_prompt, prompt, config.min_prompt),
            "prompt_too_long": Rule(prompt > config.max_prompt, prompt, config.max_prompt),
            "response_too_short": Rule(response < config.min_response, response, config.min_response),
            "response_too_long": Rule(response > config.max_response, response, config.max_response),
        },
    )
