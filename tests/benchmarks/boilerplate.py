"""Near duplicates among tool calls of 44 shared preambles, with and without the weighting of boilerplate.

Needs `gpteacher_toolformer_dedupe.json` in ../shared/data. Truth is what a row asks: the last line of its instruction
and its input, in words.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import polars as pl

from curation.dedup import minhash
from curation.stage import Context
from schemas.records import MESSAGES

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "gpteacher_toolformer_dedupe.json"
THRESHOLD = 0.7


def main() -> None:
    """Print how many rows each setting drops, and how many of those ask what their survivor asks."""
    if not DATA.exists():
        sys.exit(f"no {DATA.name} in ../shared/data")
    records = json.loads(DATA.read_bytes())
    asked = [
        " ".join(re.findall(r"\w+", f"{r['instruction'].rsplit(chr(10), 1)[-1]} {r['input']}".lower())) for r in records
    ]
    print(f"{len(records):,} rows, {len(asked) - len(set(asked)):,} with the request of an earlier one")
    messages = [
        [
            {"role": "user", "content": f"{r['instruction']}\n\n{r['input']}".strip(), "extra": None},
            {"role": "assistant", "content": r["response"], "extra": None},
        ]
        for r in records
    ]
    rows = pl.DataFrame({"messages": messages}, schema={"messages": MESSAGES}).with_row_index("row_id")
    rows = rows.with_columns(pl.col("row_id").cast(pl.String))
    for compare in ("prompt", "both"):
        for common in (1.0, minhash.Config().common):
            config = minhash.Config(threshold=THRESHOLD, compare=compare, common=common)
            dropped = minhash.run(rows.lazy(), config, Context()).dropped.collect()
            same = sum(asked[int(a)] == asked[int(b)] for a, b in dropped.select("row_id", "kept_id").iter_rows())
            print(
                f"compare {compare}, common {common}: {dropped.height:,} dropped, {same:,} ask what their survivor asks"
            )


if __name__ == "__main__":
    main()
