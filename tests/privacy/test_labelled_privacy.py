"""Precision and recall of both finders on labelled sets, over all and for each kind and language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from curation.privacy import personal_data, secrets
from curation.privacy.spans import Span
from tests.helpers import answer, outcome, rows

HERE = Path(__file__).parent
# Stands inside of made-up tokens, so that no scanner of repositories takes them for live ones.
MARK = "⁂"
SETS: dict[str, Callable[[str], list[Span]]] = {
    "labelled_personal_data.jsonl": personal_data.find,
    "labelled_secrets.jsonl": secrets.find,
}


def labelled(name: str) -> Iterator[dict[str, Any]]:
    for line in (HERE / name).read_bytes().splitlines():
        row = orjson.loads(line)
        yield row | {"text": row["text"].replace(MARK, "")}


def same(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    """Exact bounds; of addresses, whose ends are matters of taste, four fifths in common."""
    if one[2] != other[2] or one[2] != "postal_address":
        return one == other
    common = min(one[1], other[1]) - max(one[0], other[0])
    return common >= 0.8 * (max(one[1], other[1]) - min(one[0], other[0]))


def count(name: str, split: str | None = None) -> Counter[tuple[str, str, str]]:
    """(language, kind, outcome) of every span; the outcomes are hit, false and missed."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in labelled(name):
        if split not in (None, row["split"]):
            continue
        want = [tuple(span) for span in row["spans"]]
        got = [(s.start, s.end, s.kind) for s in SETS[name](row["text"]) if not s.example]
        for span in want:
            outcome = "hit" if any(same(span, found) for found in got) else "missed"
            counts[row["language"], span[2], outcome] += 1
        for found in got:
            if not any(same(found, span) for span in want):
                counts[row["language"], found[2], "false"] += 1
    return counts


def precision_and_recall(counts: Counter[tuple[str, str, str]]) -> tuple[float, float]:
    hit, false, missed = (sum(n for key, n in counts.items() if key[2] == o) for o in ("hit", "false", "missed"))
    return hit / (hit + false), hit / (hit + missed)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("split", [None, "dev", "test"])
def test_precision_and_recall(name: str, split: str | None):
    counts = count(name, split)
    precision, recall = precision_and_recall(counts)
    assert precision >= 0.95, counts
    assert recall >= 0.90, counts


@pytest.mark.parametrize("language", ["en", "ko"])
def test_each_kind_and_language(language: str):
    counts = count("labelled_personal_data.jsonl")
    for kind in {kind for of, kind, _ in counts if of == language}:
        some = Counter({key: n for key, n in counts.items() if key[:2] == (language, kind)})
        precision, recall = precision_and_recall(some)
        assert precision >= 0.90, kind
        assert recall >= 0.90, kind


def test_the_sets_are_large_enough_and_have_both_languages_and_negatives():
    rows = list(labelled("labelled_personal_data.jsonl"))
    languages = Counter(row["language"] for row in rows)
    assert languages["en"] >= 200
    assert languages["ko"] >= 200
    assert sum(not row["spans"] for row in rows) >= 200
    assert {span[2] for row in rows for span in row["spans"]} == set(personal_data.KINDS)
    assert sum(1 for _ in labelled("labelled_secrets.jsonl")) >= 100


@pytest.mark.parametrize("name", SETS)
def test_the_stage_looks_into_every_text_in_which_something_is_found(name: str):
    texts = [text for row in labelled(name) if SETS[name](text := row["text"])]
    stage = "personal_data" if SETS[name] is personal_data.find else "secrets"
    _, ledger = outcome(f"privacy.{stage}", rows(*(answer(text) for text in texts)))
    assert ledger["row_id"].n_unique() == len(texts)


def test_no_token_stands_whole_in_the_file():
    for line in (HERE / "labelled_secrets.jsonl").read_bytes().splitlines():
        text = orjson.loads(line)["text"]
        assert not [span for span in secrets.find(text) if span.kind not in ("password", "api_key", "url_password")]
