"""The report of a run: one self-contained HTML page."""

from curation.report.render import render

__all__ = ["render"]
