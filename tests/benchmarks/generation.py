"""Tokens a second of the generate stage beside bare `LLM.generate`, on the same prompts, seeds and settings.

Both run in a fresh process with the same environment, load the same model, generate once to warm up, and are timed on
a second set of prompts, so that neither loading nor the first kernels count. The bare side is vLLM's own offline loop
with its default scheduling, timed on the very requests that the stage made, already tokenized. The stage's time has
all that it does beside: measuring prompts, the pipe to the child process, the journal, duplicates, and the commit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curation.generation import offline
from curation.generation.protocol import Replies, Request, Sampling
from curation.generation.run import generate
from curation.generation.vllm import CPU_ENGINE, VllmGenerator
from curation.models import resolve
from curation.stage import Context
from curation.store import Store
from schemas.profile.generation import Generation
from schemas.records import ROWS, prompt_id_of

HOME = Path(".sieveline")
CORPUS = Path(__file__).resolve().parents[2] / "curation" / "starter" / "corpus" / "tasks.json"
PROMPTS, WARM_UP_TOKENS = 16, 16
SETTINGS = Generation(candidates=4, max_tokens=128, temperature=0.8, top_p=0.95, top_up=0)


def prompts(first: int) -> list[list[dict[str, Any]]]:
    """Prompts of the starter corpus."""
    rows = [row for row in orjson.loads(CORPUS.read_bytes()) if row["id"].startswith("en-")][first : first + PROMPTS]
    texts = ["\n\n".join(filter(None, [row["instruction"], row["input"]])) for row in rows]
    return [[{"role": "user", "content": text, "extra": None}] for text in texts]


def warm_up() -> list[Request]:
    """As many requests as are timed, of other prompts and with short replies."""
    sampling = Sampling(SETTINGS.temperature, SETTINGS.top_p, WARM_UP_TOKENS)
    return [
        Request(f"{at}-{index}", messages, str(at), index, 1000 * at + index, sampling)
        for at, messages in enumerate(prompts(PROMPTS))
        for index in range(SETTINGS.candidates)
    ]


class Recording(VllmGenerator):
    """Notes what it is asked, and stays open when the stage is done with it: ending a process is no generation."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.asked: list[dict[str, Any]] = []

    def generate(self, requests: Iterable[Request]) -> Replies:
        requests = list(requests)
        self.asked += [{"messages": list(request.messages), "seed": request.seed} for request in requests]
        return super().generate(requests)

    def __exit__(self, *error: object) -> None:
        return None


def ours(requests: Path) -> float:
    """Tokens a second through the stage; what it asked goes to a file."""
    rows = [
        {"row_id": f"b:{at:06d}", "prompt_id": prompt_id_of(messages), "source": "b", "messages": messages}
        for at, messages in enumerate(prompts(0))
    ]
    frame = pl.DataFrame([row | {"language": "en", "metadata": "{}"} for row in rows], schema=ROWS)
    engine = Recording(resolve(SETTINGS.model, HOME), SETTINGS)
    try:
        list(engine.generate(warm_up()))
        engine.asked.clear()
        with tempfile.TemporaryDirectory() as scratch:
            started = time.perf_counter()
            done = generate(Store(Path(scratch)), frame, SETTINGS, Context(), engines=lambda entry: engine)
            seconds = time.perf_counter() - started
        requests.write_bytes(orjson.dumps(engine.asked))
        return float(done.manifest.facts["tokens"]) / seconds
    finally:
        engine.close()


def bare(requests: Path) -> float:
    """Tokens a second of `LLM.generate`, in a child with the engine's own environment."""
    model = resolve(SETTINGS.model, HOME).path
    environment = offline.environment(model, os.environ, cpu=True)
    command = [sys.executable, "-m", "tests.benchmarks.generation", "--bare", model, str(requests)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["tokens_per_second"])


def _bare_child(model: str, requests: Path) -> None:
    from transformers import AutoTokenizer
    from vllm import LLM, SamplingParams

    tokenizer = AutoTokenizer.from_pretrained(model)
    llm = LLM(model=model, dtype="float32", max_model_len=2048, enable_prefix_caching=True, **CPU_ENGINE)
    settings = Sampling(SETTINGS.temperature, SETTINGS.top_p, SETTINGS.max_tokens).as_dict()

    def inputs(asked: list[dict[str, Any]], **changes: Any) -> tuple[list[Any], list[Any]]:
        turns = [[{"role": m["role"], "content": m["content"]} for m in one["messages"]] for one in asked]
        ids = [tokenizer.apply_chat_template(one, add_generation_prompt=True, return_dict=False) for one in turns]
        drawn = [SamplingParams(seed=one["seed"], **settings | changes) for one in asked]
        return [{"prompt_token_ids": one} for one in ids], drawn

    first = [{"messages": one.messages, "seed": one.seed} for one in warm_up()]
    llm.generate(*inputs(first, max_tokens=WARM_UP_TOKENS), use_tqdm=False)
    timed = inputs(orjson.loads(requests.read_bytes()))
    started = time.perf_counter()
    outputs = llm.generate(*timed, use_tqdm=False)
    seconds = time.perf_counter() - started
    tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
    print(json.dumps({"tokens_per_second": tokens / seconds}))
    sys.stdout.flush()
    os._exit(0)


def main(rounds: int = 3) -> None:
    """Both sides in turn, and the ratio round by round."""
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        requests = Path(scratch) / "requests.json"
        for at in range(rounds):
            mine, floor = ours(requests), bare(requests)
            ratios.append(mine / floor)
            told = f"round {at + 1}: ours {mine:.1f} tokens/s, LLM.generate {floor:.1f} tokens/s"
            print(f"{told}, ratio {ratios[-1]:.3f}", flush=True)
    print(f"ratio: median {sorted(ratios)[len(ratios) // 2]:.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        _bare_child(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
