"""An index of benchmark texts by word n-gram, by n-gram of code, and by whole text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.decontaminate import code, hash_table
from curation.decontaminate.items import Item
from curation.dedup.texts import Shingled, shingle

if TYPE_CHECKING:
    from curation.decontaminate import Config

# In the order in which they are told: the first that fires names the row's leak.
LAYERS = pl.Enum(["exact", "question", "answer", "code", "paraphrase"])


@dataclass(frozen=True)
class Postings:
    """Where each n-gram that counts begins: `entries[k]` and `places[k]`, k from `begins[gram]` on.

    ngram:          its length; all places are counted in its units, words or tokens of code
    slots, numbers: the hash table from n-gram to gram
    """

    ngram: int
    slots: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int32]
    begins: npt.NDArray[np.int64]
    entries: npt.NDArray[np.uint32]
    places: npt.NDArray[np.int64]

    def hits(self, texts: Shingled | code.Windows) -> pl.DataFrame:
        """Every n-gram of some texts that is in the index: text, at (its unit there), entry, place (its unit here)."""
        where, gram = hash_table.lookup(texts.hashes, self.slots, self.numbers)
        text = np.searchsorted(texts.starts, where, side="right") - 1
        counts = self.begins[gram + 1] - self.begins[gram]
        first = np.repeat(self.begins[gram] - np.cumsum(counts) + counts, counts)
        posting = first + np.arange(len(first))
        at = where - texts.starts[text]
        return pl.DataFrame(
            {
                "text": np.repeat(text, counts).astype(np.uint32),
                "at": np.repeat(at, counts),
                "entry": self.entries[posting],
                "place": self.places[posting],
            }
        )


@dataclass(frozen=True)
class Index:
    """What rows are looked up in. An entry is one text of an item: a wording of its question, an answer, or code.

    items:   what `item` numbers
    entries: entry, item, layer (question, answer or code), text, units (words or tokens), countable (those that lie in
             an n-gram that counts), threshold (the share of them that is too much; null where it is not looked for)
    whole:   key_0, key_1, entry, short: questions by the sequence of their words; short ones have no n-gram
    words:   of the entries of questions and answers
    tokens:  of the entries of code
    """

    items: Sequence[Item]
    entries: pl.DataFrame
    whole: pl.DataFrame
    words: Postings
    tokens: Postings


def build(items: Sequence[Item], config: Config) -> Index:
    """Index items. An n-gram, or a whole question, of more items than `common` is a phrase and does not count."""
    entries = _frame(items, {"question": "questions", "answer": "answers"})
    shingled = shingle(entries["text"], config.ngram, config.ngram)
    entries = entries.with_columns(pl.Series("units", shingled.units, pl.Int64))
    question = pl.col("layer") == "question"
    wanted = pl.col("units") >= pl.when(question).then(config.min_words).otherwise(config.min_answer_words)
    long = entries.select(wanted & (pl.col("units") >= config.ngram)).to_series()
    words, countable = _postings(shingled, long.to_numpy(), entries["item"], config.ngram, config.common)
    # One word makes another question of a short one ("... in 1960", "... in 1980").
    share = pl.when(pl.col("countable") < 2 * config.ngram).then(1.0).otherwise(config.min_share)
    entries = entries.with_columns(countable).with_columns(threshold=pl.when(pl.col("countable") > 0).then(share))
    programs, tokens = _programs(items, entries.height)
    return Index(
        items=items,
        entries=pl.concat([entries, programs]),
        whole=_whole(shingled, entries.filter(wanted, question), config),
        words=words,
        tokens=tokens,
    )


def covered(group: npt.NDArray[Any], place: npt.NDArray[np.int64], ngram: int) -> npt.NDArray[np.int64]:
    """How many units each n-gram covers that none before it in its group does; sorted by group and place."""
    gained = np.full(len(group), ngram)
    same = group[1:] == group[:-1]
    gained[1:][same] = np.minimum(place[1:] - place[:-1], ngram)[same]
    return gained


def _frame(items: Sequence[Item], fields: Mapping[str, str], first: int = 0) -> pl.DataFrame:
    """The different texts of each item in turn; `fields` are the layers and the fields of an item for them."""
    at, layers, texts = [], [], []
    for number, item in enumerate(items):
        for layer, name in fields.items():
            for text in dict.fromkeys(getattr(item, name)):
                at.append(number)
                layers.append(layer)
                texts.append(text)
    columns = {
        "item": pl.Series(at, dtype=pl.UInt32),
        "layer": pl.Series(layers, dtype=LAYERS),
        "text": pl.Series(texts, dtype=pl.String),
    }
    return pl.DataFrame(columns).with_row_index("entry", first)


def _programs(items: Sequence[Item], first: int) -> tuple[pl.DataFrame, Postings]:
    """The entries of code, numbered from `first`, and where their n-grams are."""
    entries = _frame(items, {"question": "code", "answer": "solutions"}, first)
    windows = code.windows(entries["text"])
    every = np.ones(entries.height, np.bool_)
    postings, countable = _postings(windows, every, entries["item"], code.NGRAM, code.COMMON, first)
    limits = [code.QUESTION if layer == "question" else code.ANSWER for layer in entries["layer"]]
    enough = countable >= pl.Series([limit.tokens for limit in limits], dtype=pl.Int64)
    share = pl.Series([limit.share for limit in limits], dtype=pl.Float64)
    units = pl.Series(np.diff(windows.starts) + code.NGRAM - 1)
    return entries.with_columns(
        layer=pl.lit("code", LAYERS), units=units, countable=countable, threshold=share.set(~enough, None)
    ), postings


def _postings(
    texts: Shingled | code.Windows,
    wanted: npt.NDArray[np.bool_],
    item: pl.Series,
    ngram: int,
    common: int,
    first: int = 0,
) -> tuple[Postings, pl.Series]:
    """Where the n-grams of the wanted texts are that not more than `common` items hold; and the units that lie in one.

    Entries are numbered from `first`, and stand in the order of their items.
    """
    entry = np.repeat(np.arange(len(wanted)), np.diff(texts.starts))
    kept = np.flatnonzero(wanted[entry] & (texts.hashes != 0))
    entry = entry[kept]
    grams = hash_table.number(texts.hashes[kept])
    phrase = hash_table.groups(grams.of, item.to_numpy()[entry], grams.distinct) > common
    telling = np.flatnonzero(~phrase[grams.of])
    entry, place = entry[telling], (kept - texts.starts[entry])[telling]
    units = np.bincount(entry, covered(entry, place, ngram), len(wanted))
    begins, order = hash_table.sort(grams.of[telling], grams.distinct)
    numbers = (first + entry[order]).astype(np.uint32)
    found = Postings(ngram, grams.slots, grams.numbers, begins, numbers, place[order])
    return found, pl.Series("countable", units.astype(np.int64))


def _whole(shingled: Shingled, questions: pl.DataFrame, config: Config) -> pl.DataFrame:
    at = questions["entry"].to_numpy()
    keys = [pl.Series(f"key_{half}", shingled.keys[at, half]) for half in (0, 1)]
    keyed = questions.with_columns(*keys, short=pl.col("units") < config.ngram)
    return keyed.filter(pl.col("item").n_unique().over("key_0", "key_1") <= config.common).select(
        "key_0", "key_1", "entry", "short"
    )
