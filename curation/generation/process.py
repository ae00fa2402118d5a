"""A child process that speaks JSON lines: requests on its standard input, answers on its standard output.

An engine in its own process gives all its memory back when it ends, and its crash is an error with the engine's last
log lines instead of the end of the run. The child lives in its own process group and ends when its input closes, so
nothing is left behind however the parent ends.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

import orjson

from schemas.errors import EngineError

LOG_LINES: Final = 15
LOG_BYTES: Final = 16_384
# How long a child may take to end by itself once its input is closed.
GRACE_SECONDS: Final = 10.0
_ROOT: Final = str(Path(__file__).resolve().parents[2])


class Child:
    """The parent's end. `what` names the engine in errors, `hint` says what to try when it fails."""

    def __init__(
        self, module: str, settings: Mapping[str, Any], environment: Mapping[str, str], what: str, hint: str
    ) -> None:
        self.what, self.hint = what, hint
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        # -P and an explicit path: a file in the working folder can never stand in for a module.
        paths = [_ROOT, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**environment, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        self.send(settings)

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one message.

        Raises EngineError where the child is gone.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(orjson.dumps(message) + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise self._failure() from error

    def receive(self) -> dict[str, Any]:
        """Wait for the next message.

        Raises EngineError, with the last lines of the child's log, where it ended or says that it failed.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._failure()
        message: dict[str, Any] = orjson.loads(line)
        if "failed" in message:
            raise self._failure(message["failed"])
        return message

    def close(self) -> None:
        """Close the child's input and wait for its end; after a grace its whole process group is killed."""
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    @property
    def pid(self) -> int:
        """The child's process id, which is also its group's."""
        return self._process.pid

    def _failure(self, reason: str = "") -> EngineError:
        ended = f"failed: {reason}" if reason else self._ended()
        lines = "\n".join(f"  | {line}" for line in self._tail())
        return EngineError(f"{self.what} {ended}\nits last log lines:\n{lines}", hint=self.hint)

    def _ended(self) -> str:
        try:
            code = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return "stopped answering"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def _tail(self) -> list[str]:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - LOG_BYTES))
        return self._log.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:] or ["(none)"]


class Parent:
    """The child's end of the pipes, made first thing in the child's `main`.

    Whatever else the process or a library prints goes to standard error. When the input closes, `receive` returns
    None; should the process not end by itself soon after, its group is killed.
    """

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._out: IO[bytes] = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        threading.Thread(target=self._read, args=(os.fdopen(os.dup(0), "rb"),), daemon=True).start()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def receive(self, *, wait: bool = True) -> dict[str, Any] | None:
        """The next message; None at the end of the input.

        Raises queue.Empty where there is none yet and `wait` is false.
        """
        return self._inbox.get(block=wait)

    def send(self, *messages: Mapping[str, Any]) -> None:
        """Write messages and flush."""
        self._out.write(b"".join(orjson.dumps(message) + b"\n" for message in messages))
        self._out.flush()

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._inbox.put(orjson.loads(line))
        self._inbox.put(None)
        time.sleep(GRACE_SECONDS / 2)
        os.killpg(os.getpgid(0), signal.SIGKILL)


def run_child(serve: Callable[[Parent], None]) -> None:
    """The whole life of a child: `serve`; a failure is told to the parent and its traceback left in the log."""
    parent = Parent()
    try:
        serve(parent)
    except BrokenPipeError:
        return
    except Exception as error:
        traceback.print_exc()
        parent.send({"failed": f"{type(error).__name__}: {error}"})
        sys.exit(1)
