"""Candidates, rewards, pairs and the bias panel of a run, as the report shows them."""

from __future__ import annotations

from typing import Any

import polars as pl

from curation.bias import figures
from curation.report.excerpts import excerpt
from curation.runs import RunRecord, Step

SAMPLE_PAIRS = 6
# Rows of a table that a reader looks through; the rest is in panel.json.
MOST = 20


def last(record: RunRecord, stage: str) -> Step | None:
    """The last step of a stage."""
    return next((step for step in reversed(record.steps) if step.stage == stage), None)


def rewards(record: RunRecord, scored: pl.LazyFrame | None) -> dict[str, Any] | None:
    """How candidates ended, the distribution of their rewards, what each scorer is, and what best-of-n gains."""
    if scored is None:
        return None
    step, sampled = last(record, "score"), last(record, "rejection_sampling")
    table = scored.select("reward", "finish_reason", "tokens", "policy").collect()
    values = table["reward"].drop_nulls()
    return {
        "candidates": table.height,
        "dropped": step.counts["dropped"] if step else 0,
        "without": table.height - len(values),
        "tokens": int(table["tokens"].sum() or 0),
        "policies": table["policy"].drop_nulls().unique().sort().to_list()[:MOST],
        "ends": table.group_by("finish_reason").len("count").sort("finish_reason").to_dicts(),
        "mean": values.mean(),
        "std": values.std(),
        "histogram": _histogram(values),
        "scorers": _scorers(step.facts if step else {}),
        "best_of_k": (sampled.facts.get("best_of_k") or [])[:MOST] if sampled else [],
    }


def _scorers(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """What the manifest tells of each scorer; what one does not tell is None."""
    told = ("kind", "role", "identity", "scored", "truncated", "mean", "std", "flips", "first_position")
    return [
        {"name": name, **{key: entry.get(key) for key in told}, "not_scored": entry.get("not_scored") or {}}
        for name, entry in (facts.get("scorers") or {}).items()
    ]


def _histogram(values: pl.Series) -> list[dict[str, Any]]:
    """Even bins over the range of the finite values."""
    finite = values.drop_nulls().cast(pl.Float64)
    finite = finite.filter(finite.is_finite())
    if finite.is_empty():
        return []
    return figures.bins(finite.to_numpy(), float(finite.min()), float(finite.max()))  # type: ignore[arg-type]


def pairs(made: pl.LazyFrame | None) -> dict[str, Any] | None:
    """Counts by label, margins, lengths, and sample pairs: the widest margin, the narrowest, and some in between."""
    if made is None:
        return None
    table = made.sort(["margin", "pair_id"], descending=[True, False], nulls_last=True).collect()
    if table.is_empty():
        return {"count": 0, "histogram": [], "samples": []}
    step = max(1, (table.height - 1) // max(1, SAMPLE_PAIRS - 1))
    at = sorted({0, table.height - 1, *range(0, table.height, step)})[:SAMPLE_PAIRS]
    answer = [
        table[name].list.last().struct.field("content").str.len_chars().cast(pl.Int64)
        for name in ("chosen", "rejected")
    ]
    margins = table["margin"].drop_nulls()
    return {
        "count": table.height,
        "prompts": table["prompt_id"].n_unique(),
        "labels": table.group_by("label").len("count").sort("label").to_dicts(),
        "without_margin": table.height - len(margins),
        "margin_mean": margins.mean(),
        "margin_median": margins.median(),
        "chosen_longer": figures.rate(int((answer[0] > answer[1]).sum()), table.height),
        "mean_length": [float(length.mean() or 0) for length in answer],  # type: ignore[arg-type]
        "histogram": _histogram(margins),
        "samples": [_pair(table.row(i, named=True)) for i in at],
    }


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    prompt = "\n".join(f"{message['role']}: {message['content']}" for message in row["prompt"])
    answers = {name: excerpt(row[name][-1]["content"], 900) for name in ("chosen", "rejected")}
    ids = {name: row[name] for name in ("pair_id", "prompt_id", "row_id", "chosen_id", "rejected_id", "label")}
    return ids | answers | {"prompt": excerpt(prompt, 600)} | {
        name: row[name] for name in ("score_chosen", "score_rejected", "margin")
    }  # fmt: skip


def bias(record: RunRecord) -> dict[str, Any] | None:
    """The committed panel with its limits, long tables cut; `origins` and `matrix` as rows."""
    step = last(record, "bias")
    if step is None:
        return None
    panel = step.facts["panel"]
    scorers = panel["scorers"]
    return panel | {
        "limits": step.facts["limits"],
        "policies": panel["policies"][:MOST],
        "sources": panel["sources"][:MOST],
        "languages": panel["languages"][:MOST],
        "matrix": _square([entry["scorer"] for entry in scorers["of_pairs"]], scorers["matrix"]),
    }


def _square(names: list[str], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a scorer with a figure a column, None on the diagonal; nothing for a single scorer."""
    found = {(entry["first"], entry["second"]): entry for entry in entries}
    found |= {(second, first): entry for (first, second), entry in found.items()}
    if len(names) < 2:
        return []
    return [{"name": row, "cells": [found.get((row, column)) for column in names]} for row in names]
