"""A process of its own for tests of garbage collection: `child.py MODE HOME ...`, which says `ready` and goes on.

hold HOME RUN    carries a run until its input ends
enter HOME LOG   waits for the home and writes `entered` to a file once it has it
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from curation.lock import using


def hold(home: Path, run: str) -> None:
    with using(home, run):
        print("ready", flush=True)
        sys.stdin.read()


def enter(home: Path, log: str) -> None:
    print("ready", flush=True)
    with using(home), Path(log).open("a") as handle:
        handle.write("entered\n")


if __name__ == "__main__":
    modes: dict[str, Any] = {"hold": hold, "enter": enter}
    modes[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
