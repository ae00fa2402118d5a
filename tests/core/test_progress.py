"""Plain lines where there is no terminal."""

from __future__ import annotations

import io
import re
import time

from rich.console import Console

from curation.progress import Silent, Terminal


def test_lines_have_count_rate_and_time_left():
    out = io.StringIO()
    terminal = Terminal(Console(file=out, force_terminal=False, width=100), every=0.0)
    with terminal.task("generate", total=10) as task:
        task.advance(4)
        task.advance(6)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("generate: 4/10 (")
    assert lines[1].startswith("generate: 10/10 (")
    assert lines[1].endswith(", 0 s left)")


def test_row_text_in_a_line_is_not_markup():
    out = io.StringIO()
    Terminal(Console(file=out, force_terminal=False)).line("[red]x[/red] [/]")
    assert out.getvalue() == "[red]x[/red] [/]\n"


def test_silence_is_silent():
    with Silent().task("x") as task:
        task.advance(3)
    Silent().line("nothing")


def test_a_bar_has_count_rate_and_time_left():
    out = io.StringIO()
    terminal = Terminal(Console(file=out, force_terminal=True, width=100))
    with terminal.task("generate", total=4) as task:
        for _ in range(4):
            time.sleep(0.05)
            task.advance()
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert re.search(r"4/4 [0-9.,]+/s 0:00:0\d 0:00:0\d", drawn)
