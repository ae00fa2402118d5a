"""Charts know their size, fit a telephone, and have labels that can be read there."""

from __future__ import annotations

import base64
import re

import pytest

from curation.report import charts, plots
from curation.report.charts import WIDTH, Chart

BINS = [{"low": float(at), "high": at + 1.0, "count": at} for at in range(20)]
WHISKER = {"name": "a model of a long name", "group": "win rate", "value": 0.5, "low": 0.4, "high": 0.6}
GROUPS = ("win rate", "length-controlled", "by the training reward")
SHARES = [{"bin": str(at), "share": 0.1, "set": "read"} for at in range(12)]
MADE = {
    "bars": charts.bars("t", "a", "rows kept", [{"stage": "21. privacy.personal_data", "rows": 100_000}]),
    "histogram": charts.histogram("t", "a", "characters", BINS),
    "shares": charts.shares("t", "a", ("from", "share"), SHARES, ["read"], [str(at) for at in range(12)]),
    "curves": charts.curves("t", "a", "step", [{"name": "loss", "points": [(1, 0.00001), (3, 2.0)]}]),
    "whiskers": plots.whiskers("t", "a", [WHISKER | {"group": group} for group in GROUPS], GROUPS, "won", 0.5),
    "scatter": plots.scatter("t", "a", {"kept": [[0.5, 0.5]], "dropped": [[-1.0, 0.2]]}),
}


def svg(uri: str) -> str:
    return base64.b64decode(uri.removeprefix("data:image/svg+xml;base64,")).decode()


@pytest.mark.parametrize("name", MADE)
def test_the_size_is_that_of_the_image_and_labels_are_of_11_pixels_or_more(name: str):
    chart: Chart = MADE[name]
    for dress in (chart.light, chart.dark):
        image = svg(dress)
        size = re.search(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"', image)
        assert size is not None
        assert (round(float(size[1])), round(float(size[2]))) == (chart.width, chart.height)
        fonts = [float(font) for font in re.findall(r'font-size="([\d.]+)', image)]
        assert fonts
        assert min(fonts) >= 11
    assert chart.width <= WIDTH


def test_a_wide_chart_keeps_its_size():
    names = [f"score_{at}" for at in range(8)]
    cells = [{"row": a, "column": b, "value": 0.5, "shown": "0.50"} for a in names for b in names]
    # Eight squares of 48 pixels and room for the names.
    assert plots.square("t", "a", names, cells).width == 8 * 48 + 170


def test_few_steps_are_each_named_once():
    assert re.findall(r">(\d)</text>", svg(MADE["curves"].light))[:2] == ["1", "3"]
