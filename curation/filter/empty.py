"""Drop rows in which the prompt or the response says nothing.

A text is empty where every character of it is whitespace or invisible: controls, zero-width characters, variation
selectors, and the letters that fonts draw as nothing (the Hangul fillers, the blank Braille pattern). A turn without
text that calls a tool is not empty.

Placeholders are the marks that generators of instruction data leave where there is no answer, such as `<nooutput>`.
Words alone ("No output.") are an answer, to "What does this program print?" for instance, and stay.
"""

from __future__ import annotations

import polars as pl

from curation import text
from curation.stage import Context, Result, Rule, StageConfig, filter_rows

SCOPE = "row"

_MARK = r"(?:no[ _-]?(?:input|output)|(?:입력|출력) ?없음)"
_PLACEHOLDER = rf"(?i)\A\s*(?:no(?:input|output)|\\?<\s*{_MARK}\b[^<>\n]*>|\[\s*{_MARK}\s*\])\s*\.?\s*\z"


class Config(StageConfig):
    """Nothing to set."""


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: no_response (no assistant turn), prompt_empty, response_empty, placeholder_response.

    `prompt_empty` also fires where an answer follows an empty last user turn, whatever was said before.
    """
    role = pl.element().struct.field("role")
    turns = pl.col("messages")
    answered = turns.list.eval(role == "assistant").list.any()
    asked_nothing = text.last_user().is_not_null() & ~text.visible(text.last_user())
    ends_in_answer = turns.list.last().struct.field("role") == "assistant"
    return filter_rows(
        rows,
        {
            "no_response": Rule(~answered),
            "prompt_empty": Rule(~text.visible(text.prompt()) | (asked_nothing & ends_in_answer)),
            "response_empty": Rule(~text.visible(text.response()) & ~text.calls_tool()),
            "placeholder_response": Rule(
                text.response().str.contains(_PLACEHOLDER).fill_null(False), detail=text.response()
            ),
        },
    )
