"""The report of a run: one self-contained HTML page, and the same figures as JSON."""

from curation.report.build import Report, build
from curation.report.render import render

__all__ = ["Report", "build", "render"]
