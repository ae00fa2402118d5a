"""Write sets of a run in the shape of another tool, whole or not at all.

    <out>/<set>.jsonl or <set>.parquet     the rows, in the order of the set
    <out>/<set>.ids.txt                    the id of each of them, a line a row
    <out>/...                              what the tool wants beside them, such as dataset_info.json
    <out>/export.json                      run, format, rows, rows left out and why, sha256 of every file

Rows are read, turned and written a batch at a time. Everything is built in a temporary folder inside `out` and moved
into place, `export.json` last and taken away first, so that a folder with an `export.json` is a whole one. Other files
in the folder are left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow.parquet as pq

from curation.digest import sha256_file
from curation.handover.export import curated_table, move_into, staged, unfinished
from curation.handover.formats import FORMATS
from curation.handover.formats.files import open_rows
from curation.handover.formats.rows import NO_ANSWER, Conversation, Format, Holds, Pair, UnfitError, Written, decoded
from curation.runs import RunRecord, Runs
from curation.store import Committed
from schemas.errors import UsageError

SETS = ("sft", "rejection_sampling", "preference")
RECORD = "export.json"
BATCH = 1024
ID = {"sft": "row_id", "rejection_sampling": "completion_id", "preference": "pair_id"}


def export_as(
    runs: Runs, record: RunRecord, name: str, out: Path, sets: Sequence[str] | None = None
) -> dict[str, Written]:
    """Write sets of a run (all that it has, where none are named) in a format, and return what was written.

    Raises UsageError where there is no such format or set, the run has not made a set that is named, or `out` has
    files by our names that were not written here.
    """
    form = FORMATS.get(name)
    if form is None:
        raise UsageError(f"no format {name!r}", hint=f"there are: {', '.join(FORMATS)}")
    tables = _tables(runs, record, sets)
    earlier = _earlier(out)
    tools = _tools(runs, record)
    with staged(out) as staging:
        written = {set_: _write(form, set_, done, tools, staging) for set_, done in tables.items()}
        for file, text in form.beside(written).items():
            (staging / file).write_text(text, encoding="utf-8")
        made = sorted(path.name for path in staging.iterdir())
        _check_free(out, made, earlier)
        (staging / RECORD).write_bytes(_record(record, name, written, staging, made))
        move_into(staging, out, [*dict.fromkeys([*made, *earlier]), RECORD])
    return written


def _tables(runs: Runs, record: RunRecord, sets: Sequence[str] | None) -> dict[str, Committed]:
    unknown = sorted(set(sets or ()) - set(SETS))
    if unknown:
        raise UsageError(f"no set {', '.join(unknown)}", hint=f"there are: {', '.join(SETS)}")
    found = {name: curated_table(runs, record) if name == "sft" else runs.last(record, name) for name in sets or SETS}
    missing = [name for name, done in found.items() if done is None]
    if missing and (sets or len(missing) == len(SETS)):
        raise UsageError(f"the run {record.run} has not made: {', '.join(missing)}", hint="see: sieveline counts")
    return {name: done for name, done in found.items() if done is not None}


def _tools(runs: Runs, record: RunRecord) -> pl.DataFrame:
    """Function schemas as JSON text by row id, of the rows that have them."""
    done = curated_table(runs, record)
    if done is None:
        return pl.DataFrame(schema={"row_id": pl.String, "tools": pl.String})
    tools = pl.col("metadata").str.json_path_match("$.tools").alias("tools")
    return done.scan().select("row_id", tools).filter(pl.col("tools").is_not_null()).unique("row_id").collect()


def _write(form: Format, name: str, done: Committed, tools: pl.DataFrame, folder: Path) -> Written:
    holds = _holds(name, done.scan(), tools)
    file = f"{name}{form.suffix}"
    left_out: Counter[str] = Counter()
    with ExitStack() as stack:
        rows = stack.enter_context(open_rows(folder / file, form.schema(holds) if form.schema else None))
        ids = stack.enter_context((folder / f"{name}.ids.txt").open("w", encoding="utf-8"))
        for batch in _batches(name, done.parts, tools):
            fit = []
            for row in batch:
                try:
                    fit.append(_turned(form, row, holds))
                except UnfitError as reason:
                    left_out[str(reason)] += 1
                else:
                    ids.write(f"{row[ID[name]]}\n")
            rows.write(fit)
    return Written(file, rows.count, dict(sorted(left_out.items())), holds)


def _holds(name: str, scan: pl.LazyFrame, tools: pl.DataFrame) -> Holds:
    schema = scan.collect_schema()
    extras = [
        pl.col(column).list.eval(pl.element().struct.field("extra").is_not_null()).list.any().any()
        for column in ("messages", "prompt", "completion", "chosen", "rejected")
        if column in schema
    ]
    margin = pl.col("margin").is_not_null().any() if name == "preference" else pl.lit(False)
    calls, margins = scan.select(pl.any_horizontal(extras), margin.alias("margins")).collect().row(0)
    has = tools.lazy().join(scan.select("row_id"), on="row_id", how="semi").head(1).collect().height > 0
    return Holds(name, tools=has, calls=bool(calls), margins=bool(margins))


def _batches(name: str, parts: Sequence[Path], tools: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    wanted = {
        "sft": ["row_id", "messages"],
        "rejection_sampling": ["row_id", ID[name], "prompt", "completion"],
        "preference": ["row_id", ID[name], "prompt", "chosen", "rejected", "margin"],
    }[name]
    for part in parts:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(BATCH, columns=wanted):
                frame = pl.DataFrame(batch)
                yield frame.join(tools, on="row_id", how="left", maintain_order="left").to_dicts()


def _turned(form: Format, row: Mapping[str, Any], holds: Holds) -> dict[str, Any]:
    tools = orjson.loads(row["tools"]) if row["tools"] else None
    if holds.name == "preference":
        prompt, chosen, rejected = (decoded(row[side]) for side in ("prompt", "chosen", "rejected"))
        return form.pair(Pair(prompt, chosen, rejected, tools, row["margin"]), holds)
    columns = ["messages"] if holds.name == "sft" else ["prompt", "completion"]
    messages = [message for column in columns for message in decoded(row[column])]
    if messages[-1]["role"] != "assistant":
        raise UnfitError(NO_ANSWER)
    return form.conversation(Conversation(messages, tools), holds)


def _earlier(out: Path) -> list[str]:
    """The files of an earlier export into this folder."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file", hint="name a folder")
    try:
        names = list(orjson.loads((out / RECORD).read_bytes())["files"])
    except FileNotFoundError:
        names = unfinished(out)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{out / RECORD} is not one that this tool wrote", hint="name another folder") from error
    return [name for name in names if Path(name).name == name and name != RECORD]


def _check_free(out: Path, made: Sequence[str], earlier: Sequence[str]) -> None:
    taken = [name for name in made if (out / name).exists() and name not in earlier]
    if taken:
        raise UsageError(
            f"--out {out} already has {', '.join(taken)}, and no {RECORD} that says this tool wrote them",
            hint="name another folder, or move these away",
        )


def _record(record: RunRecord, name: str, written: Mapping[str, Written], folder: Path, made: Sequence[str]) -> bytes:
    told = {
        "run": record.run,
        "format": name,
        "sets": {set_: {"rows": w.rows, "left_out": dict(w.left_out)} for set_, w in written.items()},
        "files": {file: sha256_file(folder / file) for file in made},
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2)
