"""Cut out long spans that many rows repeat (leaked preambles, signatures, licence texts), or drop the rows that do.

A span is `min_words` words in a row in normal form (lower case, full and half width as one, `\\w+`), so that case,
punctuation and line breaks do not matter; in scripts without spaces between words, and in Hangul unless told
otherwise, `min_chars` characters, blind to spacing; of a mixture as much as makes up as many words. It is repeated
where `min_rows` different rows hold it. Spans lie in one message and outside of fenced code. Words are compared as
they are spelled: `clean.normalize` goes first.

Fifty words: Lee et al., Deduplicating Training Data Makes Language Models Better, ACL 2022, section 3.1, cut from 50
tokens on, where repetition is hardly ever chance. A hundred characters are about as much text. They cut what two texts
share. In 17,759 answers of four public sets that is thirteen spans, each in two or three rows: a sonnet, the countries
of the world, paragraphs of law and of an encyclopaedia, all of them asked for. A near duplicate is `dedup.minhash`'s
to judge. So five rows must hold a span, and then it is cut everywhere, the first time too (`keep_first` spares the row
of the lowest row_id).

A cut goes from the beginning of a sentence or line to the end of one where there is one less than a span away, and
else from word to word; where little but parts of two sentences is repeated nothing is cut. Words beside a span that
fewer than half as many rows share are the row's own. A system message left empty is taken out; a row with any other
message left with fewer than `min_left` words is dropped. A cut inside a text can make a new repeated span of what it
brings together, so passes go on until nothing is to be cut.

Spans are found by fingerprints and counted by 64-bit hashes in time linear in the text, and each match is verified on
the texts, so that a collision can hide a span (in one of some thousands of runs of 1,000,000 rows) but make none.
Memory, in bytes, is 0.6 a word, 12 for each window of `min_words` words in each row that holds a repeated span around
it, 16 a row and the ids, and three times the texts that are cut. For 1,000,000 rows of 130 words of which a tenth has
a preamble of 100 words: 0.1 GB, 0.1 GB and 0.4 GB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl
from pydantic import Field

from curation import canaries
from curation.stage import Context, Result, StageConfig
from curation.text import TextOf

if TYPE_CHECKING:
    from curation.dedup.substring.spans import Measure
    from curation.progress import Task

SCOPE = "set"
MARGIN = 1  # in a text of words and characters the first character of a span may be left over
IS_PLANTED = pl.col("row_id").str.starts_with(canaries.PREFIX)


class Config(StageConfig):
    """What is compared, what a repeated span is, and what becomes of it."""

    compare: TextOf = "response"
    min_words: int = Field(default=50, ge=5, le=10_000, description="words to a span")
    min_chars: int = Field(default=100, ge=5, le=10_000, description="characters to a span, in scripts without spaces")
    hangul_characters: bool = Field(default=True, description="count Hangul by characters, blind to its spacing")
    min_rows: int = Field(default=5, ge=2, description="different rows that hold a span")
    action: Literal["cut", "drop"] = "cut"
    keep_first: bool = Field(default=False, description="leave a span where the row of the lowest row_id has it")
    min_left: int = Field(default=1, ge=1, description="words that a cut message must have left")


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: repeated_span (edited, or dropped with action drop), value: words cut; nothing_left (dropped).

    `threshold` is `min_words`, or `min_left`. `detail` has an excerpt before and after, and up to eight spans: digest
    of the words, message, first character, characters, and how many rows hold it. `replaced` has row_id, messages and
    prompt_id of the rows that were cut and are kept.
    """
    # Imported here: numba takes half a second, which reading a profile should not cost.
    from curation.dedup.substring.cut_rows import decisions, without_spans
    from curation.dedup.substring.planted import planted
    from curation.dedup.substring.spans import Measure

    measure = Measure(config.compare, config.min_words, config.min_chars, config.hangul_characters)
    cases, expected = planted(rows, measure, config.min_rows, config.keep_first, context.seed)
    given = pl.concat([rows.select("row_id", "messages"), cases.lazy()])
    with context.progress.task("dedup.substring") as task:
        cuts, messages, passes = _passes(given, config, measure, task)
    found = cuts.filter(IS_PLANTED).group_by("row_id").agg(pl.col("words").sum()).join(expected, on="row_id")
    hits = found.filter(pl.col("words") >= pl.col("planted") - MARGIN).height
    measured = canaries.check("dedup.substring", {"repeated_span": canaries.Canary(expected.height, hits, 1.0)})
    cuts, messages = cuts.filter(~IS_PLANTED), messages.filter(~IS_PLANTED)
    told = decisions(cuts, config.min_words)
    facts = measured | {
        "passes": passes,
        "spans": cuts["spans"].explode().struct.field("digest").n_unique() if cuts.height else 0,
        "words_cut": int(cuts["words"].sum()),
    }
    if config.action == "drop":
        return Result(dropped=told.lazy(), facts=facts)
    replaced, gone = without_spans(rows, cuts, messages, measure, config.min_left)
    dropped = told.join(gone, on="row_id", maintain_order="left").select(
        "row_id",
        pl.lit("nothing_left").alias("reason"),
        pl.col("left").alias("value"),
        pl.lit(config.min_left, pl.Float64).alias("threshold"),
        "detail",
    )
    edited = told.join(replaced.select("row_id", "prompt_id"), on="row_id", maintain_order="left")
    return Result(dropped=dropped.lazy(), edited=edited.lazy(), replaced=replaced.lazy(), facts=facts)


def _passes(
    given: pl.LazyFrame, config: Config, measure: Measure, task: Task
) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """What was cut, pass after pass, the messages of the rows that were, and how many passes it took."""
    from curation.dedup.substring.marking import mark, replaced
    from curation.dedup.substring.spans import Rows, repeated

    cuts, messages = [], []
    while True:
        rows = Rows.of(given)
        found = repeated(rows, measure, config.min_rows, task)
        made, left = mark(rows, measure, found, config.min_rows, config.keep_first, task)
        cuts.append(made)
        messages.append(replaced(given, made))
        real = made.filter(~IS_PLANTED)
        if config.action == "drop" or real.is_empty() or not (left or real["inner"].any()):
            changed = pl.concat(messages).unique("row_id", keep="last", maintain_order=True)
            return pl.concat(cuts), changed, len(cuts)
        given = given.join(messages[-1].lazy(), on="row_id", how="left", suffix="_cut", maintain_order="left")
        given = given.select("row_id", pl.coalesce("messages_cut", "messages").alias("messages"))
