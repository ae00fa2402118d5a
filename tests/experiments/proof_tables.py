"""The tables of the proof, from the files that its steps wrote: nothing is computed that is not in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from curation.bias.figures import Figure
from curation.embedding.cache import embed
from curation.embedding.encoder import load_encoder
from training.evaluation.resample import mean
from training.evaluation.result import Evaluation, load, shown

BASE = "base"
RESAMPLES = 1000
Floats = npt.NDArray[np.float64]


class Place(Protocol):
    """What this reads of the settings."""

    @property
    def home(self) -> Path:
        """Where the steps wrote."""


def tables(settings: Place) -> str:
    """All tables as Markdown, each under its title."""
    home = settings.home
    done = load(home / "evaluated")
    told = {
        "Against the base": _against(done, BASE),
        "Against `curated`, from which the second stages start": _against(done, "previous"),
        "The answers": _answers(done),
        "Without a reward model": _references(done, home),
        "Distance from the base": _distances(home),
        "Training": _runs(done, home),
        "The second opinion": _opinion(home),
        "Leakage": _leakage(done),
        "Time": _costs(home),
    }
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in told.items()) + "\n"


def _against(done: Evaluation, other: str) -> str:
    """Win rates by both rewards, and how far each reward and the length moved."""
    rows = []
    for name in done.models:
        versus = done.against(name, other)
        if versus is not None and name != BASE:
            rates = ("win_rate", "length_controlled_win_rate", "proxy_win_rate", "gap")
            steps = (shown(versus["difference"][key], digits) for key, digits in (("reward", 3), ("proxy", 3)))
            rows.append([name, *(shown(versus[key], 1, percent=True) for key in rates), *steps])
    head = ("", "win rate", "length-controlled", "proxy's win rate", "gap", "held-out reward, more", "proxy, more")
    return _table(head, rows)


def _answers(done: Evaluation) -> str:
    """What the answers are like."""
    rows = []
    for name in done.models:
        own, versus = done.figures(name), done.against(name)
        shares = (shown(own[key], 1, percent=True) for key in ("cut", "refusal", "repetition", "empty"))
        longer = shown(versus["difference"]["tokens"], 1) if versus else "–"
        rows.append([name, shown(own["tokens"], 1), longer, *shares, shown(own["reward"]), shown(own["proxy"])])
    head = ("", "tokens", "more than the base", "cut", "refusals", "repetitive", "empty", "held-out reward", "proxy")
    return _table(head, rows)


def _distances(home: Path) -> str:
    """Nats from the base on the model's own greedy answers."""
    done = load(home / "distances")
    every = ((name, done.figures(name)) for name in done.models if name != BASE)
    rows = [[name, shown(own["kl_token"], 4), shown(own["kl_sequence"], 2)] for name, own in every]
    return _table((f"{done.told['held_out']['prompts']} prompts", "a token", "an answer"), rows)


def _leakage(done: Evaluation) -> str:
    """What the check before the evaluation found."""
    told = done.told["leakage"]
    return (
        f"{told['training_prompts']:,} prompts of {len(told['training_files'])} training files; "
        f"{len(told['left_out'])} held-out prompts were left out, {done.told['held_out']['prompts']} asked."
    )


def _references(done: Evaluation, home: Path) -> str:
    """The two measures that need no reward model, each less that of the base and that of the random control."""
    losses = {name: _loss(home, name) for name in done.models if (home / "scores" / f"loss-{name}").exists()}
    likes = _likeness(done, home)
    rows = []
    for name in done.models:
        cells = [name]
        for told in (losses, likes):
            cells.append(f"{np.nanmean(told[name]):.3f}" if name in told else "–")
            others = (BASE, "random")
            cells += [_difference(told[name], told[o]) if name in told and name != o else "–" for o in others]
        rows.append(cells)
    count = len(next(iter(losses.values())))
    loss = f"loss on {count} references"
    return _table(("", loss, "less base", "less random", "cosine to reference", "less base", "less random"), rows)


def _loss(home: Path, name: str) -> Floats:
    """Nats a token of each held-out row's reference answer, by row."""
    scored = pl.read_parquet(home / "scores" / f"loss-{name}" / "kept.parquet").sort("row_id")
    return scored["score_ppl"].log().fill_null(float("nan")).to_numpy()


def _likeness(done: Evaluation, home: Path) -> dict[str, Floats]:
    """The cosine of each answer to its reference, by prompt."""
    answers = done.answers().sort("model", "prompt_id").collect()
    encoder = load_encoder("minilm-l6-v2", home)
    mine, theirs = (embed(answers[column].fill_null(""), encoder, home) for column in ("text", "reference"))
    cosine = (mine.vectors[mine.at] * theirs.vectors[theirs.at]).sum(axis=1).astype(np.float64)
    told = answers.select("model", "prompt_id", cosine=pl.Series(cosine))
    every = told.pivot(on="model", index="prompt_id", values="cosine").sort("prompt_id")
    return {name: every[name].fill_null(float("nan")).to_numpy() for name in done.models}


def _difference(mine: Floats, theirs: Floats) -> str:
    figure: Figure = mean(mine - theirs, 0, RESAMPLES)
    return shown(figure, 3)


def _runs(done: Evaluation, home: Path) -> str:
    """What each training run read and took, its own and not its ancestors'."""
    rows = []
    for name in done.models:
        runs: Sequence[Mapping[str, Any]] = done.told["models"][name]["training"]
        if not runs:
            continue
        facts = next(one for one in _manifests(home) if one["key"] == runs[-1]["key"])["facts"]
        metrics, counts = facts["metrics"], facts["preflight"]
        numbers = (counts["examples"] - counts["dropped"], metrics["steps"], metrics["tokens"], metrics["seconds"])
        memory = f"{metrics['peak_rss_bytes'] / 1e9:.1f} GB"
        rows.append([name, runs[-1]["stage"], *(f"{number:,.0f}" for number in numbers), memory])
    return _table(("", "stage", "examples", "steps", "tokens", "seconds", "peak memory"), rows)


def _manifests(home: Path) -> list[dict[str, Any]]:
    return [orjson.loads(file.read_bytes()) for file in sorted((home / "sets").rglob("models/*/manifest.json"))]


def _opinion(home: Path) -> str:
    """How often the second opinion puts a row's own answer above the other one, on rows that it has not seen."""
    scored = pl.read_parquet(home / "scores" / "opinion-test" / "kept.parquet")
    sides = scored.with_columns(
        pl.col("row_id").str.split_exact("-", 1).struct.rename_fields(["pair", "side"]).alias("key")
    )
    told = sides.unnest("key").pivot(on="side", index="pair", values="score_reward")
    right = (told["chosen"] > told["rejected"]).cast(pl.Float64).to_numpy()
    return f"Second opinion, right on {shown(mean(right, 0, RESAMPLES), 1, percent=True)} of {len(right):,} pairs."


def _costs(home: Path) -> str:
    """Seconds of each step by the clock and on processors."""
    told = [orjson.loads(file.read_bytes()) | {"name": file.stem} for file in (home / "steps").glob("*.json")]
    every = sorted(told, key=lambda one: -one["seconds"])
    rows = [[one["name"], f"{one['seconds']:,.0f}", f"{one['processor_seconds']:,.0f}"] for one in every]
    total = [f"{sum(one[key] for one in told):,.0f}" for key in ("seconds", "processor_seconds")]
    return _table(("step", "seconds", "processor seconds"), [*rows, ["all", *total]])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
