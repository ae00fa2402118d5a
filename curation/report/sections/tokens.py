"""How long prompts and answers are in tokens of the model to be trained, as read and in the SFT set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from typing_extensions import TypedDict

from curation import text
from curation.bias.figures import plain
from curation.report import charts
from curation.report.binned import ShareBin, histogram
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.report.language import Catalogue
from curation.report.sampling import draw as draw_ids
from curation.report.sampling import only

# Rows of each table that are counted; of more, these are drawn.
SAMPLE = 4_000
# Bins double, as in the other lengths: what matters of a length is its order of magnitude.
EDGES = (0, *(2**k for k in range(0, 18)))
QUANTILES = (0.05, 0.5, 0.95, 1.0)
# Share of rows beyond the length that SFT reads from which on it is worth a look.
MANY = 0.01
TOKENIZER = "tokenizer.json"

Count = Callable[[pl.Series], pl.Series]


class Lengths(TypedDict):
    """Lengths of the prompts, or of the answers, of one table."""

    what: Literal["prompt", "response"]
    """Everything before the last answer, or the last answer."""
    when: Literal["read", "curated"]
    """As read, or in the SFT set."""
    rows: int
    """Rows of the table."""
    counted: int
    """Rows whose texts were counted."""
    sum: int
    """Tokens (or words) of the rows counted."""
    mean: float | None
    """Of the rows counted."""
    quantiles: dict[str, float | None]
    """By share; 1 is the longest."""
    bins: list[ShareBin]
    """From the first that is used to the last."""


class Beyond(TypedDict):
    """Rows of the SFT set that its training cuts."""

    max_length: int
    """Tokens that SFT reads of a row."""
    rows: int
    """Rows counted with more tokens in prompt and answer."""
    share: float
    """Of the rows counted."""


class Figures(TypedDict):
    """Lengths by table and text."""

    unit: Literal["tokens", "words"]
    """Tokens, without what a chat template adds; or words between white space where there is no tokenizer."""
    model: str
    """The model to be trained."""
    sample: int
    """Rows of a table that are counted at most."""
    seed: int
    """Of the draw."""
    lengths: list[Lengths]
    """Prompt and response, as read and curated."""
    beyond: Beyond | None
    """Absent where words are counted."""
    findings: list[Finding]
    """What is worth a look."""


def gather(run: ReportRun) -> Figures | None:
    """Lengths of the run's rows; None where none were read."""
    if run.ingested is None:
        return None
    training, seed = run.record.profile.get("training") or {}, int(run.record.profile.get("seed") or 0)
    model = str(training.get("model") or "")
    file = tokenizer_file(model, run.runs.home)
    count = words if file is None else tokens(file)
    told: list[Lengths] = []
    beyond: Beyond | None = None
    tables: list[tuple[Literal["read", "curated"], pl.LazyFrame | None]]
    tables = [("read", run.ingested), ("curated", run.curated)]
    drawn = {when: _texts(rows, seed) for when, rows in tables if rows is not None}
    known = counts([texts for _, texts in drawn.values()], count)
    for when, (total, texts) in drawn.items():
        counted = texts.select(pl.all().replace_strict(known["text"], known["length"], return_dtype=pl.Int64))
        told += [lengths(counted[what], what, when, total) for what in ("prompt", "response")]  # type: ignore[arg-type]
        limit = (training.get("sft") or {}).get("max_length")
        if when == "curated" and file is not None and limit and counted.height:
            long = int((counted["prompt"] + counted["response"] > limit).sum())
            beyond = Beyond(max_length=limit, rows=long, share=long / counted.height)
    unit: Literal["tokens", "words"] = "words" if file is None else "tokens"
    return Figures(
        unit=unit, model=model, sample=SAMPLE, seed=seed, lengths=told, beyond=beyond, findings=_findings(beyond)
    )


def _findings(beyond: Beyond | None) -> list[Finding]:
    if beyond is None or beyond["share"] < MANY:
        return []
    values = {"share": beyond["share"], "max_length": beyond["max_length"]}
    return [finding("warning", beyond["share"], "tokens.finding_beyond", "tokens", **values)]


def tokenizer_file(model: str, home: Path) -> Path | None:
    """The tokenizer of a model that is on this machine: a folder, one that was converted, or the Hub's cache.

    Nothing is fetched or converted for it. None where it is not there.
    """
    if not model:
        return None
    converted = (folder for folder in (home / "models").glob("*") if folder.name.startswith(f"{model}-"))
    folders = [Path(model), *sorted(converted)]
    found = next((folder / TOKENIZER for folder in folders if (folder / TOKENIZER).is_file()), None)
    if found is None and model.count("/") == 1 and not model.startswith((".", "/")):
        from huggingface_hub import try_to_load_from_cache

        repository, _, revision = model.partition("@")
        cached = try_to_load_from_cache(repository, TOKENIZER, revision=revision or None)
        found = Path(cached) if isinstance(cached, str) else None
    return found


def tokens(file: Path) -> Count:
    """Counts tokens by a tokenizer's file."""
    # Imported here: reading the report's figures again should not cost it.
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # What looks like a special token in a text is text.
    tokenizer.encode_special_tokens = True

    def count(texts: pl.Series) -> pl.Series:
        found = (tokenizer.encode_batch_fast(part, add_special_tokens=False) for part in _parts(texts))
        return pl.Series([len(encoding) for part in found for encoding in part], dtype=pl.Int64)

    return count


def _parts(texts: pl.Series, each: int = 1_024) -> list[list[str]]:
    return [texts.slice(at, each).to_list() for at in range(0, len(texts), each)]


def words(texts: pl.Series) -> pl.Series:
    """Counts what stands between white space."""
    return texts.str.count_matches(r"\S+").cast(pl.Int64)


def _texts(rows: pl.LazyFrame, seed: int) -> tuple[int, pl.DataFrame]:
    """How many rows there are, and `prompt` and `response` of those that are drawn; what is not there is empty."""
    ids = rows.select("row_id").collect()["row_id"]
    some = only(rows, draw_ids(ids, SAMPLE, seed, "tokens"))
    texts = some.select(text.prompt().fill_null("").alias("prompt"), text.response().fill_null("").alias("response"))
    return len(ids), texts.collect()


def counts(tables: Sequence[pl.DataFrame], count: Count) -> pl.DataFrame:
    """`text` and `length` of every text of some tables, each counted once: most are the same before and after."""
    texts = pl.concat([table[name].alias("text") for table in tables for name in table.columns]).unique().sort()
    return pl.DataFrame({"text": texts, "length": count(texts)})


def lengths(
    values: pl.Series, what: Literal["prompt", "response"], when: Literal["read", "curated"], rows: int
) -> Lengths:
    """The figures of one column of lengths."""
    numbers = values.to_numpy()
    found = [plain(float(np.quantile(numbers, q))) if len(numbers) else None for q in QUANTILES]
    return Lengths(
        what=what,
        when=when,
        rows=rows,
        counted=len(numbers),
        sum=int(numbers.sum()),
        mean=plain(float(numbers.mean())) if len(numbers) else None,
        quantiles={f"{q:g}": value for q, value in zip(QUANTILES, found, strict=True)},
        bins=_bins(values),
    )


def _bins(values: pl.Series) -> list[ShareBin]:
    """From the first bin that is used to the last."""
    bins = histogram(values, EDGES)
    used = [at for at, each in enumerate(bins) if each["count"]]
    return bins[used[0] : used[-1] + 1] if used else []


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """A chart of prompts and one of answers."""
    drawn = {}
    for what in ("prompt", "response"):
        mine = [entry for entry in figures["lengths"] if entry["what"] == what]
        data = [
            {"bin": say.number(each["low"]), "share": each["share"], "set": say(entry["when"])}
            for entry in mine
            for each in entry["bins"]
        ]
        if data:
            lows = sorted({each["low"] for entry in mine for each in entry["bins"]})
            medians = {entry["when"]: entry["quantiles"]["0.5"] for entry in mine}
            alt = say(f"chart_{what}_alt", read=medians["read"], curated=medians.get("curated"))
            axes = say(f"axis_{figures['unit']}"), say("axis_share")
            sets = [say(entry["when"]) for entry in mine]
            drawn[what] = charts.shares(say(f"chart_{what}"), alt, axes, data, sets, [say.number(low) for low in lows])
    return drawn
