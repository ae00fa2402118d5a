"""What a source consists of before it is read: its files, their digests, formats and shapes, and which are refused."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.digest import sha256_file
from curation.ingest.files import Found, shard_group
from curation.ingest.pieces import Origin
from curation.ingest.probe import Probe, probe
from curation.ingest.read import batches
from curation.ingest.reject import Unsteady, WholeFile
from curation.ingest.shapes import SAMPLE, Shape
from schemas.errors import UsageError
from schemas.profile.sources import Ingest

# The shape of a file by its first records and its name; `typed` is false where the format knows text alone (CSV).
# Raises UsageError where it is unknown.
Detector = Callable[[Sequence[dict[str, Any]], str, bool], Shape]

# A change this soon before a file was read may leave no trace in its times: clocks of file systems are coarse.
_COARSE_NS = 2_000_000_000
_SAMPLE_BATCHES = 8


@dataclass
class SourceFile:
    """A file of a source. `refused` is why it is quarantined as a whole; else it has a probe and a shape."""

    found: Found
    origin: Origin
    taken_ns: int
    status: tuple[int, ...] = ()
    refused: WholeFile | None = None
    probe: Probe | None = None
    shape: Shape | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes on disk; 0 where it cannot be told."""
        return self.status[1] if self.status else 0

    def identity(self) -> list[str | None]:
        """What the recipe knows of a file: its name in the source and its content, or why it has none."""
        problem = f"{self.refused.reason}: {self.refused.detail}" if self.refused else None
        return [self.origin.file, self.origin.sha256, problem]

    @property
    def settled(self) -> bool:
        """Whether it is refused for what happened to it, and its content no longer matters."""
        return self.refused is not None and self.refused.reason in ("changed_while_read", "unreadable")

    def changed(self) -> bool:
        """Whether the file is another than the one that was hashed."""
        try:
            if _status(self.found.path) != self.status:
                return True
            recent = max(self.status[2:]) > self.taken_ns - _COARSE_NS
            return recent and sha256_file(self.found.path) != self.origin.sha256
        except OSError:
            return True

    def check_steady(self, number: int, refused: WholeFile | None) -> None:
        """Raise Unsteady where the file is not what was hashed, or could not be read although it was hashed.

        `number` is the file's in the source; `refused` is how the reading ended, where it did so early.
        """
        if not (self.origin.sha256 and self.status) or self.settled:
            return
        if self.changed():
            told = "its size, times or content differ from when it was hashed"
            raise Unsteady(number, WholeFile("changed_while_read", told))
        if refused and refused.reason == "unreadable":
            raise Unsteady(number, refused)


def take_stock(files: Sequence[Found], source: str, keep_ids: bool) -> list[SourceFile]:
    """Hash every file. One that cannot be read is refused, and the others go on."""
    return [_hashed(found, source, _prefix(source, found.name, len(files)), keep_ids) for found in files]


def _prefix(source: str, name: str, count: int) -> str:
    """How the ids of a file's rows begin."""
    return source if count == 1 else f"{source}/{name}"


def _hashed(found: Found, source: str, prefix: str, keep_ids: bool) -> SourceFile:
    origin = Origin(source=source, file=found.name, sha256=None, prefix=prefix, keep_ids=keep_ids)
    taken = time.time_ns()
    if found.problem:
        return SourceFile(found, origin, taken, refused=WholeFile(*found.problem))
    try:
        status = _status(found.path)
        origin = origin.model_copy(update={"sha256": sha256_file(found.path)})
    except OSError as error:
        return SourceFile(found, origin, taken, refused=WholeFile.of(error))
    return SourceFile(found, origin, taken, status)


def _status(path: Path) -> tuple[int, ...]:
    status = os.stat(path)
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def survey(files: Iterable[SourceFile], settings: Ingest, detect: Detector) -> None:
    """Find out format and shape of every file that is not refused, and refuse those that are wrong as a whole.

    Shards of one table have one schema: one of another shape than the first, or with another type of a column both
    have, is refused. Raises UsageError where `detect` does.
    """
    leaders: dict[str, Shape] = {}
    for file in files:
        if file.refused:
            continue
        try:
            file.probe = probe(file.found.path, settings.max_line_mb << 20, settings.max_expansion)
            file.warnings = list(file.probe.warnings)
            sample = _sample(file.probe)
            leader = leaders.get(shard_group(file.found))
            file.shape = _shape(file, sample, detect, leader)
            if sample and leader is None:
                leaders[shard_group(file.found)] = file.shape
        except WholeFile as verdict:
            file.refused = verdict


def _sample(probed: Probe) -> list[dict[str, Any]]:
    """The first records that parse: a full sample, or what is in the first batches, or the first that there is."""
    sample: list[dict[str, Any]] = []
    for number, batch in enumerate(batches(probed.source), start=1):
        sample += [value for value in batch.values if type(value) is dict and value]
        if len(sample) >= SAMPLE or (sample and number >= _SAMPLE_BATCHES):
            break
    return sample[:SAMPLE]


def _shape(file: SourceFile, sample: list[dict[str, Any]], detect: Detector, leader: Shape | None) -> Shape:
    if not sample:
        return leader or Shape(name="unknown", told="no record could be read")
    assert file.probe is not None
    try:
        shape = detect(sample, file.origin.file, file.probe.source.kind != "csv")
    except UsageError as error:
        if leader is None:
            raise
        raise WholeFile("shard_schema_differs", f"not {leader.told}, as the first shard is") from error
    if leader is not None:
        _same_table(leader, shape)
    return shape


def _same_table(leader: Shape, shape: Shape) -> None:
    if (shape.name, shape.needed) != (leader.name, leader.needed):
        raise WholeFile("shard_schema_differs", f"{shape.told}, where the first shard is {leader.told}")
    for key in sorted(leader.usual.keys() & shape.usual.keys()):
        if leader.usual[key] != shape.usual[key]:
            told = f"{key} is a {shape.usual[key]}, where it is a {leader.usual[key]} in the first shard"
            raise WholeFile("shard_schema_differs", told)


def told(name: str, files: Sequence[SourceFile], ignored: Sequence[str]) -> Iterator[str]:
    """Lines that begin with `name`: files by format and shape, those refused, and names passed over."""
    same: dict[tuple[str, str], list[str]] = {}
    for file in files:
        if file.refused:
            yield f"{name}: {file.origin.file}: refused, {file.refused.reason} ({file.refused.detail})"
        elif file.probe and file.shape:
            same.setdefault((file.probe.format, file.shape.told), []).append(file.origin.file)
    for (form, shape), names in same.items():
        which = names[0] if len(names) == 1 else f"{len(names):,} files"
        yield f"{name}: {which}: {form}, {shape}"
    if ignored:
        shown = ", ".join(ignored[:5]) + (" and more" if len(ignored) > 5 else "")
        yield f"{name}: {len(ignored):,} passed over, as not data: {shown}"
