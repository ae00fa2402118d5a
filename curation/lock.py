"""Who is at work in a home folder: runs share it, garbage collection has it alone.

    <home>/.lock               held shared by everything that makes or reads what no finished record names yet
    <home>/runs/<run>/.lock    held by the process that carries the run

Both are locks of the operating system (flock): they end with the process, however it ends. On a folder that several
machines share they reach as far as its file system takes flock across machines, as NFS 4 does.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from schemas.errors import UsageError

NAME: Final = ".lock"
START_SECONDS: Final = 3600.0


@contextmanager
def using(home: Path, run: str | None = None) -> Iterator[None]:
    """Work in a home, on a run where one is named. Waits while garbage is being collected, which is short."""
    with ExitStack() as held:
        held.enter_context(_locked(home / NAME, fcntl.LOCK_SH))
        if run is not None:
            held.enter_context(_locked(home / "runs" / run / NAME, fcntl.LOCK_SH))
        yield


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Have a home for oneself. Raises UsageError where anybody is at work in it."""
    with ExitStack() as held:
        try:
            held.enter_context(_locked(home / NAME, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            going = ", ".join(running(home)) or "another command"
            raise UsageError(
                f"{home} is in use: {going}", hint="wait until it has ended, or stop it, and try again"
            ) from error
        yield


def alive(home: Path, run: str) -> bool:
    """Whether a process carries an unfinished run now, or is about to: it was begun lately and nobody has carried it.

    Between its record and its first step a run waits for its server.
    """
    folder = home / "runs" / run
    if (folder / NAME).exists():
        return not idle(folder / NAME)
    return time.time() - (folder / "run.json").stat().st_mtime < START_SECONDS


def running(home: Path) -> list[str]:
    """The runs that a process carries now, oldest first."""
    return sorted(file.parent.name for file in (home / "runs").glob(f"*/{NAME}") if not idle(file))


def idle(file: Path) -> bool:
    """Whether nobody holds a lock on a file, or it is not there."""
    try:
        with file.open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False


@contextmanager
def _locked(file: Path, how: int) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as handle:
        fcntl.flock(handle, how)
        yield
