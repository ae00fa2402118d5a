"""The command line: `sieveline --help`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import typer
from rich.console import Console

from flows.commands import (
    curate,
    diff,
    evaluate,
    export,
    gc,
    init,
    inspect,
    operate,
    publish,
    review,
    rounds,
    runs,
    stage,
    train,
    validate,
)
from flows.stopping import is_stop
from schemas.errors import SievelineError, UsageError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Curate instruction and preference data: filter, deduplicate, generate, score, pair and train.\n\n"
    "Exit codes: 0 fine, 2 usage or profile, 3 quarantine above its limit, 4 a gate failed, 5 an engine failed, "
    "130 stopped by Ctrl-C.",
)
STOPPED = 130  # 128 and the number of SIGINT, as shells have it

MAKE, LOOK, SHARE, MODELS, RUN = "Make data", "Look at a run", "Hand on", "Models", "Operate"
COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    MAKE: (init.init, curate.curate, stage.stage, stage.stages, validate.validate),
    LOOK: (runs.runs, inspect.report, inspect.counts, inspect.why, diff.diff, review.review),
    SHARE: (publish.publish, export.export),
    MODELS: (train.train, evaluate.evaluate, evaluate.compare, rounds.rounds),
    RUN: (operate.serve, gc.gc, operate.doctor),
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def _stop(number: int, frame: FrameType | None) -> None:
    """A polite wish to end is one like Ctrl-C: engines and temporary servers are ended, too."""
    raise KeyboardInterrupt


def main() -> None:
    """Entry point: errors of ours are told in plain words and end with their exit code."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # a bar fills a log
    # Threads of torch that wait by spinning take the cores that other threads need; read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    errors = Console(stderr=True, soft_wrap=True)
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = app(standalone_mode=False)
    except SievelineError as error:
        errors.print(f"error: {error}", markup=False, highlight=False)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except Exception as error:
        show = getattr(error, "show", None)
        if is_stop(error):
            code = STOPPED
        elif show is None:
            raise
        else:
            show()
            sys.exit(getattr(error, "exit_code", UsageError.exit_code))
    if code == STOPPED:
        errors.print("stopped; what is finished is kept: the same command goes on from there", markup=False)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
