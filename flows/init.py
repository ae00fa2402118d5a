"""`sieveline init`: a commented profile for somebody's file, after looking at it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

import polars as pl

from curation import text
from curation.ingest import ingest
from curation.ingest.files import default_name
from curation.ingest.shapes import UnknownShapeError
from curation.language.languages import languages
from curation.runs import Runs
from curation.stage import Context
from curation.store import Committed, write_file
from flows.profiles import load_profile
from schemas.errors import UsageError
from schemas.profile.sources import Columns, Ingest, Source

TEMPLATE: Final = Path(__file__).parent / "profiles" / "init.toml.in"
SAMPLE: Final = 2_000
# What people call the two sides of an exchange, best guess first.
ASKED: Final = ("prompt", "instruction", "question", "query", "input", "user", "request", "source", "질문", "문제")
ANSWERED: Final = (
    "response",
    "answer",
    "output",
    "completion",
    "reply",
    "assistant",
    "target",
    "chosen",
    "답변",
    "정답",
)


def make_profile(path: str, out: Path, *, force: bool = False) -> list[str]:
    """Look at the first rows of `path`, write a profile for it to `out`, and tell what was seen, a line each.

    Raises UsageError where `out` exists and is not to be replaced, nothing can be read, or the records are in no known
    shape and no two keys look like a question and its answer.
    """
    if out.exists() and not force:
        raise UsageError(f"{out} exists", hint="name another --out, or replace it with --force")
    with tempfile.TemporaryDirectory(prefix="sieveline-init-") as scratch:
        columns, done = look(path, Path(scratch))
        seen = describe(done)
    if not seen["rows"]:
        raise UsageError(f"{path}: no row could be read", hint=f"the reasons: {seen['quarantined'] or 'it is empty'}")
    body = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        path=toml(str(Path(path).resolve()) if Path(path).exists() else path),
        name=toml(default_name(path)),
        columns=mapping(columns),
        told="\n".join(f"# {line}" for line in seen["lines"]),
        prompts=min(200, seen["rows"]),
        max_length=seen["max_length"],
    )
    write_file(out, body.encode())
    load_profile(str(out))
    return list(seen["lines"])


def look(path: str, home: Path) -> tuple[Columns, Committed]:
    """Ingest the first rows; where the shape is unknown, with the two keys that look like question and answer."""

    def read(columns: Columns) -> Committed:
        source = Source(path=path, name=default_name(path), columns=columns, limit=SAMPLE)
        return ingest(source, Ingest(), Runs(home).store, Context(seed=0, home=home))

    try:
        return Columns(), read(Columns())
    except UnknownShapeError as error:
        prompt, response = guess(error.keys, ASKED), guess(error.keys, ANSWERED)
        if prompt is None or response is None or prompt == response:
            raise
        columns = Columns(prompt=prompt, response=response)
        return columns, read(columns)


def guess(keys: Sequence[str], words: tuple[str, ...]) -> str | None:
    """The first key that is one of the words, or holds one."""
    lowered = {key.lower(): key for key in reversed(keys)}
    whole = next((lowered[word] for word in words if word in lowered), None)
    return whole or next((key for word in words for low, key in reversed(lowered.items()) if word in low), None)


def describe(done: Committed) -> dict[str, Any]:
    """What the sample is like: lines for people, rows, and a length in tokens that nearly all rows keep to."""
    facts, counts = done.manifest.facts, done.manifest.counts
    rows = done.scan().select(text.prompt().alias("prompt"), text.response().alias("response")).collect()
    reasons = done.table("decisions").group_by("reason").len().sort("len", descending=True).collect()
    quarantined = ", ".join(f"{count:,} {reason}" for reason, count in reasons.iter_rows())
    if not rows.height:
        return {"rows": 0, "quarantined": quarantined, "lines": [], "max_length": 1024}
    spoken = languages(rows["response"])["language"].value_counts(sort=True).head(4)
    shares = [
        f"{code or 'not told'} {count / rows.height:.0%}"
        for code, count in spoken.iter_rows()
        if count >= 0.005 * rows.height
    ]
    size = pl.col("prompt").str.len_chars(), pl.col("response").str.len_chars()
    prompt, response, long = rows.select(
        size[0].median().alias("prompt"),
        size[1].median().alias("response"),
        (size[0] + size[1]).quantile(0.99).alias("l"),
    ).row(0)
    shapes = sorted({f"{file['format']}, {file['shape']}" for file in facts["files"] if file["shape"]})
    lines = [
        f"{counts['kept']:,} rows looked at ({'; '.join(shapes)}), files: {len(facts['files']):,}",
        f"quarantined: {quarantined or 'none'}",
        f"languages of the answers: {', '.join(shares)}",
        f"characters, median: prompt {prompt:,.0f}, answer {response:,.0f}; 99 of 100 rows have less than {long:,.0f}",
    ]
    # Two characters a token is on the safe side of English (about four) and of Korean (between one and two).
    return {"rows": rows.height, "quarantined": quarantined, "lines": lines, "max_length": power_of_two(long / 2)}


def power_of_two(tokens: float) -> int:
    """The next power of two, from 256 to 8,192."""
    return int(min(8192, max(256, 2 ** max(0, int(tokens)).bit_length())))


def mapping(columns: Columns) -> str:
    """The table of named keys, where the shape is not a known one."""
    if columns.prompt is None or columns.response is None:
        return ""
    named = f"prompt = {toml(columns.prompt)}\nresponse = {toml(columns.response)}"
    return f"# A guess by the names of the keys: look whether it is right.\n[sources.columns]\n{named}\n"


def toml(value: str) -> str:
    """A TOML string; JSON's are TOML's, but for the control character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
