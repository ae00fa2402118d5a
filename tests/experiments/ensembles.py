"""How often weak scorers, and ensembles of them, prefer a right answer to a wrong one; and what abstaining leaves.

    make experiment ARGS=ensembles

The candidates are four models' solutions of GSM8K's test questions (Cobbe et al. 2021, arXiv 2110.14168), which say
whether they are right; every right and wrong one of a question are a pair. Agreement is the share of pairs in which the
right answer has the higher reward, an equal reward a half; covered is the share of pairs in which both have a reward.
Intervals are 95 % percentile bootstrap over questions, since a question has up to four pairs.

Environment: DATA (the file), REWARD (the reward model), HOME_FOLDER. Scores are kept in the home folder.
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from curation.digest import sha256_value
from curation.progress import Terminal
from curation.scoring.ensemble.stored import load
from curation.scoring.ensemble.together import put_together
from curation.scoring.run import score
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas.profile.scoring import Ensemble, Scoring
from schemas.records import COMPLETIONS, SCORES, prompt_id_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "gsm8k_example_model_solutions.jsonl"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
RESAMPLES = 2000


def main() -> None:
    """Score once, put together in each way, and print the tables."""
    home = Path(os.environ.get("HOME_FOLDER", ".sieveline"))
    store, context = Store(home / "store"), Context(home=home, progress=Terminal())
    answers, pairs = read(Path(os.environ.get("DATA", DATA)))
    given = commit(store, answers)
    model = {"kind": "reward_model", "name": "model", "model": os.environ.get("REWARD", "starter-reward")}
    three = [model, {"kind": "format"}, {"kind": "length", "count": "words"}]
    ensembles: dict[str, dict[str, Any]] = {
        "mean": {},
        "mean minus sigma": {"combine": "mean_minus_sigma"},
        "worst": {"combine": "worst"},
        "vote": {"combine": "vote"},
        **{f"mean, at most {limit} apart": {"max_disagreement": limit} for limit in (1.0, 0.75, 0.5, 0.25)},
    }
    settings = Scoring(scorers=three)  # type: ignore[arg-type]
    done = score(store, given, settings, context)
    scored, facts = done.scan().collect(), done.manifest.facts["ensemble"]
    print(facts["rank_correlation"], split(pairs, scored), sep="\n")
    told = [(name, *agreement(pairs, scored, f"reward_{name}")) for name in ("model", "format", "length")]
    curves = load(store, facts["calibration_key"])
    raw = scored.drop(SCORES.names())
    for name, ensemble in ensembles.items():
        chosen = Ensemble(**ensemble)
        made = put_together(raw, settings.scorers, chosen, curves if chosen.calibrated else None)
        told.append((name, *agreement(pairs, made, "reward")))
    print(f"{pairs.height} pairs of {pairs['prompt_id'].n_unique()} prompts, {answers.height} answers")
    print("| reward | covered | agreement |\n|---|---|---|")
    for name, covered, mean, low, high in told:
        print(f"| {name} | {covered:.2f} | {mean:.3f} ({low:.3f} to {high:.3f}) |")


def read(file: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Answers as completions, each once; and pairs: prompt_id, better_id, worse_id."""
    made: dict[str, dict[str, Any]] = {}
    pairs = set()
    for line in file.read_bytes().splitlines():
        row = orjson.loads(line)
        prompt = [{"role": "user", "content": row["question"], "extra": None}]
        named: dict[bool, set[str]] = {True: set(), False: set()}
        for said in (row[model] for model in MODELS):
            name = sha256_value([row["question"], said["solution"]])[:16]
            answer = {"completion_id": name, "prompt_id": prompt_id_of(prompt), "prompt": prompt}
            made[name] = answer | {"text": said["solution"]}
            named[said["is_correct"]].add(name)
        pairs |= {(prompt_id_of(prompt), *both) for both in product(named[True], named[False])}
    table = pl.DataFrame(sorted(pairs), schema=["prompt_id", "better_id", "worse_id"], orient="row")
    answers = pl.DataFrame(list(made.values()), schema=COMPLETIONS)
    return answers.filter(pl.col("prompt_id").is_in(table["prompt_id"].implode())), table


def commit(store: Store, answers: pl.DataFrame) -> Committed:
    """The answers as a committed table."""

    def build(folder: Path) -> Built:
        write_table(answers.sort("completion_id"), folder / "part-00000.parquet")
        return Built({"in": answers.height, "kept": answers.height, "dropped": 0, "quarantined": 0}, {})

    return store.commit("experiment", {"answers": sorted(answers["completion_id"])}, build)


def differences(pairs: pl.DataFrame, scored: pl.DataFrame, column: str) -> pl.DataFrame:
    """The pairs with `d`, the better answer's number less the worse one's."""
    number = scored.select("completion_id", column)
    better = pairs.join(number, left_on="better_id", right_on="completion_id", how="left")
    both = better.join(number, left_on="worse_id", right_on="completion_id", how="left", suffix="_worse")
    return both.select(*pairs.columns, (pl.col(column) - pl.col(f"{column}_worse")).alias("d"))


def agreement(pairs: pl.DataFrame, scored: pl.DataFrame, column: str) -> tuple[float, float, float, float]:
    """Share of pairs covered, share of those ordered as people did, and the ends of its interval."""
    found = differences(pairs, scored, column).drop_nulls("d")
    right = (pl.col("d").sign() + 1) / 2
    groups = found.group_by("prompt_id").agg(right.sum().alias("right"), pl.len()).sort("prompt_id")
    hits, sizes = groups["right"].to_numpy(), groups["len"].to_numpy()
    drawn = np.random.default_rng(0).integers(0, len(hits), (RESAMPLES, len(hits)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), (0.025, 0.975))
    return found.height / pairs.height, float(hits.sum() / sizes.sum()), float(low), float(high)


def split(pairs: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """How often the reward model is right, where format and length go with it, against it, or say nothing."""
    model, layout, length = (
        differences(pairs, scored, f"reward_{name}")["d"].sign() for name in ("model", "format", "length")
    )
    table = pl.DataFrame({"model": model, "format": layout * model, "length": length * model}).filter(
        pl.col("model") != 0
    )
    words = {-1.0: "against", 0.0: "nothing", 1.0: "with"}
    return (
        table.group_by("format", "length")
        .agg(pl.len().alias("pairs"), (pl.col("model") > 0).mean().round(3).alias("model is right"))
        .with_columns(pl.col("format", "length").replace_strict(words, return_dtype=pl.String))
        .sort("format", "length")
    )


if __name__ == "__main__":
    main()
