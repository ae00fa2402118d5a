"""Drop rows whose response was cut off, in English and Korean.

People leave out final full stops, so their absence alone means nothing: a last line is cut off where it has no final
punctuation and also ends in a way no complete text does. It stops after a comma, an article, a conjunction or a
possessive; in Korean after an object particle, an adverbial particle, a modifier or a connective; inside a bracket or
quotation mark; or at a hyphen. Endings that a title or a casual sentence may have too (an auxiliary, a preposition as
in "what we strive for"; 을, 이, 지만) count only behind a full sentence, in Korean one of formal style on that line.
Titles, labels, greetings, closings, lists of words and verse (short
lines) are let through. An open code fence is a defect wherever it stands: what follows it is code.

Other languages are judged by fences, brackets and quotation marks alone.
"""

from __future__ import annotations

import polars as pl

from curation.filter.working import ANSWER, judge, texts
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"

_LAST = "__last"
SHOWN = 60  # characters of the end that the ledger shows

_FENCE = r"(?m)^[ \t]*(?:```|~~~)[^`~\n]*$"
_LAST_LINE = r"([^\n]*)\z"
_FINISHED = r"[.!?…。！？:;\"'”’)\]}>»」』》`*_~|%\p{So}\p{Emoji_Presentation}\x{FE0F}]\z"

_EN_OPEN = (
    r"\b(?:a|an|the|and|or|nor|because|although|whereas|whose|its|their|your|our|my|than|into|between|among|during"
    r"|which|such|every|via)\z"
)
# The last line or the one before it has a sentence with its full stop: what follows is no title, label or item.
_EN_AFTER_SENTENCE = r"(?s)[a-z)%][.!?][\"”’)]?(?: |\n+(?:[-*•] |\d+[.)] )?)[^\n]*\z"
_EN_OPEN_IN_PROSE = (
    r"\b(?:can|could|will|would|shall|should|must|may|might|is|are|was|were|be|been|being|has|have|had|does|did|gets"
    r"|of|to|for|with|from|at|by|about|against|toward|towards|without|within|including|such as|per|as|like|whether"
    r"|if|unless|until|when|while|where|that|who|whom|what|how|as well as"
    r"|often|usually|always|never|very|also|even|only|rather|quite|just|more|less|most|not|some|any|each"
    r"|these|those)\z"
    r"|, (?:and|but|or|so) (?:then )?(?:within|after|before|during|by|at|for|with|from|over|under|through|without|in"
    r"|on) (?:[a-z]+ ){0,2}[a-z]+\z"
)
_KO_OPEN = (
    r"(?:를|에서는?|에게는?|에는|으로는|으로써|로서|께서|하는|되는|있는|없는|위한|통한|대한|대해|관한|관해|따른|의한|의해"
    r"|같은|위해|통해|따라|하며|하여|되며|되어|이며|으며|면서|므로|도록| 및"
    r"| 또는| 혹은| 그리고| 하지만| 그러나| 또한| 따라서)\z"
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
    frame = rows.collect()
    answer, last = pl.col(ANSWER), pl.col(_LAST)
    unfinished = (answer != "") & ~answer.str.contains(_FINISHED)
    trimmed = texts(frame).with_columns(answer.str.strip_chars_end())
    suspects = trimmed.filter(unfinished | answer.str.contains_any(["```", "~~~"])).with_columns(
        answer.str.extract(_LAST_LINE).str.strip_chars().alias(_LAST)
    )
    shown = answer.str.slice(-SHOWN)
    open_last = unfinished & (last != "")
    rules = {
        "open_code_fence": answer.str.count_matches(_FENCE) % 2 == 1,
        "truncated_mid_sentence": open_last & _is_prose() & _stops_short(),
        "open_bracket": open_last & _has_open_bracket(),
        "open_quote": open_last & _has_open_quote(),
        "truncated_mid_word": open_last & _is_prose() & last.str.contains(r"[a-z]{2}-\z"),
    }
    named = {name: Rule(fires, detail=shown) for name, fires in rules.items()}
    return judge(frame, suspects, named, dict.fromkeys(named, "drop"))


def _is_prose() -> pl.Expr:
    """A last line of four words and more that are not mostly separated by commas, and not a line of verse."""
    answer, last = pl.col(ANSWER), pl.col(_LAST)
    words = last.str.count_matches(r"\S+")
    lines = answer.str.count_matches(r"(?m)^.*\S")
    verse = (lines >= 4) & (answer.str.len_chars() < 50 * lines)
    return (words >= 4) & (last.str.count_matches(",", literal=True) * 2 < words) & ~verse


def _stops_short() -> pl.Expr:
    """A last line whose last word or particle cannot be the end of a text."""
    last = pl.col(_LAST)
    in_prose = last.str.contains(_EN_OPEN_IN_PROSE) & pl.col(ANSWER).str.contains(_EN_AFTER_SENTENCE)
    english = (last.str.count_matches(r"\S+") >= 5) & (last.str.contains(_EN_OPEN) | in_prose)
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
