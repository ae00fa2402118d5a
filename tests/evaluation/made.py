"""Training runs by hand, whose models are a configuration alone, and engines that say what a test tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from curation.digest import sha256_file
from curation.generation.protocol import Generator
from curation.models import resolve
from schemas.profile.evaluation import Evaluation as Settings
from schemas.profile.generation import Generation
from schemas.profile.scoring import Scoring
from schemas.profile.sources import Source
from tests.generation.scripted import Scripted
from training import runfolder

ASKED = ("What is a star?", "Name a river in Asia please.", "별이 뭐야? 자세히 알려 줘.", "How much is 6 times 7?")
KNOWN = ("A ball of hot gas.", "The Ganges.", "뜨거운 가스 덩어리예요.", "#### 42")
LENGTH = Scoring.model_validate({"scorers": [{"kind": "length"}]})
FORMAT = Scoring.model_validate({"scorers": [{"kind": "format"}]})
SETTINGS = Settings(engine="deterministic", scoring=LENGTH, proxy=FORMAT, kl=False, resamples=100, max_tokens=64)
Says = Mapping[str, Callable[[str], str]]


def held_out(folder: Path, *asked: str) -> list[Source]:
    """A file of prompts with known answers, those of ASKED by default."""
    lines = [
        orjson.dumps({"prompt": prompt, "response": answer})
        for prompt, answer in zip(asked or ASKED, KNOWN, strict=False)
    ]
    file = folder / "held.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    return [Source(path=str(file), name="held")]


def model(folder: Path, name: str) -> Path:
    """A folder that is a model by its configuration; its digest is that of the name."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(f'{{"name": "{name}"}}')
    return folder


def run(
    out: Path,
    stage: str,
    base: Path,
    data: Path,
    dataset: str,
    before: tuple[str, ...] = (),
    pattern: str = "*.parquet",
) -> Path:
    """A finished run of a stage into `out`, trained from `base` on the set in `data`."""
    work = out / f".work-{stage}"
    model(work / "model", f"{stage} {base} {data}")
    files = sorted((data / dataset).glob(pattern))
    recipe = {
        "stage": stage,
        "data": [{"name": f"{dataset}/{file.name}", "sha256": sha256_file(file)} for file in files],
        "base": resolve(str(base), out).digest,
    }
    facts: dict[str, Any] = {
        "base": {"name": str(base), "stages": list(before)},
        "metrics": {"tokens": 100, "seconds": 2.5},
    }
    runfolder.publish(work, out / stage, recipe, {}, facts)
    return out / stage


def engines(says: Says, log: list[str]) -> Callable[[Generation], Generator]:
    """For each model, by a part of its folder's path, an engine that says something; what is asked goes to `log`."""

    def made(entry: Generation) -> Generator:
        name = next(name for name in says if name in entry.model)
        return Scripted(lambda prompt, *_: says[name](prompt), name, log)

    return made
