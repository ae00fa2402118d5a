"""Ctrl-C, however it comes out."""

from __future__ import annotations


def is_stop(error: BaseException) -> bool:
    """Whether an error is, or was raised while handling, a KeyboardInterrupt.

    A library that is interrupted in its own housekeeping may raise an error of its own instead: Prefect does ("Task
    run is not set") where a task has only begun to start. It is the same wish to stop.
    """
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        if isinstance(at, KeyboardInterrupt):
            return True
        seen.add(id(at))
        at = at.__cause__ or at.__context__
    return False
