"""A generation run for tests that kill it: store, engine's address or file of asked requests.

python -m tests.generation.child_run STORE deterministic FILE
python -m tests.generation.child_run STORE openai URL
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path

from curation.generation.deterministic import DeterministicGenerator
from curation.generation.openai import OpenAIGenerator
from curation.generation.protocol import Generator, Replies, Request
from curation.generation.run import generate
from curation.stage import Context
from curation.store import Committed, Store
from schemas.profile.generation import Generation
from tests.helpers import rows

PROMPTS, CANDIDATES = 8, 3


class Slow(DeterministicGenerator):
    """Writes down each request before it is answered, and takes its time."""

    def __init__(self, asked: Path) -> None:
        self.asked = asked

    def generate(self, requests: Iterable[Request]) -> Replies:
        for request in requests:
            with self.asked.open("a") as handle:
                handle.write(f"{request.request_id}\n")
            time.sleep(0.02)
            yield from super().generate([request])


def run(root: Path, kind: str, where: str) -> Committed:
    address = where if kind == "openai" else None
    settings = Generation(engine=kind, model="m", base_url=address, candidates=CANDIDATES, concurrency=2, top_up=0)
    engine: Generator = OpenAIGenerator(settings) if kind == "openai" else Slow(Path(where))
    frame = rows(*[[("user", f"prompt {at} of {PROMPTS}"), ("assistant", "a")] for at in range(PROMPTS)])
    return generate(Store(root), frame, settings, Context(), engines=lambda entry: engine)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
