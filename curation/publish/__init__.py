"""Publishing: whole versions of a dataset side by side, and one pointer, `current`, that moves in one step."""

from curation.publish.publish import Outcome, as_published, publish, roll_back
from curation.publish.versions import Published, current_run, datasets, last_published, published_runs, remove, versions

__all__ = [
    "Outcome",
    "Published",
    "as_published",
    "current_run",
    "datasets",
    "last_published",
    "publish",
    "published_runs",
    "remove",
    "roll_back",
    "versions",
]
