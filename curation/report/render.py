"""Turn a run's figures into one HTML page that needs nothing else and runs nothing.

Everything from data is escaped by the template engine; charts are images; the content security policy allows the
page's own style sheet by its hash and images held in the page, nothing more.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2

from curation.report import charts
from curation.report.gather import gather
from curation.runs import RunRecord, Runs

FOLDER = Path(__file__).parent


def render(runs: Runs, record: RunRecord) -> str:
    """The report of a run as one HTML text."""
    figures = gather(runs, record)
    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["n"] = number
    environment.filters["pct"] = percent
    environment.filters["ci"] = interval
    environment.filters["g"] = "{:,.4g}".format
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    template = environment.get_template("report.html.j2")
    return template.render(
        **figures,
        charts=draw_all(figures),
        style=jinja2.utils.markupsafe.Markup(style),
        policy=policy,
    )


def draw_all(figures: dict[str, Any]) -> dict[str, charts.Chart]:
    """The charts that a run has figures for."""
    drawn: dict[str, charts.Chart] = {}
    rows = [entry for entry in figures["funnel"] if entry["phase"] == "curate"]
    if rows:
        drawn["funnel"] = charts.funnel(rows)
    if figures["lengths"]:
        drawn["prompt"] = charts.lengths(figures["lengths"], "prompt")
        drawn["response"] = charts.lengths(figures["lengths"], "response")
    if figures["rewards"] and figures["rewards"]["histogram"]:
        drawn["rewards"] = charts.histogram("Rewards of all candidates", "reward", figures["rewards"]["histogram"])
    if figures["pairs"] and figures["pairs"]["histogram"]:
        drawn["margins"] = charts.histogram("Margins of the pairs", "margin", figures["pairs"]["histogram"])
    if figures["bias"] and figures["bias"]["length"]["characters"]["histogram"]:
        bins = figures["bias"]["length"]["characters"]["histogram"]
        drawn["differences"] = charts.histogram("Length of chosen minus rejected", "characters", bins)
    if figures["bias"] and figures["bias"]["matrix"]:
        drawn["agreement"] = charts.agreement(figures["bias"]["matrix"])
    for model in figures["training"]:
        for panel in model["curves"]:
            drawn[f"training:{model['name']}:{panel['title']}"] = charts.curves(panel["title"], panel["lines"])
    return drawn


def number(value: float | None, digits: int = 0) -> str:
    """Thousands apart, `digits` after the point; a dash for what is not there."""
    if value is None:
        return "–"
    return f"{value:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a percentage; a dash for what is not there."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def interval(figure: dict[str, Any], digits: int = 3) -> str:
    """A figure's value with its interval; a dash for what is not there."""
    if figure["value"] is None:
        return "–"
    told = number(figure["value"], digits)
    if figure["low"] is None or figure["high"] is None:
        return told
    return f"{told} [{number(figure['low'], digits)}, {number(figure['high'], digits)}]"
