"""Fill `language` with the natural language of each row, and drop what is in none of the wanted ones.

A script rule comes first: Hangul is Korean, kana is Japanese, and so on (`curation.language.scripts`). It gets the
short mixed texts right that statistical detectors do not ("API key가 뭐예요?", "ㅋㅋㅋㅋ"). Texts in a script of many
languages (Latin, Cyrillic, Arabic, Devanagari) go to fastText (`curation.language.detector`). Code, addresses and
formulas are left out. What is too short or too uncertain is `und` (ISO 639-2: undetermined).
"""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
from pydantic import Field

from curation.filter.working import filter_without
from curation.language.detector import detect, model_digest
from curation.language.scripts import SCRIPTS, dominant, only_script
from curation.stage import Context, Result, Rule, StageConfig
from curation.text import TextOf, text_of

SCOPE = "row"

UNDETERMINED = "und"
MARGIN = 2.0  # a guess this many times as likely as the next one stands, however low its score

_NOT_PROSE = (
    r"(?s)```.*?(?:```|\z)|`[^`\n]+`|\$\$.*?\$\$"
    r"|https?://\S+|www\.\S+|\S+@\S+\.\S+|</?[A-Za-z][^<>\n]{0,200}>|<<[^<>\n]*>>"
)
_CONFIDENCE = "__confidence"


class Config(StageConfig):
    """`text`: what is looked at. `keep`: codes to keep (`und` is one of them), all where empty."""

    text: TextOf = "both"
    keep: tuple[Annotated[str, Field(pattern="^[a-z]{2,3}$")], ...] = ()
    min_letters: int = Field(default=8, ge=1, description="shorter texts are und where the script does not decide")
    min_confidence: float = Field(
        default=0.3, ge=0.0, le=1.0, description="of the detector; below it only a clear lead counts"
    )


def fingerprint(config: Config, context: Context) -> Any:
    """The detector's model."""
    return model_digest()


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Overwrites `language`. Reason: language_not_kept (value: confidence, detail: the language found).

    The confidence is the script's share of the letters where the script decides, else the detector's. Facts: rows in
    each language, before the drop.
    """
    frame = rows.collect()
    found = _languages(frame.select(text_of(config.text).str.replace_all(_NOT_PROSE, " ")).to_series(), config)
    filled = frame.with_columns(found["language"], found["confidence"].alias(_CONFIDENCE))
    counts = found.group_by("language").len().sort("language")
    wanted = pl.col("language").is_in(config.keep) if config.keep else pl.lit(True)
    rules = {"language_not_kept": Rule(~wanted, pl.col(_CONFIDENCE), None, pl.col("language"))}
    result = filter_without(filled.lazy(), rules, [_CONFIDENCE])
    return Result(result.dropped, result.kept, facts={f"language_{code}": count for code, count in counts.iter_rows()})


def _languages(texts: pl.Series, config: Config) -> pl.DataFrame:
    """`language` and `confidence` of each text."""
    by_script = {name: script.language for name, script in SCRIPTS.items() if script.language}
    decided = pl.col("script").replace_strict(by_script, default=None, return_dtype=pl.String)
    judged = dominant(texts).with_row_index("at").with_columns(decided.alias("decided"))
    shared = pl.col("decided").is_null() & pl.col("script").is_not_null()
    unclear = judged.filter(shared & (pl.col("letters") >= config.min_letters))["at"]
    own = only_script(texts.gather(unclear), judged["script"].gather(unclear))
    detected = detect(own).with_columns(unclear)
    clear = (pl.col("score") >= config.min_confidence) | (pl.col("score") >= MARGIN * pl.col("runner_up"))
    both = judged.join(detected.filter(clear), on="at", how="left", maintain_order="left")
    confidence = pl.when(pl.col("decided").is_not_null()).then("share").otherwise(pl.col("score").fill_null(0.0))
    return both.select(
        pl.coalesce("decided", "code", pl.lit(UNDETERMINED)).alias("language"), confidence.alias("confidence")
    )
