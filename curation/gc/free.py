"""Remove what a plan names, so that the home is whole at every moment, whenever the process is killed.

The home is held alone while things are moved: first the folder of each forgotten run, by one rename, so that it is
forgotten before anything that it stands on is gone; then the folders, each by one rename into a trash folder beside
it. Emptying the trash takes longest and is done last, when runs may begin again. What a killed process leaves in the
trash, or no longer refers to, is found by the next.
"""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from curation.gc.planning import TOPS, TRASH, Plan, Rule, plan
from curation.lock import alone
from curation.store import sync_folder


def free(home: Path, rule: Rule) -> Plan:
    """Do what `plan(home, rule)` tells now, and return it.

    Raises as `plan` does, and UsageError where the home is in use.
    """
    with alone(home):
        made = plan(home, rule)
        for item in made.items:
            if item.path.name != TRASH:
                _discard(home, item.path)
    empty(home)
    return made


def empty(home: Path) -> None:
    """Delete the trash for good."""
    for top in TOPS:
        if not (home / top).is_symlink():
            shutil.rmtree(home / top / TRASH, ignore_errors=True)


def _discard(home: Path, path: Path) -> None:
    """Move a file or folder into the trash of its own top folder, which is on the same file system."""
    top = home / path.relative_to(home).parts[0]
    if top.name not in TOPS:
        path.unlink()
        return
    trash = top / TRASH
    trash.mkdir(exist_ok=True)
    os.rename(path, trash / uuid.uuid4().hex)
    sync_folder(path.parent)
