"""Shards as tasks: in order, a few at once, and none for a single part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from curation.ingest import ingest
from curation.progress import Terminal
from curation.runner import run_stage
from curation.stage import Context
from curation.store import Store
from flows import flows
from flows.profiles import stage_config
from schemas.profile import Ingest, Source

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


@pytest.mark.parametrize(("name", "config"), [("filter.empty", {}), ("dedup.exact", {}), ("dedup.minhash", {})])
def test_the_work_on_a_part_can_be_done_in_another_process(tmp_path: Path, name: str, config: dict[str, Any]):
    """What a task runner such as Ray sends is the work and the part, by value."""
    import cloudpickle

    def elsewhere(work: Callable[[Path], Any], parts: Sequence[Path]) -> Iterator[Any]:
        sent = [cloudpickle.loads(cloudpickle.dumps((work, part))) for part in parts]
        return (cloudpickle.loads(cloudpickle.dumps(again(part))) for again, part in sent)

    store = Store(tmp_path / "store")
    source = Source(path="starter", name="starter")
    read = ingest(source, Ingest(part_rows=100), store, Context(home=tmp_path, progress=Terminal()))
    assert len(read.parts) > 2
    here = run_stage(store, name, stage_config(name, config), [read], Context(home=tmp_path))
    there = Context(home=tmp_path, progress=Terminal(), each=elsewhere)
    apart = run_stage(Store(tmp_path / "other"), name, stage_config(name, config), [read], there)
    assert apart.manifest.digest == here.manifest.digest
