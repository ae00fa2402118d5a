"""What `filter.repetition` measures: the words, lines and paragraphs of answers, and the shares that are repeated.

Shares are given one a text, 0 where nothing is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

Shares = npt.NDArray[np.float64]

_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = rf"[{_SPACELESS}]|[\p{{L}}\p{{M}}\p{{N}}--[{_SPACELESS}]]+"
_CODE = r"(?s)```.*?(?:```|\z)"
_MARKUP = r"(?m)^\s*</?[A-Za-z][^\n]*>\s*$|<[^<>\n]{1,200}>"
_LINE = r"[^\n]*[\p{L}\p{N}][^\n]*"
_PARAGRAPH = r"(?:[^\n]+\n?)+"
_LONG_RUN = r"\p{L}{40,}"  # no word of any language; Han and Thai prose, which has such runs, has many letters


def prose(texts: pl.Series) -> pl.Series:
    """The texts in lower case, without code and markup."""
    frame, text_ = texts.alias("text").to_frame(), pl.col("text")
    fenced, marked = text_.str.contains("```", literal=True), text_.str.contains("<", literal=True)
    frame = frame.with_columns(pl.when(fenced).then(text_.str.replace_all(_CODE, "\n")).otherwise(text_))
    frame = frame.with_columns(pl.when(marked).then(text_.str.replace_all(_MARKUP, " ")).otherwise(text_))
    return frame.select(text_.str.to_lowercase()).to_series()


def words(prose: pl.Series) -> pl.Series:
    """The words of each text. In ASCII they are found by a pattern that is many times as fast."""
    plain = (prose.str.len_bytes() == prose.str.len_chars()).fill_null(False)
    found = [prose.filter(plain).str.extract_all("[a-z0-9]+"), prose.filter(~plain).str.extract_all(_WORD)]
    # From the order of the two halves back to that of the texts.
    order = np.argsort(np.concatenate([plain.arg_true().to_numpy(), (~plain).arg_true().to_numpy()]))
    return pl.concat(found).gather(order)


def repeated_lines(prose: pl.Series) -> dict[str, Shares]:
    """Shares of lines and paragraphs, in number and in characters; a text of one has none that is repeated."""
    from curation.filter.ngrams import Units, shares  # imports numba, which takes half a second

    measured = {}
    for reason, pattern, mark in (("duplicate_line", _LINE, "\n"), ("duplicate_paragraph", _PARAGRAPH, "\n\n")):
        at = prose.str.contains(mark, literal=True).fill_null(False).arg_true().to_numpy()
        lists = prose.gather(at).str.extract_all(pattern).list.eval(pl.element().str.strip_chars())
        ones = np.ones(len(lists), np.int64)
        for name, units in ((f"{reason}s", Units.of(lists, by="count")), (f"{reason}_characters", Units.of(lists))):
            measured[name] = np.zeros(len(prose))
            measured[name][at] = shares(units, ones)[1]
    return measured


def repeated_ngrams(
    prose: pl.Series, words: pl.Series, top: Mapping[int, float], duplicate: Mapping[int, float]
) -> dict[str, Shares]:
    """Shares of n-grams, in a text of scripts without spaces of 2n characters.

    Two words that stand in a repeated n-gram stand together in a text that has had them so, and the most frequent
    n-gram repeats itself but for its first time: where few pairs of words are repeated, no rule can fire, and the
    shares are left at 0. `top` and `duplicate` are the limits by n.
    """
    from curation.filter.ngrams import Units, shares

    pairs = shares(Units.of(words), np.full(len(words), 2))[1]
    least = min([1.0, *duplicate.values(), *(limit / 2 for limit in top.values())])
    sizes = [*top, *duplicate]
    at = np.flatnonzero(pairs >= (least if min(sizes, default=2) > 1 else 0.0))
    prose, words = prose.gather(at), words.gather(at)
    spaceless = prose.str.count_matches(f"[{_SPACELESS}]") * 2 > words.list.len()
    factor, units = np.where(spaceless.to_numpy(), 2, 1), Units.of(words)
    measured = {f"top_{n}_gram": shares(units, n * factor)[0] for n in top}
    measured |= {f"duplicate_{n}_gram": shares(units, n * factor)[1] for n in duplicate}
    whole = {reason: np.zeros(len(pairs)) for reason in measured}
    for reason, values in measured.items():
        whole[reason][at] = values
    return whole


def letter_runs(texts: pl.Series) -> pl.Series:
    """Share of each text in long runs of a few letters."""
    run = pl.element()
    few = run.str.split("").list.n_unique() <= 4
    inside = texts.str.extract_all(_LONG_RUN).list.eval(pl.when(few).then(run.str.len_chars())).list.sum()
    return (inside / texts.str.len_chars()).fill_null(0.0).fill_nan(0.0)
