"""Trackers that a run's metrics are sent to as well: those of Transformers, by their names in `report_to`.

`metrics.jsonl` is written in any case. A tracker is asked for by name, never because it happens to be installed.
"""

from __future__ import annotations

import os

from schemas.errors import UsageError

NONE = "none"
LOGS = "TENSORBOARD_LOGGING_DIR"


def check_tracker(name: str) -> None:
    """Raises UsageError where Transformers has no tracker of that name, it is not installed, or would lose its logs."""
    if name == NONE:
        return
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    if name not in INTEGRATION_TO_CALLBACK:
        raise UsageError(
            f"report_to {name!r}: no such tracker", hint=f"one of: {NONE}, {', '.join(sorted(INTEGRATION_TO_CALLBACK))}"
        )
    if name == "tensorboard" and not os.environ.get(LOGS):
        raise UsageError(
            "report_to tensorboard: its logs would go into the run's temporary folder",
            hint=f"name a folder for them in the environment: {LOGS}=FOLDER",
        )
    try:
        INTEGRATION_TO_CALLBACK[name]()
    except (RuntimeError, ImportError) as error:
        raise UsageError(
            f"report_to {name}: the tracker cannot be used ({str(error).splitlines()[0]})",
            hint=f"install it where the project is (uv pip install {name.replace('_', '-')}), or leave report_to out",
        ) from error
