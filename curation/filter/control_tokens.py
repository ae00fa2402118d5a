"""Drop rows whose text contains a chat template's control tokens, or a prompt format that ran on into the answer.

A tokenizer turns `<|im_start|>` in a text into the very token that separates turns: such a row can end a turn, open a
system turn, or teach the model to write either. Every message is looked at, and its `extra` as well, as it stands and
in NFKC without zero-width characters, the form in which many tokenizers read it (full-width `＜｜im_end｜＞`).

`<s>` and `</s>` alone are HTML as often as tokens: they count only with `[INST]`, or as a lone `</s>` at the end.
Tokens of tasks rather than of turns (`<mask>`, `<think>`, `<tool_call>`) are left to `tokens`.
"""

from __future__ import annotations

from typing import Annotated
from unicodedata import normalize

import polars as pl
from pydantic import Field

from curation import text
from curation.stage import Context, Result, Rule, StageConfig, filter_rows

SCOPE = "row"

_PATTERNS = (
    r"<\|[A-Za-z0-9_▁.:/-]{2,64}\|>",  # ChatML, Llama 3, Phi, Cohere, GLM, OLMo; DeepSeek after NFKC
    r"\[\|[A-Za-z_]{1,32}\|\]",  # EXAONE
    r"(?:<s>\s*)?\[/?INST\]|<</?SYS>>",  # Llama 2, Mistral
    r"\[(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]",  # Mistral
    r"<(?:start|end)_of_(?:turn|image|text)>",  # Gemma, EXAONE
    r"<(?:bos|eos|pad|unk|sop|eop|eoh|eoa)>|\[gMASK\]",
    r"<extra_id_\d{1,3}>|<reserved_\d{1,4}>",  # T5, Nemotron; Baichuan
)
_ENDS = r"</s>\s*\z"
_OPENS = r"<s(?:\s[^<>]*)?>"
_INVISIBLE = r"[\x{AD}\x{200B}-\x{200F}\x{2060}\x{FEFF}]"

# The numbered few-shot format of Self-Instruct, and the headings of Alpaca's prompt, inside an answer.
_NUMBERED = (r"(?m)^\s*\d+\.\s*(?:Instruction|Input):", r"(?m)^\s*\d+\.\s*Output:")
_HEADINGS = (r"(?m)^### (?:Instruction|Input):\s*$", r"(?m)^### Response:\s*$")
_FIRST_LINE = rf"({_NUMBERED[0]}|{_HEADINGS[0]})"


class Config(StageConfig):
    """`tokens`: further strings to look for, such as all special tokens of the model that will be trained."""

    tokens: tuple[Annotated[str, Field(min_length=1)], ...] = ()


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: control_token, template_leak; detail: the first token, the first line of the format."""
    token = _first_token(config)
    leak = pl.any_horizontal(
        pl.all_horizontal(text.response().str.contains(part) for part in parts) for parts in (_NUMBERED, _HEADINGS)
    )
    return filter_rows(
        rows,
        {
            "control_token": Rule(token.is_not_null(), detail=token),
            "template_leak": Rule(leak.fill_null(False), detail=text.response().str.extract(_FIRST_LINE)),
        },
    )


def _first_token(config: Config) -> pl.Expr:
    """The first control token of a row, null where there is none: as the text stands, then in its folded form."""
    content, extra = (pl.col("messages").list.eval(pl.element().struct.field(name)) for name in ("content", "extra"))
    whole = content.list.concat(extra).list.join("\n", ignore_nulls=True)
    known = "|".join([*_PATTERNS, *(pl.escape_regex(token) for token in config.tokens)])
    folded = "|".join([*_PATTERNS, *(pl.escape_regex(normalize("NFKC", token)) for token in config.tokens)])
    ends = pl.element().str.contains(_ENDS) & ~pl.element().str.contains(_OPENS)
    return pl.coalesce(
        whole.str.extract(f"({known})"),
        whole.str.normalize("NFKC").str.replace_all(_INVISIBLE, "").str.extract(f"({folded})"),
        pl.when(content.list.eval(ends).list.any()).then(pl.lit("</s>")),
    )
