"""Normalise the text of every message and record each kind of change.

The steps, in order, each under the reason it has in the ledger:

- `mojibake_repaired`: UTF-8 that was once read in a one-byte encoding (see `curation.clean.mojibake`).
- `line_endings`: CR LF, CR, and the other characters that Unicode lets end a line become LF.
- `control_characters`: terminal escapes, other controls, byte order marks, noncharacters and invisible tag
  characters (which can carry a hidden prompt; those of a flag emoji stay) are removed.
- `bidi_controls`, `zero_width`: characters that nobody sees and that no script here needs (`curation.clean.invisible`).
- `unicode_normalized`: NFC. Not NFKC, which would rewrite code, superscripts and full-width text.
- `whitespace`: outer whitespace and zero-width padding go. The first line keeps its indentation where it is two
  columns or more and a later line is indented too: it is code, and would no longer parse.

Only `content` is touched. A text that becomes empty stays, for `filter.empty` to judge. Metadata is not touched either:
a row with a value that has outer whitespace ("2   " beside "2") is flagged `metadata_padded`, since groups and quotas
would take it for a value of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import polars as pl

from curation.clean.edits import ROW, Step, edit, on_content
from curation.clean.mojibake import repair_series
from curation.clean.steps import STEPS, needed
from curation.stage import Context, Result, StageConfig

SCOPE = "row"

_PADDED = r':"(?:\s|\\[tnr])|(?:\s|\\[tnr])"[,}\]]'


class Config(StageConfig):
    """Only the repair of mojibake is a choice; later stages rely on the other steps."""

    repair_mojibake: bool = True


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Drops nothing. Edits: see `curation.clean.edits.edit`. Flags: metadata_padded; detail: the key and the value."""
    frame = rows.collect()
    steps: dict[str, Step] = {name: on_content(step) for name, step in STEPS.items()}
    if config.repair_mojibake:
        steps = {"mojibake_repaired": lambda turns: repair_series(turns["content"], turns[ROW]), **steps}
    return replace(edit(frame, needed, steps), flagged=_padded(frame).lazy())


def _padded(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with a metadata value, at whatever depth of objects, that has outer whitespace."""
    suspects = frame.filter(pl.col("metadata").str.contains(_PADDED)).select("row_id", "prompt_id", "metadata")
    details = [_first_padded(orjson.loads(metadata)) for metadata in suspects["metadata"]]
    told = suspects.drop("metadata").with_columns(
        reason=pl.lit("metadata_padded"), detail=pl.Series(details, dtype=pl.String)
    )
    return told.drop_nulls("detail")


def _first_padded(metadata: Any) -> str | None:
    """`key="value"` of the first padded value; None where there is none."""
    for key, value in metadata.items() if isinstance(metadata, Mapping) else ():
        if isinstance(value, str) and value != value.strip():
            return f"{key}={orjson.dumps(value[:40]).decode()}"
        if inner := _first_padded(value):
            return f"{key}.{inner}"
    return None
