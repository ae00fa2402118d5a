"""Several engines of one model as one: requests are spread over them and replies merged as they finish."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self

from curation.generation.placement import place
from curation.generation.protocol import Generator, Measured, Replies, Reply, Request
from schemas.records import Message

# What a thread hands over: a reply, the error that ended its engine, or None at the end of its requests.
Handed = Reply | BaseException | None


class FanOutGenerator:
    """Engines that differ only in where they run. One that gets no request is not started."""

    def __init__(self, engines: Sequence[Generator]) -> None:
        self._engines = list(engines)

    def identity(self) -> dict[str, Any]:
        """Where an engine runs shapes no text, so the identity is that of any of them."""
        return self._engines[0].identity()

    def measure(self, prompts: Sequence[Sequence[Message]]) -> list[Measured]:
        """By the first engine: only its tokenizer is needed."""
        return self._engines[0].measure(prompts)

    def generate(self, requests: Iterable[Request]) -> Replies:
        """One reply a request, in the order in which they finish.

        Raises EngineError where an engine fails, once the replies that were finished by then have been handed over;
        the other engines are closed.
        """
        handed: queue.SimpleQueue[Handed] = queue.SimpleQueue()
        stop = threading.Event()
        shares = [(engine, share) for engine, share in zip(self._engines, self._placed(requests), strict=True) if share]
        threads = [threading.Thread(target=_work, args=(*share, handed, stop), daemon=True) for share in shares]
        for thread in threads:
            thread.start()
        try:
            yield from _merged(handed, len(threads), stop)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def close(self) -> None:
        """Close every engine."""
        for engine in self._engines:
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _placed(self, requests: Iterable[Request]) -> list[list[Request]]:
        return place(list(requests), len(self._engines))


def _work(
    engine: Generator, requests: Sequence[Request], handed: queue.SimpleQueue[Handed], stop: threading.Event
) -> None:
    """Hand over one engine's replies; told to stop, give up at its next reply, which ends what it has under way."""
    try:
        with closing(engine.generate(requests)) as replies:
            for reply in replies:
                handed.put(reply)
                if stop.is_set():
                    break
        handed.put(None)
    except BaseException as error:  # an error of any kind belongs to the caller, not to this thread
        handed.put(error)


def _merged(handed: queue.SimpleQueue[Handed], running: int, stop: threading.Event) -> Replies:
    """Replies until all threads have ended; the first error is raised after every reply that was finished."""
    failed: BaseException | None = None
    while running:
        found = handed.get()
        if isinstance(found, Reply):
            yield found
            continue
        running -= 1
        if found is not None:
            failed = failed or found
            stop.set()
    if failed is not None:
        raise failed
