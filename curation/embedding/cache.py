"""Embeddings kept in the store by content and encoder, so that a text is embedded once, whatever run it comes in.

    <home>/store/embedding/<encoder and task>/<sha256 of the file>.parquet      key, tokens, vector

A file is written whole every few seconds and named by its bytes, so a killed run goes on where it was, a damaged file
is noticed and made again, and processes that write at the same time do not meet.

Batches are planned over all texts of a set, by tokens and content, before those that are already there are left out.
A resumed run therefore computes the same batches, and the same set of texts in any order has the same vectors.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.digest import sha256_value
from curation.embedding.encoder import Encoder, Vectors, plan_batches
from curation.progress import Progress, Silent
from curation.store import PARQUET, write_file

log = logging.getLogger(__name__)

BATCH_TOKENS = 8192
# What a kill may cost, and what is held in memory between two files.
_SECONDS, _ROWS = 15.0, 65_536


@dataclass(frozen=True)
class Embedded:
    """Vectors of the unique texts of a column, and where those of each of its n texts are.

    vectors: float32 (unique, dimension), L2-normalised
    at:      int64 (n), row of `vectors`
    tokens:  int32 (n), of the whole text
    limit:   how many tokens the encoder reads as one; None where all
    made:    texts that were embedded now; the others were in the store
    """

    vectors: Vectors
    at: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int32]
    limit: int | None
    made: int

    @property
    def too_long(self) -> npt.NDArray[np.bool_]:
        """Which of the n texts are longer than the encoder reads as one."""
        return np.zeros(len(self.at), np.bool_) if self.limit is None else self.tokens > self.limit


def prepared(expr: pl.Expr) -> pl.Expr:
    """A text as it is embedded: NFKC, white space and NUL as single spaces. Case stays: encoders are told it."""
    return expr.str.normalize("NFKC").str.replace_all(r"[\s\x00]+", " ").str.strip_chars()


def embed(
    texts: pl.Series,
    encoder: Encoder,
    home: Path,
    task: str | None = None,
    *,
    batch_tokens: int = BATCH_TOKENS,
    skip_long: bool = False,
    progress: Progress | None = None,
) -> Embedded:
    """Embed a column of n texts without nulls; equal texts (in their prepared form) share a vector.

    With `skip_long`, texts that are too long are not embedded, and what stands for their vectors means nothing.

    Raises UsageError or EngineError where the encoder does.
    """
    plain = texts.alias("text").to_frame().select(prepared(pl.col("text"))).to_series()
    unique = plain.unique().sort()
    keys = pl.Series("key", [hashlib.sha256(text.encode()).digest()[:16] for text in unique], pl.Binary)
    shelf = _Shelf(home / "store" / "embedding" / sha256_value([encoder.digest, task])[:32])
    tokens, vectors, have = shelf.find(keys, encoder)
    missing = np.flatnonzero(~have)
    if len(missing):
        tokens[missing] = encoder.tokens(unique.gather(missing).to_list())
    limit = encoder.limit
    needed = ~have & (tokens <= limit) if skip_long and limit is not None else ~have
    with (progress or Silent()).task(f"embed {encoder.name}", int(needed.sum())) as working:
        for batch in plan_batches(tokens, batch_tokens) if needed.any() else ():
            wanted = batch[needed[batch]]
            if len(wanted):
                vectors[wanted] = encoder.encode(unique.gather(wanted).to_list(), task)
                shelf.put(keys, tokens, vectors, wanted)
                working.advance(len(wanted))
    shelf.flush(keys, tokens, vectors)
    at = unique.search_sorted(plain).to_numpy().astype(np.int64) if len(unique) else np.zeros(0, np.int64)
    return Embedded(vectors, at, tokens[at], limit, int(needed.sum()))


class _Shelf:
    """The files of one encoder and task."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: list[npt.NDArray[np.int64]] = []
        self._since = time.monotonic()

    def find(self, keys: pl.Series, encoder: Encoder) -> tuple[npt.NDArray[np.int32], Vectors, npt.NDArray[np.bool_]]:
        """Tokens and vectors of the keys, and which of them are there."""
        have = np.zeros(len(keys), np.bool_)
        tokens = np.zeros(len(keys), np.int32)
        vectors = np.zeros((len(keys), encoder.dimension), np.float32)
        wanted = keys.to_frame().with_row_index("at")
        for file in sorted(self.folder.glob("[0-9a-f]*.parquet")):
            kept = _read(file)
            if kept is None:
                continue
            found = kept.join(wanted, on="key", how="inner")
            at = found["at"].to_numpy()
            tokens[at] = found["tokens"].to_numpy()
            vectors[at] = found["vector"].to_numpy().reshape(-1, encoder.dimension)
            have[at] = True
        return tokens, vectors, have

    def put(
        self, keys: pl.Series, tokens: npt.NDArray[np.int32], vectors: Vectors, made: npt.NDArray[np.int64]
    ) -> None:
        """Note what was made; a file of it is written now and then."""
        self._waiting.append(made)
        if time.monotonic() - self._since >= _SECONDS or sum(map(len, self._waiting)) >= _ROWS:
            self.flush(keys, tokens, vectors)

    def flush(self, keys: pl.Series, tokens: npt.NDArray[np.int32], vectors: Vectors) -> None:
        """Write what is waiting."""
        self._since = time.monotonic()
        if not self._waiting:
            return
        at = np.concatenate(self._waiting)
        self._waiting = []
        shape = pl.Array(pl.Float32, vectors.shape[1])
        columns = [keys.gather(at), pl.Series("tokens", tokens[at]), pl.Series("vector", vectors[at], shape)]
        buffer = io.BytesIO()
        pl.DataFrame(columns).write_parquet(buffer, **PARQUET)  # type: ignore[arg-type]
        data = buffer.getvalue()
        write_file(self.folder / f"{hashlib.sha256(data).hexdigest()}.parquet", data)


def _read(file: Path) -> pl.DataFrame | None:
    """The table of a file, or None, and the file set aside, where its bytes are not those that its name tells."""
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() == file.stem:
        return pl.read_parquet(io.BytesIO(data))
    aside = file.with_suffix(".corrupt")
    log.warning("%s: damaged; set aside as %s, and its texts are embedded again", file, aside.name)
    os.replace(file, aside)
    return None
