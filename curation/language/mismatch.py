"""Drop rows answered in another language than they were asked in, without cause.

Both languages must be sure: the letters of a script, English function words, or a clear verdict of the detector. A
cause is a prompt that names the answer's language or speaks of translating (`curation.language.requests`), or that
itself holds text in it: a passage to read, an e-mail to answer. Code is no language, and an answer of a few words is
none to judge by: names, formulas, terms, titles.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from pydantic import Field

from curation import text
from curation.language.detector import model_digest
from curation.language.english import READ, english_words
from curation.language.languages import UNDETERMINED, languages, surely_english
from curation.language.prose import prose
from curation.language.requests import NAMES, asks_for, asks_for_another
from curation.language.scripts import SCRIPTS
from curation.stage import Context, Result, Rule, StageConfig, filter_rows

SCOPE = "row"

QUOTED = 4  # English words, or letters of another script, with which a prompt holds text in the answer's language
PROSE = 0.15  # share of English function words in English; lists of terms have fewer
LONG_PROMPT, LONG_RESPONSE = 3, 8  # words that both sides need where they share a script
BRIEF = 40  # characters of a prompt in ASCII that is not looked at closely where the answer is English
SURE = 0.8  # confidence that both need then

_DETAIL, _VALUE = "__detail", "__value"


class Config(StageConfig):
    """`min_confidence` holds for prompt and response (SURE where they share a script); `min_words` for the
    response's prose (`curation.text.words`)."""

    min_confidence: float = Field(default=0.6, ge=0.0, le=1.0)
    min_words: float = Field(default=5.0, ge=0.0, description="a shorter response is not judged")


def fingerprint(config: Config, context: Context) -> Any:
    """The detector's model."""
    return model_digest()


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: response_language_mismatch (value: the lower confidence of the two; detail: `ko -> en`).

    Facts: rows of each pair of languages that differ, with or without cause.
    """
    frame = rows.collect()
    pairs = frame.select(text.last_user().alias("prompt"), text.response().alias("response")).with_row_index("at")
    unlike = _unlike(pairs.filter(~_same()), config)
    found = unlike.filter(~_has_cause(frame, unlike))
    dropped = pairs.select("at").join(found, on="at", how="left", maintain_order="left")
    judged = frame.with_columns(dropped["detail"].alias(_DETAIL), dropped["value"].alias(_VALUE))
    mismatch = Rule(pl.col(_DETAIL).is_not_null(), pl.col(_VALUE), config.min_confidence, pl.col(_DETAIL))
    result = filter_rows(judged.lazy(), {"response_language_mismatch": mismatch})
    counts = unlike.group_by("detail").len().sort("detail")
    kept = result.kept.drop(_DETAIL, _VALUE) if result.kept is not None else None
    return Result(result.dropped, kept, facts={"pairs": dict(counts.iter_rows())})


def _same() -> pl.Expr:
    """Whether a pair is plainly English on both sides, or has a side without text: nothing to look at closely."""
    prompt, response = pl.col("prompt"), pl.col("response")
    ascii_only = prompt.str.len_bytes() == prompt.str.len_chars()
    brief = prompt.str.len_bytes() < BRIEF
    asked = ascii_only & (brief | (english_words(prompt.str.slice(0, READ)) >= 2))
    english = surely_english(response) & asked
    return (english | ~text.visible(prompt) | ~text.visible(response)).fill_null(True)


def _unlike(pairs: pl.DataFrame, config: Config) -> pl.DataFrame:
    """Pairs whose languages surely differ: `at`, `prompt`, `answered`, `script` (the response's), `value`
    and `detail`."""
    answers = languages(pairs["response"]).select(pl.all().name.prefix("response_"))
    known = pl.concat([pairs, answers], how="horizontal").filter(pl.col("response_language") != UNDETERMINED)
    prompts = languages(known["prompt"]).select(pl.all().name.prefix("prompt_"))
    asked, answered = pl.col("prompt_language"), pl.col("response_language")
    differ = pl.concat([known, prompts], how="horizontal").filter((asked != UNDETERMINED) & (asked != answered))
    value, said = pl.min_horizontal("prompt_confidence", "response_confidence"), pl.col("prose")
    judged = differ.with_columns(prose(differ["response"]).alias("prose"), value.alias("value"))
    written = (answered != "en") | (english_words(said) >= PROSE * text.words(said))
    sure = (pl.col("value") >= config.min_confidence) & (text.words(said) >= config.min_words) & written
    told_apart = (pl.col("prompt_script") != pl.col("response_script")) | _told_apart(asked, answered)
    return judged.filter(sure & told_apart).select(
        "at",
        "prompt",
        answered.alias("answered"),
        pl.col("response_script").alias("script"),
        "value",
        (asked + " -> " + answered).alias("detail"),
    )


def _told_apart(asked: pl.Expr, answered: pl.Expr) -> pl.Expr:
    """Whether two languages of one script are surely two: lists of names look like many a small language."""
    long = (text.words(pl.col("prompt")) >= LONG_PROMPT) & (text.words(pl.col("prose")) >= LONG_RESPONSE)
    return asked.is_in(list(NAMES)) & answered.is_in(list(NAMES)) & long & (pl.col("value") >= SURE)


def _has_cause(frame: pl.DataFrame, unlike: pl.DataFrame) -> pl.Series:
    """Whether the prompt of a pair gives cause for the answer's language."""
    whole = frame[unlike["at"]].select(text.prompt().fill_null("")).to_series()
    asked = [asks_for(prompt, answered) for prompt, answered in zip(whole, unlike["answered"], strict=True)]
    in_script = pl.coalesce(
        pl.when(pl.col("script") == name).then(pl.col("prompt").str.count_matches(form.pattern))
        for name, form in SCRIPTS.items()
        if name != "Latin"
    )
    quoted = pl.when(pl.col("answered") == "en").then(english_words(pl.col("prompt"))).otherwise(in_script.fill_null(0))
    other = [asks_for_another(prompt, answered) for prompt, answered in zip(whole, unlike["answered"], strict=True)]
    holds = unlike.select(quoted >= QUOTED).to_series() & ~pl.Series(other, dtype=pl.Boolean)
    return pl.Series(asked, dtype=pl.Boolean) | holds
