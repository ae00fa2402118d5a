"""Drawing prompts: proportional, stable, one row a prompt."""

from __future__ import annotations

import polars as pl
import pytest

from curation.generation.choose import choose_prompts, share
from schemas.records import ROWS
from tests.helpers import rows


def table(*strata: tuple[str, str | None, int]) -> pl.DataFrame:
    frames = []
    for source, language, count in strata:
        turns = [[("user", f"{source} {language} {at}"), ("assistant", "a")] for at in range(count)]
        frames.append(
            rows(*turns, source=f"{source}-{language}").with_columns(source=pl.lit(source), language=pl.lit(language))
        )
    return pl.concat(frames).select(ROWS.names())


@pytest.mark.parametrize(
    ("sizes", "count", "quotas"),
    [
        ([6, 3, 1], 10, [6, 3, 1]),
        ([6, 3, 1], 5, [3, 1, 1]),  # 3.0 1.5 0.5 -> 3 1 1 (at least one)
        ([70, 20, 10], 7, [5, 1, 1]),  # 4.9 1.4 0.7 -> 4 1 1, one left for the largest deficit (.9)
        ([97, 1, 1, 1], 5, [2, 1, 1, 1]),  # 4.85 .05 .05 .05 -> 4 1 1 1 are two too many, both from the surplus
        ([5, 4, 3], 2, [1, 1, 0]),
        ([2, 1], 9, [2, 1]),
        ([], 3, []),
    ],
)
def test_shares(sizes: list[int], count: int, quotas: list[int]):
    assert share(sizes, count) == quotas


def test_each_source_and_language_has_its_share():
    drawn = choose_prompts(table(("a", "en", 70), ("a", "ko", 20), ("b", None, 10)).lazy(), 7, seed=0)
    counted = drawn.group_by("source", "language").len().sort("len", "source")
    assert sorted(counted["len"].to_list()) == [1, 1, 5]
    assert counted.filter(pl.col("len") == 5).row(0)[:2] == ("a", "en")
    assert drawn.schema == ROWS


def test_the_order_of_rows_changes_nothing_and_the_seed_does():
    frame = table(("a", "en", 40), ("b", "ko", 20))
    drawn = choose_prompts(frame.lazy(), 12, seed=1)
    assert drawn.equals(choose_prompts(frame.reverse().lazy(), 12, seed=1))
    assert drawn["prompt_id"].is_sorted()
    assert set(drawn["prompt_id"]) != set(choose_prompts(frame.lazy(), 12, seed=2)["prompt_id"])


def test_more_wanted_prompts_keep_those_that_were_drawn():
    frame = table(("a", "en", 40)).lazy()
    assert set(choose_prompts(frame, 5, seed=3)["row_id"]) < set(choose_prompts(frame, 20, seed=3)["row_id"])


def test_rows_of_one_prompt_are_one_prompt_and_the_first_row_stands_for_it():
    frame = rows(
        [("user", "q"), ("assistant", "b")], [("user", "q"), ("assistant", "a")], [("user", "r"), ("assistant", "c")]
    )
    drawn = choose_prompts(frame.with_columns(source=pl.lit("s")).reverse().lazy(), 3, seed=0)
    assert set(drawn["row_id"]) == {"t:000001", "t:000003"}


def test_no_rows_give_no_prompts():
    assert choose_prompts(pl.LazyFrame(schema=ROWS), 3, seed=0).shape == (0, len(ROWS))
