"""A Prefect server on the loopback address, and what a user does with it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def with_models(home: Path) -> None:
    """A home that finds the packaged models converted: that takes half a minute, and is done once for all tests."""
    home.mkdir(parents=True, exist_ok=True)
    converted = ROOT / ".sieveline" / "models"
    converted.mkdir(parents=True, exist_ok=True)
    if not (home / "models").exists():
        (home / "models").symlink_to(converted)


class Server:
    """A server with its home, and what a user does with it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.api = folder, f"http://127.0.0.1:{port}/api"
        self.home, self.out = folder / "home", folder / "out"
        self.profile = folder / "small.toml"
        self.serving = 0
        self.environment = os.environ | {
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": "60",
            "SIEVELINE_HOME": str(self.home),
        }
        with_models(self.home)

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{Path(command[0]).name}-{command[1]}.log").open("ab")
        return subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            env=self.environment | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def post(self, path: str, body: dict[str, Any]) -> Any:
        def asked() -> httpx.Response | None:
            reply = httpx.post(f"{self.api}/{path}", json=body, timeout=120)
            return None if reply.status_code == 503 else reply  # SQLite was busy

        reply = until(asked, path)
        reply.raise_for_status()
        return reply.json()

    def get(self, path: str) -> Any:
        reply = httpx.get(f"{self.api}/{path}", timeout=120)
        reply.raise_for_status()
        return reply.json()

    def deployment(self, name: str) -> str:
        return str(until(lambda: self._deployment(name), "the deployment")["id"])

    def _deployment(self, name: str) -> Any:
        reply = httpx.get(f"{self.api}/deployments/name/nightly/{name}", timeout=120)
        return reply.json() if reply.status_code == 200 else None

    def trigger(self, deployment: str, **parameters: Any) -> str:
        body = {"parameters": {"training": False, **parameters}, "state": {"type": "SCHEDULED"}}
        return str(self.post(f"deployments/{deployment}/create_flow_run", body)["id"])

    def state(self, run: str) -> str:
        return str(self.get(f"flow_runs/{run}")["state"]["type"])

    def ended(self, run: str) -> str:
        return str(until(lambda: self.state(run) if self.state(run) in ENDED else None, f"the end of {run}"))

    def runs(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.home.glob("runs/*/run.json"))]


def until(what: Callable[[], Any], told: str, seconds: float = 600) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"waited {seconds} s for {told}")


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    if process.poll() is None:
        os.killpg(process.pid, how)
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server of its own, ended with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server(folder, port)
    process = made.start("prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))

    def healthy() -> bool:
        try:
            return httpx.get(f"{made.api}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        until(healthy, "the server")
        yield made
    finally:
        stop(process)
