"""Hostile prompts, answers, ids, sources and file names are text: no element, no attribute, no script, no request."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import orjson
import polars as pl
import pytest

from curation.report import build
from curation.report.render import argument
from tests.helpers import rows
from tests.report.page import Page, opened
from tests.runs import make_run

FAR = "http://127.0.0.1:9/"
# ruff: noqa: E501
HOSTILE = [
    "<script>document.title='run'</script>", "<ScRiPt>document.title='run'</sCrIpT>", "<script src='" + FAR + "'></script>",
    "</script><script>document.title='run'</script>", "<<script>document.title='run'//<</script>",
    "<img src=x onerror=document.title='run'>", "<img src='" + FAR + "a.png'>", "<image href='" + FAR + "'>",
    "<svg onload=document.title='run'>", "<svg><script>document.title='run'</script></svg>",
    "<svg><animate onbegin=document.title='run' attributeName=x dur=1s>", "<math><mi//xlink:href='javascript:1'>",
    "\"><svg onload=document.title='run'>", "'><img src=x onerror=document.title='run'>", "` onerror=`document.title='run'",
    "</style><script>document.title='run'</script>", "<style>@import '" + FAR + "';</style>", "</title><h1>gone</h1>",
    "</textarea><b>", "</details></div></section></main><h1>gone</h1>", "</table><table><tr><td>", "<plaintext>", "<xmp>",
    "<iframe src='" + FAR + "'></iframe>", "<iframe srcdoc='<script>document.title=1</script>'>", "<object data='" + FAR + "'>",
    "<embed src='" + FAR + "'>", "<link rel=stylesheet href='" + FAR + "'>", "<base href='" + FAR + "'>",
    "<meta http-equiv=refresh content='0;url=" + FAR + "'>", "<form action='" + FAR + "'><input autofocus onfocus=1>",
    "<a href='javascript:document.title=1'>x</a>", "<video><source onerror=document.title='run'></video>",
    "<body onload=document.title='run'>", "<details open ontoggle=document.title='run'>", "<template><script>1</script>",
    "<!-- <script>document.title='run'</script>", "--><script>document.title='run'</script>", "<![CDATA[<script>1</script>]]>",
    "&lt;script&gt;document.title='run'&lt;/script&gt;", "&#60;script&#62;", "\\u003cscript\\u003e", "%3Cscript%3E",
    "{{ 7*7 }}", "{% raw %}{{ run }}", "{value:n3} {0} {run.__class__}", "${7*7} `id` $(id)", "javascript:document.title='run'",
    "\u202e\u2066<b>\u0000\u0007\ufeff", "＜script＞ \ud7ff <\u200bscript>",
]  # fmt: skip


def hostile_run(folder: Path, payloads: list[str]) -> tuple[str, str]:
    """A page of a run whose prompts, answers, ids, source, files and profile all are the payloads, and its figures."""
    talks = []
    for payload in payloads:
        talks.append([("user", payload), ("assistant", f"answer {payload}")])
        talks.append([("user", f"short {payload}"), ("assistant", "y")])
        talks.append([("system", payload), ("user", "q"), ("assistant", payload * 2)])
    frame = rows(*talks)
    ids = [f"{payload}:{at}" for at, payload in enumerate(payloads * 3)]
    name = " ".join(payloads)
    frame = frame.with_columns(row_id=pl.Series(ids), source=pl.lit(name), language=pl.Series(payloads * 3))
    runs, record = make_run(folder, frame, name=name)
    record.profile["name"] = name
    record.error = name
    for step in record.steps:
        for result in step.facts.get("results", []):
            result |= {"ids": list(payloads[:5]), "description": name, "passed": False}
    report = build(runs, record)
    return report.html(), report.json().decode()


# What makes markup of a text, one by one for what does not: all else about a run of these is the same.
HARMLESS = str.maketrans("<>\"'&", "()~~+")


def shape(page: Page) -> list[tuple[str, dict[str, str]]]:
    """Every element with its attributes, but what makes up a chart: its image and size, and its words of data."""
    of_chart = {"src", "srcset", "alt", "width", "height"}
    return [
        (tag, {name: value for name, value in attributes.items() if name not in of_chart})
        for tag, attributes in page.elements
    ]


def test_there_are_fifty():
    assert len(set(HOSTILE)) == 50


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return hostile_run(tmp_path_factory.mktemp("hostile"), HOSTILE)


def test_no_element_and_no_attribute_comes_from_data(hostile: tuple[str, str], tmp_path: Path):
    plain, page = Page(hostile_run(tmp_path, [payload.translate(HARMLESS) for payload in HOSTILE])[0]), Page(hostile[0])
    assert len(page.elements) > 1000
    assert Counter(page.tags) == Counter(plain.tags)
    assert shape(page) == shape(plain)
    images = [attributes for tag, attributes in page.elements if tag in ("img", "source")]
    named = [value for attributes in images for name, value in attributes.items() if name in ("src", "srcset")]
    assert named
    assert all(re.fullmatch(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+", value) for value in named)
    assert all(attributes.get(name, "0").isdigit() for attributes in images for name in ("width", "height"))
    assert all(payload in page.text for payload in HOSTILE[:10]), "the payloads are shown, as text"


def test_no_script_runs_and_nothing_is_asked_for(hostile: tuple[str, str], tmp_path: Path):
    with opened(hostile[0], tmp_path) as page:
        page.wait_for_timeout(300)
        assert page.title().endswith("quality report")
        assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
        assert page.evaluate("document.querySelectorAll('script,iframe,object,embed,link,form,base').length") == 0


def test_the_figures_are_json_whatever_the_data(hostile: tuple[str, str]):
    assert orjson.loads(hostile[1])["profile"] == " ".join(HOSTILE)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("t:000001", "t:000001"),
        ("a b", "'a b'"),
        ("$(id)`id`", "'$(id)`id`'"),
        ("it's", "'it'\"'\"'s'"),
        ("a\u202eb", "'a\\u202eb'"),
        ("a\rb", "'a\\rb'"),
    ],
)
def test_an_id_is_one_word_of_a_command(value: str, word: str):
    assert argument(value) == word
