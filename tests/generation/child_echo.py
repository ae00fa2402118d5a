"""A child process for tests: answers what it is told, and fails in the ways it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from curation.generation.process import Parent


def main() -> None:
    print("printed before the pipes are made goes nowhere near them", file=sys.stderr)
    parent = Parent()
    settings = parent.receive()
    print("a library prints to standard output")
    subprocess.run([sys.executable, "-c", "print('and so does a child of it')"], check=True)
    while (message := parent.receive()) is not None:
        match message["do"]:
            case "echo":
                parent.send({"settings": settings, "said": message["say"], "variable": os.environ.get("GIVEN")})
            case "fail":
                parent.send({"failed": "ValueError: no such model"})
                sys.exit(1)
            case "exit":
                print("the last words", file=sys.stderr)
                sys.exit(3)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "linger":
                parent.send({"lingering": True})
                time.sleep(600)


if __name__ == "__main__":
    main()
