"""Verifiable rewards and baselines on ../shared/data: agreement with known labels, what length and format alone tell,
and CPU time an answer.

GSM8K's published model solutions have labels of right and wrong; the Korean reply files have the scores of a reward
model. The speed of constraints is that of IFEval's prompts with ten answers each, of other data, drawn by seed 0.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl

from curation.scoring.baselines import FormatScorer, LengthScorer, format_of, length_of
from curation.scoring.protocol import Item, Scorer
from curation.scoring.verifiable import make_verifier
from schemas.profile.scoring import Verifiable

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
ROUNDS = 3


def main() -> None:
    """Print the tables of docs/verifiable.md."""
    solutions, prompts = _lines("gsm8k_example_model_solutions.jsonl"), _lines("bench_ifeval_input_data.jsonl")
    replies = {path.name: _lines(path.name) for path in sorted(DATA.glob("korm_*.jsonl"))}
    if not (solutions and prompts and replies):
        sys.exit("the data sets are not in ../shared/data")
    graded = [
        {"group": at, "text": one[model]["solution"], "better": float(one[model]["is_correct"])}
        for at, one in enumerate(solutions)
        for model in MODELS
    ]
    rated = [
        {"group": at, "text": one["response"], "better": float(one["score"])}
        for rows in replies.values()
        for at, one in enumerate(rows)
    ]
    _agreement(solutions)
    _alone("GSM8K, right over wrong", graded)
    _alone("Korean replies, higher reward over lower", rated)
    _speed(solutions, prompts, [one["text"] for one in rated if one["text"].strip()])


def _lines(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _item(name: str, text: str, reference: str | None = None, metadata: str | None = None) -> Item:
    return Item(name, [{"role": "assistant", "content": text, "extra": None}], "", reference, metadata)


def _agreement(solutions: list[dict[str, Any]]) -> None:
    numeric = make_verifier(Verifiable(rule="numeric"))
    for model in MODELS:
        verdicts = numeric.verdicts([_item("", one[model]["solution"], one["ground_truth"]) for one in solutions])
        agree = sum(
            (verdict.score == 1.0) == one[model]["is_correct"] for verdict, one in zip(verdicts, solutions, strict=True)
        )
        reasons = dict(sorted(Counter(verdict.reason for verdict in verdicts).items()))
        print(f"{model:20} agrees on {agree} of {len(solutions)}  {reasons}")


def _alone(name: str, rows: list[dict[str, Any]]) -> None:
    """How often the longer, or the more formatted, of two answers to one prompt is the better; ties count half."""
    table = pl.DataFrame(rows).with_columns(length=length_of(), format=format_of(pl.col("text")))
    pairs = [
        (a, b)
        for _, group in table.group_by("group", maintain_order=True)
        for a, b in permutations(group.iter_rows(named=True), 2)
        if a["better"] > b["better"]
    ]
    for by in ("length", "format"):
        won = sum(1.0 if a[by] > b[by] else 0.5 if a[by] == b[by] else 0.0 for a, b in pairs)
        print(f"{name}: {by} alone {won / len(pairs):.3f} of {len(pairs)} pairs")


def _speed(solutions: list[dict[str, Any]], prompts: list[dict[str, Any]], texts: list[str]) -> None:
    drawn = random.Random(0)
    graded = [
        _item(f"{at}/{model}", one[model]["solution"], one["ground_truth"])
        for at, one in enumerate(solutions)
        for model in MODELS
    ]
    asked = [
        _item(f"{at}/{n}", text, None, json.dumps(one))
        for at, one in enumerate(prompts)
        for n, text in enumerate(drawn.sample(texts, 10))
    ]
    other = [_item(str(at), text) for at, text in enumerate(texts)]
    cases: list[tuple[str, Scorer, list[Item]]] = [
        ("numeric", make_verifier(Verifiable(rule="numeric")), graded),
        ("constraints", make_verifier(Verifiable(rule="constraints")), asked),
        ("constraints, loose", make_verifier(Verifiable(rule="constraints", options={"loose": True})), asked),
        ("pattern", make_verifier(Verifiable(rule="pattern", options={"pattern": r"(?s).*A: -?\d+"})), graded),
        ("json", make_verifier(Verifiable(rule="json")), other),
        ("code", make_verifier(Verifiable(rule="code")), other),
        ("length", LengthScorer(), other),
        ("format", FormatScorer(), other),
    ]
    for name, scorer, items in cases:
        taken = min(_seconds(scorer, items) for _ in range(ROUNDS))
        characters = sum(len(item.messages[-1]["content"]) for item in items) / len(items)
        print(f"{name:20} {1e6 * taken / len(items):6.1f} us an answer ({len(items)} of {characters:.0f} characters)")


def _seconds(scorer: Scorer, items: list[Item]) -> float:
    started = time.process_time()
    for batch in scorer.batches(items):
        scorer.score(batch)
    return time.process_time() - started
