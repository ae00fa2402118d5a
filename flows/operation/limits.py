"""The limit on engines at work: two models loaded at a time would fight for one machine's memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

ENGINE: Final = "sieveline-engine"
# Seconds after which the slot of a process that was killed is free again; a living one renews it.
LEASE: Final = 60


def served() -> bool:
    """Whether runs report to a server that stays, and not to a temporary one of their own."""
    return bool(PREFECT_API_URL.value())


def make_limit(slots: int = 1) -> None:
    """Create the limit where the server has none; one that is there keeps its number of slots.

    Prefect passes over a limit that does not exist, so it is made before anything is run under it.
    """
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(ENGINE)
        except ObjectNotFound:
            client.upsert_global_concurrency_limit_by_name(ENGINE, slots)


@contextmanager
def engine_slot() -> Iterator[None]:
    """Wait for a slot and hold it. A run without a server that stays has the machine's engines to itself."""
    if not served():
        yield
        return
    make_limit()
    with concurrency(ENGINE, strict=True, lease_duration=LEASE, raise_on_lease_renewal_failure=False):
        yield
