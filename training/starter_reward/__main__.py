"""Train the starter reward model, measure it on held-out prompts, and write weights, figures and card.

python -m training.starter_reward --data FOLDER [--out FOLDER] [--without SOURCE] [--seed N] [--measure]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson

from curation.digest import sha256_file
from curation.models import REWARD_WEIGHTS, STARTER_REWARD, resolve
from curation.progress import Progress, Terminal
from schemas.errors import SievelineError
from training.starter_reward.card import write_card
from training.starter_reward.data import SOURCES, Source, load
from training.starter_reward.evaluate import Rewards, figures, model_scores
from training.starter_reward.model import load_whole, make_body, make_tokenizer
from training.starter_reward.rows import Row, chosen_rows
from training.starter_reward.train import BASE, FROZEN, Fit, Settings, prepare, write_head


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; the exit code is the error's."""
    parser = argparse.ArgumentParser(prog="python -m training.starter_reward", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--data", type=Path, required=True, help="folder of the preference files")
    parser.add_argument("--out", type=Path, default=STARTER_REWARD, help="where weights and card are written")
    parser.add_argument("--without", action="append", default=[], choices=list(SOURCES), help="leave a source out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--home", type=Path, default=Path(".sieveline"), help="where converted models are kept")
    parser.add_argument("--measure", action="store_true", help="train nothing: measure what is in --out, on all pairs")
    given = parser.parse_args(argv)
    try:
        names = [name for name in SOURCES if name not in given.without]
        settings = replace(Settings(), seed=given.seed)
        (measure if given.measure else run)(given.data, given.out, names, settings, given.home, Terminal())
    except SievelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def run(
    data: Path, out: Path, names: Sequence[str], settings: Settings, home: Path, progress: Progress
) -> dict[str, Any]:
    """Train on the named sources and write everything into `out`; returns what metrics.json holds."""
    sources = load(data, settings.seed, names)
    base = Path(resolve(BASE, home).path)
    tokenizer = make_tokenizer(base)
    train = chosen_rows(_parts(sources, "train"), tokenizer, settings.max_tokens, settings.most)
    validation = chosen_rows(
        _parts(sources, "validation"), tokenizer, settings.validation_tokens, settings.most_validation
    )
    for name, source in sources.items():
        progress.line(f"{name}: {len(source.pairs):,} pairs, {len(train[name]):,} to train on")
    body = make_body(base, FROZEN + 1)
    prepare(body)
    started = time.monotonic()
    facts = Fit(body, train, validation, settings).run(progress)
    facts["minutes"] = round((time.monotonic() - started) / 60)
    write_head(body, tokenizer, out)
    metrics = {
        "settings": asdict(settings),
        "weights_sha256": sha256_file(out / REWARD_WEIGHTS),
        "pairs": {name: _counts(source, train[name]) for name, source in sources.items()},
        **held_out(sources, out, home, settings, progress),
        "training": facts,
    }
    write_card(out, metrics)
    return metrics


def measure(
    data: Path, out: Path, names: Sequence[str], settings: Settings, home: Path, progress: Progress
) -> dict[str, Any]:
    """Measure the model in `out` on every held-out pair, and write figures and card anew; returns the figures."""
    told = orjson.loads((out / "metrics.json").read_bytes())
    sources = load(data, settings.seed, names)
    found = held_out(sources, out, home, replace(settings, most_held_out={}), progress)
    metrics = {**told, **found, "settings": {**told["settings"], "most_held_out": {}}}
    write_card(out, metrics)
    return metrics


def held_out(
    sources: Mapping[str, Source], folder: Path, home: Path, settings: Settings, progress: Progress
) -> dict[str, Any]:
    """Figures of the model as it is used, put together and read from the disk, on held-out prompts."""
    score = model_scores(*load_whole(folder, home))
    pairs = {name: source.of("held_out")[: settings.most_held_out.get(name)] for name, source in sources.items()}
    scored: dict[str, Rewards] = {}
    for name, of in pairs.items():
        progress.line(f"{name}: scoring {len(of):,} held-out pairs")
        scored[name] = score(of)
    return figures({name: source.of("train") for name, source in sources.items()}, pairs, scored, settings.seed)


def _parts(sources: Mapping[str, Source], part: Any) -> dict[str, Any]:
    return {name: source.of(part) for name, source in sources.items()}


def _counts(source: Source, trained_on: Sequence[Row]) -> dict[str, Any]:
    parts = {part: len(source.of(part)) for part in ("train", "validation", "held_out")}  # type: ignore[arg-type]
    return {**parts, "trained_on": len(trained_on), "left_out": dict(sorted(source.left_out.items()))}


if __name__ == "__main__":
    sys.exit(main())
