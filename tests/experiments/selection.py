"""A model fine-tuned on a selection, on a random choice and on the longest answers, for the same number of tokens.

    make experiment ARGS=selection

One source is cleaned, deduplicated and split by prompt. Of CANDIDATES rows, `select.best` takes TOKENS by the mean rank
of IFD and reward with novelty; its siblings are the controls. The base model is fine-tuned on each for one epoch with
the same settings, and all four models are compared on held-out prompts:

- loss: mean over the held-out rows of the mean negative log-likelihood of the response, in nats a token;
- win rate: share of held-out prompts whose greedy answer has the higher reward than the base model's, ties a half.

Intervals are 95 % percentile bootstrap over prompts, paired: all models see the same prompts. What else varies (the
draw of the training rows, the order of training) has one seed, so the intervals are too narrow for claims about the
method at large. The reward model is also one of the selecting scores: its opinion of the result favours the selection.

Environment: DATA, LIMIT (rows read), MODEL, REWARD, CANDIDATES, TOKENS, HELD_OUT, PROMPTS, MAX_TOKENS, LR, HOME_FOLDER.
Everything is kept in the home folder, so a stopped run goes on where it was. At full size on a GPU:

    LOCK=requirements-gpu.lock DATA=hf:databricks/databricks-dolly-15k MODEL=Qwen/Qwen2.5-1.5B \\
    REWARD=Skywork/Skywork-Reward-V2-Qwen3-0.6B CANDIDATES=14000 TOKENS=250000 HELD_OUT=500 PROMPTS=500 \\
    MAX_TOKENS=512 make experiment ARGS=selection
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from curation.generation.run import generate
from curation.handover.tables import write_split
from curation.ingest import ingest
from curation.progress import Terminal
from curation.runner import run_stage
from curation.scoring.run import score
from curation.stage import Context, load_stage
from curation.store import Committed, Store, write_file
from schemas.profile.generation import Generation
from schemas.profile.scoring import Scoring
from schemas.profile.sources import Ingest, Source
from schemas.profile.training import Supervised, Training
from training.launch import train

DOLLY = Path(__file__).resolve().parents[3] / "shared" / "data" / "alpagasus_dolly_3k.json"
STAGES = ("clean.normalize", "filter.empty", "filter.length", "filter.refusal", "dedup.exact", "dedup.minhash")
ARMS = ("selected", "random", "longest")
RESAMPLES = 2_000


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, str(default)))


@dataclass(frozen=True)
class Settings:
    """What the environment sets."""

    data: str = os.environ.get("DATA", str(DOLLY) if DOLLY.exists() else "starter")
    limit: int = _number("LIMIT", 10_000_000)
    model: str = os.environ.get("MODEL", "smollm2-135m-instruct")
    reward: str = os.environ.get("REWARD", "starter-reward")
    candidates: int = _number("CANDIDATES", 800)
    tokens: int = _number("TOKENS", 30_000)
    held_out: int = _number("HELD_OUT", 150)
    prompts: int = _number("PROMPTS", 60)
    max_tokens: int = _number("MAX_TOKENS", 96)
    learning_rate: float = float(os.environ.get("LR", "2e-5"))
    home: Path = field(default_factory=lambda: Path(os.environ.get("HOME_FOLDER", ".sieveline/experiments/selection")))


def main() -> None:
    """Choose, train, evaluate, print a table; `results.json` in the home folder has the figures."""
    settings = Settings()
    store = Store(settings.home / "store")
    context = Context(home=settings.home, progress=Terminal())
    train, held = split(store, settings, context)
    chosen = select(store, train, settings, context)
    arms = {
        "selected": chosen.scan().collect(),
        **{name: chosen.table(name).collect() for name in ARMS[1:]},
    }
    results: dict[str, dict[str, Any]] = {"base": evaluate(store, settings.model, held, settings, context)}
    for name, rows in arms.items():
        model = fine_tune(name, rows, settings, context)
        results[name] = evaluate(store, str(model), held, settings, context)
    told = {name: figures(name, results, arms.get(name)) for name in results}
    facts = chosen.manifest.facts["sets"]
    write_file(settings.home / "results.json", orjson.dumps({"results": told, "selection": facts}, option=2))
    print(table(told))


def split(store: Store, settings: Settings, context: Context) -> tuple[Committed, Committed]:
    """Clean and deduplicate the source, and part it by prompt: candidates to choose from, rows to evaluate on."""
    source = Source(path=settings.data, name="data", limit=settings.limit)
    done = ingest(source, Ingest(), store, context)
    for name in STAGES:
        done = run_stage(store, name, load_stage(name).Config(), [done], context)
    shuffled = load_stage("select.random")
    some = shuffled.Config(rows=settings.candidates + settings.held_out)
    drawn = run_stage(store, "select.random", some, [done], context)
    part = shuffled.Config(rows=settings.held_out)
    held = run_stage(store, "select.random", part, [drawn], context)
    prompts = held.scan().select("prompt_id").collect()["prompt_id"]
    return _without(store, drawn, prompts), held


def _without(store: Store, rows: Committed, prompts: pl.Series) -> Committed:
    """The rows of other prompts: none is on both sides."""
    from curation.store import Built, write_table
    from schemas.records import DECISIONS

    left = rows.scan().filter(~pl.col("prompt_id").is_in(prompts.implode())).collect()

    def build(folder: Path) -> Built:
        write_table(left, folder / "part-00000.parquet")
        write_table(pl.DataFrame(schema=DECISIONS), folder / "decisions.parquet")
        return Built({"in": left.height, "kept": left.height, "dropped": 0, "quarantined": 0}, {})

    return store.commit("experiment.candidates", {"of": rows.manifest.digest, "without": prompts.to_list()}, build)


def select(store: Store, rows: Committed, settings: Settings, context: Context) -> Committed:
    """Score the candidates and choose; the siblings come with it."""
    perplexity = load_stage("scoring.perplexity")
    done = run_stage(store, "scoring.perplexity", perplexity.Config(model=settings.model), [rows], context)
    reward = load_stage("scoring.reward")
    done = run_stage(store, "scoring.reward", reward.Config(model=settings.reward), [done], context)
    best = load_stage("select.best")
    config = best.Config(
        tokens=settings.tokens,
        tokenizer=settings.model,
        scores={"score_ifd": 1.0, "score_reward": 1.0},
        diversity="novelty",
        threshold=0.9,
    )
    return run_stage(store, "select.best", config, [done], context)


def fine_tune(name: str, rows: pl.DataFrame, settings: Settings, context: Context) -> Path:
    """Full fine-tuning for one epoch; every arm has the same settings."""
    data = settings.home / "arms" / name
    write_split(rows.select("messages", "row_id"), data / "sft")
    trainer = Supervised(learning_rate=settings.learning_rate, per_device_train_batch_size=4, max_length=1024)
    training = Training(model=settings.model, sft=trainer)
    done = train("sft", data, data / "models", training, seed=0, home=settings.home, progress=context.progress)
    return done.model


def evaluate(store: Store, model: str, held: Committed, settings: Settings, context: Context) -> dict[str, Any]:
    """Held-out loss a row, and reward and length of a greedy answer a prompt, in one order for all models."""
    stage = load_stage("scoring.perplexity")
    scored = run_stage(store, "scoring.perplexity", stage.Config(model=model), [held], context)
    losses = scored.scan().sort("row_id").select(pl.col("score_ppl").log()).collect().to_series()
    prompts = held.scan().unique("prompt_id", keep="first", maintain_order=True).head(settings.prompts).collect()
    greedy = Generation(
        model=model, prompts=settings.prompts, candidates=1, temperature=0.0, max_tokens=settings.max_tokens
    )
    made = generate(store, prompts, greedy, replace(context, home=settings.home))
    judged = score(store, made, Scoring(model=settings.reward), context)
    answers = prompts.select("prompt_id").join(judged.scan().collect(), on="prompt_id", how="left").sort("prompt_id")
    return {
        "loss": losses.to_numpy(),
        "reward": answers["reward"].to_numpy(),
        "tokens": answers["tokens"].to_numpy(),
    }


def figures(name: str, results: Mapping[str, Mapping[str, Any]], rows: pl.DataFrame | None) -> dict[str, Any]:
    """The figures of one model, with intervals of its difference from the base and from the random control."""
    mine = results[name]
    told: dict[str, Any] = {
        "rows": rows.height if rows is not None else 0,
        "loss": float(np.nanmean(mine["loss"])),
        "answer_tokens": float(np.nanmean(mine["tokens"])),
        "reward": float(np.nanmean(mine["reward"])),
    }
    for other in ("base", "random"):
        if name not in (other, "base"):
            theirs = results[other]
            told[f"loss_minus_{other}"] = _interval(mine["loss"] - theirs["loss"])
            won = np.where(mine["reward"] == theirs["reward"], 0.5, mine["reward"] > theirs["reward"]).astype(float)
            judged = np.isfinite(mine["reward"]) & np.isfinite(theirs["reward"])
            told[f"wins_over_{other}"] = _interval(won[judged])
    return told


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean with its 95 % percentile bootstrap interval."""
    values = values[np.isfinite(values)]
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    means = values[draws].mean(axis=1)
    return float(values.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def table(told: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| trained on | rows | held-out loss | minus base | minus random | wins, base | wins, random | answer |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, mine in told.items():
        spans = [
            _span(mine.get(key), digits)
            for key, digits in (
                ("loss_minus_base", 4),
                ("loss_minus_random", 4),
                ("wins_over_base", 2),
                ("wins_over_random", 2),
            )
        ]
        cells = [name, str(mine["rows"] or ""), f"{mine['loss']:.4f}", *spans, f"{mine['answer_tokens']:.0f} tokens"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _span(interval: tuple[float, float, float] | None, digits: int) -> str:
    if interval is None:
        return ""
    mean, low, high = (f"{value:.{digits}f}" for value in interval)
    return f"{mean} ({low} to {high})"


if __name__ == "__main__":
    main()
