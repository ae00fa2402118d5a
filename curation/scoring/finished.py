"""What a scorer has finished, kept in its journal by item, so that a killed stage goes on where it was.

Batches are planned over all items, by content, before it is looked up which are there. A batch of which some item is
missing is computed whole: after a kill the same batches are computed as without one, and the last digits of a score,
which depend on the batch, are the same. An item that was scored in another run keeps the score it got there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from curation.journal import Journal
from curation.progress import Task
from schemas.errors import EngineError

T = TypeVar("T")


def finish(
    batches: Iterable[Sequence[T]],
    key: Callable[[T], str],
    work: Callable[[Sequence[T]], Sequence[Any]],
    journal: Journal,
    task: Task,
    size: Callable[[Sequence[T]], int] = len,
) -> dict[str, Any]:
    """The JSON-like records of all items by key: from the journal, else from `work`.

    `work` gives a record an item, in order, and none of them is None. `task` is advanced by the size of each batch.

    Raises EngineError where `work` does not.
    """
    found: dict[str, Any] = {}
    for batch in batches:
        keys = [key(item) for item in batch]
        records = [journal.get(name) for name in keys]
        if any(record is None for record in records):
            made = work(batch)
            if len(made) != len(batch):
                raise EngineError(
                    f"a scorer gave {len(made)} scores for {len(batch)} items",
                    hint="this is a defect of the scorer: one score for each item",
                )
            for at, (name, record) in enumerate(zip(keys, made, strict=True)):
                journal.append(name, record)
                records[at] = record if records[at] is None else records[at]
        found.update(zip(keys, records, strict=True))
        task.advance(size(batch))
    return found
