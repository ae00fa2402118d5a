"""A server that fails one request in twenty, beside the same server without faults: what became of the requests, and
how long it took.

Each fault falls on the first attempt of 5 % of the requests, drawn by a hash; `mix` draws the kind too. The server
takes a tenth of a second for a reply and runs in this process. Retry-After asks for a second.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter

from curation.generation.openai import OpenAIGenerator
from curation.generation.protocol import Request, Sampling
from schemas.profile.generation import Generation
from tests.generation.stub import Fault, StubServer

REQUESTS = int(os.environ.get("REQUESTS", "2000"))
CONCURRENCY, SHARE, SERVICE_S = 32, 0.05, 0.1
KINDS = {
    "429:1": "429 with Retry-After",
    "500": "500",
    "reset": "connection reset",
    "hang": "hangs",
    "truncated": "truncated body",
    "html": "HTML with 200",
    "two_choices": "wrong count of answers",
    "nan": "NaN in the body",
}


def drawn(text: str) -> tuple[bool, str]:
    """Whether a request is hit, and by what in a mix."""
    draw = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(draw[:4], "big") < SHARE * 2**32, list(KINDS)[draw[4] % len(KINDS)]


def measure(kind: str | None) -> list[str]:
    """One line of the table; `mix` is a kind, None is none."""

    def fault(text: str, seed: int, attempt: int) -> Fault:
        hit, mixed = drawn(text)
        if kind is None or attempt or not hit:
            time.sleep(SERVICE_S)
            return None
        return mixed if kind == "mix" else kind

    with StubServer(fault) as server:
        settings = Generation(engine="openai", model="m", base_url=server.url, concurrency=CONCURRENCY)
        sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=16)
        requests = [
            Request(str(at), [{"role": "user", "content": str(at), "extra": None}], str(at), 0, at, sampling)
            for at in range(REQUESTS)
        ]
        started = time.monotonic()
        ends = Counter(reply.error or "ok" for reply in OpenAIGenerator(settings).generate(requests))
        took = time.monotonic() - started
        twice = sum(times > 1 for times in server.served.values())
        attempts = server.asked.total()
    failed = ", ".join(f"{count} {reason}" for reason, count in sorted(ends.items()) if reason != "ok") or "0"
    return [
        KINDS.get(str(kind), str(kind or "none")),
        f"{ends['ok']:,}",
        failed,
        f"{attempts:,}",
        str(twice),
        f"{took:.1f}",
    ]


def main() -> None:
    hit = sum(drawn(str(at))[0] for at in range(REQUESTS))
    print(f"{REQUESTS:,} requests, {hit} of them hit once, {CONCURRENCY} at a time, {SERVICE_S:g} s a reply\n")
    print(
        "| fault | ok | failed | attempts | answered twice | wall s | of the clean run |\n|---|---|---|---|---|---|---|"
    )
    clean = 0.0
    for kind in (None, *KINDS, "mix", None):
        line = measure(kind)
        clean = clean or float(line[-1])
        print(f"| {' | '.join(line)} | {float(line[-1]) / clean:.2f} |", flush=True)


if __name__ == "__main__":
    main()
