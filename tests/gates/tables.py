"""Small tables of candidates, scores and pairs, committed: what the gates and the bias panel judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curation.gates import Beside
from curation.preference.messages import as_answer
from curation.stage import as_decisions
from curation.store import Built, Committed, Store, write_table
from schemas.records import COMPLETIONS, PAIRS, ROWS, SCORES, pair_id_of, prompt_id_of


def table(
    frame: pl.DataFrame, dropped: pl.DataFrame | None = None, facts: Mapping[str, Any] | None = None
) -> Callable[[Path], Built]:
    """A build that writes one table, and a ledger where something was dropped."""

    def build(folder: Path) -> Built:
        write_table(frame, folder / "part-00000.parquet")
        lost = dropped if dropped is not None else pl.DataFrame(schema={"row_id": pl.String, "reason": pl.String})
        write_table(as_decisions(lost, "t", "dropped"), folder / "decisions.parquet")
        total = frame.height + lost.height
        return Built({"in": total, "kept": frame.height, "dropped": lost.height, "quarantined": 0}, facts or {})

    return build


def turns(text: str) -> list[dict[str, str | None]]:
    """A prompt of one user turn."""
    return [{"role": "user", "content": text, "extra": None}]


def candidate(at: int, index: int, text: str | None, reward: float | None = 0.0, **change: Any) -> dict[str, Any]:
    """Candidate `p<at>-<index>` to the prompt `question <at>` of the row `t:<at>`; `reward_<name>` adds a scorer."""
    prompt = turns(f"question {at}")
    return {
        "completion_id": f"p{at}-{index}",
        "prompt_id": prompt_id_of(prompt),
        "row_id": f"t:{at:06d}",
        "source": "t",
        "language": "en",
        "prompt": prompt,
        "policy": "m",
        "origin": "on_policy",
        "sampling": "{}",
        "index": index,
        "seed": 1,
        "text": text,
        "finish_reason": "stop",
        "tokens": len(text or "") // 4,
        "reward": reward,
        "abstained": False,
        "reward_truncated": False,
    } | change


def scored_frame(candidates: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Candidates in the columns of COMPLETIONS, SCORES and their scorers."""
    known = {**COMPLETIONS, **SCORES}
    more = {name: pl.Float64 for record in candidates for name in record if name not in known}
    return pl.DataFrame([dict(record) for record in candidates], schema={**known, **more})


def pair_frame(scored: pl.DataFrame, ids: Sequence[tuple[str, str]], label: str = "reward") -> pl.DataFrame:
    """Pairs of (chosen_id, rejected_id), in the columns of PAIRS, as the candidates have it."""
    named = pl.DataFrame(list(ids), schema={"chosen_id": pl.String, "rejected_id": pl.String}, orient="row")
    side = scored.select("completion_id", "reward", answer=as_answer("text"))
    chosen = scored.select("completion_id", "prompt_id", "row_id", "source", "language", "prompt", "reward")
    joined = (
        named.join(chosen.with_columns(chosen=as_answer_of(scored)), left_on="chosen_id", right_on="completion_id")
        .rename({"reward": "score_chosen"})
        .join(side.rename({"answer": "rejected"}), left_on="rejected_id", right_on="completion_id")
        .rename({"reward": "score_rejected"})
    )
    made = joined.with_columns(
        pl.Series("pair_id", [pair_id_of(a, b) for a, b in joined.select("chosen_id", "rejected_id").iter_rows()]),
        pl.lit(label).alias("label"),
        (pl.col("score_chosen") - pl.col("score_rejected")).alias("margin"),
    )
    return made.select(PAIRS.names()).cast(PAIRS).sort("pair_id")  # type: ignore[arg-type]


def as_answer_of(scored: pl.DataFrame) -> pl.Series:
    """Each text as a list of one assistant message."""
    return scored.select(as_answer("text")).to_series()


@dataclass(frozen=True)
class Tables:
    """A store with scored candidates and the rows they are of."""

    store: Store
    scored: Committed
    beside: Beside


def tables(tmp_path: Path, scored: pl.DataFrame, *, facts: Mapping[str, Any] | None = None, **more: Any) -> Tables:
    """Commit candidates and their rows; `more` goes to Beside, `dropped` to the ledger."""
    store = Store(tmp_path)
    dropped = more.pop("dropped", None)
    done = store.commit("score", {}, table(scored, dropped, facts))
    empty = pl.DataFrame(schema=ROWS)
    ids = pl.concat([empty.select("row_id"), scored.select("row_id").unique()])
    rows = store.commit("rows", {}, table(ids))
    return Tables(store, done, Beside(scored=done, rows=[rows], **more))
