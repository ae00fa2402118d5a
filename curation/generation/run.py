"""Candidates for chosen prompts, resumable at the request: prompts in, a committed table of completions out.

Every prompt ends as kept or dropped and every request as a completion or a decision that says why not. What an engine
answers is matched by request id, never by position, so a prompt that is left out moves nothing else.

Engines are asked one after the other, each closed before the next is started, so that memory holds one model. First
each gives the candidates that the plan names, then, where the plan is adaptive, rewards say in rounds which prompts
get more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from curation import text
from curation.digest import code_digest, sha256_value
from curation.generation.adaptive import agree, further, margin
from curation.generation.asking import Asking, More, Prompt
from curation.generation.budget import Budget
from curation.generation.engines import make_generator
from curation.generation.plan import Engines, Planned, resolve_plan
from curation.generation.tables import completions, decisions, figures
from curation.journal import Journal
from curation.runner import log_line
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table
from schemas.errors import StoreError, UsageError
from schemas.profile.generation import Adaptive, Generation
from schemas.records import prompt_of

STAGE = "generate"
ROW_COLUMNS = ("row_id", "prompt_id", "source", "language", "metadata", "messages")
SHAPING = {"max_model_len", "top_up", "token_budget", "adaptive"}


@dataclass(frozen=True)
class Rewards:
    """What an adaptive plan goes by: `score` takes COMPLETIONS and gives `completion_id` and `reward` (Float64).

    A completion that is missing or whose reward is null has none. `identity` is all that shapes the rewards, such as
    the scorers' own identities.
    """

    score: Callable[[pl.DataFrame], pl.DataFrame]
    identity: Mapping[str, Any]


def generate(
    store: Store,
    prompts: pl.DataFrame,
    settings: Generation,
    context: Context,
    *,
    engines: Engines | None = None,
    trained: Mapping[str, Any] | None = None,
    rewards: Rewards | None = None,
) -> Committed:
    """Candidates of every policy of a plan for each prompt of a frame of rows, or what is there already.

    `engines` makes the engine of one policy's settings, not started yet; by default `make_generator`. `trained`
    describes the model that training starts from (`curation.models.describe`, or `{"name": ...}` of a server).

    The committed folder holds the completions, sorted by prompt_id, then as the plan and then by index, and the
    decisions: rows dropped as same_prompt, prompt_too_long (value and threshold in tokens), prompt_refused,
    all_candidates_failed or budget_spent, or flagged as one of these where other completions were made; completions
    dropped as generation_failed or duplicate_candidate. Counts are of prompts.

    Raises EngineError where an engine fails, or more than `settings.max_failed` of a policy's requests do; UsageError
    for a plan that cannot be used.
    """
    if settings.adaptive is not None and rewards is None:
        raise UsageError("generation.adaptive needs rewards", hint="name a scorer in the profile, or leave it out")
    started = time.monotonic()
    rows = prompts.select(*ROW_COLUMNS, text.response().alias("reference")).sort("row_id")
    plan = resolve_plan(settings, engines or (lambda entry: make_generator(entry, context.home)), trained)
    adaptive = (settings.adaptive, rewards) if settings.adaptive and rewards else None
    recipe = _recipe(rows, settings, plan, context.seed) | {"rewards": dict(adaptive[1].identity) if adaptive else None}

    def build(folder: Path) -> Built:
        work = _Work(store, rows, settings, plan, context)
        work.begin()
        return work.write(folder, work.grow(*adaptive) if adaptive else 0)

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


def _recipe(rows: pl.DataFrame, settings: Generation, plan: Sequence[Planned], seed: int) -> dict[str, Any]:
    policies = []
    for policy in plan:
        arms = [{"name": arm.name, "sampling": arm.told, "count": arm.count} for arm in policy.arms]
        policies.append({"engine": policy.identity, "origin": policy.origin, "arms": arms})
    return {
        "stage": STAGE,
        "code": code_digest(__name__),
        "config": settings.model_dump(mode="json", include=SHAPING),
        "inputs": [sha256_value(rows.rows())],
        "seed": seed,
        "plan": policies,
    }


class _Work:
    """One build: each distinct prompt, each policy's requests, and the tokens that are left for them."""

    def __init__(
        self, store: Store, rows: pl.DataFrame, settings: Generation, plan: Sequence[Planned], context: Context
    ) -> None:
        self.root, self.rows, self.settings, self.context = store.root, rows, settings, context
        self.prompts: dict[str, Prompt] = {}
        self.repeated: list[dict[str, Any]] = []
        for row in rows.iter_rows(named=True):
            prompt = Prompt(row["row_id"], row["prompt_id"], prompt_of(row["messages"]), row)
            first = self.prompts.setdefault(prompt.prompt_id, prompt)
            if first is not prompt:
                self.repeated.append({"row_id": prompt.row_id, "prompt_id": prompt.prompt_id, "kept_id": first.row_id})
        self.askings = [Asking(policy, self.prompts, settings, context) for policy in plan]
        self.budget = Budget(settings.token_budget)

    def begin(self) -> None:
        """The candidates that the plan names, of one policy after the other."""
        self._each([None] * len(self.askings), STAGE)

    def grow(self, adaptive: Adaptive, rewards: Rewards) -> int:
        """More candidates where the margin is small, until no prompt gets any. Returns the number of rounds."""
        rounds = 0
        while self._growing(adaptive, {}):
            table = completions(self.askings)
            more = self._growing(adaptive, _margins(table, rewards.score(table)))
            if not more:
                break
            rounds += 1
            wanted = [{key: more[key] for key in asking.shares if key in more} for asking in self.askings]
            self._each(wanted, f"{STAGE} (adaptive round {rounds})")
        return rounds

    def _each(self, wanted: Sequence[More | None], what: str) -> None:
        """Ask each policy for what is wanted of it, or for its first candidates; of the budget, each has its part."""
        costs = [asking.cost(more) for asking, more in zip(self.askings, wanted, strict=True)]
        for at, (asking, more) in enumerate(zip(self.askings, wanted, strict=True)):
            if more is not None and not more:
                continue
            part = self.budget.part(costs[at], sum(costs[at:]))
            granted = part.left
            policy = asking.policy
            name = f"{what} {policy.name}" if len(self.askings) > 1 else what
            journal_at = self.root / "journal" / STAGE / f"{policy.engine[:32]}.jsonl"
            with policy.generator, Journal(journal_at) as journal:
                if more is None:
                    asking.sift(journal)
                asking.run(asking.first() if more is None else more, journal, part, name)
            self.budget.spend((granted or 0) - (part.left or 0))

    def _growing(self, adaptive: Adaptive, margins: Mapping[str, float | None]) -> More:
        """How many more candidates each prompt and arm may have; without a margin, as many as there can be."""
        more = {}
        for asking in self.askings:
            for (prompt_id, digest), share in asking.shares.items():
                if asking.arms[digest].greedy or prompt_id in asking.refused or self._settled(prompt_id):
                    continue
                count = further(share.wanted, margins.get(prompt_id), adaptive)
                if count:
                    more[prompt_id, digest] = count
        return more

    def _settled(self, prompt_id: str) -> bool:
        """Whether the candidates of all policies agree, or there is none to go by."""
        replies = sum(asking.replies[prompt_id] for asking in self.askings)
        texts = {said for asking in self.askings for said in asking.said.get(prompt_id, ())}
        return not replies or agree(replies, len(texts))

    def write(self, folder: Path, rounds: int) -> Built:
        """Write completions and decisions, and count prompts.

        Raises StoreError where a row is neither kept nor dropped.
        """
        made = completions(self.askings)
        answered = set(made["prompt_id"])
        repeated = pl.DataFrame(self.repeated, schema=dict.fromkeys(("row_id", "prompt_id", "kept_id"), pl.String))
        found = pl.concat(
            [
                as_decisions(repeated.with_columns(reason=pl.lit("same_prompt")), STAGE, "dropped"),
                decisions(self.askings, self.prompts, answered, self.settings.token_budget, STAGE),
            ]
        ).sort("row_id", "kind", "reason", "detail")
        lost = found.filter(
            (pl.col("kind") == "dropped") & pl.col("row_id").is_in(self.rows["row_id"].implode())
        ).height
        if len(answered) + lost != self.rows.height:
            raise StoreError(f"{STAGE}: {self.rows.height} prompts in, {len(answered)} kept and {lost} dropped")
        write_table(made, folder / "part-00000.parquet")
        write_table(found, folder / "decisions.parquet")
        counts = {"in": self.rows.height, "kept": len(answered), "dropped": lost, "quarantined": 0}
        flagged = found.filter(pl.col("kind") == "flagged").height
        return Built(
            counts, {"unit": "prompts", "flagged": flagged, "adaptive_rounds": rounds, **figures(self.askings)}
        )


def _margins(table: pl.DataFrame, rewards: pl.DataFrame) -> dict[str, float | None]:
    """Margin of each prompt that has completions, None where too few of them have a reward."""
    told = table.select("completion_id", "prompt_id").join(
        rewards.select("completion_id", pl.col("reward").cast(pl.Float64)),
        on="completion_id",
        how="left",
        validate="1:1",
    )
    by_prompt = told.group_by("prompt_id").agg("reward")
    return {prompt_id: margin(given) for prompt_id, given in by_prompt.iter_rows()}
