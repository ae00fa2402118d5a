"""The page over HTTP and in a browser."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from curation.review.items import items
from curation.review.server import Desk, make_app, serve
from curation.review.verdicts import append, read
from schemas.errors import UsageError
from tests.review.support import ITEMS, QUEUE, completion, item, scored, verdict

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script> ${1} {{ 2 }}'
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def client(desk: Desk, host: str = "127.0.0.1") -> TestClient:
    return TestClient(make_app(desk, "secret"), base_url=f"http://{host}")


def desk(tmp_path: Path, by: str = "kim", **more: Any) -> Desk:
    return Desk(ITEMS, tmp_path / "verdicts.jsonl", by, "run-1", **more)


def test_an_item_is_blind_and_its_order_is_a_coin_that_stays(tmp_path: Path):
    web = client(desk(tmp_path))
    shown = web.get("/secret/item/0").json()
    assert shown == web.get("/secret/item/next").json()
    assert set(shown) == {"at", "total", "done", "next", "by", "prompt", "answers", "before"}
    assert shown["prompt"] == [{"role": "user", "content": "question p"}]
    assert sorted(shown["answers"]) == ["blue", "red"]
    orders = {tuple(desk(tmp_path, by).show(0)["answers"]) for by in "abcdefgh"}
    assert orders == {("red", "blue"), ("blue", "red")}


def test_a_choice_is_written_as_the_text_that_was_meant(tmp_path: Path):
    web = client(desk(tmp_path))
    shown = web.get("/secret/item/0").json()
    after = web.post("/secret/verdict", json={"at": 0, "choice": "second", "note": "clearer"}).json()
    (said,) = read(tmp_path / "verdicts.jsonl")
    one = item("p")
    assert {"a": one.a, "b": one.b}[said.verdict] == shown["answers"][1]
    assert {"a": one.a, "b": one.b}[said.first] == shown["answers"][0]
    assert (said.by, said.note, said.run) == ("kim", "clearer", "run-1")
    assert said.at.endswith("+00:00")
    assert (after["at"], after["done"]) == (1, 1)
    again = client(desk(tmp_path)).get("/secret/item/0").json()
    assert again["before"] == {"choice": "second", "note": "clearer"}
    assert client(desk(tmp_path)).get("/secret/item/next").json()["at"] == 1


def test_the_end_tells_who_agrees(tmp_path: Path):
    file = tmp_path / "verdicts.jsonl"
    append(file, [verdict("p", "red"), verdict("q", None, said="skip")])
    shown = client(desk(tmp_path, summary=lambda: [{"one": "kim"}])).get("/secret/item/next").json()
    assert (shown["at"], shown["done"], shown["summary"]) == (2, 2, [{"one": "kim"}])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"at": 9, "choice": "tie"}', b'{"at": 0, "choice": "a"}', b'{"at": "x"}']
)
def test_a_bad_request_writes_nothing(tmp_path: Path, body: bytes):
    answer = client(desk(tmp_path)).post("/secret/verdict", content=body)
    assert answer.status_code == 400
    assert not (tmp_path / "verdicts.jsonl").exists()


def test_nothing_is_served_without_the_secret_or_under_another_name(tmp_path: Path):
    made = desk(tmp_path)
    web = client(made)
    for path in ("/", "/item/0", "/guess/item/0", "/guess/", "/secret/verdicts.jsonl", "/secret/item/last"):
        assert web.get(path).status_code == 404, path
    assert web.post("/guess/verdict", json={"at": 0, "choice": "tie"}).status_code in (404, 405)
    assert client(made, "attacker.example").get("/secret/").status_code == 400
    assert not (tmp_path / "verdicts.jsonl").exists()


def test_the_page_may_load_nothing_from_elsewhere(tmp_path: Path):
    web = client(desk(tmp_path))
    page = web.get("/secret/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "")
    assert web.get("/secret/review.js").headers["content-type"].startswith("text/javascript")


def test_a_port_in_use_is_told(tmp_path: Path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="--port"):
            serve(desk(tmp_path), taken.getsockname()[1], print)


@pytest.fixture
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine: set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def served(made: Desk) -> str:
    """The address of a desk that is served in a thread until the tests end."""
    told: list[str] = []
    there = threading.Event()

    def tell(url: str) -> None:
        told.append(url)
        there.set()

    threading.Thread(target=serve, args=(made, 0, tell), daemon=True).start()
    assert there.wait(30)
    return told[0]


def test_a_reviewer_works_through_the_queue_by_keys(tmp_path: Path, browser: Any):
    table = scored(
        completion("p", "p-0", HOSTILE, 1.0),
        completion("p", "p-1", "plain\ntwo lines", 2.0),
        completion("q", "q-0", "up", 5.0),
        completion("q", "q-1", "down", 4.0),
    )
    queue = items(QUEUE, table)
    summary = [{"one": "kim", "other": "reward", "n": 1, "share": 1.0, "kappa": None}]
    made = Desk(queue, tmp_path / "verdicts.jsonl", "kim", "run-1", lambda: summary)
    page = browser.new_page(viewport={"width": 390, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    url = served(made)
    page.goto(url)
    page.wait_for_selector("#asking:visible")
    texts = [page.inner_text("#first"), page.inner_text("#second")]
    assert sorted(texts) == sorted([HOSTILE, "plain\ntwo lines"])
    page.keyboard.press("n")
    page.keyboard.type("2 t s b")  # keys in the note are text
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.wait_for_selector("#progress:has-text('1 of 2')")
    page.keyboard.press("t")
    page.wait_for_selector("#over:visible")
    assert "Cohen's kappa" in page.inner_text("#summary")
    page.keyboard.press("b")
    page.wait_for_selector("[data-choice=tie][aria-pressed=true]")
    page.keyboard.press("s")
    page.wait_for_selector("#over:visible")
    first, tie, skip = read(made.file)
    assert {"a": queue[0].a, "b": queue[0].b}[first.verdict] == texts[0]
    assert (first.note, tie.verdict, skip.verdict) == ("2 t s b", "tie", "skip")
    assert page.title() == "Sieveline review"
    assert all(one.startswith(url) or one.endswith("favicon.ico") for one in asked)
