"""Which of a machine's GPUs gets which requests: one engine a GPU, and all candidates of a prompt on one of them.

A policy's prompts are spread over all GPUs and the policies follow one another, so that each GPU holds one model and
none of them waits for a policy that happens to be slow. A model that needs several GPUs is served elsewhere.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence

from curation.generation.protocol import Request


def devices(there: int, environment: Mapping[str, str]) -> list[str]:
    """Names of the `there` GPUs that can be used, as CUDA_VISIBLE_DEVICES takes them: those it names, or all."""
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(at) for at in range(there)]
    return [name.strip() for name in named.split(",") if name.strip()][:there]


def gpus() -> list[str]:
    """The GPUs of this machine that this process may use. No CUDA context is made in it."""
    import torch

    return devices(torch.cuda.device_count(), os.environ)


def place(requests: Sequence[Request], count: int) -> list[list[Request]]:
    """The requests of each of `count` engines, in their order; every request is in exactly one list.

    Prompts, the largest first, go each to the engine that has fewest tokens to make (the greedy rule for makespan:
    Graham, 1969, at most 4/3 of the shortest), counted by `max_tokens`; ties go by prompt_id and by position.
    """
    work: Counter[str] = Counter()
    for request in requests:
        work[request.prompt_id] += request.sampling.max_tokens
    load = [0] * count
    engine_of: dict[str, int] = {}
    for prompt_id in sorted(work, key=lambda prompt_id: (-work[prompt_id], prompt_id)):
        at = load.index(min(load))
        engine_of[prompt_id] = at
        load[at] += work[prompt_id]
    placed: list[list[Request]] = [[] for _ in range(count)]
    for request in requests:
        placed[engine_of[request.prompt_id]].append(request)
    return placed
