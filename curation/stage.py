"""The stage contract. A stage is a module that exports a `Config` and a `run`.

Its dotted name under `curation` is at once the file's path, the name in a profile (`use = "dedup.exact"`), the
`stage` in the ledger and the folder of its output. Adding one is one new file and one entry in a profile.

    SCOPE = "row"                       # or "set": needs to see all rows at once
    class Config(StageConfig): ...
    def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result: ...

A row-scoped stage is run a part at a time, so its memory does not grow with the data; it returns both halves. A
set-scoped stage sees every part as one lazy frame and returns only what it drops, changes or adds; the runner does so
to each part. Stages know nothing of files, resume or Prefect.

A set-scoped stage may have `shard(rows, config, context)`, what it needs to know of some of the rows, of any kind, and
`merge(shards, config, context) -> Result`; so shards can be worked on apart, and `run` is both in one.

A stage may also have `prepare(config)`, which loads what it needs, and `fingerprint(config, context)`: digests of what
it reads besides its rows.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, cast

import polars as pl
from pydantic import BaseModel, ConfigDict

from curation.progress import Progress, Silent
from schemas.errors import UsageError
from schemas.records import DECISIONS

REASON = "__reason"


class StageConfig(BaseModel):
    """Base of every stage's configuration: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Context:
    """What the runner lends a stage. Only `seed` may shape the output.

    `each(work, parts)` gives the results of `work` for the parts, in their order: one after the other here, or as
    something that is watched and run elsewhere.
    """

    seed: int = 0
    home: Path = field(default_factory=lambda: Path(".sieveline"))
    progress: Progress = field(default_factory=Silent)
    each: Callable[[Callable[[Path], Any], Sequence[Path]], Iterable[Any]] | None = None

    def __reduce__(self) -> tuple[type[Context], tuple[int, Path]]:
        """Sent to another process, a context keeps what shapes the output; progress is told here."""
        return Context, (self.seed, self.home)


@dataclass(frozen=True)
class Result:
    """What a stage makes of its rows.

    `dropped`, `edited` and `flagged` have `row_id`, `reason` and any other columns of the ledger; what is missing is
    null. A flag is something to look at in a row that is kept as it is.
    `kept` is None in a set-scoped stage: every row that is not dropped goes on as it came, but for those in `replaced`,
    which has `row_id` and the columns that are new. `added` has `row_id` and columns that no row had before; a row that
    is not in it has nulls there.
    `siblings` are other choices from the same rows, by name: frames of `row_id`. Their rows are written beside what is
    kept, and touch nothing else.
    `facts` are small figures for the manifest and the report.
    """

    dropped: pl.LazyFrame
    kept: pl.LazyFrame | None = None
    edited: pl.LazyFrame | None = None
    flagged: pl.LazyFrame | None = None
    replaced: pl.LazyFrame | None = None
    added: pl.LazyFrame | None = None
    siblings: Mapping[str, pl.LazyFrame] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


class Stage(Protocol):
    """The shape of a stage module."""

    __name__: str
    SCOPE: Literal["row", "set"]
    Config: type[StageConfig]

    def run(self, rows: pl.LazyFrame, config: Any, context: Context) -> Result: ...


@dataclass(frozen=True)
class Rule:
    """A named ground for a drop: it fires where `fires` is true or null.

    A null means the rule could not be decided, and an undecided row is never kept in silence. `value` and
    `threshold` go to the ledger.
    """

    fires: pl.Expr
    value: pl.Expr | None = None
    threshold: float | None = None
    detail: pl.Expr | None = None


def filter_rows(rows: pl.LazyFrame, rules: Mapping[str, Rule]) -> Result:
    """Split rows by named rules; the first rule that fires, in the order given, is the reason."""
    fired = [pl.when(rule.fires.fill_null(True)).then(pl.lit(name)) for name, rule in rules.items()]
    judged = rows.with_columns(pl.coalesce(*fired, pl.lit(None, pl.String)).alias(REASON))
    dropped = judged.filter(pl.col(REASON).is_not_null()).select(
        "row_id",
        "prompt_id",
        pl.col(REASON).alias("reason"),
        _of_reason(rules, "value", pl.Float64).alias("value"),
        _of_reason(rules, "threshold", pl.Float64).alias("threshold"),
        _of_reason(rules, "detail", pl.String).alias("detail"),
    )
    return Result(kept=judged.filter(pl.col(REASON).is_null()).drop(REASON), dropped=dropped)


def _of_reason(rules: Mapping[str, Rule], name: str, dtype: Any) -> pl.Expr:
    branches = []
    for reason, rule in rules.items():
        wanted = getattr(rule, name)
        if wanted is None:
            continue
        expr = wanted if isinstance(wanted, pl.Expr) else pl.lit(wanted)
        branches.append(pl.when(pl.col(REASON) == reason).then(expr.cast(dtype)))
    return pl.coalesce(*branches, pl.lit(None, dtype)) if branches else pl.lit(None, dtype)


def as_decisions(frame: pl.DataFrame, stage: str, kind: str) -> pl.DataFrame:
    """Give a stage's own columns the ledger's full shape, personal data and secrets in `detail` hidden."""
    from curation.privacy.mask import masked_series

    have = frame.columns
    if "detail" in have:
        frame = frame.with_columns(masked_series(frame["detail"].cast(pl.String)))
    return frame.select(
        pl.lit(stage).alias("stage"),
        *(
            pl.col(name).cast(dtype) if name in have else pl.lit(None, dtype).alias(name)
            for name, dtype in DECISIONS.items()
            if name not in ("stage", "kind")
        ),
        pl.lit(kind).alias("kind"),
    ).select(DECISIONS.names())


def load_stage(name: str) -> Stage:
    """Import the stage of a dotted name.

    Raises UsageError, naming the stages there are, where there is no such module or it is not a stage.
    """
    try:
        module = importlib.import_module(f"curation.{name}")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("curation"):
            raise
        module = None
    if module is None or not is_stage(module):
        raise UsageError(f"{name!r} is not a stage", hint=f"the stages are: {', '.join(stage_names())}")
    return cast(Stage, module)


def is_stage(module: ModuleType) -> bool:
    """Whether a module keeps the contract's outward form."""
    return all(hasattr(module, name) for name in ("Config", "run", "SCOPE"))


def stage_names() -> list[str]:
    """The dotted names of all stages, found by their sources; nothing is imported."""
    root = Path(__file__).parent
    names = []
    for source in root.rglob("*.py"):
        text = source.read_text(encoding="utf-8")
        if "\nSCOPE" in text and "\nclass Config" in text:
            parts = source.relative_to(root).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(names)
