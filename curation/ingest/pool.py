"""Large plain JSONL files read by several processes, a range of bytes each, with the same result for any number.

The ranges depend on the file alone, so the parts do too. Workers are plain child processes that take jobs as lines of
JSON and answer in kind: nothing of the parent is imported or copied, so any program may start them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from curation.ingest.pieces import Done, Job, run_job
from schemas.errors import SievelineError, UsageError

# A range a job, and a part: some 20,000 rows of 500 to 1,000 bytes.
RANGE: Final = 16 << 20
_READ: Final = 1 << 20
WORKERS: Final = "SIEVELINE_WORKERS"


def worker_count() -> int:
    """The number of processes: the environment's SIEVELINE_WORKERS, else one a core."""
    given = os.environ.get(WORKERS, "")
    if given and not (given.isdecimal() and int(given)):
        raise UsageError(f"{WORKERS} is {given!r}", hint="give the number of worker processes, such as 2")
    return int(given) if given else os.cpu_count() or 1


def ranges(path: Path, size: int = RANGE) -> list[tuple[int, int, int]]:
    """Split a file at line starts about `size` bytes apart: first byte, byte after the last, number of the first line.

    A line longer than a range makes the range longer, as every line belongs whole to the range where it begins.
    """
    starts, lines = [0], [1]
    at, line, target = 0, 1, size
    with path.open("rb") as file:
        while chunk := file.read(_READ):
            while target <= at + len(chunk):
                # A line begins at `target` if the byte before it is a newline.
                newline = chunk.find(b"\n", max(0, target - at - 1))
                if newline < 0:
                    break
                starts.append(at + newline + 1)
                lines.append(line + chunk.count(b"\n", 0, newline + 1))
                target = starts[-1] + size
            at += len(chunk)
            line += chunk.count(b"\n")
    inner = [(s, n) for s, n in zip(starts, lines, strict=True) if s < at or s == 0]
    ends = [s for s, _ in inner[1:]] + [at]
    return [(start, end, number) for (start, number), end in zip(inner, ends, strict=True)]


def run_jobs(jobs: Sequence[Job], workers: int) -> Iterator[Done]:
    """The results of jobs in their order, from as many processes as there are workers and jobs."""
    count = min(workers, len(jobs))
    if count <= 1:
        yield from map(run_job, jobs)
        return
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(count))
        # This process is one of them, and at work while the others start.
        idle: SimpleQueue[Callable[[Job], Done]] = SimpleQueue()
        idle.put(run_job)
        for _ in range(count - 1):
            idle.put(stack.enter_context(closing(_Worker(max(1, (os.cpu_count() or 1) // count)))).send)
        stack.callback(threads.shutdown, wait=False, cancel_futures=True)

        def send(job: Job) -> Done:
            run = idle.get()
            try:
                return run(job)
            finally:
                idle.put(run)

        yield from threads.map(send, jobs)


class _Worker:
    """A child process that runs jobs one after the other, with its share of the cores for Polars' threads."""

    def __init__(self, threads: int) -> None:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
            "POLARS_MAX_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "curation.ingest.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def send(self, job: Job) -> Done:
        """Raises SievelineError where the process ended without an answer; its own words are on standard error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(job.model_dump_json().encode() + b"\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise SievelineError(
                f"{job.origin.file}: a worker process ended (exit code {self.process.wait()}) while reading bytes "
                f"{job.input.start:,} to {job.input.end or 0:,}",
                hint=f"see above for its error; if memory ran out, set {WORKERS}=1",
            )
        return Done.model_validate_json(answer)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
