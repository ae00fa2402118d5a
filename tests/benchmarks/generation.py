"""Tokens a second of the generation engine beside bare `LLM.generate`, on the same prompts, seeds and settings.

Both run in a fresh process with the same environment, load the same model, generate once to warm up, and are timed on
the second set of prompts, so that neither loading nor the first kernels count. The bare side is vLLM's own offline
loop with its default scheduling; ours adds the pipe to the child process and one journal record a reply.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from curation.generation.protocol import Request, Sampling
from curation.generation.vllm import CPU_ENGINE, VllmGenerator
from curation.journal import Journal
from curation.models import resolve
from schemas.profile.generation import Generation

HOME = Path(".sieveline")
CORPUS = Path(__file__).resolve().parents[2] / "curation" / "starter" / "corpus" / "tasks.json"
PROMPTS, CANDIDATES, MAX_TOKENS = 24, 4, 128
SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=MAX_TOKENS)


def requests(first: int) -> list[Request]:
    """The same requests for both sides: prompts of the starter corpus, four candidates each."""
    rows = [row for row in orjson.loads(CORPUS.read_bytes()) if row["id"].startswith("en-")][first : first + PROMPTS]
    made = []
    for at, row in enumerate(rows):
        prompt = "\n\n".join(filter(None, [row["instruction"], row["input"]]))
        messages = [{"role": "user", "content": prompt, "extra": None}]
        made += [
            Request(f"{first}-{at}-{index}", messages, str(at), index, 1000 * at + index, SAMPLING)
            for index in range(CANDIDATES)
        ]
    return made


def ours(settings: Generation) -> float:
    """Tokens a second through the engine and the journal."""
    with VllmGenerator(resolve(settings.model, HOME), settings) as engine, tempfile.TemporaryDirectory() as scratch:
        list(engine.generate(requests(PROMPTS)))
        tokens, started = 0, time.perf_counter()
        with Journal(Path(scratch) / "j.jsonl") as journal:
            for reply in engine.generate(requests(0)):
                journal.append(reply.request_id, {"text": reply.text, "finish_reason": reply.finish_reason})
                tokens += reply.tokens or 0
        return tokens / (time.perf_counter() - started)


def bare(settings: Generation) -> float:
    """Tokens a second of `LLM.generate`, in a child with the engine's own environment."""
    engine = VllmGenerator(resolve(settings.model, HOME), settings)
    environment = engine._environment(os.environ)
    command = [sys.executable, "-m", "tests.benchmarks.generation", "--bare", resolve(settings.model, HOME).path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["tokens_per_second"])


def _bare_child(model: str) -> None:
    from transformers import AutoTokenizer
    from vllm import LLM, SamplingParams

    tokenizer = AutoTokenizer.from_pretrained(model)
    llm = LLM(model=model, dtype="float32", max_model_len=2048, enable_prefix_caching=True, **CPU_ENGINE)

    def inputs(first: int) -> tuple[list[Any], list[Any]]:
        prompts, parameters = [], []
        for request in requests(first):
            messages = [{"role": m["role"], "content": m["content"]} for m in request.messages]
            ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
            prompts.append({"prompt_token_ids": ids})
            parameters.append(SamplingParams(seed=request.seed, **SAMPLING.as_dict()))
        return prompts, parameters

    llm.generate(*inputs(PROMPTS), use_tqdm=False)
    timed = inputs(0)
    started = time.perf_counter()
    outputs = llm.generate(*timed, use_tqdm=False)
    seconds = time.perf_counter() - started
    tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
    print(json.dumps({"tokens_per_second": tokens / seconds}))
    sys.stdout.flush()
    os._exit(0)


def main(rounds: int = 3) -> None:
    """Both sides in turn, and the ratio round by round."""
    settings = Generation(candidates=CANDIDATES, max_tokens=MAX_TOKENS)
    ratios = []
    for at in range(rounds):
        mine, floor = ours(settings), bare(settings)
        ratios.append(mine / floor)
        print(f"round {at + 1}: ours {mine:.1f} tokens/s, LLM.generate {floor:.1f} tokens/s, ratio {ratios[-1]:.3f}")
    print(f"ratio: median {sorted(ratios)[len(ratios) // 2]:.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        _bare_child(sys.argv[2])
    else:
        main()
