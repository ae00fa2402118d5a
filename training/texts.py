"""Plain and labelled texts, for the stages that learn from texts instead of exported pairs and prompts.

    <data>/sft/train-*.parquet    a hand-over: each conversation is a text
    <data>/*.parquet              otherwise all documents of the folder: a column `text` (or `messages`),
    <data>/*.jsonl                the same as JSON Lines,
    <data>/*.txt                  or a file a document (UTF-8)

Labelled texts are such a folder with a column `label` as well, or a folder of such folders, each named for the label of
what is in it, such as `good` and `bad`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from curation.text import TextOf, text_of, visible
from schemas.errors import UsageError

KINDS = (".parquet", ".jsonl", ".txt")
SHAPES = 'JSON Lines or Parquet with a column "text" or "messages", .txt files, or a folder that was handed over'


def documents(folder: Path) -> list[Path]:
    """The files with the texts of a folder, in order; subfolders other than a hand-over's `sft` are not looked into."""
    handed_over = sorted((folder / "sft").glob("train-*.parquet"))
    return handed_over or sorted(file for file in folder.glob("*") if file.suffix in KINDS and file.is_file())


def text_files(data: Path) -> list[Path]:
    """The files of plain texts. Raises UsageError where there are none."""
    found = documents(data)
    if not found:
        raise UsageError(f"{data}: no texts here", hint=f"name a folder with --data: {SHAPES}")
    return found


def labelled_files(data: Path) -> list[Path]:
    """The files of labelled texts. Raises UsageError where there are none."""
    found = [file for folder in _labels(data) for file in documents(folder)]
    found = found or [file for file in documents(data) if file.suffix != ".txt"]
    if not found:
        raise UsageError(
            f"{data}: no labelled texts here",
            hint=f'name a folder with --data: with columns "text" and "label", or with a folder a label ({SHAPES})',
        )
    return found


def plain(data: Path) -> tuple[pl.LazyFrame, int]:
    """`text` of every document with something to read in it, and how many documents have nothing.

    Raises UsageError where all have nothing.
    """
    every = _read(text_files(data), "both").select("text")
    return _some(every, data), every.filter(~visible(pl.col("text"))).select(pl.len()).collect().item()


def labelled(data: Path, read: TextOf) -> tuple[pl.DataFrame, int]:
    """`text` and `label`, each text once, in the order of the texts' digests, so that the order of the files is of no
    matter; and how many rows were left out as empty, without a label, or there before.

    `read` is what is read of a conversation. Raises UsageError where there are fewer than two labels, or a text has
    several.
    """
    folders = _labels(data)
    frames = [_read(documents(folder), read).with_columns(pl.lit(folder.name).alias("label")) for folder in folders]
    every = pl.concat(frames) if frames else _read(labelled_files(data), read)
    if "label" not in every.collect_schema().names():
        raise UsageError(f'{data}: no column "label"', hint="label each text, or put the texts in a folder a label")
    found = every.select("text", pl.col("label").cast(pl.String)).collect()
    rows = _some(found.lazy(), data).drop_nulls("label").unique().collect()
    several = rows.filter(pl.col("text").is_duplicated())
    if several.height:
        count, example = several["text"].n_unique(), sorted(several["label"].unique())
        raise UsageError(
            f"{data}: {count:,} texts have several labels, such as {' and '.join(example[:2])}",
            hint="leave them in one of the folders only: a text that is good and bad teaches nothing",
        )
    if rows["label"].n_unique() < 2:
        raise UsageError(
            f"{data}: all texts have the label {rows['label'][0]!r}", hint="a classifier needs two labels or more"
        )
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in rows["text"]]
    ordered = rows.with_columns(pl.Series("digest", digests, pl.String)).sort("digest").drop("digest")
    return ordered, found.height - ordered.height


def held_out(rows: pl.DataFrame, share: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Texts to train on and texts to measure on: of each label the share (one at least) of the lowest seeded digest.

    Raises UsageError where a label has but one text.
    """
    digests = [hashlib.sha256(f"{seed}:{text}".encode()).hexdigest() for text in rows["text"]]
    rank = pl.col("digest").rank("ordinal").over("label").alias("rank")
    ranked = rows.with_columns(pl.Series("digest", digests, pl.String)).with_columns(rank).drop("digest")
    single = ranked.filter(pl.len().over("label") < 2)["label"]
    if len(single):
        raise UsageError(
            f"the label {single[0]!r} has one text", hint="a label needs one text to learn from and one to measure on"
        )
    kept_out = pl.col("rank") <= (pl.len().over("label") * share).ceil()
    return ranked.filter(~kept_out).drop("rank"), ranked.filter(kept_out).drop("rank")


def _labels(data: Path) -> list[Path]:
    """The folders named for labels: those with texts directly in them, or a hand-over."""
    if (data / "sft").is_dir() or any(file.suffix in KINDS for file in data.glob("*")):
        return []
    return sorted(folder for folder in data.glob("*") if folder.is_dir() and documents(folder))


def _read(files: Sequence[Path], read: TextOf) -> pl.LazyFrame:
    return pl.concat([_read_one(file, read) for file in files], how="diagonal")


def _read_one(file: Path, read: TextOf) -> pl.LazyFrame:
    """`text`, and `label` where there is one. Raises UsageError where a file has neither texts nor conversations."""
    if file.suffix == ".txt":
        try:
            return pl.LazyFrame({"text": [file.read_text(encoding="utf-8")]})
        except UnicodeDecodeError as error:
            raise UsageError(f"{file}: not UTF-8 ({error.reason} at byte {error.start:,})") from error
    try:
        rows = pl.scan_parquet(file) if file.suffix == ".parquet" else pl.scan_ndjson(file, infer_schema_length=None)
        names = rows.collect_schema().names()
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{file}: cannot be read ({str(error).splitlines()[0]})", hint=f"wanted: {SHAPES}") from error
    if "text" not in names and "messages" not in names:
        raise UsageError(f"{file}: no column text or messages (it has {', '.join(names)})", hint=f"wanted: {SHAPES}")
    text = pl.col("text") if "text" in names else text_of(read).alias("text")
    return rows.select(text, *(["label"] if "label" in names else []))


def _some(rows: pl.LazyFrame, data: Path) -> pl.LazyFrame:
    """Rows with a visible text. Raises UsageError where there are none."""
    found = rows.filter(visible(pl.col("text")))
    if found.head(1).collect().is_empty():
        raise UsageError(f"{data}: every text is empty", hint=f"wanted: {SHAPES}")
    return found
