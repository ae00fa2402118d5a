"""Rewards for completions, resumable at the batch: committed tables of completions in, one table with rewards out.

A batch is journalled whole or not at all, under a key of its content, so a resumed run computes the same batches and
gets the same bytes: the last digits of a score depend on what else is in the batch. Scores are matched by id. Scorers
run one after the other, and each gives back its memory before the next one loads.

A scorer that has no number for a completion leaves a null there; nothing stands in for it. The completion is dropped
where the scorer is required, or where no scorer of role `reward` has a number for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from curation.digest import code_digest, sha256_value
from curation.journal import Journal
from curation.runner import log_line
from curation.scoring.engines import make_scorer, release
from curation.scoring.ensemble.stored import Calibration, load, store_fitted
from curation.scoring.ensemble.together import abstentions, ensemble_facts, put_together
from curation.scoring.protocol import Item, Score, Scorer
from curation.scoring.tally import scorer_facts
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table
from curation.text import visible
from schemas.errors import EngineError, StoreError
from schemas.profile.scoring import AnyScorer, Scoring
from schemas.records import COMPLETIONS, SCORES

STAGE: Final = "score"
EMPTY: Final = "empty_completion"
READ: Final = ("completion_id", "prompt_id", "prompt", "text", "reference", "metadata", "given_score")
Make = Callable[[AnyScorer, Context], Scorer]


def score(
    store: Store,
    completions: Committed | Sequence[Committed],
    settings: Scoring,
    context: Context,
    make: Make = make_scorer,
) -> Committed:
    """Score completions with every scorer of the settings, or return what is there.

    The table has the columns of COMPLETIONS and SCORES and a `reward_<name>` (Float64, null where there is no number)
    for each scorer in the order given, sorted by prompt_id and completion_id. A completion that is in several inputs
    is in it once. Reasons for a drop: empty_completion, and those of the scorers (template_refused, score_not_finite,
    ...) with the scorer's name in `detail`. A completion that the ensemble abstains on is kept without a reward and
    flagged: scorers_disagree (value and threshold), scorer_missing, nothing_to_vote_on. Counts are of completions.

    Raises EngineError where a model cannot be loaded, or its answer is not one score for each item; StoreError where
    inputs have different completions of one id; UsageError where a scorer or the calibration cannot be used.
    """
    started = time.monotonic()
    inputs = [completions] if isinstance(completions, Committed) else list(completions)
    work = _Work(store, inputs, settings, context)
    try:
        work.prepare(make)
        done = store.commit(STAGE, work.recipe(), work.build)
    finally:
        work.release()
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


class _Work:
    """One run of the stage: its scorers, made but not loaded, and what they say."""

    def __init__(self, store: Store, inputs: Sequence[Committed], settings: Scoring, context: Context) -> None:
        self.store, self.inputs, self.settings, self.context = store, inputs, settings, context
        self.entries = settings.entries()
        self.rewarding = [entry for entry in self.entries if entry.role == "reward"]
        self.scorers: dict[str, Scorer] = {}
        self.identities: dict[str, dict[str, Any]] = {}
        self.modules: set[str] = set()
        self.calibration: Calibration | None = None

    def prepare(self, make: Make) -> None:
        """Make the scorers and find the calibration, so that what is wrong is told before anything is scored."""
        for entry in self.entries:
            scorer = self.scorers[entry.name] = make(entry, self.context)
            self.identities[entry.name] = scorer.identity()
            self.modules.add(type(scorer).__module__)
        self.calibration = self._named_calibration()

    @property
    def _calibrated(self) -> bool:
        return len(self.rewarding) > 1 and self.settings.ensemble.calibrated

    def _named_calibration(self) -> Calibration | None:
        ensemble = self.settings.ensemble
        if not self._calibrated or ensemble.reference == "run":
            return None
        found = load(self.store, ensemble.reference)
        found.check(ensemble.calibration, {entry.name: self.identities[entry.name] for entry in self.rewarding})
        return found

    def recipe(self) -> dict[str, Any]:
        """Everything that shapes the table."""
        own = {"name", "role", "required", "weight"}
        return {
            "stage": STAGE,
            "code": [code_digest(name) for name in (__name__, *sorted(self.modules))],
            "inputs": [committed.manifest.digest for committed in self.inputs],
            "scorers": [
                entry.model_dump(mode="json", include=own) | {"engine": self.identities[entry.name]}
                for entry in self.entries
            ],
            "ensemble": self.settings.ensemble.model_dump(mode="json", exclude={"reference"}),
            "calibration": self.calibration.digest if self.calibration else None,
        }

    def release(self) -> None:
        """Give back what scorers hold that did not come to score."""
        for name in list(self.scorers):
            release(self.scorers, name)

    def build(self, folder: Path) -> Built:
        """Score, put together, write and count."""
        rows, repeated = read_completions(self.inputs)
        raw, facts = rows, dict[str, Any]()
        items = _items(rows)
        for entry in self.entries:
            scores, facts[entry.name] = self._score(entry, items)
            release(self.scorers, entry.name)
            raw = raw.join(_table(entry, scores), on="completion_id", how="left", maintain_order="left", validate="1:1")
        kept, dropped = self._split(raw)
        calibration, key = self._calibrate(kept)
        made = put_together(kept, self.rewarding, self.settings.ensemble, calibration)
        flagged = abstentions(made, self.settings.ensemble.max_disagreement)
        decisions = [as_decisions(dropped, STAGE, "dropped"), as_decisions(flagged, STAGE, "flagged")]
        columns = [*COMPLETIONS.names(), *SCORES.names(), *(entry.column for entry in self.entries)]
        write_table(made.select(columns), folder / "part-00000.parquet")
        write_table(pl.concat(decisions), folder / "decisions.parquet")
        counts = {"in": rows.height, "kept": kept.height, "dropped": dropped.height, "quarantined": 0}
        told: dict[str, Any] = {"unit": "completions", "repeated": repeated, "scorers": facts}
        told["reward_truncated"] = int(made["reward_truncated"].sum())
        if len(self.rewarding) > 1:
            told["ensemble"] = ensemble_facts(made, self.rewarding, calibration) | {"calibration_key": key}
        return Built(counts, told)

    def _score(self, entry: AnyScorer, items: Sequence[Item]) -> tuple[list[Score], dict[str, Any]]:
        """One finite score or reason an item, from the journal where its batch is there; and the scorer's figures."""
        scorer, identity = self.scorers[entry.name], self.identities[entry.name]
        engine = sha256_value(identity)
        journal = self.store.root / "journal" / STAGE / f"{engine[:32]}.jsonl"
        scores: list[Score] = []
        with Journal(journal) as finished, self.context.progress.task(f"{STAGE} {entry.name}", len(items)) as task:
            batches = scorer.batches(items) if items else []
            _check_groups(scorer, batches)
            for batch in batches:
                key = sha256_value([engine, [_content(item) for item in batch]])
                found = finished.get(key)
                if found is None:
                    made = _one_each(batch, scorer.score(batch))
                    found = [asdict(score) | {"completion_id": None} for score in made]
                    finished.append(key, found)
                names = [item.completion_id for item in batch]
                scores += [Score(**(record | {"completion_id": n})) for n, record in zip(names, found, strict=True)]
                task.advance(len(batch))
        return scores, scorer_facts(entry, identity, scorer, scores)

    def _split(self, raw: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """What has a reward or may have one, and the decisions on the rest."""
        needed = [entry for entry in self.rewarding if entry.required]
        none = pl.all_horizontal(pl.col(entry.column).is_null() for entry in self.rewarding)
        empty = ~visible(pl.col("text"))
        missing = {entry.name: pl.col(entry.column).is_null() for entry in needed}
        missing = missing or {self.rewarding[0].name: none}
        why = [pl.when(gone).then(pl.col(f"__why_{name}")) for name, gone in missing.items()]
        who = [pl.when(gone).then(pl.lit(name)) for name, gone in missing.items()]
        judged = raw.with_columns(
            pl.coalesce(pl.when(empty).then(pl.lit(EMPTY)), *why).alias("reason"),
            pl.when(~empty).then(pl.coalesce(who)).alias("detail"),
            pl.any_horizontal(pl.col(f"__cut_{entry.name}") for entry in self.entries)
            .fill_null(False)
            .alias("reward_truncated"),
        )
        dropped = judged.filter(pl.col("reason").is_not_null())
        kept = judged.filter(pl.col("reason").is_null())
        return kept, dropped.select(pl.col("completion_id").alias("row_id"), "prompt_id", "reason", "detail")

    def _calibrate(self, kept: pl.DataFrame) -> tuple[Calibration | None, str | None]:
        """The calibration, and its key where it was made of this run's completions."""
        if not self._calibrated or self.calibration is not None or kept.is_empty():
            return self.calibration, None
        raw = kept.select(pl.col(entry.column).alias(entry.name) for entry in self.rewarding)
        identities = {entry.name: self.identities[entry.name] for entry in self.rewarding}
        method = self.settings.ensemble.calibration
        assert method != "none"
        made, committed = store_fitted(self.store, raw, method, identities)
        return made, committed.manifest.key


def read_completions(inputs: Sequence[Committed]) -> tuple[pl.DataFrame, int]:
    """All completions, sorted by prompt_id and completion_id, each id once; and how many were there again.

    Raises StoreError where an id stands for different completions.
    """
    every = pl.concat([committed.scan().select(COMPLETIONS.names()) for committed in inputs]).collect()
    content = ["completion_id", "prompt_id", "text", "given_score"]
    again = every.filter(pl.col("completion_id").is_duplicated()).select(content).unique()
    differ = again.filter(pl.col("completion_id").is_duplicated())["completion_id"].unique().sort()
    if len(differ):
        raise StoreError(
            f"{len(differ)} completion ids stand for different completions, for instance {differ[0]}",
            hint="two inputs were made with one name; give the sources of comparisons different names",
        )
    rows = every.unique("completion_id", keep="first", maintain_order=True).sort("prompt_id", "completion_id")
    return rows, every.height - rows.height


def _items(rows: pl.DataFrame) -> list[Item]:
    return [
        Item(
            row["completion_id"],
            [*row["prompt"], {"role": "assistant", "content": row["text"], "extra": None}],
            row["prompt_id"],
            row["reference"],
            row["metadata"],
            row["given_score"],
        )
        for row in rows.filter(visible(pl.col("text"))).select(READ).iter_rows(named=True)
    ]


def _content(item: Item) -> list[Any]:
    """What a score may depend on, without the id."""
    return [list(item.messages), item.reference, item.metadata, item.given_score]


def _check_groups(scorer: Scorer, batches: Sequence[Sequence[Item]]) -> None:
    """Raise EngineError where a scorer that compares the candidates of a prompt has them in two batches."""
    if not getattr(scorer, "whole_groups", False):
        return
    seen: set[str] = set()
    for batch in batches:
        here = {item.prompt_id for item in batch}
        if here & seen:
            raise EngineError(
                f"the scorer split the candidates of the prompt {min(here & seen)} over two batches",
                hint="this is a defect of the scorer: it needs whole prompts",
            )
        seen |= here


def _one_each(batch: Sequence[Item], made: Sequence[Score]) -> list[Score]:
    """The scores in the order of the batch, matched by id."""
    by_id = {score.completion_id: score for score in made}
    missing = [item.completion_id for item in batch if item.completion_id not in by_id]
    if missing or len(made) != len(batch):
        raise EngineError(
            f"the scorer gave {len(made)} scores for {len(batch)} completions (none for {missing[:3]})",
            hint="this is a defect of the scorer: one score for each item, by its id",
        )
    return [by_id[item.completion_id].finite() for item in batch]


def _table(entry: AnyScorer, scores: Sequence[Score]) -> pl.DataFrame:
    """A scorer's column beside why it has a null (`__why_`) and whether something was cut (`__cut_`)."""
    return pl.DataFrame(
        {
            "completion_id": [score.completion_id for score in scores],
            entry.column: [score.reward for score in scores],
            f"__why_{entry.name}": [score.reason for score in scores],
            f"__cut_{entry.name}": [score.truncated for score in scores],
        },
        schema={
            "completion_id": pl.String,
            entry.column: pl.Float64,
            f"__why_{entry.name}": pl.String,
            f"__cut_{entry.name}": pl.Boolean,
        },
    )
