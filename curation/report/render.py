"""Turn a run's figures into one HTML page that needs nothing else and runs nothing.

Everything from data is escaped by the template engine; charts are images; the content security policy allows the
page's own style sheet by its hash and images held in the page, nothing more.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from curation.report.build import Report, build
from curation.report.charts import WIDTH
from curation.report.excerpts import printable
from curation.report.language import Catalogue
from curation.report.sections import drawn
from curation.runs import RunRecord, Runs

FOLDER = Path(__file__).parent


def render(runs: Runs, record: RunRecord, lang: str = "en") -> str:
    """The report of a run as one HTML text. Raises UsageError where there is no catalogue of the language."""
    return build(runs, record).html(lang)


def page(report: Report, lang: str) -> str:
    """The page of figures that were gathered before."""
    say = Catalogue(lang)
    engine = environment(say)
    shared = {"run": report.figures, "names": list(report.sections)}
    bodies = {
        name: Markup(_body(engine, say, name, figures, shared))  # noqa: S704 - made by the engine, escaped there
        for name, figures in report.sections.items()
    }
    summary = report.figures["summary"]
    return engine.get_template("page.html.j2").render(
        **shared,
        f=summary,
        t=_markup(say.within("summary", markup=True)),
        bodies=bodies,
        findings=[_worded(say, found) for found in summary["foremost"]],
        language=lang,
        **dress(),
    )


def dress() -> dict[str, str]:
    """The style sheet of a page, as `style`, and the `policy` that allows it by its hash, and nothing that runs."""
    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return {"style": Markup(style), "policy": policy}  # noqa: S704 - the project's own file


def _body(
    engine: jinja2.Environment, say: Catalogue, name: str, figures: dict[str, Any], shared: dict[str, Any]
) -> str:
    return engine.get_template(f"{name}.html.j2").render(
        **shared,
        f=figures,
        t=_markup(say.within(name, markup=True)),
        charts=drawn(name, figures, say.within(name)),
        widest=WIDTH,
    )


def environment(say: Catalogue, folder: Path = FOLDER / "templates") -> jinja2.Environment:
    """The engine for the templates of a folder: everything is escaped, numbers are written as the language does."""
    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters |= {
        "n": say.number,
        "pct": say.percent,
        "ci": say.interval,
        "g": say.significant,
        "word": say.word,
        "date": say.date,
        "time": say.duration,
        "signed": say.signed,
        "argument": argument,
    }
    engine.globals["has"] = say.has
    return engine


def _markup(say: Catalogue) -> Any:
    """Messages as markup: their own tags kept, their values escaped."""
    return lambda key, **values: Markup(say(key, **values))  # noqa: S704 - the catalogue escapes the values


def _worded(say: Catalogue, found: dict[str, Any]) -> dict[str, Any]:
    told = partial(say.within("common", markup=True), found["key"])
    return {"severity": found["severity"], "anchor": found["anchor"], "words": Markup(told(**found["values"]))}  # noqa: S704


def argument(value: str) -> str:
    """A text as one word of a shell's command line, what does not print as escapes."""
    return shlex.quote(printable(value))
