"""How far a judge can be relied on: replies that are scores, in each form, and agreement with people on pairs.

JUDGE_MODEL names the model (the small packaged one by default), JUDGE_BASE_URL a server that has it, JUDGE_MAX_TOKENS
the bound of a reply. The data lie beside the repository. Pairs: PandaLM's test set, one a prompt, where all three
annotators say that the same answer is better.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from curation.generation.engines import make_generator
from curation.generation.protocol import Generator
from curation.ingest import read_into
from curation.scoring import judge
from curation.scoring.judge.compare import CompareConfig, Item, compare
from curation.stage import Context
from schemas.profile.sources import Columns, Ingest, Source

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
FILES = {
    "alpagasus_dolly_3k.json": Columns(),
    "hrc_v1.jsonl": Columns(prompt="질의", response="상담례, 결정례 기반 답변"),
}
ROWS, PAIRS = 12, 60
FORMS: dict[str, dict[str, Any]] = {
    "json_schema": {"reply": "json_schema"},
    "json_schema, reasoning": {"reply": "json_schema", "reasoning": True},
    "first_line": {"reply": "first_line"},
    "first_line, reasoning (AlpaGasus)": {"reply": "first_line", "reasoning": True},
}


def main() -> None:
    """Print both tables."""
    base_url = os.environ.get("JUDGE_BASE_URL")
    engine: dict[str, Any] = {
        "model": os.environ.get("JUDGE_MODEL", "smollm2-135m-instruct"),
        "engine": "openai" if base_url else "vllm",
        "base_url": base_url,
        "max_tokens": int(os.environ.get("JUDGE_MAX_TOKENS", "128")),
        "max_failed": 1.0,
    }
    with TemporaryDirectory() as folder:
        settings = judge.Config(**engine).generation()
        context = Context(home=Path(folder))
        with make_generator(settings, ROOT / ".sieveline") as generator:
            for file in FILES:
                rate(_rows(file, Path(folder)), file, engine, generator, context)
            agree(_pairs(), engine, generator, context)


def rate(rows: pl.DataFrame, file: str, engine: dict[str, Any], generator: Generator, context: Context) -> None:
    """Share of rows with a score in each form, why the others have none, and the scores."""
    for form, options in FORMS.items():
        started = time.monotonic()
        result = judge.rate(rows.lazy(), judge.Config(**engine, **options), generator, context)
        assert result.added is not None
        scores = result.added.collect()["score_judge_accuracy"].drop_nulls().sort().to_list()
        told = {name: count for name, count in result.facts["judge"]["replies"].items() if count}
        shown = ", ".join(f"{score:g}: {count}" for score, count in Counter(scores).items())
        took = f"{time.monotonic() - started:.0f} s"
        print(f"{file}  {form}: {len(scores)} of {rows.height} scored; {told}; scores {{{shown}}}; {took}", flush=True)


def agree(pairs: list[tuple[Item, str]], engine: dict[str, Any], generator: Generator, context: Context) -> None:
    """Agreement with the annotators, beside that of the longer answer; consistency and bias for the first place."""
    compared = compare([item for item, _ in pairs], CompareConfig(**engine), generator, context)
    truth = {item.item_id: winner for item, winner in pairs}
    verdicts = {row["item_id"]: row for row in compared.verdicts.iter_rows(named=True)}
    right = sum(verdicts[name]["verdict"] == winner for name, winner in truth.items())
    decided = sum(verdicts[name]["verdict"] in ("a", "b") for name in truth)
    one_order = sum(verdicts[name]["winner_ab"] == winner for name, winner in truth.items())
    longer = sum(
        (len(i.answer_a) > len(i.answer_b)) == (w == "a") for i, w in pairs if len(i.answer_a) != len(i.answer_b)
    )
    print(f"pairs: {len(pairs)}; a is better in {sum(winner == 'a' for winner in truth.values())}")
    print(
        f"both orders: {right} right of {decided} decided; first order alone: {one_order} right; longer: {longer} right"
    )
    print(json.dumps(compared.facts), flush=True)


def _rows(file: str, folder: Path) -> pl.DataFrame:
    raw = folder / Path(file).stem
    read_into(Source(path=str(DATA / file), name=Path(file).stem, columns=FILES[file]), Ingest(), raw, Context())
    rows = pl.concat([pl.read_ipc(part) for part in sorted(raw.glob("part-*.arrow"))])
    return (
        rows.with_columns(pl.Series("__order", [_digest(name) for name in rows["row_id"]])).sort("__order").head(ROWS)
    )


def _pairs() -> list[tuple[Item, str]]:
    """Pairs with their better side, drawn by a digest of the prompt and the index."""
    found: dict[str, tuple[Item, str]] = {}
    records = json.loads((DATA / "pandalm_testset_v1.json").read_text(encoding="utf-8"))
    for record in sorted(records, key=lambda record: _digest(str(record["idx"]))):
        votes = {record[f"annotator{at}"] for at in (1, 2, 3)}
        texts = [record[name] for name in ("instruction", "input", "response1", "response2")]
        if votes not in ({1}, {2}) or not all(isinstance(text, str) for text in texts):
            continue
        prompt = "\n\n".join(filter(None, texts[:2]))
        message = {"role": "user", "content": prompt, "extra": None}
        item = Item(str(record["idx"]), [message], texts[2], texts[3])
        found.setdefault(prompt, (item, "a" if votes == {1} else "b"))
    return [found[prompt] for prompt in sorted(found, key=_digest)[:PAIRS]]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main()
