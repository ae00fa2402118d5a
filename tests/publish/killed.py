"""Publish in forked children, each killed at one more of its calls to the system, and print what a reader then sees.

    python -m tests.publish.killed HOME OLD NEW

One line a kill: the call at which it came, and what is current. The last line is of a child that nothing killed. No
Polars query runs in this process, so that it may be forked.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curation.publish import last_published, publish, roll_back, versions
from curation.publish.versions import check_version
from curation.runs import Runs
from tests.publish.small import finished, seen, two_files

# Files are opened by `io.open`, folders by `os.open`.
CALLS = ("mkdir", "open", "fsync", "rename", "replace", "symlink", "unlink", "rmdir")


def kill_at(number: int) -> None:
    """Let the process die right before its call `number` (from 1) to the system, of those that change a disk."""
    left = [number]

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return made

    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))
    io.open = dying(io.open)


def killed(number: int, work: Callable[[], object]) -> bool:
    """Whether a child that does the work was killed at that call; it went through where it makes fewer."""
    child = os.fork()
    if not child:
        kill_at(number)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return False


def look(home: Path) -> str:
    """The run that is current, once every version has been checked, and the two files of it say the same."""
    for version in versions(home, "tiny"):
        check_version(version)
        assert seen(version.folder) == {version.run}
    current = last_published(home, "tiny")
    assert current is not None
    assert seen(home / "published" / "tiny" / "current") == {current.run}
    return current.run


def main(home: Path, old: str, new: str) -> None:
    """The new version published over the old one, then the pointer moved back, with a kill at each call."""
    runs = Runs(home)
    publish(*finished(home, old), write=two_files(old))
    _, record = finished(home, new)
    works: dict[str, Callable[[], object]] = {
        "publish": lambda: publish(runs, record, write=two_files(new)),
        "back": lambda: roll_back(runs, "tiny", old),
    }
    for name, work in works.items():
        number = 1
        while killed(number, work):
            print(name, number, look(home), flush=True)
            number += 1
        print(name, "whole", look(home), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
