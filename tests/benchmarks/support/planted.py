"""An instruction corpus with planted copies of known Jaccard similarity.

Rows are sentences of random words, so no two are alike by chance. Every planted copy has an original of its own, so
that planted groups are pairs, and who of a pair is removed can be counted. A tenth of the rows are Korean.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl

NGRAM = 5
# Of all rows: verbatim copies, copies that differ in case, white space or Unicode form, and edited ones.
SHARES = {"exact": 0.05, "norm": 0.03, "near": 0.07}
_WORD = re.compile(r"\w+")
_EN = "aeiou", "bcdfghklmnprstvw"


def shingles(text: str) -> set[tuple[str, ...]]:
    """The word 5-grams of a text in normal form (NFKC, lower case)."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return {tuple(words[at : at + NGRAM]) for at in range(max(1, len(words) - NGRAM + 1))}


def jaccard(left: set[Any], right: set[Any]) -> float:
    """|A n B| / |A u B|"""
    return len(left & right) / len(left | right)


def text_of(row: dict[str, str]) -> str:
    """What is compared: prompt and answer."""
    return f"{row['instruction']}\n\n{row['output']}"


def write(rows: int, seed: int, corpus: Path, truth: Path) -> None:
    """Write `corpus` (JSON lines: id, instruction, input, output) and `truth` (id, orig_id, kind, jaccard)."""
    chance = random.Random(seed)
    vocabulary = {"en": _words(chance, 30_000, _latin), "ko": _words(chance, 30_000, _hangul)}
    planted = [(kind, n) for kind, share in SHARES.items() for n in range(int(rows * share))]
    originals = rows - len(planted)
    order = list(range(rows))
    chance.shuffle(order)
    made: list[bytes] = [b""] * rows
    pairs: list[tuple[int, int, str, float]] = []
    for at in range(originals):
        language = "ko" if chance.random() < 0.1 else "en"
        row = {"instruction": _text(chance, vocabulary[language], 8, 25)}
        row |= {"input": "", "output": _text(chance, vocabulary[language], 30, 200)}
        made[order[at]] = _line(order[at], row)
        if at < len(planted):
            kind, copy = planted[at][0], order[originals + at]
            other = _COPIES[kind](chance, row, vocabulary[language])
            made[copy] = _line(copy, other)
            pairs.append((copy, order[at], kind, jaccard(shingles(text_of(row)), shingles(text_of(other)))))
    corpus.write_bytes(b"\n".join(made) + b"\n")
    pl.DataFrame(pairs, ["id", "orig_id", "kind", "jaccard"], orient="row").write_parquet(truth)


def _line(number: int, row: dict[str, str]) -> bytes:
    return orjson.dumps({"id": number, **row})


def _words(chance: random.Random, count: int, syllable: Callable[[random.Random], str]) -> list[str]:
    found: set[str] = set()
    while len(found) < count:
        found.add("".join(syllable(chance) for _ in range(chance.randint(1, 4))))
    return sorted(found)


def _latin(chance: random.Random) -> str:
    return chance.choice(_EN[1]) + chance.choice(_EN[0])


def _hangul(chance: random.Random) -> str:
    return chr(0xAC00 + chance.randrange(11_172))


def _text(chance: random.Random, words: list[str], least: int, most: int) -> str:
    drawn = chance.choices(words, k=chance.randint(least, most))
    sentences = (drawn[at : at + 12] for at in range(0, len(drawn), 12))
    return " ".join(" ".join(sentence).capitalize() + "." for sentence in sentences)


def _verbatim(chance: random.Random, row: dict[str, str], words: list[str]) -> dict[str, str]:
    return dict(row)


def _other_form(chance: random.Random, row: dict[str, str], words: list[str]) -> dict[str, str]:
    change = chance.choice(
        (str.upper, str.lower, lambda text: text.replace(" ", "  \n"), lambda text: unicodedata.normalize("NFD", text))
    )
    return {key: change(text) for key, text in row.items()}


def _edited(chance: random.Random, row: dict[str, str], words: list[str]) -> dict[str, str]:
    """One word after the other replaced until the similarity has fallen to one drawn from .5 to .97."""
    target, whole = chance.uniform(0.5, 0.97), shingles(text_of(row))
    tokens = row["output"].split(" ")
    other = row
    for at in chance.sample(range(len(tokens)), len(tokens)):
        tokens[at] = chance.choice(words)
        other = row | {"output": " ".join(tokens)}
        if jaccard(whole, shingles(text_of(other))) <= target:
            break
    return other


_COPIES = {"exact": _verbatim, "norm": _other_form, "near": _edited}
_BUCKETS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)


def score(truth: pl.DataFrame, removed: set[int], threshold: float) -> dict[str, float | int | None]:
    """Recall by bucket of true similarity, recall and precision at the threshold, pairs with both members removed.

    A removal is right where it is one of a planted pair at or above the threshold.
    """
    told: dict[str, float | int | None] = {}
    pairs = truth.with_columns(
        pl.col("id").is_in(list(removed)).alias("copy"), pl.col("orig_id").is_in(list(removed)).alias("original")
    ).with_columns((pl.col("copy") | pl.col("original")).alias("hit"))
    for low, high in _buckets():
        inside = pairs.filter((pl.col("jaccard") >= low) & (pl.col("jaccard") < high))
        told[f"{low:g}-{high:g}" if high <= 1 else "1"] = _mean(inside)
    for kind in ("exact", "norm"):
        told[kind] = _mean(pairs.filter(pl.col("kind") == kind))
    alike = pairs.filter(pl.col("jaccard") >= threshold)
    told["near"] = _mean(alike.filter(pl.col("jaccard") < 1))
    right = int(alike.select((pl.col("copy") | pl.col("original")).sum()).item())
    told["precision"] = right / max(1, len(removed))
    told["both"] = int(pairs.select((pl.col("copy") & pl.col("original")).sum()).item())
    told["removed"] = len(removed)
    return told


def _buckets() -> Iterator[tuple[float, float]]:
    yield from zip(_BUCKETS, [*_BUCKETS[1:], 2.0], strict=True)


def _mean(pairs: pl.DataFrame) -> float | None:
    return float(pairs["hit"].cast(pl.Float64).mean()) if pairs.height else None  # type: ignore[arg-type]
