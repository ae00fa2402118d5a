"""Drop rows whose text contains a chat template's control tokens, or a prompt format that ran on into the answer.

A tokenizer turns `<|im_start|>` in a text into the very token that separates turns: such a row can end a turn, open a
system turn, or teach the model to write either. Every message is looked at, and its `extra` as well, as it stands and
in NFKC without zero-width characters, the form in which many tokenizers read it (full-width `＜｜im_end｜＞`).

`<s>` and `</s>` alone are HTML as often as tokens: they count only with `[INST]`, or as a lone `</s>` at the end.
Tokens of tasks rather than of turns (`<mask>`, `<think>`, `<tool_call>`) are left to `tokens` and `tokenizers`: of a
tokenizer that is named, every special token counts, and every added one in the form of a marker.

A set about tokens needs such rows: with `action = "flag"` they stay. The encoders that generate, score and measure
(`curation.generation.template.encode_chat`, `split_special_tokens` for models without a chat template) read no control
token in a text; a trainer that renders a text with the chat template and tokenizes the whole does.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from unicodedata import normalize

import polars as pl
from pydantic import Field

from curation import text
from curation.digest import sha256_value
from curation.filter.working import judge
from curation.stage import Context, Result, Rule, StageConfig

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

# Characters that NFKC may turn into a part of a token, or that may hide in one: all but ASCII, letters of Latin-1,
# dashes, quotation marks, Kana, Hangul and Han, which it leaves as they are.
_FOLDS = (
    r"[^\x00-\x7F\x{A1}-\x{A7}\x{AB}\x{AC}\x{AE}\x{B0}\x{B1}\x{B6}\x{B7}\x{BB}\x{BF}-\x{FF}\x{2012}-\x{2016}"
    r"\x{2018}-\x{2023}\x{20AC}\x{3001}-\x{3002}\x{3008}-\x{3011}\x{3041}-\x{3096}\x{30A1}-\x{30FA}"
    r"\x{4E00}-\x{9FFF}\x{AC00}-\x{D7A3}]"
)

# The numbered few-shot format of Self-Instruct, and the headings of Alpaca's prompt, inside an answer.
_NUMBERED = (r"(?m)^\s*\d+\.\s*(?:Instruction|Input):", r"(?m)^\s*\d+\.\s*Output:")
_HEADINGS = (r"(?m)^### (?:Instruction|Input):\s*$", r"(?m)^### Response:\s*$")
_FIRST_LINE = rf"({_NUMBERED[0]}|{_HEADINGS[0]})"


class Config(StageConfig):
    """`tokens`: further strings to look for. `tokenizers`: the models, named as in profiles, whose tokens count.

    `action` is what becomes of a row with a control token.
    """

    tokens: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    tokenizers: tuple[str, ...] = ()
    action: Literal["drop", "flag"] = "drop"


def fingerprint(config: Config, context: Context) -> Any:
    """The tokens of the tokenizers."""
    return sha256_value([_tokens_of(name, context.home) for name in config.tokenizers])


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: control_token, template_leak; detail: the first token, the first line of the format."""
    tokens = dict.fromkeys(config.tokens)
    for name in config.tokenizers:
        tokens |= dict.fromkeys(_tokens_of(name, context.home))
    known = "|".join([*_PATTERNS, *map(pl.escape_regex, tokens)])
    folded = "|".join([*_PATTERNS, *(pl.escape_regex(normalize("NFKC", token)) for token in tokens)])
    frame = rows.collect()
    suspects = frame.filter(_any_text(rf"{known}|{folded}|{_ENDS}|{_FOLDS}|{_FIRST_LINE}"))
    token, answer = _first_token(known, folded), text.response().fill_null("")
    leak = pl.any_horizontal(
        pl.all_horizontal(answer.str.contains(part) for part in parts) for parts in (_NUMBERED, _HEADINGS)
    )
    rules = {
        "control_token": Rule(token.is_not_null(), detail=token),
        "template_leak": Rule(leak, detail=answer.str.extract(_FIRST_LINE)),
    }
    return judge(frame, suspects, rules, {"control_token": config.action, "template_leak": "drop"})


@lru_cache(maxsize=8)
def _tokens_of(name: str, home: Path) -> tuple[str, ...]:
    """The tokens that no text may produce, sorted, of the tokenizer of a model."""
    from transformers import AutoTokenizer

    from curation.generation.template import control_tokens
    from curation.models import resolve

    model = resolve(name, home)
    return tuple(sorted(control_tokens(AutoTokenizer.from_pretrained(model.path, revision=model.revision)).values()))


def _any_text(pattern: str) -> pl.Expr:
    """Whether any content or extra of a row has the pattern."""
    message = pl.element().struct
    found = message.field("content").str.contains(pattern) | message.field("extra").str.contains(pattern)
    return pl.col("messages").list.eval(found.fill_null(False)).list.any()


def _first_token(known: str, folded: str) -> pl.Expr:
    """The first control token of a row, null where there is none: as the text stands, then in its folded form."""
    content, extra = (pl.col("messages").list.eval(pl.element().struct.field(name)) for name in ("content", "extra"))
    whole = content.list.concat(extra).list.join("\n", ignore_nulls=True)
    ends = pl.element().str.contains(_ENDS) & ~pl.element().str.contains(_OPENS)
    return pl.coalesce(
        whole.str.extract(f"({known})"),
        whole.str.normalize("NFKC").str.replace_all(_INVISIBLE, "").str.extract(f"({folded})"),
        pl.when(content.list.eval(ends).list.any()).then(pl.lit("</s>")),
    )
