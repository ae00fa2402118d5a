"""Candidates and their rewards: how they ended, what each scorer is, each policy, and what best-of-n gains."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from curation.report import charts
from curation.report.binned import Bin, even
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.report.interval import Interval
from curation.report.language import Catalogue

# Rows of a table that a reader looks through; the rest is in the stage's own files.
MOST = 20
# Shares from which on they are worth a look: candidates without a reward, and candidates cut at max_tokens.
WITHOUT = 0.02
CUT = 0.25
# A judge that tossed a coin would contradict itself on half of the pairs.
FLIPS = 0.3


class End(TypedDict):
    """Candidates that ended in one way; None where it is not known."""

    finish_reason: str | None
    count: int


class Scorer(TypedDict):
    """A scorer as its manifest tells of it; None for what it does not tell."""

    name: str
    kind: str | None
    role: str | None
    identity: str | None
    scored: int | None
    not_scored: dict[str, int]
    truncated: int | None
    mean: float | None
    std: float | None
    flips: float | None
    """Share of pairs on which a judge contradicts itself in the other order."""
    first_position: float | None
    """Share of its comparisons that the first position won."""


class Policy(TypedDict):
    """What generated candidates, and on which side of the pairs these are."""

    policy: str | None
    origins: dict[str, int]
    n: int
    mean_tokens: float | None
    cut: Interval
    reward_mean: float | None
    chosen: int
    rejected: int


class Best(TypedDict):
    """Best of k: expected reward, gain over one candidate, and the bound of the divergence, in nats."""

    k: int
    prompts: int
    reward: float
    gain: float
    kl_bound: float


class Figures(TypedDict):
    """Candidates and rewards."""

    candidates: int
    dropped: int
    """Candidates that were dropped when they were scored."""
    without: int
    """Candidates without a reward."""
    tokens: int
    policies: list[str]
    ends: list[End]
    mean: float | None
    std: float | None
    histogram: list[Bin]
    scorers: list[Scorer]
    by_policy: list[Policy]
    best_of_k: list[Best]
    findings: list[Finding]


def gather(run: ReportRun) -> Figures | None:
    """Rewards of the candidates; None where nothing was scored."""
    if run.scored is None:
        return None
    score, sampled, panel = run.step("score"), run.step("rejection_sampling"), run.step("bias")
    table = run.scored.select("reward", "finish_reason", "tokens", "policy").collect()
    values = table["reward"].drop_nulls()
    ends = table.group_by("finish_reason").len("count").sort("finish_reason")
    told = scorers(score.facts if score else {})
    without = table.height - len(values)
    cut = int((table["finish_reason"] == "length").sum())
    return Figures(
        candidates=table.height,
        dropped=score.counts["dropped"] if score else 0,
        without=without,
        tokens=int(table["tokens"].sum() or 0),
        policies=table["policy"].drop_nulls().unique().sort().to_list()[:MOST],
        ends=[End(finish_reason=row["finish_reason"], count=row["count"]) for row in ends.to_dicts()],
        mean=_float(values.mean()),
        std=_float(values.std()),
        histogram=even(values),
        scorers=told,
        by_policy=by_policy(panel.facts["panel"]) if panel else [],
        best_of_k=[
            Best(**{name: entry[name] for name in Best.__annotations__})  # type: ignore[typeddict-item]
            for entry in ((sampled.facts.get("best_of_k") or [])[:MOST] if sampled else [])
        ],
        findings=findings(table.height, without, cut, told),
    )


def findings(candidates: int, without: int, cut: int, told: list[Scorer]) -> list[Finding]:
    """Candidates without a reward, candidates cut short, and judges that contradict themselves."""
    found = []
    if candidates and without / candidates >= WITHOUT:
        share = without / candidates
        found.append(finding("warning", share, "rewards.finding_without", "rewards", count=without, share=share))
    if candidates and cut / candidates >= CUT:
        share = cut / candidates
        found.append(finding("warning", share, "rewards.finding_cut", "rewards", count=cut, share=share))
    for scorer in told:
        flips = scorer["flips"]
        if flips is not None and flips >= FLIPS:
            found.append(
                finding("warning", 2 * flips, "rewards.finding_flips", "rewards", scorer=scorer["name"], share=flips)
            )
    return found


def scorers(facts: dict[str, Any]) -> list[Scorer]:
    """What the manifest tells of each scorer."""
    return [
        Scorer(
            name=name,
            not_scored=entry.get("not_scored") or {},
            **{key: entry.get(key) for key in Scorer.__annotations__ if key not in ("name", "not_scored")},  # type: ignore[typeddict-item]
        )
        for name, entry in (facts.get("scorers") or {}).items()
    ]


def by_policy(panel: dict[str, Any]) -> list[Policy]:
    """The panel's policies, the first of them."""
    return [
        Policy(
            reward_mean=entry["reward"]["mean"],
            **{name: entry[name] for name in Policy.__annotations__ if name != "reward_mean"},  # type: ignore[typeddict-item]
        )
        for entry in panel["policies"][:MOST]
    ]


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """The distribution of the rewards."""
    bins = figures["histogram"]
    return {"rewards": charts.told_histogram("chart", bins, say)} if bins else {}
