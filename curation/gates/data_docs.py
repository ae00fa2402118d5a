"""Data Docs: what was expected of each table and what was found, as static pages that ask nothing of any network.

The pages that Great Expectations builds load styles, fonts and scripts from elsewhere and can show values of the data.
These are built of the results alone, which hold ids and figures; there is no script, and the only style is within.
Each page is written whole under its own name and the index last, so that a reader never meets a half-built site.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from curation.store import write_file

INDEX: Final = "index.html"
_SHOWN_IDS: Final = 20
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2024;--soft:#59636e;--line:#d1d9e0;--page:#fff;--good:#1a7f37;--bad:#b3261e;
--warn:#8a5a00}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--line:#3d444d;--page:#0f1419;--good:#4ac26b;
--bad:#ff8a80;--warn:#e3b341}}
body{margin:0 auto;max-width:76rem;padding:1.5rem;background:var(--page);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.soft{color:var(--soft)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{padding:.4rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td.num,th.num{text-align:right;font-variant-numeric:tabular-nums}
code,.id{font:.875em ui-monospace,monospace;overflow-wrap:anywhere}a{color:inherit}
@media (min-width:60rem){th code{white-space:nowrap}}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}.warn{color:var(--warn);font-weight:600}
@media print{body{max-width:none;padding:0}.scroll{overflow:visible}}
"""


@dataclass(frozen=True)
class Checked:
    """One suite as it was checked: its name (a table of a run, or a kind of file), and the results of the gate."""

    name: str
    rows: int
    results: Sequence[Mapping[str, Any]]

    @property
    def page(self) -> str:
        """The name of its page."""
        return f"{re.sub(r'[^a-z0-9_-]+', '-', self.name.lower())}.html"


def write_docs(folder: Path, title: str, suites: Sequence[Checked]) -> Path:
    """Write a page a suite, and the index, into a folder; returns the index. Pages of other suites are left alone."""
    for suite in suites:
        write_file(folder / suite.page, _page(f"{suite.name}: {title}", _suite(suite, title)))
    write_file(folder / INDEX, _page(f"Data Docs: {title}", _index(title, suites)))
    return folder / INDEX


def _index(title: str, suites: Sequence[Checked]) -> ET.Element:
    main = ET.Element("main")
    _add(main, "h1", f"Data Docs: {title}")
    _add(main, "p", "What was expected of each table, and what was found. Values of the data are not shown.", "soft")
    head = ("Table", "Rows", "Expectations", "Passed", "Critical", "Warnings", "Infos")
    body = _table(main, "Suites", head, numbers=(1, 2, 3, 4, 5, 6))
    for suite in suites:
        row = ET.SubElement(body, "tr")
        link = ET.SubElement(ET.SubElement(row, "th", scope="row"), "a", href=suite.page)
        link.text = suite.name
        broken = [sum(_broken(result, name) for result in suite.results) for name in ("critical", "warning", "info")]
        passed = sum(bool(result["passed"]) for result in suite.results)
        for value in (suite.rows, len(suite.results), passed):
            _add(row, "td", f"{value:,}", "num")
        for value, name in zip(broken, ("num bad", "num warn", "num"), strict=True):
            _add(row, "td", f"{value:,}", name if value else "num")
    return main


def _suite(suite: Checked, title: str) -> ET.Element:
    main = ET.Element("main")
    back = ET.SubElement(ET.SubElement(main, "p"), "a", href=INDEX)
    back.text = "All tables"
    _add(main, "h1", suite.name)
    _add(main, "p", f"{title}: {suite.rows:,} rows, {len(suite.results):,} expectations.", "soft")
    head = ("Expectation", "Result", "Severity", "Meaning", "Observed", "Limits", "Rows failing", "Share", "Ids")
    # What failed comes first, the most severe at the top.
    order = {"critical": 0, "warning": 1, "info": 2}
    results = sorted(suite.results, key=lambda r: (bool(r["passed"]), order[r["severity"]]))
    body = _table(main, "Expectations", head, numbers=(4, 5, 6, 7))
    for result in results:
        _result(ET.SubElement(body, "tr"), result)
    return main


def _result(row: ET.Element, result: Mapping[str, Any]) -> None:
    name = ET.SubElement(row, "th", scope="row")
    _add(name, "code", result["name"])
    ET.SubElement(name, "br")
    _add(name, "code", result["expectation"], "soft")
    word, tone = ("passed", "good") if result["passed"] else ("failed", _tone(result))
    _add(row, "td", word, tone)
    _add(row, "td", result["severity"])
    meaning = ET.SubElement(row, "td")
    meaning.text = result["description"]
    for told in (result.get("detail"), result.get("error")):
        if told:
            _add(meaning, "div", told, "soft")
    _add(row, "td", _figure(result["observed"]), "num")
    _add(row, "td", _limits(result), "num")
    _add(row, "td", f"{result['failed']:,}", "num")
    _add(row, "td", f"{result['failed'] / result['rows']:.2%}" if result["failed"] else "", "num")
    _add(row, "td", ", ".join(result["ids"][:_SHOWN_IDS]), "id")


def _tone(result: Mapping[str, Any]) -> str:
    return {"critical": "bad", "warning": "warn"}.get(result["severity"], "")


def _broken(result: Mapping[str, Any], severity: str) -> bool:
    return not result["passed"] and result["severity"] == severity


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _limits(result: Mapping[str, Any]) -> str:
    low, high = result["low"], result["high"]
    if low is None and high is None:
        return ""
    if low == high:
        return f"{low:g}"
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


def _table(parent: ET.Element, caption: str, head: Sequence[str], numbers: Sequence[int]) -> ET.Element:
    """A table that scrolls by itself on a narrow page; returns its body."""
    scroll = ET.SubElement(parent, "div", {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption})
    table = ET.SubElement(scroll, "table")
    row = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    for at, name in enumerate(head):
        cell = ET.SubElement(row, "th", {"scope": "col", **({"class": "num"} if at in numbers else {})})
        cell.text = name
    return ET.SubElement(table, "tbody")


def _add(parent: ET.Element, tag: str, text: str, name: str = "") -> None:
    ET.SubElement(parent, tag, {"class": name} if name else {}).text = text


def _page(title: str, main: ET.Element) -> bytes:
    """A whole page; every text that comes from results is escaped by the serialiser."""
    html = ET.Element("html", lang="en")
    head = ET.SubElement(html, "head")
    ET.SubElement(head, "meta", charset="utf-8")
    ET.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    ET.SubElement(head, "meta", name="referrer", content="no-referrer")
    ET.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    ET.SubElement(head, "title").text = title
    ET.SubElement(head, "style").text = _STYLE
    ET.SubElement(html, "body").append(main)
    return b"<!DOCTYPE html>\n" + ET.tostring(html, encoding="utf-8", method="html")
