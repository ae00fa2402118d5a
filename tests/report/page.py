"""A page as a parser of HTML and as a browser see it."""

from __future__ import annotations

import functools
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
AXE = "4.14.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sieveline-tests"


class Page(HTMLParser):
    """The elements of a page with their attributes, in order, and its pieces of text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(html)

    @classmethod
    def of(cls, file: Path) -> Page:
        """That of a file."""
        return cls(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def tags(self) -> list[str]:
        """The name of each element."""
        return [tag for tag, _ in self.elements]

    @property
    def attributes(self) -> list[tuple[str, str, str]]:
        """Element, name and value of each attribute."""
        return [(tag, name, value) for tag, attributes in self.elements for name, value in attributes.items()]

    @property
    def text(self) -> str:
        """All text, as it stands."""
        return "".join(self.words)

    @property
    def cells(self) -> list[str]:
        """The pieces of text that are more than white space."""
        return [word.strip() for word in self.words if word.strip()]


@contextmanager
def opened(html: str, folder: Path, width: int = 1280, dark: bool = False, policy: bool = True) -> Iterator[Any]:
    """The page in a headless browser, with all of its <details> open; `asked` of it lists what it requested.

    Skips where there is no browser. Without `policy` a test may put a script of its own into the page.
    """
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    file = folder / "report.html"
    file.write_text(html, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", bypass_csp=not policy
        )
        page = context.new_page()
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        try:
            yield page
        finally:
            browser.close()


@functools.cache
def axe() -> str:
    """The source of axe-core, fetched once into a cache; skips where neither that nor the registry has it."""
    file = CACHE / f"axe-core-{AXE}.js"
    if not file.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no axe-core and no npm on this machine")
        CACHE.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            [npm, "pack", f"axe-core@{AXE}", "--silent"], cwd=CACHE, capture_output=True, timeout=60, check=False
        )
        archive = CACHE / f"axe-core-{AXE}.tgz"
        if packed.returncode or not archive.exists():
            pytest.skip("axe-core could not be fetched")
        with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as members:
            source = members.extractfile("package/axe.min.js")
            assert source is not None
            file.write_bytes(source.read())
    return file.read_text(encoding="utf-8")
