"""Drop rows whose response refuses the request, in English and Korean.

A refusal opens the answer: an apology, an "as an AI", or neither, then a first-person inability to do what an
assistant does ("I can't help with that", "도와드릴 수 없습니다"). It is full where nothing of use follows: the answer
is short, has no list or code, and does not turn to one ("but I can ...", "일반적으로 ..."). Anything else of the kind
is boilerplate inside an answer; such rows are kept unless `drop_boilerplate` is set.

What a character says in a story, a letter that declines, "I cannot recommend this book enough", an answer about
language models, a statement of law ("제3자에게 제공할 수 없습니다") are no refusals: the place, the first person
and the verb must all fit, and the prompt must not ask for a refusal or an apology.
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from curation import text
from curation.filter import refusal_phrases as phrases
from curation.filter.working import filter_without
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"

OPENING = 300  # characters in which a refusal must show itself

_ANSWER, _REFUSING, _PHRASE, _ASKED_FOR = "__answer", "__refusing", "__phrase", "__asked_for"


class Config(StageConfig):
    """What counts as a full refusal, and whether partial ones go too."""

    max_characters: int = Field(default=600, gt=0, description="a longer answer is no full refusal")
    drop_boilerplate: bool = False


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: refusal (value: characters of the answer), and with `drop_boilerplate` refusal_boilerplate.

    Detail: the words that gave it away.
    """
    answer, length = pl.col(_ANSWER), pl.col(_ANSWER).str.len_chars()
    prepared = _prepared(rows, config)
    # What is asked of a null is quickly answered: only the few that refuse are looked at closely.
    refusal = pl.when(pl.col(_REFUSING).is_not_null() & ~pl.col(_ASKED_FOR)).then(answer)
    of_use = refusal.str.contains(f"{phrases.TURNS}|{phrases.GOES_ON}|{phrases.STRUCTURE}")
    full = (~of_use & (length <= config.max_characters)).fill_null(False)
    rules = {"refusal": Rule(full, length, config.max_characters, pl.col(_REFUSING))}
    if config.drop_boilerplate:
        partial = pl.col(_PHRASE).is_not_null() & ~pl.col(_ASKED_FOR)
        rules["refusal_boilerplate"] = Rule(partial, length, None, pl.col(_PHRASE))
    return filter_without(prepared, rules, [_ANSWER, _REFUSING, _PHRASE, _ASKED_FOR])


def _prepared(rows: pl.LazyFrame, config: Config) -> pl.LazyFrame:
    """Rows with the answer, the refusing words, any telling phrase, and whether the prompt asked for such."""
    answer, whole = pl.col(_ANSWER), text.response().fill_null("").str.replace_all("[’‘]", "'")
    patterns = (phrases.BOILERPLATE, phrases.KO_BOILERPLATE) if config.drop_boilerplate else ()
    told = pl.coalesce(pl.col(_REFUSING), *(answer.str.extract(f"({pattern})") for pattern in patterns))
    request = pl.when(pl.col(_PHRASE).is_not_null()).then(text.last_user())
    return (
        rows.with_columns(whole.alias(_ANSWER))
        .with_columns(_refusing(answer.str.slice(0, OPENING)).alias(_REFUSING))
        .with_columns(told.alias(_PHRASE))
        .with_columns(request.str.contains(phrases.ASKS_FOR_IT).fill_null(False).alias(_ASKED_FOR))
    )


def _refusing(opening: pl.Expr) -> pl.Expr:
    """The refusing words that an answer opens with; null where it does not."""
    return pl.coalesce(
        opening.str.extract(f"({phrases.REFUSES})"),
        opening.str.extract(f"({phrases.KO_REFUSES})"),
        pl.when(opening.str.contains(phrases.BY_MODEL)).then(opening.str.extract(f"({phrases.TASK})")),
    )
