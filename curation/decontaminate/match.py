"""Rows against an index: which benchmark item a row gives away, by what, how much of it, and where."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

import polars as pl

from curation.decontaminate import code
from curation.decontaminate.index import LAYERS, Index, Postings, covered
from curation.dedup.codepoints import CHARACTER, table, without_edge_punctuation
from curation.dedup.texts import Shingled, shingle
from curation.text import comparable

SPAN = 120  # characters of matched text in the ledger
_WORD = re.compile(r"\w+")
# A row, what it gives away, and in which message from which word to which.
_MATCH = ("row", "entry", "layer", "value", "threshold", "message", "first", "last")
FOUND = pl.Schema(
    {
        "row_id": pl.String,
        "value": pl.Float64,
        "threshold": pl.Float64,
        "layer": pl.String,
        "benchmark": pl.String,
        "item": pl.String,
        "span": pl.String,
    }
)


def find(batch: pl.DataFrame, index: Index) -> pl.DataFrame:
    """The rows of a batch (row_id, messages) that give an item away: one line a row, of the item it shows most of.

    Every message is looked at: user messages for a question as a whole, and all messages of a row together for the
    words and the code of an item.
    """
    messages = (
        batch.with_row_index("row")
        .select("row", "messages")
        .explode("messages", empty_as_null=False, keep_nulls=False)
        .select(
            "row", pl.col("messages").struct.field("role"), pl.col("messages").struct.field("content").alias("text")
        )
        .drop_nulls("text")
        .with_row_index("message")
    )
    shingled = shingle(messages["text"], index.words.ngram, index.words.ngram)
    matches = pl.concat(
        [
            _whole(messages, shingled, index),
            _grams(messages, shingled, index.words, index),
            _grams(messages, code.windows(messages["text"]), index.tokens, index),
        ]
    )
    best = matches.sort(["row", "layer", "value", "entry"], descending=[False, False, True, False])
    best = best.unique("row", keep="first", maintain_order=True)
    items = [index.items[at] for at in index.entries["item"].gather(best["entry"])]
    texts = messages["text"].gather(best["message"])
    spans = map(_span, best["layer"], texts, best["first"], best["last"])
    return pl.DataFrame(
        {
            "row_id": batch["row_id"].gather(best["row"]),
            "value": best["value"],
            "threshold": best["threshold"],
            "layer": best["layer"],
            "benchmark": [item.benchmark for item in items],
            "item": [item.item for item in items],
            "span": list(spans),
        },
        schema=FOUND,
        strict=False,
    )


def _whole(messages: pl.DataFrame, shingled: Shingled, index: Index) -> pl.DataFrame:
    """User messages that have the words of a question and no others.

    The words of a short one are little to go by ("17 + 5" and "17 - 5" have the same), so its symbols count too.
    """
    keys = [pl.Series(f"key_{half}", shingled.keys[:, half]) for half in (0, 1)]
    same = (
        messages.with_columns(*keys, pl.Series("units", shingled.units, pl.Int64))
        .filter(pl.col("role") == "user")
        .join(index.whole, on=["key_0", "key_1"])
    )
    symbols = comparable(without_edge_punctuation(pl.col("text")))
    short = same.filter("short")
    given = index.entries.select("text")[short["entry"]].select(symbols).to_series()
    agreed = short.filter(short.select(symbols).to_series() == given)
    return pl.concat([same.filter(~pl.col("short")), agreed]).select(
        "row",
        "entry",
        pl.lit("exact", LAYERS).alias("layer"),
        pl.lit(1.0).alias("value"),
        pl.lit(1.0).alias("threshold"),
        "message",
        pl.lit(0, pl.Int64).alias("first"),
        (pl.col("units") - 1).alias("last"),
    )


def _grams(messages: pl.DataFrame, texts: Shingled | code.Windows, postings: Postings, index: Index) -> pl.DataFrame:
    """Entries of which a row shows enough of the countable units; first and last: the longest run of them."""
    hits = postings.hits(texts).rename({"text": "message"})
    hits = hits.with_columns(messages["row"].gather(hits["message"]))
    pair = ["row", "entry"]
    places = hits.select(*pair, "place").unique().sort(*pair, "place")
    group = places["row"].cast(pl.UInt64) * (1 << 32) + places["entry"]
    shown = (
        places.with_columns(units=covered(group.to_numpy(), places["place"].to_numpy(), postings.ngram))
        .group_by(pair)
        .agg(pl.col("units").sum())
        .join(index.entries.select("entry", "layer", "countable", "threshold"), on="entry")
        .with_columns(value=pl.col("units") / pl.col("countable"))
        .filter(pl.col("value") >= pl.col("threshold"))
    )
    runs = hits.join(shown, on=pair).unique([*pair, "message", "at"]).sort(*pair, "message", "at")
    runs = (
        runs.with_columns(run=pl.col("at") - pl.int_range(pl.len()).over(*pair, "message"))
        .group_by(*pair, "message", "run", "layer", "value", "threshold")
        .agg(first=pl.col("at").min(), last=pl.col("at").max() + postings.ngram - 1)
        .sort(*pair, pl.col("first") - pl.col("last"), "message", "first")
    )
    return runs.unique(pair, keep="first", maintain_order=True).select(_MATCH)


def _span(layer: str, text: str, first: int, last: int) -> str:
    """The part of a text from one word, or token of code, to another, cut to `SPAN` characters."""
    if layer == "code":
        return code.span(text, first, last)[:SPAN]
    normal = unicodedata.normalize("NFKC", text)
    words = list(islice(_words(normal), first, last + 1))
    return normal[words[0][0] : words[-1][1]][:SPAN]


def _words(text: str) -> Iterator[tuple[int, int]]:
    """Where the words of a text are; characters of unsegmented scripts stand alone."""
    entries = table()
    for run in _WORD.finditer(text):
        start = run.start()
        for at in range(run.start(), run.end()):
            if entries[ord(text[at])] & CHARACTER:
                if start < at:
                    yield start, at
                yield at, at + 1
                start = at + 1
        if start < run.end():
            yield start, run.end()
