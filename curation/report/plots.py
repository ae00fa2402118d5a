"""Charts of single sections: overlaid histograms, dots with intervals, squares of correlations, maps of points."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from curation.report.charts import DRESSES, FONT, Chart
from curation.report.charts import draw as drawn

Row = Mapping[str, Any]
Points = Sequence[Sequence[float]]
MAP = 350  # pixels of a map's side
LEGEND = 24  # and of the line above it


def overlaid(title: str, alt: str, data: Sequence[Row], groups: tuple[str, str], share: str) -> Chart:
    """Two histograms over the same even bins: the first group as a stepped line over the second group's bars.

    `data`: low, high, share, group. Small, since there is one a score.
    """

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        colours = {"domain": list(groups), "range": [ink["second"], ink["main"]]}
        x = {"field": "low", "type": "quantitative", "axis": {"title": None, "tickCount": 5}}
        x["scale"] = {"zero": False, "nice": False}
        y = {"field": "share", "type": "quantitative", "stack": None, "axis": {"format": "%", "title": share}}
        shared = {"x": x, "y": y, "color": _colour("group", colours)}
        of_group = [{"filter": {"field": "group", "equal": group}} for group in groups]
        bars = {"mark": {"type": "bar", "opacity": 0.55}, "transform": of_group[1:]}
        line = {"mark": {"type": "line", "interpolate": "step-after"}, "transform": of_group[:1]}
        binned = x | {"bin": {"binned": True}}
        return {
            "data": {"values": list(data)},
            "layer": [
                {**bars, "encoding": shared | {"x": binned, "x2": {"field": "high"}}},
                {**line, "encoding": shared},
            ],
        }

    return drawn(title, alt, spec, width=270, height=110)


def _colour(field: str, scale: dict[str, Any]) -> dict[str, Any]:
    return {"field": field, "type": "nominal", "scale": scale, "legend": {"title": None, "orient": "top"}}


def square(title: str, alt: str, names: Sequence[str], cells: Sequence[Row]) -> Chart:
    """Figures from -1 to 1 of each two names: the fuller the colour, the farther from 0; the second colour is below.

    `cells`: row, column, value, shown.
    """

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        axis = {"title": None, "labelLimit": 150, "grid": False}
        scale = {"domain": list(names)}
        x = {"field": "column", "type": "nominal", "scale": scale, "axis": axis | {"labelAngle": -40}}
        y = {"field": "row", "type": "nominal", "scale": scale, "axis": axis}
        full = {"field": "size", "type": "quantitative", "scale": {"domain": [0, 1], "range": [0.0, 0.75]}}
        colour = {"condition": {"test": "datum.value < 0", "value": ink["second"]}, "value": ink["main"]}
        fill = {"mark": {"type": "rect"}, "encoding": {"opacity": full | {"legend": None}, "color": colour}}
        text = {"mark": {"type": "text", "color": ink["ink"]}, "encoding": {"text": {"field": "shown"}}}
        data = [dict(cell) | {"size": abs(cell["value"])} for cell in cells]
        return {"data": {"values": data}, "encoding": {"x": x, "y": y}, "layer": [fill, text]}

    size = 48 * len(names)
    return drawn(title, alt, spec, width=size + 170, height=size)


def whiskers(title: str, alt: str, data: Sequence[Row], groups: Sequence[str], axis: str, even: float) -> Chart:
    """A dot and an interval a row of names, a group a colour, and a line where both sides are even.

    `data`: name, group, value, low, high.
    """

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        colours = {"domain": list(groups), "range": [ink["main"], ink["second"], ink["ink"]][: len(groups)]}
        x = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"title": axis, "format": "%"}}
        y = {"field": "name", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 150}}
        place = {
            "y": y,
            "yOffset": {"field": "group", "sort": list(groups)},
            "color": _colour("group", colours),
        }
        dots = {"mark": {"type": "point", "filled": True, "size": 60}, "encoding": {"x": x | {"field": "value"}}}
        lines = {
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}},
        }
        half = {
            "data": {"values": [{"even": even}]},
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": ink["ink"]},
            "encoding": {"x": {"field": "even", "type": "quantitative"}},
        }
        layers = [{**layer, "data": {"values": list(data)}} for layer in (lines, dots)]
        for layer in layers:
            layer["encoding"] = {**layer["encoding"], **place}  # type: ignore[dict-item]
        return {"layer": [half, *layers]}

    names = len({row["name"] for row in data})
    return drawn(title, alt, spec, height=40 + 22 * len(groups) * names)


def reliability(title: str, alt: str, data: Sequence[Row], groups: Sequence[str], axes: tuple[str, str]) -> Chart:
    """Observed against expected shares with intervals, and the line on which both are the same.

    `data`: expected, value, low, high, group.
    """

    def spec(ink: dict[str, str]) -> dict[str, Any]:
        colours = {"domain": list(groups), "range": [ink["main"], ink["second"], ink["ink"], ink["grid"]]}
        x = {"field": "expected", "type": "quantitative", "scale": {"domain": [0.5, 1]}}
        y = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"title": axes[1], "format": "%"}}
        x["axis"] = {"title": axes[0], "format": "%"}
        colour = _colour("group", colours)
        dots = {"mark": {"type": "point", "filled": True, "size": 50}, "encoding": {"y": y | {"field": "value"}}}
        lines = {"mark": {"type": "rule"}, "encoding": {"y": y | {"field": "low"}, "y2": {"field": "high"}}}
        path = {"mark": {"type": "line", "strokeWidth": 1}, "encoding": {"y": y | {"field": "value"}}}
        layers = [
            {**layer, "data": {"values": list(data)}, "encoding": {**layer["encoding"], "x": x, "color": colour}}  # type: ignore[dict-item]
            for layer in (path, lines, dots)
        ]
        same = {
            "data": {"values": [{"a": 0.5}, {"a": 1.0}]},
            "mark": {"type": "line", "strokeDash": [4, 3], "color": ink["ink"]},
            "encoding": {"x": {"field": "a", "type": "quantitative"}, "y": {"field": "a", "type": "quantitative"}},
        }
        return {"layer": [same, *layers]}

    return drawn(title, alt, spec, height=220)


def scatter(title: str, alt: str, groups: Mapping[str, Points]) -> Chart:
    """Points of two groups on a plane, the second over the first, at the same scale on both axes, and their names.

    Written here and not by way of Vega-Lite, which spends 300 bytes on a point: one path a group, a dot being a stroke
    of no length with round ends.
    """
    every = [point for group in groups.values() for point in group]
    reach = max((abs(value) for point in every for value in point), default=0.0) or 1.0
    half, scale = MAP / 2, (MAP / 2 - 8) / reach
    images = {}
    for dress, ink in DRESSES.items():
        colours = (ink["second"], ink["main"])
        paths = [
            f'<path stroke="{colour}" d="{_dots(group, half, scale)}"/>'
            for colour, group in zip(colours, groups.values(), strict=True)
            if len(group)
        ]
        names = zip(colours, groups, strict=True)
        legend = "".join(_named(name, colour, ink["ink"], 8 + at * MAP / 2) for at, (colour, name) in enumerate(names))
        axes = f'<path stroke="{ink["grid"]}" stroke-width="1" d="M{half} 0V{MAP}M0 {half}H{MAP}"/>'
        dots = f'<g stroke-width="4" stroke-linecap="round" stroke-opacity=".6">{"".join(paths)}</g>'
        size = f'width="{MAP}" height="{MAP + LEGEND}" viewBox="0 -{LEGEND} {MAP} {MAP + LEGEND}"'
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} fill="none">{axes}{dots}{legend}</svg>'
        images[dress] = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return Chart(title, alt, images["light"], images["dark"], MAP, MAP + LEGEND)


def _named(name: str, colour: str, ink: str, at: float) -> str:
    text = f'<text x="{at + 10:.0f}" y="-8" fill="{ink}" font-family="{FONT}" font-size="12">{escape(name)}</text>'
    return f'<circle cx="{at:.0f}" cy="-12" r="4" fill="{colour}"/>{text}'


def _dots(points: Points, half: float, scale: float) -> str:
    return "".join(f"M{half + x * scale:.1f} {half - y * scale:.1f}h0" for x, y in points)
