"""Prefect's settings on a machine of one's own."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def prepare_prefect(home: Path) -> None:
    """Prefect's settings for a run without a server of its own: quiet, offline, and out of the user's own set-up.

    Where PREFECT_API_URL names a server, that one is used.
    """
    defaults = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        # A server that is started again knows who holds which slot; a machine that is gone loses its own in a minute.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "60",
        # SQLite on busy cores: wait for it rather than fail.
        "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
        "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
        "PREFECT_HOME": str((home / "prefect").resolve()),
    }
    for key, value in defaults.items():
        os.environ.setdefault(key, value)
    folder = Path(os.environ["PREFECT_HOME"])
    folder.mkdir(parents=True, exist_ok=True)
    quiet_server(folder / "logging.yml")


def quiet_server(file: Path) -> None:
    """Prefect's own logging, but for the pool of connections: it tells with a traceback of each request that was under
    way when the temporary server was stopped at the end of a run. A file that is there already is left alone.
    """
    spec = importlib.util.find_spec("prefect")
    if file.exists() or spec is None or spec.origin is None:
        return
    default = (Path(spec.origin).parent / "logging" / "logging.yml").read_text(encoding="utf-8")
    ours = "\nloggers:\n  sqlalchemy.pool:\n    level: CRITICAL\n\n"
    file.write_text(default.replace("\nloggers:\n", ours, 1), encoding="utf-8")
