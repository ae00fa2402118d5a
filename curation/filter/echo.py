"""Find answers that only say the prompt again.

- `prompt_repeated`: the answer is the last user turn, or the whole prompt, or the beginning of one of them: at least
  `min_share` of it.
- `prompt_restated`: the answer begins with the whole of the last user turn, and that is `min_share` of it or more.

Compared are letters and digits alone, without case, so that other marks and line breaks hide nothing. Ingest
quarantines records whose prompt and response are equal; this finds those that differ in form, and stands in for it in
conversations. An answer that takes up the words of the question ("The capital of France is Paris.") is no echo, and a
passage quoted from the prompt is not either. Where the prompt asks to repeat, copy, correct or continue, an answer may
be the prompt.
"""

from __future__ import annotations

import re

import polars as pl
from pydantic import Field

from curation import text
from curation.filter.working import ANSWER, PROMPT, Action, judge, texts
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"

_USER, _REPEATED, _RESTATED = "__user", "__repeated", "__restated"
_START = 6  # characters in which the answer and what it repeats must agree for a closer look
_MARKS = " \t\n\"'“”‘’「『《<>()[]*#`-–—•.,:;!?¿¡"  # may stand before them
_MAY_REPEAT = (
    r"(?i)\b(?:repeat|copy|echo|say (?:this|that|it|exactly|after)|verbatim|rewrit|re-?write|edit|proofread|correct|fix"
    r"|grammar|punctuat|capitali[sz]|rearrange|reorder|unscramble|format|convert|continue|complet|finish|recite|spell"
    r"|paraphras|rephras|same)\w*|따라 ?(?:하|해|말|써)|반복|그대로|복사|고쳐|수정|교정|맞춤법|이어|완성|바꿔|바꾸"
)


class Config(StageConfig):
    """What becomes of a row on which a rule fires (drop, flag, off), and the share from which it does."""

    prompt_repeated: Action = "drop"
    prompt_restated: Action = "flag"
    min_share: float = Field(default=0.8, gt=0.5, le=1.0)
    min_letters: int = Field(default=12, ge=1, description="a shorter prompt may be a greeting, and is returned")


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: see above; value: the share."""
    frame = rows.collect()
    user = frame.select(text.last_user().fill_null("").alias(_USER)).to_series()
    suspects = texts(frame).with_columns(user).filter(_suspect()).filter(~pl.col(_USER).str.contains(_MAY_REPEAT))
    columns = (map(letters, suspects[name]) for name in (PROMPT, _USER, ANSWER))
    triples = list(zip(*columns, strict=True))
    least = config.min_letters
    measured = suspects.with_columns(
        pl.Series(_REPEATED, [max(repeated(asked, a, least) for asked in (p, u)) for p, u, a in triples], pl.Float64),
        pl.Series(_RESTATED, [restated(u, a, least) for _, u, a in triples], pl.Float64),
    )
    rules = {
        name: Rule(pl.col(share) >= config.min_share, pl.col(share), config.min_share)
        for name, share in (("prompt_repeated", _REPEATED), ("prompt_restated", _RESTATED))
    }
    return judge(frame, measured, rules, config.model_dump())


def _suspect() -> pl.Expr:
    """Whether the answer starts as the prompt or the last user turn does, whatever the case and marks before it."""
    prompt, user, answer = (
        pl.col(name).str.strip_chars_start(_MARKS).str.slice(0, _START).str.replace_all(r"\s", " ").str.to_lowercase()
        for name in (PROMPT, _USER, ANSWER)
    )
    return (answer != "") & ((prompt == answer) | (user == answer))


def letters(whole: str) -> str:
    """The letters and digits of a text, without case."""
    return re.sub(r"[\W_]+", "", whole.lower())


def repeated(asked: str, said: str, least: int) -> float:
    """The share of the prompt's letters that the answer consists of; 0 where it has others."""
    return len(said) / len(asked) if len(asked) >= least and said and asked.startswith(said) else 0.0


def restated(asked: str, said: str, least: int) -> float:
    """The share of the answer's letters that the question at its beginning is; 0 where it does not begin so."""
    return len(asked) / len(said) if len(asked) >= least and said.startswith(asked) else 0.0
