"""Batches of texts as Arrow buffers, in normal form, worked on side by side."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.dedup import text_kernels
from curation.dedup.codepoints import Table, table
from curation.progress import Silent, Task

T = TypeVar("T")
SILENT = Silent()
BATCH_ROWS = 8192  # some 10 MB of usual instruction text; memory in flight is a few times that a thread


def map_batches(rows: pl.LazyFrame, work: Callable[[pl.DataFrame], T], task: Task = SILENT) -> list[T]:
    """Run `work` over batches of rows on as many threads as Polars has, a few batches ahead at most.

    Which rows share a batch, and the order of batches, are not defined: what is made of them must not depend on it.
    """
    threads = pl.thread_pool_size()
    done: list[T] = []
    waiting: deque[tuple[int, Future[T]]] = deque()

    def take() -> None:
        height, future = waiting.popleft()
        done.append(future.result())
        task.advance(height)

    with ThreadPoolExecutor(threads) as pool:
        for batch in rows.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False):
            waiting.append((batch.height, pool.submit(work, batch)))
            if len(waiting) > 2 * threads:
                take()
        while waiting:
            take()
    return done


def detached(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy that shares no memory: a few columns of a batch would otherwise keep all that was read with them."""
    copy = io.BytesIO()
    frame.write_ipc(copy)
    copy.seek(0)
    return pl.read_ipc(copy)


@dataclass(frozen=True)
class Shingled:
    """The shingles of n texts.

    hashes:  of all shingles, text after text, with repeats
    starts:  (n + 1), where those of each text begin; a text of nothing but white space has none
    letters: (n), word characters
    units:   (n), words, and characters of unsegmented scripts
    keys:    (n, 2), 128 bits of the sequence of units: texts with one key have the same words in the same order
    """

    hashes: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]
    letters: npt.NDArray[np.int32]
    units: npt.NDArray[np.int32]
    keys: npt.NDArray[np.uint64]


def shingle(texts: pl.Series, ngram: int, char_ngram: int, hangul_characters: bool = False) -> Shingled:
    """Shingle a column of texts without nulls: `ngram` words, `char_ngram` characters in unsegmented scripts."""
    entries = table(hangul_characters)
    data, offsets = buffers(normalised(texts, entries))
    n = len(texts)
    room = np.empty(len(data) + n, np.uint64)  # pages that are not written to are never backed by memory
    starts, sizes, keys = np.empty(n + 1, np.int64), np.empty((n, 2), np.int32), np.empty((n, 2), np.uint64)
    used = text_kernels.shingle(data, offsets, entries, ngram, char_ngram, room, starts, sizes, keys)
    return Shingled(room[:used].copy(), starts, sizes[:, 0].copy(), sizes[:, 1].copy(), keys)


def buffers(texts: pl.Series) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The UTF-8 bytes of a column of texts without nulls, and the offsets of its texts and of the end."""
    array = texts.to_arrow()
    _, offsets, data = array.buffers()
    if not len(array) or data is None:
        return np.zeros(0, np.uint8), np.zeros(len(array) + 1, np.int64)
    window = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data, np.uint8), window


def normalised(texts: pl.Series, entries: Table) -> pl.Series:
    """Texts whose normal form is looked up character by character; those of which it is not are put in normal form."""
    found = np.zeros(len(texts), np.bool_)
    text_kernels.unstable(*buffers(texts), entries, found)
    where = np.flatnonzero(found)
    if not len(where):
        return texts
    folded = texts.gather(where).str.normalize("NFKC").str.to_lowercase()
    order = np.arange(len(texts))
    order[where] = len(texts) + np.arange(len(where))
    return pl.concat([texts, folded]).gather(order)
