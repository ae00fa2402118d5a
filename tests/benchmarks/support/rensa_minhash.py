"""`python rensa_minhash.py CORPUS OUT`: near duplicates with rensa's deduplicator, JSON lines to Parquet.

128 permutations, threshold 0.8, word 5-grams of the text in lower case without punctuation.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from rensa import RMinHashDeduplicator

WORD = re.compile(r"\w+")


def main(corpus: str, out: Path) -> None:
    """Read, hash, write."""
    out.mkdir(parents=True, exist_ok=True)
    rows = pl.read_ndjson(corpus)
    texts = rows.select(pl.concat_str("instruction", "input", "output", separator="\n").str.normalize("NFKC"))
    found = RMinHashDeduplicator(threshold=0.8, num_perm=128, use_lsh=True)
    kept = found.add_pairs((str(at), list(shingles(text))) for at, (text,) in enumerate(texts.iter_rows()))
    mask = pl.Series(kept, dtype=pl.Boolean)
    rows.filter(mask).write_parquet(out / "kept.parquet")
    (out / "removed").write_text("\n".join(map(str, rows.filter(~mask)["id"].to_list())))


def shingles(text: str) -> Iterator[str]:
    """Five words in a row."""
    words = WORD.findall(text.lower())
    for at in range(max(1, len(words) - 4)):
        yield " ".join(words[at : at + 5])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
