"""Killed at any of its system calls, publishing leaves the old version or the new one current, and both whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from curation.publish import last_published, publish, roll_back
from tests.publish.small import finished, two_files
from tests.publish.test_publish import NEW, OLD

ROOT = Path(__file__).resolve().parents[2]


def test_a_kill_at_any_call_leaves_a_whole_version_current(tmp_path: Path):
    command = [sys.executable, "-m", "tests.publish.killed", str(tmp_path), OLD, NEW]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, told.stderr
    lines = [line.split() for line in told.stdout.splitlines()]
    published = [run for work, _, run in lines if work == "publish"]
    back = [run for work, _, run in lines if work == "back"]
    assert published[0] == OLD, "killed at the first call"
    assert published[-1] == NEW
    assert published == sorted(published), "once the new version is current it stays so"
    assert back == sorted(back, reverse=True)
    # A version is two files in two folders, publication.json, their parents and the rename; each is written or synced.
    assert published.count(OLD) >= 12, "no more kills than this would have left steps of writing a version out"
    assert back[0] == NEW
    assert back[-1] == OLD


def test_processes_that_publish_at_once_agree(tmp_path: Path):
    names = [f"20260101-00000{at}-tiny-aaaa" for at in range(3)]
    code = (
        "import sys; from pathlib import Path; from curation.publish import publish\n"
        "from tests.publish.small import finished, two_files\n"
        "run = sys.argv[2]; publish(*finished(Path(sys.argv[1]), run), write=two_files(run))"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name], cwd=ROOT) for name in names]
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]
    assert last_published(tmp_path, "tiny").run == names[-1]


def test_a_dead_writers_leftovers_are_removed_by_the_next(tmp_path: Path):
    publish(*finished(tmp_path, OLD), write=two_files("old"))
    folder = tmp_path / "published" / "tiny"
    (folder / ".tmp-half").mkdir()
    (folder / ".current-half").symlink_to("nowhere")
    (folder / ".removed-half").mkdir()
    roll_back(finished(tmp_path, OLD)[0], "tiny", OLD)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", OLD, "current"]
