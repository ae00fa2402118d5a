"""Check a file from anywhere against the suite of what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.gates.data_docs import Checked, write_docs
from curation.gates.files.kind import look
from curation.gates.files.measure import measure
from curation.gates.files.read import read
from curation.gates.gate import broken, told
from curation.stage import Context
from schemas.errors import GateError
from schemas.expectations import FileKind, of_file


@dataclass(frozen=True)
class ValidatedFile:
    """What a file was checked as, how many records it has, refused ones among them, and the results of the gate."""

    path: str
    kind: FileKind
    records: int
    results: list[dict[str, Any]]

    def failed(self, severity: str) -> list[dict[str, Any]]:
        """The results of this severity that failed."""
        return [result for result in self.results if broken(result, severity)]

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        counts = {f"{name}_failed": len(self.failed(name)) for name in ("critical", "warning", "info")}
        return {"file": self.path, "as": self.kind, "records": self.records, **counts, "results": self.results}

    def write_docs(self, folder: Path) -> Path:
        """Build the Data Docs of this file into a folder; returns their index."""
        return write_docs(folder, Path(self.path).name, [Checked(self.kind, self.records, self.results)])

    def enforce(self) -> None:
        """Raise GateError where a critical expectation failed."""
        failed = self.failed("critical")
        if failed:
            raise GateError(
                f"{self.path}: {len(failed)} critical of {len(self.results)} expectations failed: "
                + ", ".join(result["name"] for result in failed),
                hint="mend the records named above; the number in an id is the line in JSONL, else that of the record",
            )


def validate_file(path: str, kind: FileKind | None = None, context: Context | None = None) -> ValidatedFile:
    """Check the file, folder or glob at `path`, as what it is said to hold or as what its columns say.

    Raises UsageError where nothing can be read, the shape is unknown, or it is not of the kind that was asked for.
    """
    columns = look(path, kind)
    suite = of_file(columns.kind)
    measures = measure(suite, read(path, columns, context or Context()))
    # Imported here: a file that cannot be read is told of before the library is loaded.
    from curation.gates.great_expectations import validate

    results = told(validate(suite, measures.frame), measures.details)
    return ValidatedFile(path, columns.kind, measures.frame.height, results)
