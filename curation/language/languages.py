"""The language of texts, by script, by English function words, and by the detector for what is left."""

from __future__ import annotations

import polars as pl

from curation.language.detector import detect
from curation.language.english import english_words, is_english, is_short_english
from curation.language.prose import may_have_code, prose
from curation.language.scripts import NOT_LATIN, SCRIPTS, dominant, only_script

UNDETERMINED = "und"
MARGIN = 2.0  # a guess this many times as likely as the next one stands, however low its score
HALF = 0.5  # share of Hangul from which such a text is Korean in any case
TERMS = 0.1  # share from which it is Korean when it has no English words
SHORT = 120  # letters of a text in which a few English words among Hangul, or their absence, decide
MIN_LETTERS = 8
MIN_CONFIDENCE = 0.3


def languages(texts: pl.Series, min_letters: int = MIN_LETTERS, min_confidence: float = MIN_CONFIDENCE) -> pl.DataFrame:
    """`language`, `confidence`, `script` and `share` (the script's, of the letters' weight) of each text's prose.

    The confidence is the script's share of the letters' weight where the script or English function words decide, else
    the detector's. `und`: no letters (code alone, numbers), fewer than `min_letters` of a script of many languages, or
    a guess of the detector below `min_confidence` and without a clear lead.
    """
    frame = texts.alias("text").to_frame()
    plain = frame.select(surely_english(pl.col("text")).fill_null(False)).to_series()
    rest = _judged(texts.filter(~plain), min_letters, min_confidence)
    sure = pl.DataFrame({name: [value] for name, value in _ENGLISH.items()}, rest.schema)
    both = pl.concat([rest, sure])
    at = pl.when(plain).then(rest.height).otherwise((~plain).cum_sum() - 1)
    return both[frame.select(at).to_series()]


_ENGLISH = {"language": "en", "confidence": 1.0, "script": "Latin", "share": 1.0}


def surely_english(text: pl.Expr) -> pl.Expr:
    """Whether a text has Latin letters only, no sign of code, and the function words of English."""
    return ~text.str.contains(NOT_LATIN) & ~may_have_code(text) & is_english(text)


def _judged(texts: pl.Series, min_letters: int, min_confidence: float) -> pl.DataFrame:
    """What `languages` gives, of texts that are not plain English."""
    clean = prose(texts)
    by_script = {name: script.language for name, script in SCRIPTS.items() if script.language}
    decided = pl.col("script").replace_strict(by_script, default=None, return_dtype=pl.String)
    judged = _settled(dominant(clean).with_row_index("at").with_columns(clean.alias("text")))
    shared = pl.col("decided").is_null() & pl.col("script").is_not_null() & (pl.col("letters") >= min_letters)
    told = is_english(pl.col("text")) & (pl.col("letters") >= min_letters) | is_short_english(pl.col("text"))
    english = decided.is_null() & (pl.col("script") == "Latin") & told
    judged = judged.with_columns(decided.alias("decided")).with_columns(
        pl.when(english.fill_null(False)).then(pl.lit("en")).otherwise("decided").alias("decided")
    )
    unclear = judged.filter(shared)
    clear = (pl.col("score") >= min_confidence) | (pl.col("score") >= MARGIN * pl.col("runner_up"))
    detected = detect(only_script(unclear["text"], unclear["script"])).with_columns(unclear["at"]).filter(clear)
    both = judged.join(detected, on="at", how="left", maintain_order="left")
    confidence = pl.when(pl.col("decided").is_not_null()).then("share").otherwise(pl.col("score").fill_null(0.0))
    language = pl.coalesce("decided", "code", pl.lit(UNDETERMINED))
    return both.select(language.alias("language"), confidence.alias("confidence"), "script", "share")


def _settled(judged: pl.DataFrame) -> pl.DataFrame:
    """Hangul or Latin, where a short text has both.

    English with a Korean word in it has English function words ("What does 안녕하세요 mean?"); Korean with English
    terms has none, however many terms there are ("pandas DataFrame merge 질문").
    """
    text = pl.col("text")
    both = text.str.contains("[가-힣ㄱ-ㅎ]") & text.str.contains("[A-Za-z]") & (pl.col("letters") <= SHORT)
    mixed = judged.filter(both.fill_null(False))
    if mixed.is_empty():
        return judged
    hangul = text.str.count_matches(SCRIPTS["Hangul"].pattern) * SCRIPTS["Hangul"].weight
    share = hangul / (hangul + text.str.count_matches(SCRIPTS["Latin"].pattern))
    words, weak = english_words(text), pl.col("script").is_in(["Hangul", "Latin"])
    told = mixed.with_columns(
        pl.when(weak & (words >= 2) & (share < HALF))
        .then(pl.lit("Latin"))
        .when(weak & (words == 0) & (share >= TERMS))
        .then(pl.lit("Hangul"))
        .otherwise("script")
        .alias("script"),
        share.alias("hangul"),
    ).with_columns(
        pl.when(pl.col("script") == "Hangul")
        .then("hangul")
        .when(pl.col("script") == "Latin")
        .then(1.0 - pl.col("hangul"))
        .otherwise("share")
        .alias("share")
    )
    return judged.update(told.select("at", "script", "share"), on="at", how="left", maintain_order="left")
