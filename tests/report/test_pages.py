"""The page in a browser: usable at a telephone's width, accessible in both dresses, nothing asked of a network."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from curation.report import build
from tests.report.page import axe, opened
from tests.report.test_bias import BOTH, pair_frame, run, several


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A run with candidates, pairs and a bias panel, in each language."""
    scored = several()
    report = build(*run(tmp_path_factory.mktemp("pages"), scored, pair_frame(scored, BOTH)))
    return {language: report.html(language) for language in ("en", "ko")}


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_serious_finding_of_accessibility(pages: dict[str, str], width: int, dark: bool, tmp_path: Path):
    with opened(pages["ko" if dark else "en"], tmp_path, width, dark, policy=False) as page:
        page.add_script_tag(content=axe())
        found = page.evaluate("axe.run()")["violations"]
        told = [
            f"{one['id']}: {node['html'][:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"][:3]
        ]
        assert told == []


def test_the_page_asks_for_nothing_and_fits_a_telephone(pages: dict[str, str], tmp_path: Path):
    with opened(pages["en"], tmp_path, width=390) as page:
        assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
        page.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")
        assert page.evaluate(broken) == 0
        # Labels are of 12 pixels where an image is shown at its own size.
        sizes = page.evaluate("[...document.images].map(i => [i.clientWidth, i.naturalWidth])")
        assert sizes
        assert all(shown == drawn for shown, drawn in sizes)


def test_headings_stand_in_order_and_links_lead_somewhere(pages: dict[str, str], tmp_path: Path):
    with opened(pages["en"], tmp_path) as page:
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        lost = "[...document.querySelectorAll('a')].filter(a => !document.querySelector(a.getAttribute('href'))).length"
        assert page.evaluate(lost) == 0
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids))


def test_a_page_says_its_language(pages: dict[str, str]):
    assert '<html lang="en">' in pages["en"]
    assert '<html lang="ko">' in pages["ko"]
    assert "품질 보고서" in pages["ko"]
