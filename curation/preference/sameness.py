"""When two texts say the same: what a reader cannot tell apart is one text."""

from __future__ import annotations

import polars as pl

from curation.text import VISIBLE, comparable

# Neither ink nor space: zero-width characters, controls, variation selectors, fillers.
_WITHOUT_INK = VISIBLE.replace("[^", "[", 1).replace(r"\s", "", 1).replace(r"\p{Z}", "", 1)


def normal(expr: pl.Expr) -> pl.Expr:
    """NFKC, lower case, single spaces, and nothing that has no ink: "Same\\u200b  ANSWER" is "same answer".

    Punctuation stays: in arithmetic and in code "-5" and "5" are two answers.
    """
    return comparable(comparable(expr).str.replace_all(_WITHOUT_INK, ""))


def normal_conversation(column: str) -> pl.Expr:
    """Roles and contents of a list of messages in normal form, as one text."""
    role, content = (pl.element().struct.field(name) for name in ("role", "content"))
    turn = pl.concat_str([role, pl.lit(": "), content.fill_null("")])
    return normal(pl.col(column).list.eval(turn).list.join("\n"))
