"""How many rows each rule of repair, heuristics, language and personal data takes or marks, a file of ../shared/data.

Every stage sees the rows as ingest and the stages of `curation.clean` leave them, whatever the others drop: a row may
count under several rules. Files that hold pairs of transcripts, or test sets, are left out.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from curation.ingest import read_into
from curation.stage import Context, Stage, load_stage, stage_names
from curation.store import read_part
from schemas.profile.sources import Columns, Ingest, Source

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FAMILIES = ("clean.", "filter.", "language.", "privacy.")
COLUMNS = {
    "hrc_v1.jsonl": Columns(prompt="질의", response="상담례, 결정례 기반 답변"),
    "pandalm_testset_v1.json": Columns(prompt="instruction", input="input", response="response1"),
}
LEFT_OUT = ("bench_", "klue_", "hh_", "gsm8k_example")


def main() -> None:
    """Print a table of counts, a line a rule and a column a file, and the time that each stage took."""
    manifest = DATA / "MANIFEST.tsv"
    if not manifest.exists():
        sys.exit(f"no {manifest.name} in ../shared/data")
    with manifest.open(encoding="utf-8", newline="") as lines:
        names = [record["file"] for record in csv.DictReader(lines, delimiter="\t") if record["split"]]
    files = [name for name in names if not name.startswith(LEFT_OUT) and (DATA / name).exists()]
    tables, seconds = [], dict[str, float]()
    for name in files:
        with TemporaryDirectory() as folder:
            tables += [_quarantined(name, Path(folder)), *_counted(name, Path(folder), seconds)]
    counts = pl.concat(tables).pivot("file", index=["stage", "kind", "reason"], values="rows").fill_null(0)
    _show(counts.sort("stage", "kind", "reason"), files)
    for stage, taken in sorted(seconds.items()):
        print(f"{stage:32} {taken:6.1f} s")


def _quarantined(name: str, folder: Path) -> pl.DataFrame:
    """Read a file into parts, and count what ingest refuses."""
    source = Source(path=str(DATA / name), name=Path(name).stem, columns=COLUMNS.get(name, Columns()))
    read_into(source, Ingest(quarantine_limit=1.0), folder, Context())
    refused = pl.read_parquet(folder / "decisions.parquet")
    return _table(refused.select("reason", kind=pl.lit("quarantined")), "ingest", name)


def _counted(name: str, folder: Path, seconds: dict[str, float]) -> Iterator[pl.DataFrame]:
    rows = pl.concat([read_part(part) for part in sorted(folder.glob("part-*"))])
    for stage_name in stage_names():
        if stage_name.startswith(FAMILIES):
            stage = load_stage(stage_name)
            if stage.SCOPE != "row":
                continue
            started = time.perf_counter()
            said, kept = _run(stage, rows)
            seconds[stage_name] = seconds.get(stage_name, 0.0) + time.perf_counter() - started
            yield _table(said, stage_name, name)
            rows = kept if stage_name.startswith("clean.") else rows


def _run(stage: Stage, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What a stage says of rows, as (reason, kind), and the rows that it keeps."""
    result = stage.run(rows.lazy(), stage.Config(), Context(home=Path(".sieveline")))
    kinds = {"dropped": result.dropped, "edited": result.edited, "flagged": result.flagged}
    said = [frame.select("reason", kind=pl.lit(kind)).collect() for kind, frame in kinds.items() if frame is not None]
    return pl.concat(said, how="vertical_relaxed"), (result.kept.collect() if result.kept is not None else rows)


def _table(said: pl.DataFrame, stage: str, file: str) -> pl.DataFrame:
    counted = said.group_by("kind", "reason").agg(pl.len().alias("rows"))
    return counted.select(pl.lit(stage).alias("stage"), "kind", "reason", pl.lit(file).alias("file"), "rows")


def _show(counts: pl.DataFrame, files: list[str]) -> None:
    """As Markdown; a column is headed by the first letters of the file's name."""
    columns = [name for name in files if name in counts.columns]
    heads = [Path(name).stem[:20] for name in columns]
    print("| stage | rule | " + " | ".join([*heads, "all"]) + " |")
    print("|---|---|" + "---:|" * (len(heads) + 1))
    for record in counts.iter_rows(named=True):
        numbers = [record[name] for name in columns]
        told = " | ".join(f"{number:,}" if number else "" for number in [*numbers, sum(numbers)])
        print(f"| {record['stage']} | {record['reason']} ({record['kind']}) | {told} |")


if __name__ == "__main__":
    main()
