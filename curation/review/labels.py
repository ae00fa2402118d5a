"""Verdicts on the answers that a run has, as LABELS: what the pair builder goes by before any score."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from curation.digest import code_digest, sha256_value
from curation.review.verdicts import Verdict, standing, text_digest
from curation.runner import log_line
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas.records import DECISIONS, LABELS

STAGE = "review"


def label(store: Store, scored: Committed, verdicts: Sequence[Verdict], context: Context) -> Committed:
    """Commit the verdicts that are about pairs of this run's completions. Counts are in pairs with a verdict.

    Verdicts on other runs' answers are left alone: they are counted as `elsewhere` in the facts and nowhere else.
    """
    started = time.monotonic()
    last = standing(verdicts)
    said = sorted([*pair, by, one.verdict] for pair, voices in last.items() for by, one in voices.items())
    recipe = {
        "code": code_digest("curation.review.labels"),
        "inputs": [scored.manifest.digest],
        "verdicts": sha256_value(said),
    }

    def build(folder: Path) -> Built:
        found = labels(scored.scan(), last)
        write_table(found, folder / "part-00000.parquet")
        write_table(pl.DataFrame(schema=DECISIONS), folder / "decisions.parquet")
        counts = {"in": found.height, "kept": found.height, "dropped": 0, "quarantined": 0}
        reviewers = sorted({by for voices in last.values() for by in voices})
        return Built(counts, {"unit": "pairs", "elsewhere": len(last) - found.height, "reviewers": reviewers})

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


def labels(scored: pl.LazyFrame, last: Mapping[tuple[str, str, str], Mapping[str, Verdict]]) -> pl.DataFrame:
    """LABELS of the pairs whose two texts both stand among the completions of their prompt, by prompt and ids.

    Of several reviewers the majority counts; where none has more voices than each other, the verdict is a tie.
    Completions with the same text are one: the first by id.
    """
    prompts = {prompt for prompt, _, _ in last}
    texts = scored.filter(pl.col("prompt_id").is_in(prompts)).select("prompt_id", "completion_id", "text").collect()
    ids: dict[tuple[str, str], str] = {}
    for prompt, name, text in texts.sort("completion_id").iter_rows():
        ids.setdefault((prompt, text_digest(text)), name)
    rows = []
    for (prompt, a, b), voices in last.items():
        a_id, b_id = ids.get((prompt, a)), ids.get((prompt, b))
        if a_id is None or b_id is None:
            continue
        votes: Counter[str] = Counter(one.verdict for one in voices.values())
        rows.append(
            {
                "prompt_id": prompt,
                "a_id": a_id,
                "b_id": b_id,
                "verdict": majority(votes),
                "by": ", ".join(sorted(voices)),
                "votes_a": votes["a"],
                "votes_b": votes["b"],
                "votes_tie": votes["tie"],
            }
        )
    return pl.DataFrame(rows, schema=LABELS).sort("prompt_id", "a_id", "b_id")


def majority(votes: Mapping[str, int]) -> str:
    """The verdict with more votes than any other, else tie."""
    ranked = sorted(votes.items(), key=lambda vote: -vote[1])
    decided = ranked and (len(ranked) == 1 or ranked[0][1] > ranked[1][1])
    return ranked[0][0] if decided else "tie"
