"""What drift is measured from. Apart from the gates themselves, whose results do not depend on how it is published."""

from __future__ import annotations

from pathlib import Path

from curation.gates.drifts import SETS, Earlier
from curation.publish.versions import last_published


def earlier(home: Path, dataset: str) -> Earlier | None:
    """What `current` of a dataset points to; None where nothing has been published.

    Raises StoreError where the version that it points to is gone or cannot be read.
    """
    found = last_published(home, dataset)
    return None if found is None else Earlier(found.digest, {name: found.parts(name) for name in SETS.values()})
