"""How far a table has moved from the version of its set that was published last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from curation import text
from curation.drift import Drift, categorical, numeric
from curation.gates.shares import Measures
from schemas.expectations import DRIFTING, NUMERIC, Suite

# The set of a hand-over that a place's table becomes.
SETS: Final = {"curated": "sft", "rejection_sampling": "rejection_sampling", "pairs": "preference"}
NOTHING_YET: Final = "nothing was published before under this name, so there is nothing to compare with"


@dataclass(frozen=True)
class Earlier:
    """The version that was published last: the digest of its data, and its parts by set."""

    digest: str
    parts: Mapping[str, Sequence[Path]]


def drifts(suite: Suite, table: pl.LazyFrame, earlier: Earlier | None) -> Measures:
    """A row with the figure of each drift that the suite asks for, 0 where there is nothing to compare with.

    `drift_<figure>` is the PSI beyond what chance explains, `ks_<figure>` the Kolmogorov-Smirnov statistic.
    """
    names = [expectation.name for expectation in suite.expectations if expectation.kind == "drift"]
    parts = earlier.parts.get(SETS[str(suite.place)], ()) if earlier and names else ()
    if earlier is None or not parts:
        return Measures(pl.DataFrame({name: [0.0] for name in names}), dict.fromkeys(names, NOTHING_YET))
    before, values, details = pl.scan_parquet(list(parts)), {}, {}
    for figure in DRIFTING[suite.place]:  # type: ignore[index]
        found = _drift(figure, before, table)
        for name, value in (
            (f"drift_{figure}", max(0.0, found.psi - found.psi_by_chance)),
            (f"ks_{figure}", found.ks or 0.0),
        ):
            if name in names:
                values[name], details[name] = value, told(found, earlier.digest[:12])
    return Measures(pl.DataFrame({name: [values[name]] for name in names}), details)


def told(found: Drift, version: str) -> str:
    """A drift in words, with the sizes of both sides."""
    sizes = f"{found.actual:,} against {found.expected:,} of the version {version}"
    if not found.actual or not found.expected:
        return f"not measured: {sizes}"
    words = [f"PSI {found.psi:.3f} (by chance up to {found.psi_by_chance:.3f})"]
    if found.ks is not None:
        words.append(f"KS {found.ks:.3f} (by chance up to {found.ks_by_chance:.3f})")
    words.append(sizes)
    if found.moved_most is not None:
        words.append(f"most in {found.moved_most}: {found.share_expected:.1%} to {found.share_actual:.1%}")
    return "; ".join(words)


def _drift(figure: str, before: pl.LazyFrame, now: pl.LazyFrame) -> Drift:
    if figure in NUMERIC:
        return numeric(_numbers(figure, before).to_numpy(), _numbers(figure, now).to_numpy())
    return categorical(_counts(figure, before), _counts(figure, now))


def _numbers(figure: str, table: pl.LazyFrame) -> pl.Series:
    """Lengths of the answers or rewards; both sides of a pair count, one after the other."""
    columns = table.collect_schema().names()
    if figure == "reward":
        found = [pl.col(name) for name in ("score_chosen", "score_rejected", "reward") if name in columns]
    elif "messages" in columns:
        found = [text.response().str.len_chars()]
    else:
        sides = [name for name in ("chosen", "rejected", "completion") if name in columns]
        found = [pl.col(side).list.last().struct.field("content").str.len_chars() for side in sides]
    frames = [table.select(value=column.cast(pl.Float64)).drop_nulls() for column in found]
    return pl.concat(frames).collect()["value"]


def _counts(figure: str, table: pl.LazyFrame) -> dict[str, int]:
    """Rows by language or source; a row without one counts as `unknown`."""
    return dict(table.group_by(pl.col(figure).fill_null("unknown")).len().collect().iter_rows())
