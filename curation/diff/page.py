"""The difference of two runs as one HTML page in the style of the report, under the same policy: nothing runs, nothing
is loaded from elsewhere, everything from data is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.diff import Difference
from curation.diff.words import drifted, shown
from curation.report.excerpts import printable
from curation.report.language import Catalogue
from curation.report.render import dress, environment


def page(found: Difference) -> str:
    """The page as text."""
    engine = environment(Catalogue("en"), Path(__file__).parent)
    engine.filters |= {"value": _value, "drifted": drifted}
    return engine.get_template("diff.html.j2").render(**found.told, **dress())


def _value(value: Any) -> str:
    return printable(shown(value))
