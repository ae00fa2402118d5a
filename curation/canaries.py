"""Self-measurement: known cases are planted beside the data, and the recall that a stage reached on them is reported.

A stage makes its own cases (a copy with another case, a leaked question with new line breaks, ...), runs them through
the code that the data goes through, and gives the counts to `check`. Planted rows never reach an output and never
change what becomes of a real row.
"""

from __future__ import annotations

import math
import random
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import polars as pl

from schemas.errors import CanaryError

# No row has an id that begins so: ids come from file names and lines, or from records, and NUL is refused in both.
PREFIX = "\0canary:"

# A run fails by chance once in a million, not once in twenty: thousands of nightly runs are to pass.
_CHANCE = 1e-6
_WORDS = (30, 120)
# Of fewer words, two random orders are soon alike.
_FEW_WORDS = 100
_SAMPLE = 1_000
_FORMS: tuple[Callable[[str], str], ...] = (
    str.upper,
    lambda text: f"  {text.replace(' ', chr(10) + chr(9))} ",
    lambda text: unicodedata.normalize("NFD", text),
)
_UNSEGMENTED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Yi}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"


class Canary(NamedTuple):
    """What became of the planted cases of one kind; `stated` is the recall that the stage promises for it."""

    planted: int
    found: int
    stated: float


def check(stage: str, results: Mapping[str, Canary]) -> dict[str, Any]:
    """The counts of each kind, as facts.

    Raises CanaryError where so few were found as a stage of the stated recall would find by chance in one run of a
    million (lower tail of the binomial distribution); with a stated recall of 1, where any was missed.
    """
    short = {kind: result for kind, result in results.items() if _tail(result) < _CHANCE}
    if short:
        told = "; ".join(
            f"{kind}: {result.found} of {result.planted} found, stated recall {result.stated:g}"
            for kind, result in short.items()
        )
        raise CanaryError(
            f"{stage}: below its stated recall on the cases planted beside the data: {told}",
            hint="this is a defect of the stage or of its settings; its output is not written",
        )
    return {"canaries": {kind: {"planted": r.planted, "found": r.found} for kind, r in results.items()}}


def _tail(result: Canary) -> float:
    """P(X <= found) of a binomial distribution of `planted` trials with probability `stated`."""
    if result.stated >= 1.0:
        return float(result.found >= result.planted)
    n, p = result.planted, result.stated
    return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(result.found + 1))


def in_sample(total: int, seed: int) -> pl.Expr:
    """Whether a row is one of about a thousand of `total`, by its `row_id` alone, wherever it stands."""
    limit = (1 << 64) - 1
    return pl.col("row_id").hash(seed) <= min(limit, limit * _SAMPLE // max(total, 1))


def in_other_form(text: str, number: int) -> str:
    """The text in another case, other white space or another Unicode form, in turn."""
    return _FORMS[number % len(_FORMS)](text)


def _survives_case(word: str) -> bool:
    """Whether the word comes back from upper case: not those with a sharp s, a dotless i or a final sigma."""
    upper = word.upper()
    return upper.lower() == word.lower() and "Σ" not in upper


def scrambled(texts: pl.Series, count: int, seed: int, *, characters: bool = False) -> list[str]:
    """`count` texts of 30 to 120 words, each word drawn from `texts`; none where there are no words to draw from.

    The words, their lengths and scripts are the data's own, and their order is nobody's, so that no text is alike to a
    row. In scripts without spaces between words a character is a word; with `characters` in Hangul too. Which are drawn
    depends on the set of texts and the seed, not on their order. `texts` is best a sample.
    """
    alone = _UNSEGMENTED + (r"\p{Hangul}" if characters else "")
    pattern = rf"[{alone}]|[\p{{L}}\p{{N}}--[{alone}]]+"
    found = texts.drop_nulls().str.extract_all(pattern).explode().drop_nulls().unique().sort()
    words = [word for word in found.filter(found.str.normalize("NFKC") == found) if _survives_case(word)]
    if len(words) < _FEW_WORDS:
        return []
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    return [" ".join(chance.choices(words, k=chance.randint(*_WORDS))) for _ in range(count)]
