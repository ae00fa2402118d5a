"""An index of benchmark texts by word n-gram and by whole text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.decontaminate import hash_table
from curation.decontaminate.items import Item
from curation.dedup.texts import Shingled, shingle

LAYERS = pl.Enum(["exact", "question", "answer"])


@dataclass(frozen=True)
class Postings:
    """Where each n-gram that counts begins: `entries[k]` and `places[k]` (in words), k from `begins[gram]` on.

    slots, numbers: the hash table from n-gram to gram
    """

    slots: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int32]
    begins: npt.NDArray[np.int64]
    entries: npt.NDArray[np.uint32]
    places: npt.NDArray[np.int64]

    def hits(self, shingled: Shingled) -> pl.DataFrame:
        """Every n-gram of some texts that is in the index: text, at (its word there), entry, place (its word here)."""
        where, gram = hash_table.lookup(shingled.hashes, self.slots, self.numbers)
        text = np.searchsorted(shingled.starts, where, side="right") - 1
        counts = self.begins[gram + 1] - self.begins[gram]
        first = np.repeat(self.begins[gram] - np.cumsum(counts) + counts, counts)
        posting = first + np.arange(len(first))
        at = where - shingled.starts[text]
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
    """What rows are looked up in. An entry is one text of an item: a wording of its question, or an answer.

    items:    what `item` numbers
    entries:  entry, item, layer (question or answer), text, countable (words that lie in an n-gram that counts)
    whole:    key_0, key_1, entry, short: questions by the sequence of their words; short ones have no n-gram
    """

    items: Sequence[Item]
    ngram: int
    entries: pl.DataFrame
    whole: pl.DataFrame
    postings: Postings


def build(items: Sequence[Item], ngram: int, common: int, min_words: int, min_answer_words: int) -> Index:
    """Index items. An n-gram, or a whole question, of more than `common` items is a phrase and does not count."""
    listed = [(at, "question", text) for at, item in enumerate(items) for text in dict.fromkeys(item.questions)]
    listed += [(at, "answer", text) for at, item in enumerate(items) for text in dict.fromkeys(item.answers)]
    schema: dict[str, Any] = {"item": pl.UInt32, "layer": LAYERS, "text": pl.String}
    entries = pl.DataFrame(listed, schema=schema, orient="row").with_row_index("entry")
    shingled = shingle(entries["text"], ngram, ngram)
    least = pl.when(pl.col("layer") == "question").then(min_words).otherwise(min_answer_words)
    wanted = entries.select(least <= shingled.units).to_series()
    hashes, entry, place = _occurrences(shingled, wanted.to_numpy() & (shingled.units >= ngram))
    order = np.argsort(hashes, kind="stable")
    grams, gram, times = np.unique(hashes[order], return_inverse=True, return_counts=True)
    phrase = _in_more(gram, times, entries["item"].to_numpy()[entry[order]], common)
    telling, gram = order[~phrase], gram[~phrase]
    begins = np.concatenate([[0], np.cumsum(np.bincount(gram, minlength=len(grams)))])
    in_order = np.sort(telling)
    words = np.bincount(entry[in_order], covered(entry[in_order], place[in_order], ngram), len(entries))
    return Index(
        items=items,
        ngram=ngram,
        entries=entries.with_columns(countable=words.astype(np.int64)),
        whole=_whole(shingled, entries.filter(wanted, pl.col("layer") == "question"), ngram, common),
        postings=Postings(*hash_table.table(grams), begins, entry[telling].astype(np.uint32), place[telling]),
    )


def covered(group: npt.NDArray[Any], place: npt.NDArray[np.int64], ngram: int) -> npt.NDArray[np.int64]:
    """How many words each n-gram covers that none before it in its group does; sorted by group and place."""
    gained = np.full(len(group), ngram)
    same = group[1:] == group[:-1]
    gained[1:][same] = np.minimum(place[1:] - place[:-1], ngram)[same]
    return gained


def _occurrences(shingled: Shingled, wanted: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[Any], ...]:
    """Hash, entry and place of every n-gram of the wanted entries, in the order of entries and places."""
    entry = np.repeat(np.arange(len(wanted)), np.diff(shingled.starts))
    kept = np.flatnonzero(wanted[entry])
    return shingled.hashes[kept], entry[kept], kept - shingled.starts[entry[kept]]


def _in_more(
    gram: npt.NDArray[np.int64], times: npt.NDArray[np.int64], item: npt.NDArray[np.uint32], common: int
) -> npt.NDArray[np.bool_]:
    """For each occurrence of an n-gram, whether that is in more than `common` items; `times`: occurrences a gram."""
    often = np.flatnonzero((times > common)[gram])
    found = np.zeros(len(gram), np.bool_)
    items = pl.DataFrame({"gram": gram[often], "item": item[often]}).select(pl.col("item").n_unique().over("gram"))
    found[often] = items.to_series().to_numpy() > common
    return found


def _whole(shingled: Shingled, questions: pl.DataFrame, ngram: int, common: int) -> pl.DataFrame:
    at = questions["entry"].to_numpy()
    keys = [pl.Series(f"key_{half}", shingled.keys[at, half]) for half in (0, 1)]
    keyed = questions.with_columns(*keys, pl.Series("short", shingled.units[at] < ngram))
    return keyed.filter(pl.col("item").n_unique().over("key_0", "key_1") <= common).select(
        "key_0", "key_1", "entry", "short"
    )
