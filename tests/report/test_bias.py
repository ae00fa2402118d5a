"""The report's sections on candidates, rewards, pairs and bias: figures, what is lacking, hostile names and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from curation.bias import bias_panel
from curation.report import render
from curation.report.context import ReportRun
from curation.report.sections import bias, pairs, rewards
from curation.runs import RunRecord, Runs
from curation.stage import Context
from schemas.profile.gates import BiasLimits
from tests.gates.tables import candidate, pair_frame, scored_frame, table
from tests.report.page import Page
from tests.runs import make_run

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "{{ 7*7 }}{% raw %}",
    "\"><svg onload=alert(1)>",
    "javascript:alert(1)",
    "<!--", "]]>", "&lt;b&gt;", "\u202e\u0000<b>",
]  # fmt: skip

BOTH = [("p1-0", "p1-1"), ("p2-0", "p2-1")]
FACTS = {
    "scorers": {
        "model": {"kind": "reward_model", "role": "reward", "identity": "m", "scored": 4, "not_scored": {},
                  "truncated": 1, "mean": 0.5, "std": 0.25},
        "judge": {"kind": "judge", "role": "reward", "identity": "j", "scored": 3,
                  "not_scored": {"judge_unparsable": 1}, "truncated": 0,
                  "mean": 0.5, "std": 0.5, "flips": 0.375, "first_position": 0.625},
    }
}  # fmt: skip


def run(
    tmp_path: Path, scored: pl.DataFrame, made: pl.DataFrame, limits: BiasLimits | None = None
) -> tuple[Runs, RunRecord]:
    """A finished run with these candidates and pairs in place of its own, and the panel of them."""
    runs, record = make_run(tmp_path)
    done = runs.store.commit("score", {"bias": True}, table(scored, facts=FACTS))
    named = runs.store.commit("preference", {"bias": True}, table(made))
    runs.add(record, "prefer", done)
    runs.add(record, "prefer", named)
    runs.add(record, "bias", bias_panel(runs.store, done, named, limits or BiasLimits(), Context()))
    return runs, record


def words_of(page: Page) -> str:
    return " ".join(" ".join(page.words).split())


def several() -> pl.DataFrame:
    """Two policies, two scorers that agree on one of two pairs."""
    return scored_frame(
        [
            candidate(1, 0, "A longer answer.", 2.0, reward_model=1.0, reward_judge=1.0, disagreement=0.5),
            candidate(1, 1, "Short.", 1.0, reward_model=0.0, reward_judge=0.0, policy="other", origin="off_policy"),
            candidate(2, 0, "Short.", 2.0, reward_model=1.0, reward_judge=0.0, finish_reason="length"),
            candidate(2, 1, "A longer answer!", 1.0, reward_model=0.0, reward_judge=1.0, policy="other"),
        ]
    )


def test_the_panel_is_shown_with_intervals_and_counts(tmp_path: Path):
    scored = several()
    limits = BiasLimits(max_chosen_longer=0.9, max_cut_candidates=0.01)
    page = Page(render(*run(tmp_path, scored, pair_frame(scored, BOTH), limits)))
    words = words_of(page)
    # One of two: Wilson's interval is .5 +- 1.96 sqrt(.25/2 + .2401) / (1 + 1.9207) = .0945 to .9055.
    assert "The longer answer is the chosen one 0.500 [0.000, 1.000] 2 pairs" in words
    assert "max_chosen_longer share of pairs whose chosen answer is the longer 0.500 [0.095, 0.905] 2 0.9 kept" in words
    # One of four cut: the lower end is .0456.
    assert "max_cut_candidates share of candidates cut at max_tokens 0.250 [0.046, 0.699] 4 0.01 broken" in words
    assert "Stopped." in words
    assert "Limits of the bias panel are broken: max_cut_candidates" in words
    assert "max_cut_candidates is broken: 0.250 where the limit is 0.01 (n = 4)." in words
    assert "judge judge reward j 3 1 judge_unparsable 0 0.500 0.500 37.5 % 62.5 %" in words
    assert "model reward 1.000 [0.342, 1.000] 2" in words
    assert "judge reward 0.500 [0.095, 0.905] 2" in words
    assert "other 1 off-policy, 1 on-policy 2" in words
    assert "2 pairs of 2 prompts (2 by reward); mean margin 1.000" in words
    alts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert any("model and judge 0.50" in alt for alt in alts)
    assert any(alt.startswith("Length of chosen minus rejected: 2 values") for alt in alts)


def test_pairs_by_hand_have_no_scores_and_no_margin(tmp_path: Path):
    scored = several().with_columns(reward=pl.lit(None, pl.Float64))
    both = pl.concat([pair_frame(scored, BOTH[:1], "given"), pair_frame(scored, BOTH[1:], "human")])
    words = words_of(Page(render(*run(tmp_path, scored, both))))
    assert "2 pairs of 2 prompts (1 by given, 1 by human); mean margin –, median –, 2 without one" in words
    assert "Margin –, by given" in words
    assert "Mean reward –" in words


def test_no_pairs_and_no_candidates(tmp_path: Path):
    empty = several().clear()
    words = words_of(Page(render(*run(tmp_path, empty, pair_frame(empty, [])))))
    assert "No pair was made" in words
    assert "The longer answer is the chosen one – 0 pairs" in words
    assert "0 scored candidates of 0 tokens" in words
    assert "They are of unnamed policies" in words


def test_a_run_without_candidates_has_no_such_sections(tmp_path: Path):
    runs, record = make_run(tmp_path)
    record.steps = [step for step in record.steps if step.phase != "prefer"]
    page = Page(render(runs, record))
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert not ids & {"rewards", "pairs", "bias"}
    run = ReportRun(runs, record)
    assert (rewards.gather(run), pairs.gather(run), bias.gather(run)) == (None, None, None)


def test_hostile_names_and_texts_stay_text(tmp_path: Path):
    def page(payloads: list[str]) -> Page:
        candidates: list[dict[str, Any]] = []
        for at, payload in enumerate(payloads):
            more = {"source": payload, "language": payload, "policy": payload, "origin": payload, "reward_a": 1.0}
            candidates.append(candidate(at, 0, f"{payload} is long", 1.0, **more, reward_b=2.0))
            candidates.append(candidate(at, 1, payload, 0.0, **more, finish_reason=payload, reward_b=1.0))
        scored = scored_frame(candidates)
        made = pair_frame(scored, [(f"p{at}-0", f"p{at}-1") for at in range(len(payloads))])
        return Page(render(*run(tmp_path / str(len(payloads[0])), scored, made)))

    plain, hostile = page(["plain"]), page(HOSTILE)
    assert sorted(set(hostile.tags)) == sorted(set(plain.tags))
    assert {(t, n) for t, n, _ in hostile.attributes} == {(t, n) for t, n, _ in plain.attributes}
    assert "<script>alert(1)</script>" in "".join(hostile.words)


def test_the_page_does_not_grow_with_sources(tmp_path: Path):
    scored = scored_frame([candidate(at, 0, "a", 1.0, source=f"source{at:03d}") for at in range(200)])
    told = bias.gather(ReportRun(*run(tmp_path, scored, pair_frame(scored, []))))
    assert told is not None
    assert len(told["sources"]) == 20
