"""Charts as static SVG, each in a light and a dark dress, drawn from binned figures only."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.report.language import Catalogue

DRESSES = {
    "light": {"ink": "#33404d", "grid": "#dde3e8", "main": "#1f6f8b", "second": "#c46a2d"},
    "dark": {"ink": "#c9d3dc", "grid": "#38424c", "main": "#5fb3ce", "second": "#e0935c"},
}
FONT = "Helvetica, Arial, sans-serif"
# Pixels. A telephone of 390 shows a chart of this width as it is, so that labels keep their size.
WIDTH = 350
# The reader's font may be wider than the one that the labels were measured in.
PADDING = {"left": 10, "right": 12, "top": 4, "bottom": 4}
FEW = 8  # steps that are all named on an axis
_SIZE = re.compile(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"')


@dataclass(frozen=True)
class Chart:
    """One chart as two data URIs, with the words for who cannot see it, and the size of the image in pixels."""

    title: str
    alt: str
    light: str
    dark: str
    width: int
    height: int


def bars(title: str, alt: str, axis: str, data: Sequence[dict[str, Any]]) -> Chart:
    """One bar a `stage`, as long as its `rows`, in the order given, with room for its number."""
    most = max((row["rows"] for row in data), default=0)

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        y = {"field": "stage", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 190}}
        x = {"field": "rows", "type": "quantitative", "axis": {"title": axis, "tickMinStep": 1, "tickCount": 3}}
        x["scale"] = {"domain": [0, 1.4 * most or 1], "nice": False}
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

    return draw(title, alt, spec, height=22 * max(1, len(data)))


def shares(
    title: str,
    alt: str,
    axes: tuple[str, str],
    data: Sequence[dict[str, Any]],
    sets: Sequence[str],
    order: Sequence[str],
) -> Chart:
    """The `share` of each `bin`, the two `sets` side by side; `order` is that of the bins."""

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        colours = {"domain": list(sets), "range": [ink["second"], ink["main"]][-len(sets) :]}
        x = {"field": "bin", "type": "nominal", "sort": list(order), "axis": {"title": axes[0], "labelAngle": -40}}
        legend = {"title": None, "orient": "top"}
        return {
            "data": {"values": data},
            "mark": {"type": "bar"},
            "encoding": {
                "x": x,
                "xOffset": {"field": "set", "sort": list(sets)},
                "y": {"field": "share", "type": "quantitative", "axis": {"format": "%", "title": axes[1]}},
                "color": {"field": "set", "type": "nominal", "scale": colours, "legend": legend},
            },
        }

    return draw(title, alt, spec, height=180)


def histogram(title: str, alt: str, axis: str, bins: Sequence[Mapping[str, Any]]) -> Chart:
    """Counts in bins."""
    data = [{"low": b["low"], "high": b["high"], "count": b["count"]} for b in bins]

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

    return draw(title, alt, spec, height=160)


def told_histogram(key: str, bins: Sequence[Mapping[str, Any]], say: Catalogue) -> Chart:
    """A histogram with the words of a section: `<key>`, `<key>_alt` and `<key>_axis`."""
    top = max(bins, key=lambda b: b["count"])
    counted = {"count": sum(b["count"] for b in bins), "low": bins[0]["low"], "high": bins[-1]["high"]}
    alt = say(f"{key}_alt", **counted, top_low=top["low"], top_high=top["high"])
    return histogram(say(key), alt, say(f"{key}_axis"), bins)


def agreement(title: str, alt: str, names: Sequence[str], data: Sequence[dict[str, Any]]) -> Chart:
    """How often each two of the named scorers (`row`, `column`) order two candidates alike: darker for more."""

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        axis = {"title": None, "labelLimit": 160, "labelAngle": 0, "grid": False}
        x = {"field": "column", "type": "nominal", "sort": list(names), "scale": {"domain": list(names)}, "axis": axis}
        y = {"field": "row", "type": "nominal", "sort": list(names), "scale": {"domain": list(names)}, "axis": axis}
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
    return draw(title, alt, spec, height=size)


def curves(title: str, alt: str, axis: str, lines: Sequence[Mapping[str, Any]]) -> Chart:
    """One or two lines (`name`, `points` of step and value) over the steps of a training."""
    data = [{"line": line["name"], "step": step, "value": value} for line in lines for step, value in line["points"]]
    names = list(dict.fromkeys(line["name"] for line in lines))
    steps = sorted({row["step"] for row in data})
    few: dict[str, Any] = {"values": steps} if len(steps) <= FEW else {}

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        colours = {"domain": names, "range": [ink["main"], ink["second"]]}
        legend = {"title": None, "orient": "top"} if len(names) > 1 else None
        return {
            "data": {"values": data},
            "mark": {"type": "line", "point": len(data) <= 20},
            "encoding": {
                "x": {"field": "step", "type": "quantitative", "axis": {"title": axis, "format": ",d"} | few},
                "y": {
                    "field": "value",
                    "type": "quantitative",
                    "scale": {"zero": False},
                    "axis": {"title": None, "format": ".3~g"},
                },
                "color": {"field": "line", "type": "nominal", "scale": colours, "legend": legend},
            },
        }

    return draw(title, alt, spec, height=160)


def draw(title: str, alt: str, spec: Any, *, height: int, width: int = WIDTH) -> Chart:
    """Render a Vega-Lite specification, a function of the colours, in both dresses.

    `width` is that of the image, labels and legends among it; `height` that of the plot alone. It is drawn once: what
    stands in the colours of the light dress is then put into those of the dark one.
    """
    import vl_convert

    fit = {"type": "fit-x", "contains": "padding"}
    sized = {"width": width, "height": height, "autosize": fit, "padding": PADDING, "config": _config(DRESSES["light"])}
    svg = vl_convert.vegalite_to_svg(spec(DRESSES["light"]) | sized)
    told = _SIZE.search(svg)
    size = (round(float(told[1])), round(float(told[2]))) if told else (width, height)
    dark = {f'"{colour}"': f'"{DRESSES["dark"][name]}"' for name, colour in DRESSES["light"].items()}
    worn = re.sub("|".join(dark), lambda found: dark[found[0]], svg)
    return Chart(title, alt, _as_uri(svg), _as_uri(worn), *size)


def _as_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _config(ink: Mapping[str, str]) -> dict[str, Any]:
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
    legend = {"labelColor": ink["ink"], "labelFontSize": 12, "labelLimit": 200, "columns": 2}
    return {
        "font": FONT,
        "background": "transparent",
        "view": {"stroke": None},
        "axis": axis,
        "legend": legend,
        "text": {"fontSize": 11},
    }
