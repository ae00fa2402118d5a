"""A comparison as Markdown, and as HTML with its plot: a fragment, or a page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from curation import report
from curation.report import charts
from training.evaluation.result import shown

_PANELS: Final = {
    "win_rate": "win rate",
    "length_controlled_win_rate": "length-controlled",
    "proxy_win_rate": "by the training's own reward",
}
_Cell = Callable[[Mapping[str, Any]], str]


def columns(told: Mapping[str, Any]) -> dict[str, _Cell]:
    """The columns of the table: those that some model has a figure for."""

    def figure(key: str, digits: int, percent: bool = False) -> _Cell:
        return lambda row: shown(row[key], digits, percent=percent)

    def number(key: str) -> _Cell:
        return lambda row: "–" if row[key] is None else f"{row[key]:,.0f}"

    drift: _Cell = lambda row: shown(row["difference"]["tokens"], 1) if row["difference"] else "–"  # noqa: E731
    every: dict[str, _Cell] = {
        "win rate": figure("win_rate", 1, True),
        "length-controlled": figure("length_controlled_win_rate", 1, True),
        "proxy's win rate": figure("proxy_win_rate", 1, True),
        "gap": figure("gap", 1, True),
        "reward": figure("reward", 3),
        "proxy": figure("proxy", 3),
        "accuracy": figure("accuracy", 1, True),
        "KL a token": figure("kl_token", 4),
        "KL an answer": figure("kl_sequence", 2),
        "refusals": figure("refusal", 1, True),
        "repetitive": figure("repetition", 1, True),
        "cut": figure("cut", 1, True),
        "other language": figure("language_mismatch", 1, True),
        "empty": figure("empty", 1, True),
        "tokens an answer": figure("tokens", 1),
        "longer than base": drift,
        "training tokens": number("training_tokens"),
        "seconds": number("training_seconds"),
        "data": lambda row: row["data_digest"] or "–",
    }
    return {name: cell for name, cell in every.items() if any(cell(row) != "–" for row in told["rows"])}


def markdown(told: Mapping[str, Any]) -> str:
    """The table with what it is of and the notes."""
    cells = columns(told)
    lines = [f"| model | {' | '.join(cells)} |", "|---" * (len(cells) + 1) + "|"]
    lines += [f"| {_plain(row['name'])} | {' | '.join(cell(row) for cell in cells.values())} |" for row in told["rows"]]
    notes = [f"- {_plain(note)}" for note in told["notes"]]
    return "\n".join([caption(told), "", *lines, *(["", *notes] if notes else [])]) + "\n"


def caption(told: Mapping[str, Any]) -> str:
    """What the figures are of."""
    return (
        f"{told['prompts']:,} held-out prompts, seed {told['seed']}; win rates are against {_plain(told['base'])}; "
        "in brackets 95 % bootstrap intervals over prompts."
    )


def plot(told: Mapping[str, Any]) -> charts.Chart | None:
    """Win rates against the base with intervals, a panel a kind; None where there is nothing to plot."""
    data = [
        {"model": row["name"], "kind": name, **{end: row[key][end] for end in ("value", "low", "high")}}
        for row in told["rows"]
        for key, name in _PANELS.items()
        if row[key] is not None and row[key]["value"] is not None
    ]
    if not data:
        return None
    order = list(dict.fromkeys(one["model"] for one in data))
    alt = "Win rates against the base: " + ", ".join(
        f"{one['model']} {100 * one['value']:.0f} % ({one['kind']})" for one in data
    )

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        colours = {"domain": list(_PANELS.values()), "range": [ink["main"], ink["ink"], ink["second"]]}
        x = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"format": "%", "title": "against the base"}}
        shared = {
            "y": {"field": "model", "type": "nominal", "sort": order, "axis": {"title": None, "labelLimit": 220}},
            "yOffset": {"field": "kind", "sort": list(_PANELS.values())},
            "color": {"field": "kind", "type": "nominal", "scale": colours, "legend": {"title": None, "orient": "top"}},
        }
        even = {"data": {"values": [{"at": 0.5}]}, "mark": {"type": "rule", "color": ink["ink"], "strokeDash": [4, 3]}}
        return {
            "data": {"values": data},
            "layer": [
                even | {"encoding": {"x": {**x, "field": "at"}}},
                {"mark": {"type": "rule"}, "encoding": shared | {"x": {**x, "field": "low"}, "x2": {"field": "high"}}},
                {
                    "mark": {"type": "point", "filled": True, "opacity": 1, "size": 50},
                    "encoding": shared | {"x": {**x, "field": "value"}},
                },
            ],
        }

    return charts.draw("Win rates against the base", alt, spec, width=420, height=54 * len(order) + 20)


def fragment(told: Mapping[str, Any]) -> str:
    """Plot, table and notes as HTML in the report's dress; every text is escaped."""
    cells, chart = columns(told), plot(told)
    head = "".join(f'<th class="num">{escape(name)}</th>' for name in cells)
    body = "".join(
        f'<tr><th scope="row">{escape(row["name"])}</th>'
        + "".join(f'<td class="num">{escape(cell(row))}</td>' for cell in cells.values())
        + "</tr>"
        for row in told["rows"]
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in told["notes"])
    return (
        (_figure(chart) if chart else "")
        + f'<div class="scroll"><table><caption>{escape(caption(told))}</caption>'
        + f"<thead><tr><th>model</th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        + (f"<ul>{notes}</ul>" if notes else "")
    )


def page(told: Mapping[str, Any]) -> str:
    """The fragment as a page that needs nothing else and runs nothing."""
    style = (Path(report.__file__).parent / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Comparison of models</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<h1>Comparison of models</h1>\n{fragment(told)}\n</body>\n</html>\n"
    )


def _figure(chart: charts.Chart) -> str:
    return (
        f"<figure><figcaption>{escape(chart.title)}</figcaption><picture>"
        f'<source media="(prefers-color-scheme: dark)" srcset="{chart.dark}">'
        f'<img src="{chart.light}" alt="{escape(chart.alt)}"></picture></figure>\n'
    )


def _plain(text: str) -> str:
    """A text without what Markdown or HTML would take for markup."""
    return "".join(char if char not in "|<>`*[]" else " " for char in text)
