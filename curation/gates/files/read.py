"""The records of a file as one table, those that were refused among them.

Records whose conversation stands in one column, or in two that are text, are read as `ingest` reads a source; those of
answers beside a prompt as preference data is. Texts are taken as they are: nothing is cleaned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import polars as pl

from curation.comparisons import replies, solutions
from curation.comparisons.cleaning import Given
from curation.comparisons.detect import detect
from curation.comparisons.read import read_file
from curation.comparisons.record import Layout
from curation.gates.files.kind import Columns
from curation.ingest import ingest
from curation.ingest.files import default_name, listing
from curation.ingest.survey import SourceFile, survey, take_stock
from curation.stage import Context
from curation.store import Store
from schemas.errors import UsageError
from schemas.expectations import FileKind
from schemas.profile import Columns as RowColumns
from schemas.profile.sources import ComparisonColumns, Comparisons, Ingest, Source
from schemas.records import MESSAGES, ROWS, prompt_id_of

# Records that were refused: `reason` is the reader's word for why.
REFUSED: Final = pl.Schema({"row_id": pl.String, "reason": pl.String})
# Answers to a prompt: two of which one is preferred (`verdict`: a, b or tie), or one with its reward.
ANSWERS: Final = pl.Schema(
    {
        "row_id": pl.String,
        "prompt_id": pl.String,
        "prompt": MESSAGES,
        "a": pl.String,
        "b": pl.String,
        "verdict": pl.String,
        "score_a": pl.Float64,
        "score_b": pl.Float64,
    }
)
_PREFERENCE: Final[FileKind] = "preference"


class Records(NamedTuple):
    """A file's records: ROWS or ANSWERS, and those refused (REFUSED). `compared`: the table is ANSWERS."""

    table: pl.DataFrame
    refused: pl.DataFrame
    compared: bool


def read(path: str, columns: Columns, context: Context) -> Records:
    """Read every record. Raises UsageError where the shape is unknown, or not of the kind that was asked for."""
    compared = columns.kind in (_PREFERENCE, "rejection-sampling") or columns.messages
    return _answers(path, columns, context) if compared else _rows(path, columns, context)


def _rows(path: str, columns: Columns, context: Context) -> Records:
    with TemporaryDirectory() as folder:
        source = Source(path=path, columns=RowColumns(ignore=columns.ignore))
        done = ingest(source, Ingest(), Store(Path(folder)), context)
        table = done.scan().select(ROWS.names()).collect()
        refused = done.table("decisions").filter(kind="quarantined").select("row_id", "reason").collect()
    return Records(table, refused.cast(REFUSED), compared=False)  # type: ignore[arg-type]


def _answers(path: str, columns: Columns, context: Context) -> Records:
    name = default_name(path)
    if columns.kind == _PREFERENCE:
        entry = Comparisons(path=path, name=name, columns=ComparisonColumns(ignore=columns.ignore))
    else:
        mapped = ComparisonColumns(
            prompt="prompt", response="completion", score=_reward(columns), ignore=columns.ignore
        )
        entry = Comparisons(path=path, name=name, shape="replies", columns=mapped)
    files = take_stock(listing(path).files, name, keep_ids=False)
    survey(
        files, Ingest(), lambda sample, file, typed: _layout(detect(sample, file, typed, entry, name), file, columns)
    )
    read_files = [(file, read_file(file, (), None, context)) for file in files]
    records = [given for _, done in read_files for given in done.records]
    refused = [frame for file, done in read_files for frame in _refused(file, done.decided, done.rejects, done.refused)]
    table = pl.DataFrame(list(_as_answers(records)), schema=ANSWERS, orient="row")
    return Records(table, pl.concat([pl.DataFrame(schema=REFUSED), *refused]), compared=True)


def _layout(found: Layout, file: str, columns: Columns) -> Layout:
    """The layout that was found, where it is one of the kind that is wanted."""
    if columns.kind == _PREFERENCE and found.name in (replies.NAME, solutions.NAME):
        raise UsageError(
            f"{file}: its records are rated answers ({found.told}), and do not say which of two is preferred",
            hint="check them with --as rejection-sampling, or make pairs of them first: docs/preference-data.md",
        )
    return found


def _reward(columns: Columns) -> str | None:
    return "reward" if columns.kind == "rejection-sampling" else None


def _refused(file: SourceFile, decided: Sequence[pl.DataFrame], rejects: Any, whole: Any) -> Iterator[pl.DataFrame]:
    yield (file.origin.whole_file(whole) if whole else file.origin.table(rejects)).select(REFUSED.names())
    for frame in decided:
        yield frame.filter(kind="dropped").select(REFUSED.names())


def _as_answers(records: Sequence[Given]) -> Iterator[tuple[Any, ...]]:
    """A row of ANSWERS a record; where there are not two answers, `b` is null."""
    for record_id, comparison, _ in records:
        prompt = [message._asdict() for message in comparison.prompt]
        a, b = (*comparison.answers, None)[:2]
        assert a is not None
        other = (None, None) if b is None else (b.text, b.score)
        yield record_id, prompt_id_of(prompt), prompt, a.text, other[0], comparison.verdict, a.score, other[1]
