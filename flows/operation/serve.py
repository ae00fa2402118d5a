"""`sieveline serve`: a Prefect server on this machine and a cron schedule of the nightly flow."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
from rich.console import Console

from schemas.errors import UsageError

START_SECONDS = 180


def serve_nightly(profile: str, cron: str, timezone: str, home: Path, out: Path, port: int) -> None:
    """Start the server, register the schedule and wait for its runs until interrupted.

    The server listens on the loopback address only. Where PREFECT_API_URL is set, that server is used instead.
    Raises UsageError where the port is taken or the cron line is malformed.
    """
    console = Console()
    server = None
    if "PREFECT_API_URL" not in os.environ:
        server = _start(port)
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    os.environ["PREFECT_LOGGING_LEVEL"] = "INFO"
    try:
        from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
        from prefect.deployments.runner import EntrypointType
        from prefect.schedules import Cron

        from flows.nightly import nightly
        from flows.operation.limits import make_limit

        try:
            schedule = Cron(cron, timezone=timezone)
        except ValueError as error:
            raise UsageError(
                f"--cron {cron!r} or --timezone {timezone!r}: {error}", hint='such as "0 2 * * *"'
            ) from error
        console.print(f"Prefect server: {os.environ['PREFECT_API_URL'].removesuffix('/api')}  (Ctrl-C stops both)")
        parameters = {"profile": profile, "home": str(home.resolve()), "out": str(out.resolve())}
        make_limit()
        # A run that is triggered while another goes on would make the same sets again: it is cancelled.
        alone = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
        nightly.serve(
            name=profile,
            schedule=schedule,
            parameters=parameters,
            global_limit=alone,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
    finally:
        if server is not None:
            server.terminate()
            server.wait(timeout=20)


def _start(port: int) -> subprocess.Popen[bytes]:
    if _healthy(port):
        raise UsageError(
            f"port {port} is taken by another server",
            hint=f"name another --port, or set PREFECT_API_URL=http://127.0.0.1:{port}/api to use that one",
        )
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    # The page asks the API at the address that it is told, which would be that of the default port.
    environment = os.environ | {"PREFECT_SERVER_UI_API_URL": f"http://127.0.0.1:{port}/api"}
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise UsageError(f"the Prefect server ended at once (port {port})", hint="is the port in use?")
        if _healthy(port):
            return server
        time.sleep(0.5)
    server.terminate()
    raise UsageError(f"the Prefect server did not answer within {START_SECONDS} s", hint="try again, or see its log")


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
