"""What a reward goes by, measured on the replies of five models beside the repository (docs/preference-data.md).

    python -m tests.comparisons.korm

Reads the files `korm_*.jsonl`, makes pairs of the best and the worst reply to each prompt by the score that came with
the replies, and prints the bias panel of these pairs, each model's mean score, and the difference between models in
replies to one prompt, with and without the length of the replies taken out.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from curation.bias.panel import panel
from curation.comparisons import read_comparisons
from curation.preference.pairing import pair
from curation.stage import Context
from curation.store import Store
from schemas.profile.preference import Preference
from schemas.profile.sources import Comparisons, Ingest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BASE = "korm_KoAlpaca-Polyglot-5.8B"


def scored(folder: Path) -> pl.DataFrame:
    """The completions, with the score that came with them as the reward."""
    entry = Comparisons(path=str(DATA / "korm_*.jsonl"), name="korm")
    done = read_comparisons(entry, Ingest(), Store(folder), Context())
    return (
        done.scan()
        .with_columns(
            pl.col("given_score").alias("reward"),
            pl.col("given_score").alias("reward_given"),
            pl.lit(None, pl.Float64).alias("disagreement"),
            pl.lit(False).alias("abstained"),
            pl.lit(False).alias("reward_truncated"),
        )
        .collect()
    )


def by_policy(frame: pl.DataFrame) -> pl.DataFrame:
    """Each model's mean score, median length in characters, and its replies without Hangul or cut off."""
    hangul, cut = pl.col("text").str.contains("[가-힣]"), pl.col("finish_reason") == "length"
    reward = pl.col("reward")
    return (
        frame.group_by("policy")
        .agg(
            pl.len().alias("replies"),
            reward.mean().alias("mean"),
            pl.col("text").str.len_chars().median().alias("characters"),
            (~hangul).sum().alias("no_hangul"),
            reward.filter(~hangul).mean().alias("mean_no_hangul"),
            reward.filter(hangul).mean().alias("mean_hangul"),
            cut.sum().alias("cut"),
            reward.filter(cut).mean().alias("mean_cut"),
            reward.filter(~cut).mean().alias("mean_whole"),
        )
        .sort("mean", descending=True)
    )


def effects(frame: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """By how much each model's replies are scored above those of BASE to the same prompt, in points of the score.

    Least squares within prompts: reward ~ prompt + model, and the same with the logarithm of the length and with
    whether the reply has no Hangul. Intervals of 95 % from 1,000 draws of prompts.
    """
    models = sorted(set(frame["policy"]) - {BASE})
    text = pl.col("text")
    columns = frame.select(
        *((pl.col("policy") == model).cast(pl.Float64).alias(model) for model in models),
        text.str.len_chars().log1p().alias("log length"),
        (~text.str.contains("[가-힣]")).cast(pl.Float64).alias("no Hangul"),
        pl.col("reward"),
    )
    centred = columns.select(pl.all() - pl.all().mean().over(frame["prompt_id"])).to_numpy()
    prompt = frame.select(pl.col("prompt_id").rank("dense") - 1).to_series().to_numpy().astype(int)
    # The products of each prompt, so that a draw of prompts is a weighted sum of them.
    by_prompt = np.zeros((int(prompt.max()) + 1, *(centred.shape[1],) * 2))
    np.add.at(by_prompt, prompt, np.einsum("ni,nj->nij", centred, centred))
    count = len(by_prompt)
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), 1_000)
    drawn = np.concatenate([by_prompt.sum(0)[None], np.tensordot(weights, by_prompt, axes=1)])
    return pl.concat(_solved(drawn, used, columns.columns) for used in (len(models), len(models) + 2))


def _solved(products: Any, used: int, names: list[str]) -> pl.DataFrame:
    found = np.stack([np.linalg.solve(one[:used, :used], one[:used, -1]) for one in products])
    low, high = np.quantile(found[1:], [0.025, 0.975], axis=0)
    told = {"of": names[:used], "points": found[0].round(2), "low": low.round(2), "high": high.round(2)}
    return pl.DataFrame(told)


def under(control: str, frame: pl.DataFrame, **options: Any) -> dict[str, Any]:
    """The panel in one line, of pairs made under a control of length."""
    settings = Preference(policy="best_worst", length_control=control, **options)
    made = pair(frame.lazy(), settings)
    found = panel(frame.lazy(), made.pairs.lazy())
    length, lists, ends = found["length"], found["format"]["list_items"], found["answers"]
    return {
        "control": control,
        "pairs": made.pairs.height,
        "longer": length["characters"]["more"]["value"],
        "d_s": length["characters"]["d_s"]["value"],
        "accuracy": length["accuracy"]["value"],
        "lists": lists["d_s"]["value"],
        "mismatch_chosen": ends["chosen"]["language_mismatch"]["count"],
        "mismatch_rejected": ends["rejected"]["language_mismatch"]["count"],
        **{row["policy"].removeprefix("korm_"): f"{row['chosen']}/{row['rejected']}" for row in found["policies"]},
    }


def main() -> None:
    """Print it all."""
    with TemporaryDirectory() as folder:
        frame = scored(Path(folder))
    made = pair(frame.lazy(), Preference(policy="best_worst"))
    found = panel(frame.lazy(), made.pairs.lazy())
    print(json.dumps({key: found[key] for key in ("pairs", "policies", "length", "format", "answers")}, indent=1))
    best = frame.sort("reward", "completion_id", descending=[True, False]).unique("prompt_id", keep="first")
    print(f"best of its prompt, but cut off: {(best['finish_reason'] == 'length').sum()}")
    controls = [under(control, frame) for control in ("none", "match", "cap", "residualise")]
    with pl.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=220, fmt_str_lengths=40):
        print(pl.DataFrame(controls))
        print(by_policy(frame))
        print(effects(frame))


if __name__ == "__main__":
    main()
