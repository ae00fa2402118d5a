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
    """Contents of every message before the last assistant turn, joined by newlines; of all where there is no such turn.

    Messages after the last assistant turn are in neither prompt nor response.
    """
    answers = pl.col("messages").list.eval(_ROLE == "assistant")
    before = pl.col("messages").list.len() - 1 - answers.list.reverse().list.arg_max()
    before = pl.when(answers.list.any()).then(before).otherwise(pl.col("messages").list.len())
    return pl.col("messages").list.head(before).list.eval(_CONTENT).list.join("\n", ignore_nulls=True)


def calls_tool() -> pl.Expr:
    """Whether the last assistant turn calls a tool: such a turn says something without a text."""
    extra = pl.col("messages").list.eval(pl.element().struct.field("extra").filter(_ROLE == "assistant")).list.last()
    return extra.str.contains('"tool_calls":[{', literal=True).fill_null(False)


def both() -> pl.Expr:
    """Prompt and response, joined by a newline."""
    return pl.concat_str([prompt(), response()], separator="\n", ignore_nulls=True)


def text_of(which: TextOf) -> pl.Expr:
    """The text a stage compares, by the name used in profiles."""
    return {"prompt": prompt, "response": response, "both": both, "last_user": last_user}[which]()


# What has no ink: spaces, controls, zero-width characters, and letters, marks and a symbol that fonts draw as nothing
# (combining joiner, Hangul fillers, Mongolian and other variation selectors, the blank Braille pattern).
VISIBLE = (
    r"[^\s\p{C}\p{Z}\x{34F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{2800}\x{3164}\x{FE00}-\x{FE0F}"
    r"\x{FFA0}\x{E0100}-\x{E01EF}]"
)


def visible(expr: pl.Expr) -> pl.Expr:
    """Whether a text has at least one visible character; false for null."""
    return expr.str.contains(VISIBLE).fill_null(False)


# How many letters say as much as one English word. Latin and Hangul: measured on the 120 questions of MT-bench without
# code and mathematics and their Korean translations in KoMT-bench (4,417 English words of 4.97 letters; 9,041 syllables
# stand for 4,240 of them, terms left in Latin script aside: 2.13 a word, quartiles 1.9 and 2.5). Kana and Han: the
# weights of `curation.language.scripts`. Letters of other scripts count like Latin.
LETTERS_OF_WORD = {r"\p{Hangul}": 2.13, r"[\p{Hiragana}\p{Katakana}]": 3.3, r"\p{Han}": 1.7}
LETTERS_OF_LATIN_WORD = 5.0


def words(expr: pl.Expr) -> pl.Expr:
    """Length of a text in English words' worth of letters and digits: the same for a text and its Korean translation.

    Neither spaces nor punctuation count, so that Korean spaced well, badly or not at all is equally long.
    """
    special = {pattern: expr.str.count_matches(pattern) for pattern in LETTERS_OF_WORD}
    other = expr.str.count_matches(r"[\p{L}\p{N}]") - pl.sum_horizontal(*special.values())
    parts = (count / LETTERS_OF_WORD[pattern] for pattern, count in special.items())
    return pl.sum_horizontal(other / LETTERS_OF_LATIN_WORD, *parts, ignore_nulls=False)


def comparable(expr: pl.Expr) -> pl.Expr:
    """A text as compared for sameness: NFKC, lower case, single spaces."""
    return expr.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
