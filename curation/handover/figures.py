"""What the card tells of the sets in numbers, counted from their rows. Lengths are in characters (code points)."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

CONTENT = pl.element().struct.field("content").str.len_chars()
ROLE = pl.element().struct.field("role")


def figures(sets: Mapping[str, pl.DataFrame]) -> list[tuple[str, str, str]]:
    """Set, figure and value, as text; sets without rows have none."""
    told = []
    for name, frame in sets.items():
        if frame.height:
            made = {"sft": _sft, "preference": _preference}.get(name, _best)(frame)
            told += [(name, figure, value) for figure, value in made]
    return told


def languages(sets: Mapping[str, pl.DataFrame]) -> list[tuple[str, str, int]]:
    """Set, language ("not told" where there is none) and rows, most rows first."""
    told = []
    for name, frame in sets.items():
        if "language" in frame.columns:
            counted = frame["language"].fill_null("not told").value_counts().sort("count", "language", descending=True)
            told += [(name, language, count) for language, count in counted.iter_rows()]
    return told


def _sft(rows: pl.DataFrame) -> list[tuple[str, str]]:
    messages = pl.col("messages")
    made = rows.select(
        (messages.list.eval(ROLE == "assistant").list.sum() > 1).sum().alias("several"),
        (messages.list.eval(ROLE == "system").list.any()).sum().alias("system"),
        messages.list.last().struct.field("content").str.len_chars().alias("answer").implode(),
        messages.list.eval(CONTENT).list.sum().alias("whole").implode(),
    ).row(0, named=True)
    with_tools = rows["tools"].is_not_null().sum() if "tools" in rows.columns else 0
    return [
        ("rows with more than one answer", f"{made['several']:,}"),
        ("rows with a system prompt", f"{made['system']:,}"),
        ("rows with tools", f"{with_tools:,}"),
        ("length of the last answer", _spread(pl.Series(made["answer"]))),
        ("length of the conversation", _spread(pl.Series(made["whole"]))),
    ]


def _best(rows: pl.DataFrame) -> list[tuple[str, str]]:
    told = [("length of the completion", _spread(_length(rows, "completion")))]
    return [*told, ("reward", _spread(rows["reward"], ".3g"))] if "reward" in rows.columns else told


def _preference(rows: pl.DataFrame) -> list[tuple[str, str]]:
    labels = rows["label"].fill_null("not told").value_counts().sort("count", "label", descending=True).iter_rows()
    longer = (_length(rows, "chosen") > _length(rows, "rejected")).sum() / rows.height
    told = [
        ("what made the pairs", ", ".join(f"{label} {count:,}" for label, count in labels)),
        ("length of the chosen answer", _spread(_length(rows, "chosen"))),
        ("length of the rejected answer", _spread(_length(rows, "rejected"))),
        ("pairs whose chosen answer is the longer", f"{longer:.1%}"),
    ]
    return [*told, ("margin", _spread(rows["margin"], ".3g"))] if rows["margin"].is_not_null().any() else told


def _length(rows: pl.DataFrame, column: str) -> pl.Series:
    return rows.select(pl.col(column).list.eval(CONTENT).list.sum()).to_series()


def _spread(values: pl.Series, form: str = ",.0f") -> str:
    if values.drop_nulls().is_empty():
        return "none"
    low, middle, high = (float(values.quantile(share, "nearest") or 0.0) for share in (0.05, 0.5, 0.95))
    return f"median {middle:{form}}, 5th to 95th percentile {low:{form}} to {high:{form}}"
