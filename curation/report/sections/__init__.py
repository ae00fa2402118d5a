"""The sections of the report, in their order: one module, one template and one table of each catalogue a section.

sections/<name>.py
    class Figures(TypedDict)              what the section shows, as plain values: it is what report.json holds
    gather(run) -> Figures | None         None where the run has nothing of it: then there is no section
    draw(figures, say) -> {name: Chart}   its charts; may be left out
templates/<name>.html.j2                  what stands below the section's heading
messages/<language>.toml [<name>]         its words, `title` and `nav` among them
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.language import Catalogue

ORDER = (
    "funnel",
    "dropped",
    "duplicates",
    "privacy",
    "selection",
    "scores",
    "diversity",
    "sources",
    "composition",
    "lengths",
    "tokens",
    "rewards",
    "pairs",
    "bias",
    "calibration",
    "samples",
    "training",
    "evaluation",
    "gates",
    "provenance",
)


class Section(Protocol):
    """What a section's module offers."""

    Figures: type

    def gather(self, run: ReportRun) -> Any:
        """The section's figures, or None where the run has nothing of it."""


def section(name: str) -> Section:
    """A section's module."""
    return cast(Section, import_module(f"{__name__}.{name}"))


def drawn(name: str, figures: Mapping[str, Any], say: Catalogue) -> dict[str, Chart]:
    """A section's charts by name, in the reader's words."""
    draw = getattr(section(name), "draw", None)
    return draw(figures, say) if draw else {}
