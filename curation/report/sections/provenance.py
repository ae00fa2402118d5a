"""What the run was made of: files, stages with their keys and digests, versions."""

from __future__ import annotations

from typing_extensions import TypedDict

from curation.report.context import READING, ReportRun

# Files that are shown; all of them are in run.json.
MOST = 200


class File(TypedDict):
    """One file that was read."""

    file: str
    shape: str | None
    records: int
    kept: int
    quarantined: int
    sha256: str | None


class Stage(TypedDict):
    """One committed stage: its key, of the recipe, and its digest, of the content."""

    stage: str
    key: str
    digest: str


class Figures(TypedDict):
    """Provenance."""

    files: list[File]
    more_files: int
    """Files beyond those."""
    stages: list[Stage]
    versions: dict[str, str]


def gather(run: ReportRun) -> Figures:
    """The files, stages and versions of a run."""
    files = [file for step in run.record.steps if step.phase in READING for file in step.facts.get("files", [])]
    return Figures(
        files=[
            File(
                file=file["file"],
                shape=file.get("shape"),
                records=file["in"],
                kept=file["kept"],
                quarantined=file["quarantined"],
                sha256=file.get("sha256"),
            )
            for file in files[:MOST]
        ],
        more_files=max(0, len(files) - MOST),
        stages=[Stage(stage=step.stage, key=step.key, digest=step.digest) for step in run.record.steps],
        versions=run.record.versions,
    )
