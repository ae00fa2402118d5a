"""The script rule: which writing system a text is in, by the share of each among its letters.

Shares are of weight, not of characters, since writing systems differ in how much a character says: a Hangul syllable
holds two to three letters, a Han character is about a word. Texts in other scripts often hold Latin names and terms
("API key가 뭐예요?"), texts in Latin script seldom hold another: a script other than Latin decides from a quarter on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl


@dataclass(frozen=True)
class Script:
    """`pattern`: a regex class. `language`: of a text in it, None where several languages share it."""

    pattern: str
    language: str | None
    weight: float = 1.0


SCRIPTS: Final = {
    "Latin": Script(r"\p{Latin}", None),
    "Hangul": Script(r"\p{Hangul}", "ko", 2.5),
    # Kana decides between Japanese and Chinese, so Han counts for Japanese wherever there is some (see `_weighed`).
    "Kana": Script(r"[\p{Hiragana}\p{Katakana}]", "ja", 1.5),
    "Han": Script(r"\p{Han}", "zh", 3.0),
    "Cyrillic": Script(r"\p{Cyrillic}", None),
    "Arabic": Script(r"\p{Arabic}", None),
    "Devanagari": Script(r"\p{Devanagari}", None),
    "Greek": Script(r"\p{Greek}", "el"),
    "Hebrew": Script(r"\p{Hebrew}", "he"),
    "Thai": Script(r"\p{Thai}", "th"),
    "Georgian": Script(r"\p{Georgian}", "ka"),
    "Armenian": Script(r"\p{Armenian}", "hy"),
    "Bengali": Script(r"\p{Bengali}", "bn"),
    "Gurmukhi": Script(r"\p{Gurmukhi}", "pa"),
    "Gujarati": Script(r"\p{Gujarati}", "gu"),
    "Tamil": Script(r"\p{Tamil}", "ta"),
    "Telugu": Script(r"\p{Telugu}", "te"),
    "Kannada": Script(r"\p{Kannada}", "kn"),
    "Malayalam": Script(r"\p{Malayalam}", "ml"),
    "Sinhala": Script(r"\p{Sinhala}", "si"),
    "Khmer": Script(r"\p{Khmer}", "km"),
    "Lao": Script(r"\p{Lao}", "lo"),
    "Myanmar": Script(r"\p{Myanmar}", "my"),
    "Ethiopic": Script(r"\p{Ethiopic}", "am"),
}
DECIDES = 0.25  # share of weight from which a script other than Latin decides
KANA = 0.05  # share of kana in kana and Han from which a text is Japanese

_OTHERS = [name for name in SCRIPTS if name != "Latin"]
NOT_LATIN = r"[\p{L}--\p{Latin}]"


def dominant(texts: pl.Series) -> pl.DataFrame:
    """One record a text: `script` (null without letters), its `share` of the weight of all letters, and `letters`.

    The strongest script other than Latin wins where its share reaches DECIDES or there is no Latin, else Latin does.
    """
    frame = texts.alias("text").to_frame().select(pl.col("text").fill_null("")).with_row_index("at")
    mixed = pl.col("text").str.contains(NOT_LATIN)
    latin = frame.filter(~mixed).select("at", pl.col("text").str.count_matches(r"\p{Latin}").alias("letters"))
    written = pl.col("letters") > 0
    plain = latin.with_columns(
        pl.when(written).then(pl.lit("Latin")).alias("script"), written.cast(pl.Float64).alias("share")
    )
    counts = (pl.col("text").str.count_matches(script.pattern).alias(name) for name, script in SCRIPTS.items())
    other = _weighed(frame.filter(mixed).select("at", *counts))
    columns = ["at", "script", "share", "letters"]
    return pl.concat([plain.select(columns), other.select(columns)]).sort("at").drop("at")


def _weighed(counts: pl.DataFrame) -> pl.DataFrame:
    """`script`, `share` and `letters` from a count a script."""
    letters = counts.with_columns(pl.sum_horizontal(*SCRIPTS).alias("letters"))
    weights = letters.with_columns(pl.col(name) * script.weight for name, script in SCRIPTS.items())
    kana, han = counts["Kana"], counts["Han"]
    japanese = (kana > 0) & (kana >= KANA * (kana + han))
    told = weights.with_columns(
        (pl.col("Kana") + pl.when(japanese).then("Han").otherwise(0.0)).alias("Kana"),
        pl.when(japanese).then(0.0).otherwise("Han").alias("Han"),
    ).with_columns(pl.sum_horizontal(*SCRIPTS).alias("total"), pl.max_horizontal(*_OTHERS).alias("best"))
    wins = (pl.col("best") > 0) & ((pl.col("best") >= DECIDES * pl.col("total")) | (pl.col("Latin") == 0))
    name = pl.coalesce(pl.when(pl.col(other) == pl.col("best")).then(pl.lit(other)) for other in _OTHERS)
    return told.with_columns(
        pl.when(wins).then(name).when(pl.col("Latin") > 0).then(pl.lit("Latin")).alias("script"),
        (pl.when(wins).then("best").otherwise("Latin") / pl.col("total")).fill_nan(0.0).alias("share"),
    )


def only_script(texts: pl.Series, scripts: pl.Series) -> pl.Series:
    """Each text without the letters of other scripts than its own, for scripts that several languages share."""
    text, script = pl.col("text"), pl.col("script")
    shared = {name: form.pattern for name, form in SCRIPTS.items() if form.language is None}
    own = (
        pl.when(script == name).then(text.str.replace_all(rf"[\p{{L}}--{pattern}]+", ""))
        for name, pattern in shared.items()
    )
    return pl.DataFrame({"text": texts, "script": scripts}).select(pl.coalesce(*own, text)).to_series()
