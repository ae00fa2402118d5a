"""What is read goes through the pair builder like the run's own candidates."""

from __future__ import annotations

import polars as pl

from curation.preference.labels import read_labels
from curation.preference.pairing import pair
from curation.store import Committed
from schemas.profile.preference import Preference
from tests.comparisons.helpers import SKY, read, read_path


def scored(done: Committed, reward: pl.Expr) -> pl.LazyFrame:
    """The completions as a scorer leaves them."""
    return done.scan().with_columns(
        reward.alias("reward"),
        pl.lit(None, pl.Float64).alias("disagreement"),
        reward.is_null().alias("abstained"),
        pl.lit(False).alias("reward_truncated"),
    )


def texts(pairs: pl.DataFrame) -> list[tuple[str, str, str]]:
    side = pl.element().struct.field("content")
    columns = [pl.col(name).list.eval(side).list.last().alias(name) for name in ("prompt", "chosen", "rejected")]
    return sorted(pairs.select(columns).iter_rows())


def test_labels_become_pairs_without_any_reward(tmp_path):
    """Three labels: one stands, and the two that contradict each other make no pair."""
    for_it = {"prompt": "Tea?", "chosen": "Yes, gladly.", "rejected": "Not today."}
    against = {"prompt": "Tea?", "chosen": "Not today.", "rejected": "Yes, gladly."}
    done = read([SKY, for_it, against], tmp_path)
    made = pair(scored(done, pl.lit(None, pl.Float64)), Preference(), read_labels([done]))
    assert texts(made.pairs) == [("What colour is the sky?", "It is blue.", "It is green.")]
    assert made.pairs["label"].to_list() == ["given"]
    assert set(made.pairs["row_id"]) <= set(done.table("rows").collect()["row_id"])
    assert made.dropped["reason"].to_list() == ["contradiction"]


def test_scored_replies_of_several_models_become_pairs(tmp_path):
    """Best against worst: 2.5 - -1.0 = 3.5."""
    replies = {
        "one": ("A poor answer.", -1.0),
        "two": ("The best of them all.", 2.5),
        "three": ("Middling words.", 1.0),
    }
    for policy, (text, score) in replies.items():
        record = {"conversations": [{"from": "human", "value": "Q"}], "response": text, "score": score}
        read([record], tmp_path, file=f"{policy}.jsonl")
    done = read_path(tmp_path / "raw", tmp_path)
    made = pair(scored(done, pl.col("given_score")), Preference(policy="best_worst"))
    assert texts(made.pairs) == [("Q", "The best of them all.", "A poor answer.")]
    assert made.pairs["margin"].to_list() == [3.5]
