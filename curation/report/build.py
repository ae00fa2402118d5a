"""All figures of a run's report, as plain values: what the page shows and report.json holds, one and the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from curation.report import summary
from curation.report.context import ReportRun
from curation.report.sections import ORDER, section
from curation.runs import RunRecord, Runs

# Raised when a figure changes its name or its meaning.
VERSION = 1


@dataclass(frozen=True)
class Report:
    """A run's figures by section, in the order of the page; a section that the run has nothing of is not there."""

    figures: dict[str, Any]

    @property
    def sections(self) -> dict[str, Any]:
        """The sections that the run has, in order."""
        return dict(self.figures["sections"])

    def html(self, lang: str = "en") -> str:
        """The page in one language. Raises UsageError where there is no catalogue of it."""
        from curation.report.render import page

        return page(self, lang)

    def json(self) -> bytes:
        """The figures as report.json."""
        return orjson.dumps(self.figures, option=orjson.OPT_INDENT_2) + b"\n"


def build(runs: Runs, record: RunRecord) -> Report:
    """Gather every section of a run. Raises StoreError where a folder of the run is gone or damaged."""
    run = ReportRun(runs, record)
    found = {name: section(name).gather(run) for name in ORDER}
    found = {name: plain(figures) for name, figures in found.items() if figures is not None}
    told = {
        "version": VERSION,
        "run": record.run,
        "profile": record.profile["name"],
        "seed": record.profile["seed"],
        "started": record.started,
        "finished": record.finished,
        "summary": plain(summary.gather(run, found)),
        "sections": found,
    }
    return Report(told)


def plain(figures: Any) -> Any:
    """The figures as JSON has them, for both the page and the file: what is no number is null."""
    return orjson.loads(orjson.dumps(figures, option=orjson.OPT_NON_STR_KEYS))
