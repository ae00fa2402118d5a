"""Progress of long work: a live bar on a terminal, plain lines elsewhere, nothing in the library by default."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.progress import Task as RichTask
from rich.text import Text


class Task(Protocol):
    """One long piece of work."""

    def advance(self, amount: int = 1) -> None: ...


class Progress(Protocol):
    """Where long work says how far it is."""

    def task(self, name: str, total: int | None = None) -> AbstractContextManager[Task]: ...

    def line(self, text: str) -> None: ...


class Silent:
    """No output; the library's default."""

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        yield self

    def advance(self, amount: int = 1) -> None:
        return None

    def line(self, text: str) -> None:
        return None


class Terminal:
    """A rich bar on a terminal; elsewhere a line at most every `every` seconds with count, rate and time left."""

    def __init__(self, console: Console | None = None, every: float = 10.0) -> None:
        self.console = console or Console(file=sys.stderr)
        self.every = every

    def line(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        if self.console.is_terminal:
            with RichProgress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                Rate(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self.console,
                transient=True,
            ) as bars:
                yield _Bar(bars, bars.add_task(name, total=total))
        else:
            yield _Lines(self, name, total)


class Rate(ProgressColumn):
    """How many a second, by the last half minute; nothing before that can be told."""

    def render(self, task: RichTask) -> Text:
        """The rate of one bar."""
        return Text(f"{task.speed:,.1f}/s" if task.speed else "", style="progress.data.speed")


class _Bar:
    def __init__(self, bars: RichProgress, task_id: TaskID) -> None:
        self.bars, self.task_id = bars, task_id

    def advance(self, amount: int = 1) -> None:
        self.bars.advance(self.task_id, amount)


class _Lines:
    def __init__(self, terminal: Terminal, name: str, total: int | None) -> None:
        self.terminal, self.name, self.total = terminal, name, total
        self.done = 0
        self.started = self.said = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.said < self.terminal.every:
            return
        self.said = now
        rate = self.done / max(now - self.started, 1e-9)
        whole = f"/{self.total:,}" if self.total else ""
        left = f", {max(0, self.total - self.done) / rate:,.0f} s left" if self.total and rate else ""
        self.terminal.line(f"{self.name}: {self.done:,}{whole} ({rate:,.1f}/s{left})")
