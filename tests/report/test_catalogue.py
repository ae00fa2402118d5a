"""Every language has every message, templates hold no words of their own, and values are written by the language."""

from __future__ import annotations

import re
import string
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from curation.report.language import FOLDER, Catalogue, languages, messages
from curation.report.render import FOLDER as REPORT
from curation.report.sections import ORDER
from schemas.errors import UsageError

TEMPLATES = sorted((REPORT / "templates").glob("*.j2"))
# What a template may say by itself: names of ours inside <code>.
COMMANDS = {"sieveline why"}


def fields(message: object) -> set[str]:
    """The values that a message shows: one that only chooses between two words is not shown."""
    return {name for _, name, how, _ in string.Formatter().parse(str(message)) if name and "|" not in (how or "")}


def test_the_catalogues_have_the_same_messages_with_the_same_values():
    assert languages() == ["en", "ko"]
    english, korean = messages("en"), messages("ko")
    assert list(english) == list(korean)
    told = [key for key in english if key.partition(".")[0] != "format"]
    differing = [key for key in told if fields(english[key]) != fields(korean[key])]
    assert differing == []
    assert all(str(message).strip() for catalogue in (english, korean) for message in catalogue.values())
    for name in ORDER:
        assert {f"{name}.title", f"{name}.nav"} <= set(english)


def test_no_catalogue_holds_other_markup_than_it_may():
    for language in languages():
        for key, message in messages(language).items():
            tags = set(re.findall(r"<[^>]*>?", str(message)))
            assert tags <= {f"<{end}{tag}>" for tag in ("code", "strong", "sub", "em") for end in ("", "/")}, key


def test_every_section_has_a_template_and_every_template_a_section():
    names = {file.name.removesuffix(".html.j2") for file in TEMPLATES}
    assert names == {*ORDER, "page", "summary", "macros"}


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_a_template_has_no_words_of_its_own(file: Path):
    tree = jinja2.Environment(autoescape=True).parse(file.read_text(encoding="utf-8"))
    text = "".join(
        node.data if isinstance(node, nodes.TemplateData) else "\0"
        for output in tree.find_all(nodes.Output)
        for node in output.nodes
    )
    spoken = re.findall(r"(?:aria-label|alt|title|placeholder)=\"([^\"]*)\"", text)
    text = re.sub(r"<style>.*?</style>|<!doctype html>", "", text, flags=re.S)
    words = re.sub(r"<[^>]*>", "\n", text)
    stray = [part.strip() for part in [*spoken, *words.split("\n")] if re.search(r"[A-Za-z가-힣]", part)]
    assert [part for part in stray if part.replace("\0", "").strip() not in COMMANDS and not named(part)] == []


def named(part: str) -> bool:
    """A stage's own name, which is the same in every language."""
    return part.strip() in ("dedup.substring", "decontaminate")


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_every_message_that_a_template_names_is_there(file: Path):
    section = file.name.removesuffix(".html.j2")
    section = "summary" if section == "page" else section
    tree = jinja2.Environment(autoescape=True).parse(file.read_text(encoding="utf-8"))
    named_here = [
        call.args[0].value
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == "t" and isinstance(call.args[0], nodes.Const)
    ]
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "head" and isinstance(call.args[0], nodes.List):
            named_here += [item.value.lstrip("#") for item in call.args[0].items if isinstance(item, nodes.Const)]
    missing = [key for key in named_here if (key if "." in key else f"{section}.{key}") not in messages("en")]
    assert missing == []


def test_values_are_written_as_the_language_writes_them():
    english, korean = Catalogue("en"), Catalogue("ko")
    assert (english.number(1234.5, 1), korean.number(1234.5, 1)) == ("1,234.5", "1,234.5")
    assert (english.percent(0.1234), korean.percent(0.1234)) == ("12.3\u00a0%", "12.3%")
    assert english.date("2026-11-03T04:05:06+09:00") == "2 November 2026, 19:05 UTC"
    assert korean.date("2026-11-03T04:05:06+00:00") == "2026년 11월 3일 04:05 UTC"
    # 3,725 s are an hour, two minutes and five seconds.
    assert [english.duration(s) for s in (1.25, 65.0, 3725.0)] == ["1.2 s", "1 min 5 s", "1 h 2 min"]
    assert korean.duration(3725.0) == "1시간 2분"
    assert [english.signed(v) for v in (2, -2, 0)] == ["+2", "−2", "±0"]
    nothing = (english.number(None), english.number(float("nan")), english.percent(None), english.word(None))
    assert nothing == ("–",) * 4


def test_values_in_markup_are_escaped_and_in_plain_text_are_not():
    assert Catalogue("en", "summary")("broken", place="<b>") == "The gate “<b>” failed:"
    assert Catalogue("en", "summary", markup=True)("broken", place="<b>") == "The gate “&lt;b&gt;” failed:"
    marked = Catalogue("en", "bias", markup=True)("finding_broken", limit='<i a="', value=1.5, threshold=1, n=1000)
    assert marked == "<code>&lt;i a=&quot;</code> is broken: 1.500 where the limit is 1 (n = 1,000)."
    assert Catalogue("en", "summary")("sft", n=1) == "row in the SFT set"


def test_a_language_without_a_catalogue_is_told():
    with pytest.raises(UsageError, match="no report in 'fr'"):
        Catalogue("fr")
    assert (FOLDER / "en.toml").exists()
