"""Drop rows whose response was cut off, in English and Korean.

People leave out final full stops, so their absence alone means nothing: a last line is cut off where it has no final
punctuation and also ends in a way no complete text does. It stops after a comma, an article, a conjunction or a
possessive; in Korean after an object particle, an adverbial particle, a modifier or a connective; inside a bracket or
quotation mark; or at a hyphen. Endings that a noun or a casual sentence may have too (을, 이, 지만) count only behind a
full sentence of formal style on the same line. Titles, labels, greetings, closings, lists of words and verse (short
lines) are let through. An open code fence is a defect wherever it stands: what follows it is code.

Other languages are judged by fences, brackets and quotation marks alone.
"""

from __future__ import annotations

import polars as pl

from curation import text
from curation.filter.working import filter_without
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"

_ANSWER, _LAST = "__answer", "__last"
SHOWN = 60  # characters of the end that the ledger shows

_FENCE = r"(?m)^[ \t]*(?:```|~~~)[^`~\n]*$"
_BEFORE_LAST_LINE = r"(?s)\A.*\n"
_FINISHED = r"[.!?…。！？:;\"'”’)\]}>»」』》`*_~|%\p{So}\p{Emoji_Presentation}\x{FE0F}]\z"

_EN_OPEN = (
    r"\b(?:a|an|the|and|or|nor|because|although|whereas|whose|its|their|your|our|my|than|into|between|among|during"
    r"|which|such|every|via)\z"
)
_KO_OPEN = (
    r"(?:를|에서|에게|으로써|로서|께서|하는|되는|있는|없는|위한|통한|대한|대해|관한|관해|따른|의한|의해|같은|위해"
    r"|통해|따라|하며|하여|되며|되어|이며|으며|면서|므로|도록| 및| 또는| 혹은| 그리고| 하지만| 그러나| 또한| 따라서)\z"
)
_KO_OPEN_IN_PROSE = r"다\. .*(?:[을의과와에로도이가은는]|하고|되고|있고|지만|는데|거나|해서|때문에)\z"
_GREETING = r"(?i)\A\W*(?:dear|hi|hello|hey|to)\b|\b(?:regards|sincerely|yours|best|thanks|thank you|gratitude|love),\z"
_EMOTICON = r"[:;=]['\-]?[(\[]"
_INCHES = r"(?:\A|[\s(])(?:\d+['′])?\d+(?:[./]\d+)*\""


class Config(StageConfig):
    """Nothing to set."""


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: open_code_fence, truncated_mid_sentence, open_bracket, open_quote, truncated_mid_word.

    Detail: the last characters of the response.
    """
    whole = text.response().fill_null("").str.strip_chars_end()
    prepared = rows.with_columns(whole.alias(_ANSWER)).with_columns(
        pl.col(_ANSWER).str.replace(_BEFORE_LAST_LINE, "").str.strip_chars().alias(_LAST)
    )
    fences = pl.col(_ANSWER).str.count_matches(_FENCE)
    shown = pl.col(_ANSWER).str.slice(-SHOWN)
    unfinished = (pl.col(_LAST).str.len_chars() > 0) & ~pl.col(_LAST).str.contains(_FINISHED)
    rules = {
        "open_code_fence": fences % 2 == 1,
        "truncated_mid_sentence": unfinished & _is_prose() & _stops_short(),
        "open_bracket": unfinished & _has_open_bracket(),
        "open_quote": unfinished & _has_open_quote(),
        "truncated_mid_word": unfinished & _is_prose() & pl.col(_LAST).str.contains(r"[a-z]{2}-\z"),
    }
    return filter_without(
        prepared, {name: Rule(fires, detail=shown) for name, fires in rules.items()}, [_ANSWER, _LAST]
    )


def _is_prose() -> pl.Expr:
    """A last line of four words and more that are not mostly separated by commas, and not a line of verse."""
    answer, last = pl.col(_ANSWER), pl.col(_LAST)
    words = last.str.count_matches(r"\S+")
    lines = answer.str.count_matches(r"(?m)^.*\S")
    verse = (lines >= 4) & (answer.str.len_chars() < 50 * lines)
    return (words >= 4) & (last.str.count_matches(",", literal=True) * 2 < words) & ~verse


def _stops_short() -> pl.Expr:
    """A last line whose last word or particle cannot be the end of a text."""
    last = pl.col(_LAST)
    english = (last.str.count_matches(r"\S+") >= 5) & last.str.contains(_EN_OPEN)
    korean = last.str.contains(_KO_OPEN) | last.str.contains(_KO_OPEN_IN_PROSE)
    return english | korean | (last.str.ends_with(",") & ~last.str.contains(_GREETING))


def _has_open_bracket() -> pl.Expr:
    return _excess(pl.col(_LAST).str.replace_all(_EMOTICON, ""), r"[(\[（]", r"[)\]）]") > 0


def _has_open_quote() -> pl.Expr:
    straight = pl.col(_LAST).str.replace_all(_INCHES, "").str.count_matches('"', literal=True)
    # In German and its neighbours “ closes what „ has opened.
    low = pl.col(_LAST).str.contains("„", literal=True)
    curly = pl.when(low).then(_excess(pl.col(_LAST), "„", "[“”]")).otherwise(_excess(pl.col(_LAST), "“", "”"))
    return (curly > 0) | (_excess(pl.col(_LAST), "[「『《]", "[」』》]") > 0) | (straight % 2 == 1)


def _excess(line: pl.Expr, opening: str, closing: str) -> pl.Expr:
    """How many more opening than closing marks a line has."""
    return line.str.count_matches(opening).cast(pl.Int64) - line.str.count_matches(closing).cast(pl.Int64)
