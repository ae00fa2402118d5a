"""Train the starter reward model, measure it on held-out prompts, and write weights, figures and card.

python -m training.starter_reward --data FOLDER [--out FOLDER] [--without SOURCE] [--seed N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from curation.digest import sha256_file
from curation.models import STARTER_REWARD, resolve
from curation.progress import Progress, Terminal
from schemas.errors import SievelineError
from training.starter_reward.card import write_card
from training.starter_reward.data import SOURCES, Pair, Source, load
from training.starter_reward.evaluate import by_kind, measure, model_scores
from training.starter_reward.model import hangul_syllables, make_body, make_tokenizer
from training.starter_reward.train import BASE, Settings, adapted, fit, training_rows, write_adapter


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; the exit code is the error's."""
    parser = argparse.ArgumentParser(prog="python -m training.starter_reward", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--data", type=Path, required=True, help="folder of the preference files")
    parser.add_argument("--out", type=Path, default=STARTER_REWARD, help="where weights and card are written")
    parser.add_argument("--without", action="append", default=[], choices=list(SOURCES), help="leave a source out")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    try:
        names = [name for name in SOURCES if name not in given.without]
        run(given.data, given.out, names, replace(Settings(), seed=given.seed), Terminal())
    except SievelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run(data: Path, out: Path, names: Sequence[str], settings: Settings, progress: Progress) -> dict[str, Any]:
    """Train on the named sources and write everything into `out`; returns what metrics.json holds."""
    sources = load(data, settings.seed, names)
    train = {name: source.of("train") for name, source in sources.items()}
    base = Path(resolve(BASE, Path(".sieveline")).path)
    syllables = hangul_syllables(_texts(train))
    tokenizer = make_tokenizer(base, syllables)
    rows = training_rows(train, tokenizer, settings)
    for name, source in sources.items():
        progress.line(f"{name}: {len(source.pairs):,} pairs, {len(rows[name]):,} to train on")
    model = adapted(make_body(base, tokenizer, settings.seed), settings)
    validation = {name: source.of("validation")[: settings.validation_pairs] for name, source in sources.items()}
    facts = fit(model, tokenizer, [row for r in rows.values() for row in r], validation, settings, progress)
    write_adapter(model, tokenizer, out)
    score = model_scores(model, tokenizer)
    held_out = {}
    for name, source in sources.items():
        progress.line(f"{name}: scoring {len(source.of('held_out')):,} held-out pairs")
        held_out[name] = measure(train[name], source.of("held_out"), score, settings.seed)
    metrics = {
        "settings": {**asdict(settings), "most": dict(settings.most)},
        "hangul_syllables": len(syllables),
        "weights_sha256": sha256_file(out / "adapter_model.safetensors"),
        "pairs": {name: _counts(source, len(rows[name])) for name, source in sources.items()},
        "held_out": held_out,
        "made_by_kind": by_kind(sources["made"].of("held_out"), score) if "made" in sources else {},
        "training": facts,
    }
    write_card(out, metrics)
    return metrics


def _texts(train: dict[str, list[Pair]]) -> list[str]:
    pairs = [pair for of_source in train.values() for pair in of_source]
    return [text for p in pairs for text in (*(m["content"] for m in p.prompt), p.chosen, p.rejected)]


def _counts(source: Source, trained_on: int) -> dict[str, Any]:
    parts = {part: len(source.of(part)) for part in ("train", "validation", "held_out")}  # type: ignore[arg-type]
    return {**parts, "trained_on": trained_on, "left_out": dict(sorted(source.left_out.items()))}


if __name__ == "__main__":
    sys.exit(main())
