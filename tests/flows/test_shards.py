"""Shards as tasks: in order, a few at once, and none for a single part."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import flows

PARTS = [Path(f"part-{at:05d}.parquet") for at in range(7)]


class Future:
    """Runs when it is asked for its result, and counts those that were not yet."""

    waiting = 0
    most = 0

    def __init__(self, name, work, part) -> None:
        self.name, self.work, self.part = name, work, part
        Future.waiting += 1
        Future.most = max(Future.most, Future.waiting)

    def result(self):
        Future.waiting -= 1
        return self.name, self.work(self.part)


def test_results_come_in_the_order_of_the_parts_and_few_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flows.shard, "submit", Future)
    found = list(flows.as_tasks(lambda part: int(part.stem[-5:]) ** 2, PARTS))
    assert found == [(f"part-{at:05d}", at**2) for at in range(7)]
    assert (Future.most, Future.waiting) == (flows.SHARDS_AT_ONCE, 0)


def test_a_single_part_is_no_task(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flows.shard, "submit", None)
    assert list(flows.as_tasks(str, PARTS[:1])) == ["part-00000.parquet"]
