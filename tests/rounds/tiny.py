"""Rounds of a tiny model, sampled with Transformers instead of vLLM; in this process or as a program: HOME PROFILE OUT.

The program may be told to kill itself: with AT, the name of a function in this process, and the number of the call in
which it dies.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from curation.generation import run as generation
from curation.generation.deterministic import DeterministicGenerator
from curation.generation.protocol import Generator, Replies, Reply, Request
from curation.models import describe, resolve
from curation.report import Report
from curation.runs import RunRecord, Runs
from flows import round_steps, steps
from flows.profiles import load_profile
from flows.session import Session, begin
from schemas.profile.generation import Generation
from tests.flows.child_steps import pairs
from training import run as training
from training.evaluation import run as evaluation

TOPICS = ("stars", "rivers", "bread", "chess", "rain", "glass", "bees", "ships", "salt", "trees", "clocks", "maps")
PROFILE = """
name = "tiny"
[[sources]]
path = "{folder}/train.jsonl"
name = "t"
[[stages]]
use = "filter.empty"
[generation]
model = "{model}"
candidates = 4
max_tokens = 12
temperature = 1.0
[scoring]
scorers = [{{kind = "length"}}]
[preference]
min_margin = 1.0
max_similarity = 1.0
[evaluation]
scoring = {{scorers = [{{kind = "format"}}]}}
kl = false
max_tokens = 12
resamples = 100
[training]
model = "{model}"
[training.sft]
max_steps = 1
[training.rejection_sampling]
max_steps = 1
[training.dpo]
max_steps = 2
learning_rate = 1e-3
save_steps = 1
[rounds]
count = 2
prompts = 6
held_out = ["{folder}/held.jsonl"]
stop_without_gain = false
stop_when_parted = false
"""


class Empty(Report):
    """A report without figures."""

    def html(self, lang: str = "en") -> str:
        return ""


EMPTY = Empty({})


class Tiny(DeterministicGenerator):
    """Samples from a model's folder; every answer counts as whole."""

    def __init__(self, settings: Generation, home: Path) -> None:
        self.model = resolve(settings.model, home)

    def identity(self) -> dict[str, Any]:
        return {"engine": "tiny", "model": describe(self.model)}

    def generate(self, requests: Iterable[Request]) -> Replies:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.model.path)
        model = AutoModelForCausalLM.from_pretrained(self.model.path)
        for request in requests:
            messages = [{"role": m["role"], "content": m["content"]} for m in request.messages]
            ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")["input_ids"]
            torch.manual_seed(request.seed)
            warm = request.sampling.temperature > 0
            made = model.generate(ids, do_sample=warm, max_new_tokens=request.sampling.max_tokens, pad_token_id=2)
            said = made[0][ids.shape[1] :]
            yield Reply(request.request_id, tokenizer.decode(said, skip_special_tokens=True), "stop", len(said))


def write_profile(folder: Path, model: str, change: tuple[str, str] = ("", "")) -> str:
    """Twelve rows to train on, four prompts to evaluate on, and a profile of two rounds."""
    rows = [{"prompt": f"Tell me about {topic}.", "response": f"All about {topic}."} for topic in TOPICS]
    held = [{"prompt": f"Why are {topic} so odd?", "response": "Nobody knows."} for topic in ("cats", "moons", "hats")]
    for name, lines in (("train", rows), ("held", held)):
        (folder / f"{name}.jsonl").write_bytes(b"\n".join(orjson.dumps(line) for line in lines) + b"\n")
    path = folder / "tiny.toml"
    path.write_text(PROFILE.format(folder=folder, model=model).replace(*change))
    return str(path)


def make(entry: Generation, home: Path) -> Generator:
    """In the place of the engine that a profile names."""
    return Tiny(entry, home)


def no_report(runs: Runs, record: RunRecord) -> Report:
    """In the place of a report: it takes longer to draw than all else in these runs."""
    return EMPTY


def curated(home: str, profile: str, out: str) -> str:
    """A run up to its hand-over; returns its name."""
    run = begin(home, load_profile(profile))
    with steps.recorded(home, run):
        steps.ingest_source(home, run, 0)
        for at in range(len(Session.open(home, run).stages)):
            steps.curation_stage(home, run, at)
        steps.hand_over(home, run, out)
    return run


def rounds(home: str, run: str, out: str) -> None:
    """As the flow of that name does, without Prefect."""
    with round_steps.closing(home, run, out):
        round_steps.start_rounds(home, run, out)
        for at in range(1, Session.open(home, run).profile.rounds.count + 1):
            name = round_steps.begin_round(home, run, out, at)
            if name is None:
                break
            with steps.recorded(home, name):
                pairs(home, name, Session.open(home, name))
                round_steps.flag_stale(home, name)
                round_steps.hand_over_round(home, name, out)
                round_steps.train_round(home, name, out)
                if round_steps.conclude_round(home, name, out):
                    break


def dying(work: Callable[..., Any], at: int) -> Callable[..., Any]:
    """A function that ends this process as kill -9 does before its call of that number."""
    calls = 0

    def wrapped(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(*given, **named)

    return wrapped


PLACES: dict[str, tuple[Any, str]] = {
    "hand-over": (round_steps, "hand_over_round"),
    "publish": (training.runfolder, "publish"),
    "evaluate": (evaluation, "_build"),
    "conclude": (round_steps, "decide"),
}

if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    generation.make_generator = evaluation.make_generator = make
    steps.build = no_report
    if len(sys.argv) > 4:
        module, name = PLACES[sys.argv[4]]
        setattr(module, name, dying(getattr(module, name), int(sys.argv[5])))
    rounds(sys.argv[1], curated(*sys.argv[1:4]), sys.argv[3])
