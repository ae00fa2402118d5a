"""Polars expressions over `messages`: the texts that stages measure and compare."""

from __future__ import annotations

from typing import Literal

import polars as pl

TextOf = Literal["prompt", "response", "both", "last_user"]

_ROLE = pl.element().struct.field("role")
_CONTENT = pl.element().struct.field("content")


def response() -> pl.Expr:
    """Content of the last assistant turn; null where there is none."""
    return pl.col("messages").list.eval(_CONTENT.filter(_ROLE == "assistant")).list.last()


def last_user() -> pl.Expr:
    """Content of the last user turn; null where there is none."""
    return pl.col("messages").list.eval(_CONTENT.filter(_ROLE == "user")).list.last()


def prompt() -> pl.Expr:
    """Contents of every message before the last assistant turn, joined by newlines.

    Where the last message is not an assistant's, trailing messages are left out of both prompt and response.
    """
    from_end = pl.col("messages").list.eval(_ROLE == "assistant").list.reverse().list.arg_max()
    before = pl.col("messages").list.len() - 1 - from_end
    return pl.col("messages").list.head(before).list.eval(_CONTENT).list.join("\n", ignore_nulls=True)


def both() -> pl.Expr:
    """Prompt and response, joined by a newline."""
    return pl.concat_str([prompt(), response()], separator="\n", ignore_nulls=True)


def text_of(which: TextOf) -> pl.Expr:
    """The text a stage compares, by the name used in profiles."""
    return {"prompt": prompt, "response": response, "both": both, "last_user": last_user}[which]()


# Letters, digits, symbols and punctuation; what is left over (spaces, zero-width and control characters) is invisible.
VISIBLE = r"[^\s\p{C}\p{Z}]"


def visible(expr: pl.Expr) -> pl.Expr:
    """Whether a text has at least one visible character; false for null."""
    return expr.str.contains(VISIBLE).fill_null(False)


def comparable(expr: pl.Expr) -> pl.Expr:
    """A text as compared for sameness: NFKC, lower case, single spaces."""
    return expr.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
