"""`python sieveline_filters.py CORPUS OUT`: every row-wise stage that repairs or judges text, over JSON lines.

All of clean, language, privacy and filter with their defaults, one after the other as a pipeline runs them: each writes
what it keeps, its ledger and its manifest into a store in OUT.
"""

import sys
from pathlib import Path

from curation.ingest import ingest
from curation.runner import run_stage
from curation.stage import Context, load_stage, stage_names
from curation.store import Store
from schemas.profile.sources import Ingest, Source

FOLDERS = ("clean", "language", "privacy", "filter")


def names(folders: tuple[str, ...]) -> list[str]:
    """The stages of some folders, folder by folder."""
    return [name for folder in folders for name in stage_names() if name.split(".")[0] == folder]


def main(corpus: Path, out: Path) -> None:
    """Read, then each stage on what the one before it kept."""
    store, context = Store(out), Context(home=out)
    done = ingest(Source(path=str(corpus), name="corpus"), Ingest(), store, context)
    print(f"{'ingest':28} {done.seconds:7.2f} s  {done.manifest.counts['kept']:,} rows")
    for name in names(FOLDERS):
        stage = load_stage(name)
        done = run_stage(store, name, stage.Config(), [done], context)
        print(f"{name:28} {done.seconds:7.2f} s  {done.manifest.counts['dropped']:,} dropped")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
