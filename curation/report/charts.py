"""Charts as static SVG, each in a light and a dark dress, drawn from binned figures only."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DRESSES = {
    "light": {"ink": "#33404d", "grid": "#dde3e8", "main": "#1f6f8b", "second": "#c46a2d"},
    "dark": {"ink": "#c9d3dc", "grid": "#38424c", "main": "#5fb3ce", "second": "#e0935c"},
}
FONT = "Helvetica, Arial, sans-serif"
# The reader's font may be wider than the one that the labels were measured in.
PADDING = {"left": 28, "right": 24, "top": 4, "bottom": 4}


@dataclass(frozen=True)
class Chart:
    """One chart as two data URIs, with the words for who cannot see it."""

    title: str
    alt: str
    light: str
    dark: str
    width: int
    height: int


def funnel(entries: Sequence[dict[str, Any]]) -> Chart:
    """Rows left after each stage, in the order of the run."""
    data = [{"stage": f"{i + 1}. {entry['stage']}", "rows": entry["kept"]} for i, entry in enumerate(entries)]
    alt = "Rows kept after each stage: " + ", ".join(f"{d['stage']} {d['rows']:,}" for d in data)
    height = 24 * max(1, len(data))

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        y = {"field": "stage", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 260}}
        x = {"field": "rows", "type": "quantitative", "axis": {"title": "rows kept", "tickMinStep": 1}}
        label = {"type": "text", "align": "left", "dx": 4, "color": ink["ink"]}
        text = {"field": "rows", "type": "quantitative", "format": ","}
        return {
            "data": {"values": data},
            "encoding": {"y": y, "x": x},
            "layer": [
                {"mark": {"type": "bar", "color": ink["main"], "height": 15}},
                {"mark": label, "encoding": {"text": text}},
            ],
        }

    return draw("Rows kept after each stage", alt, spec, width=460, height=height)


def lengths(entries: Sequence[dict[str, Any]], what: str) -> Chart:
    """Share of rows by length, as read and as curated."""
    data = [
        {"length": f"{e['low']:,}", "at": i, "share": e["share"], "when": e["when"]}
        for i, e in enumerate(e for e in entries if e["what"] == what)
    ]
    used = {d["length"] for d in data if d["share"] > 0}
    data = [d for d in data if d["length"] in used]
    order = list(dict.fromkeys(d["length"] for d in sorted(data, key=lambda d: int(str(d["length"]).replace(",", "")))))

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        colours = {"domain": ["as read", "curated"], "range": [ink["second"], ink["main"]]}
        x = {
            "field": "length",
            "type": "nominal",
            "sort": order,
            "axis": {"title": "characters, from", "labelAngle": -40},
        }
        return {
            "data": {"values": data},
            "mark": {"type": "bar"},
            "encoding": {
                "x": x,
                "xOffset": {"field": "when", "sort": ["as read", "curated"]},
                "y": {"field": "share", "type": "quantitative", "axis": {"format": "%", "title": "share of rows"}},
                "color": {
                    "field": "when",
                    "type": "nominal",
                    "scale": colours,
                    "legend": {"title": None, "orient": "top"},
                },
            },
        }

    alt = f"{what.capitalize()} lengths in characters, share of rows as read and as curated, in bins that double"
    return draw(f"{what.capitalize()} length", alt, spec, width=320, height=180)


def histogram(title: str, axis: str, bins: Sequence[dict[str, Any]]) -> Chart:
    """Counts in even bins."""
    data = [{"low": b["low"], "high": b["high"], "count": b["count"]} for b in bins]
    top = max(data, key=lambda d: d["count"])
    alt = f"{title}: {sum(d['count'] for d in data):,} values from {data[0]['low']:.2f} to {data[-1]['high']:.2f}, "
    alt += f"most between {top['low']:.2f} and {top['high']:.2f}"

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        x = {"field": "low", "type": "quantitative", "bin": {"binned": True}, "axis": {"title": axis}}
        return {
            "data": {"values": data},
            "mark": {"type": "bar", "color": ink["main"]},
            "encoding": {
                "x": x,
                "x2": {"field": "high"},
                "y": {"field": "count", "type": "quantitative", "axis": {"title": None, "tickMinStep": 1}},
            },
        }

    return draw(title, alt, spec, width=320, height=160)


def agreement(rows: Sequence[dict[str, Any]]) -> Chart:
    """How often each two scorers order two candidates alike: a square of shares, darker for more."""
    names = [row["name"] for row in rows]
    data = [
        {"row": row["name"], "column": column, "share": cell["value"], "shown": f"{cell['value']:.2f}"}
        for row in rows
        for column, cell in zip(names, row["cells"], strict=True)
        if cell is not None and cell["value"] is not None
    ]
    told = [
        f"{d['row']} and {d['column']} {d['shown']}" for d in data if names.index(d["row"]) < names.index(d["column"])
    ]

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        axis = {"title": None, "labelLimit": 160, "labelAngle": 0, "grid": False}
        x = {"field": "column", "type": "nominal", "sort": names, "scale": {"domain": names}, "axis": axis}
        y = {"field": "row", "type": "nominal", "sort": names, "scale": {"domain": names}, "axis": axis}
        share = {
            "field": "share",
            "type": "quantitative",
            "scale": {"domain": [0, 1], "range": [0.0, 0.75]},
            "legend": None,
        }
        label = {
            "mark": {"type": "text", "color": ink["ink"]},
            "encoding": {"text": {"field": "shown", "type": "nominal"}},
        }
        square = {"mark": {"type": "rect", "color": ink["main"]}, "encoding": {"opacity": share}}
        return {"data": {"values": data}, "encoding": {"x": x, "y": y}, "layer": [square, label]}

    size = 40 + 44 * len(names)
    alt = f"Share of couples of candidates that two scorers order alike: {', '.join(told) or 'none'}"
    return draw("Agreement of scorers", alt, spec, width=size + 40 * len(names), height=size)


def curves(title: str, lines: Sequence[dict[str, Any]]) -> Chart:
    """One or two lines over the steps of a training."""
    data = [{"line": line["name"], "step": step, "value": value} for line in lines for step, value in line["points"]]
    names = list(dict.fromkeys(line["name"] for line in lines))
    told = []
    for line in lines:
        (first, before), (last, after) = line["points"][0], line["points"][-1]
        told.append(f"{line['name']} from {before:.4g} at step {first:,} to {after:.4g} at step {last:,}")

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        colours = {"domain": names, "range": [ink["main"], ink["second"]]}
        legend = {"title": None, "orient": "top"} if len(names) > 1 else None
        return {
            "data": {"values": data},
            "mark": {"type": "line", "point": len(data) <= 20},
            "encoding": {
                "x": {"field": "step", "type": "quantitative", "axis": {"title": "step", "tickMinStep": 1}},
                "y": {
                    "field": "value",
                    "type": "quantitative",
                    "scale": {"zero": False},
                    "axis": {"title": None, "format": ".3~g"},
                },
                "color": {"field": "line", "type": "nominal", "scale": colours, "legend": legend},
            },
        }

    return draw(title.capitalize(), f"{title}: {'; '.join(told)}", spec, width=320, height=160)


def draw(title: str, alt: str, spec: Any, *, width: int, height: int) -> Chart:
    """Render a Vega-Lite specification, a function of the colours, in both dresses."""
    import altair as alt_
    import vl_convert

    images = {}
    for dress, ink in DRESSES.items():
        axis = {
            "labelColor": ink["ink"],
            "titleColor": ink["ink"],
            "gridColor": ink["grid"],
            "domainColor": ink["grid"],
            "tickColor": ink["grid"],
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
        }
        legend = {"labelColor": ink["ink"], "labelFontSize": 12}
        config = {"font": FONT, "background": "transparent", "view": {"stroke": None}, "axis": axis, "legend": legend}
        whole = spec(ink) | {"width": width, "height": height, "padding": PADDING, "config": config}
        svg = vl_convert.vegalite_to_svg(alt_.Chart.from_dict(whole).to_dict())
        images[dress] = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return Chart(title, alt, images["light"], images["dark"], width, height)
