"""Working columns: what several rules of a filter look at, computed once and not carried on; and rules that only flag.

A filter that looks closely does so at few rows: a cheap test over whole columns, that is true of every row on which a
rule may fire, leaves the suspects, and the rules are evaluated over these alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

import polars as pl

from curation import text
from curation.stage import Result, Rule, filter_rows

# What becomes of a row on which a rule fires.
Action = Literal["drop", "flag", "off"]

PROMPT: Final = "__prompt"
ANSWER: Final = "__answer"


def filter_without(rows: pl.LazyFrame, rules: Mapping[str, Rule], working: Sequence[str]) -> Result:
    """`filter_rows` over rows that have working columns; the kept rows are without them."""
    result = filter_rows(rows, rules)
    return replace(result, kept=result.kept.drop(working)) if result.kept is not None else result


def texts(rows: pl.DataFrame) -> pl.DataFrame:
    """`row_id`, `prompt_id`, PROMPT and ANSWER of each row; a text that is missing is empty, for `filter.empty`."""
    answer, prompt = text.response().fill_null(""), text.prompt().fill_null("")
    return rows.select("row_id", "prompt_id", prompt.alias(PROMPT), answer.alias(ANSWER))


def without_code(expr: pl.Expr) -> pl.Expr:
    """A text without fenced and inline code."""
    return expr.str.replace_all(r"(?s)```.*?(?:```|\z)|`[^`\n]+`", " ")


def judge(
    rows: pl.DataFrame, suspects: pl.DataFrame, rules: Mapping[str, Rule], actions: Mapping[str, Action]
) -> Result:
    """Drop or flag rows by rules that look at `suspects` alone: rows with their `row_id`, `prompt_id`, working columns.

    The first dropping rule that fires, in the order given, is the reason; of a row that is kept, each flagging rule
    that fires gives a flag. As in a drop, a null fires.
    """
    dropping = {name: rule for name, rule in rules.items() if actions[name] == "drop"}
    flagging = {name: rule for name, rule in rules.items() if actions[name] == "flag"}
    result = filter_rows(suspects.lazy(), dropping)
    assert result.kept is not None
    dropped, left = pl.collect_all([result.dropped, result.kept])
    flags = pl.collect_all([filter_rows(left.lazy(), {name: rule}).dropped for name, rule in flagging.items()])
    kept = rows.filter(~pl.col("row_id").is_in(dropped["row_id"].implode())) if dropped.height else rows
    flagged = pl.concat([dropped.clear(), *flags])
    return Result(dropped.lazy(), kept.lazy(), flagged=flagged.lazy())
