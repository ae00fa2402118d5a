"""The pages say what is true of the code: links lead somewhere, commands and keys exist, every page can be found."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import typer
from pydantic import BaseModel

from curation.stage import Context, is_stage, load_stage, stage_names
from flows.cli import app
from flows.profiles import load_profile, names, split_override
from schemas.errors import SievelineError
from schemas.profile import Profile
from tests.helpers import rows

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}.*\n?)+", re.MULTILINE)
INLINE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
PAGE_NAMED = re.compile(r"\bdocs/(?:how-to/|reference/)?[\w-]+\.(?:md|svg|png)")
# A section or a key as it is written within a sentence: `[gates.bias]`, `[[stages]] use`, `generation.model=NAME`.
KEY_NAMED = re.compile(r"`(\[{1,2})?([a-z_]+(?:\.[a-z_]+)*)\]{0,2}(?:[ =][^`\n]*)?`")
# What looks like a key of the profile and is a file's name, a step of the ledger or a section of pyproject.toml.
NO_KEY = re.compile(r"\.(?:json|jsonl|md)$|^rounds\.staleness$|^tool\.")
# What stands before a command: variables of the environment, and the folder that it is in.
BEFORE = re.compile(r"^(?:[A-Z_]+=\S+ +)*(?:\.venv/bin/)?sieveline ")
# Commands whose --set changes a profile; of `stage` it changes the stage, of `export` it names a set.
WITH_PROFILE = {"curate", "train", "evaluate", "compare", "rounds"}


class Block(NamedTuple):
    """A block of code: its language (empty where none is said) and its text."""

    language: str
    text: str


def blocks(text: str) -> list[Block]:
    """Fenced and indented blocks of a page."""
    fenced = [
        Block(language, re.sub(rf"^{indent}", "", body, flags=re.M)) for indent, language, body in FENCE.findall(text)
    ]
    rest = FENCE.sub("", text)
    return fenced + [Block("", re.sub(r"^ {4}", "", body, flags=re.M)) for body in INDENTED.findall(rest)]


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command line `sieveline ...` of a page, comments left out and continued lines joined."""
    for block in blocks(text):
        if block.language in ("", "console", "sh", "bash"):
            for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
                if BEFORE.match(line):
                    yield shlex.split(BEFORE.sub("", line), comments=True)


def anchors(text: str) -> set[str]:
    """What a page's headings can be linked to by, as GitHub makes it of them."""
    plain = FENCE.sub("", text)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in HEADING.findall(plain)}


def prose(text: str) -> str:
    """A page without its code."""
    return INLINE.sub("", FENCE.sub("", text))


def dead_links(page: Path, text: str) -> list[str]:
    """Relative links of a page that lead to no file, or to no heading of one."""
    found = []
    for target in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            found.append(target)
    return found


def problem_of(words: Sequence[str]) -> str | None:
    """What is wrong with a command line, found by parsing it with the application's own commands."""
    name, *rest = words
    if name in ("--help", "--install-completion", "--show-completion"):
        return None
    if name not in COMMANDS:
        return f"no command {name}"
    if "--help" in rest or "-h" in rest:
        return None
    try:
        values = COMMANDS[name].make_context(name, list(rest)).params
        check_settings(name, values)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def check_settings(command: str, values: dict[str, Any]) -> None:
    """Whether what `--set` changes is there: keys of a profile, or of the stage that is run.

    Raises SievelineError or pydantic's ValidationError where it is not.
    """
    overrides = values.get("set_") or ()
    if command == "stage":
        load_stage(values["name"]).Config.model_validate(dict(map(split_override, overrides)))
    elif command in WITH_PROFILE and overrides:
        profile = values.get("profile")
        load_profile(profile if profile in names() else "quickstart", overrides)


def problem_of_toml(text: str, folder: Path) -> str | None:
    """What is wrong with a block of TOML: its syntax or, where it is a part of a profile, its keys and values."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return f"not TOML: {error}"
    if not set(data) & set(Profile.model_fields) - {"name"}:
        return None
    missing = {"sources": [{"path": "starter"}], "stages": [{"use": "clean.normalize"}]}
    file = folder / "fragment.toml"
    file.write_text(text, encoding="utf-8")
    try:
        load_profile(str(file), values={key: value for key, value in missing.items() if key not in data})
    except SievelineError as error:
        return str(error)
    return None


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key of a profile with its sections, such as `gates.bias.max_cohens_d`, as TOML has them."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        yield path
        for inner in models_in(field.annotation):
            yield from keys(inner, f"{path}.")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type: in a list, of a union, or itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def unknown_keys(text: str, known: frozenset[str]) -> list[str]:
    """Sections, and dotted names that begin with a section, of which the profile and the stages know nothing."""
    return [
        name
        for bracket, name in KEY_NAMED.findall(FENCE.sub("", text))
        if (bracket or ("." in name and name.partition(".")[0] in Profile.model_fields))
        and name not in known
        and not NO_KEY.search(name)
    ]


def title(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_commands_exist(page: Path) -> None:
    told = {shlex.join(words): problem_of(words) for words in commands(page.read_text(encoding="utf-8"))}
    assert {line: problem for line, problem in told.items() if problem} == {}


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_profiles_in_pages_are_profiles(page: Path, tmp_path: Path) -> None:
    found = [block.text for block in blocks(page.read_text(encoding="utf-8")) if block.language == "toml"]
    assert [problem for text in found if (problem := problem_of_toml(text, tmp_path))] == []


def test_keys_within_sentences_exist() -> None:
    known = frozenset(keys(Profile)) | set(stage_names())
    told = {title(page): unknown_keys(page.read_text(encoding="utf-8"), known) for page in PAGES}
    assert {page: found for page, found in told.items() if found} == {}


def test_pages_that_code_and_pages_name_are_there() -> None:
    files = [*PAGES, *(path for name in ("curation", "flows", "schemas", "training") for path in texts(ROOT / name))]
    named = {(title(file), page) for file in files for page in PAGE_NAMED.findall(file.read_text(encoding="utf-8"))}
    assert sorted((file, page) for file, page in named if not (ROOT / page).exists()) == []


def texts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".py", ".toml", ".md", ".in", ".j2")]


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in LINK.findall(index.read_text("utf-8"))}
    assert [title(page) for page in PAGES[1:] if page != index and page not in linked] == []


def test_make_targets_exist() -> None:
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = [
        (title(page), line)
        for page in PAGES
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.language in ("", "console", "sh", "bash")
        for line in block.text.splitlines()
    ]
    wanted = {(page, match[1]) for page, line in lines if (match := re.match(r"make ([a-z-]+)", line))}
    assert sorted((page, target) for page, target in wanted if target not in there) == []


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    """The checks themselves: each has a fault to find, beside the same without it."""
    (tmp_path / "other.md").write_text("# A heading\n", encoding="utf-8")
    page = tmp_path / "page.md"
    text = "[a](other.md#a-heading) [b](gone.md) [c](other.md#gone) [d](https://example.com) `[e](gone.md)`"
    assert dead_links(page, text) == ["gone.md", "other.md#gone"]

    fenced = "```console\nsieveline counts latest  # a comment\nHOME=x sieveline cuont \\\n  latest\n```\n"
    lines = f"{fenced}\n    sieveline gc\n"
    assert list(commands(lines)) == [["counts", "latest"], ["cuont", "latest"], ["gc"]]
    assert problem_of(["counts", "latest"]) is None
    assert problem_of(["cuont", "latest"]) == "no command cuont"
    assert "--keep" in str(problem_of(["gc", "--keep", "3"]))
    assert problem_of(["curate", "--set", "generation.candidates=8"]) is None
    assert "candidate" in str(problem_of(["curate", "--set", "generation.candidate=8"]))
    assert "thresold" in str(problem_of(["stage", "dedup.minhash", "f", "--out", "o", "--set", "thresold=1"]))

    known = frozenset(keys(Profile))
    sentence = "`[gates.bias]`, `[gates.bais] x`, `gates.min_rows=5`, `gates.min_row`, `rounds.json`, `any.thing`"
    assert unknown_keys(sentence, known) == ["gates.bais", "gates.min_row"]

    assert problem_of_toml("[gates]\nmin_rows = 5\n", tmp_path) is None
    assert "min_row" in str(problem_of_toml("[gates]\nmin_row = 5\n", tmp_path))
    assert "not TOML" in str(problem_of_toml("[gates\n", tmp_path))
    assert "dedup.minhsh" in str(problem_of_toml('[[stages]]\nuse = "dedup.minhsh"\n', tmp_path))
    assert problem_of_toml('scale = [1, 5]\n[prompt]\ntext = "x"\n', tmp_path) is None


def test_stages_named_in_pages_exist() -> None:
    """Each `use = "..."` and `sieveline stage ...`, but for the stage that the page itself has the file of."""
    named = {
        (page, name)
        for page in PAGES
        for match in re.findall(r'use = "([\w.]+)"|sieveline stage ([a-z][\w.]+)', page.read_text(encoding="utf-8"))
        for name in match
        if name and name not in stage_names()
    }
    unknown = [
        (title(page), name)
        for page, name in sorted(named)
        if f"`curation/{name.replace('.', '/')}.py`" not in page.read_text(encoding="utf-8")
    ]
    assert unknown == []


def test_the_stage_that_the_how_to_adds_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In "AB c" two of three letters are capitals; an answer without letters has a share of 0."""
    page = (ROOT / "docs" / "how-to" / "own-stage.md").read_text(encoding="utf-8")
    source = next(block.text for block in blocks(page) if block.language == "python")
    stage: Any = types.ModuleType("curation.filter.shouting")
    monkeypatch.setitem(sys.modules, stage.__name__, stage)
    exec(compile(source, "own-stage.md", "exec"), stage.__dict__)
    assert is_stage(stage)
    frame = rows(
        [("user", "q"), ("assistant", "ABC")],
        [("user", "q"), ("assistant", "AB c")],
        [("user", "q"), ("assistant", "1")],
    )
    made = stage.run(frame.lazy(), stage.Config(), Context())
    assert made.kept.collect()["row_id"].to_list() == ["t:000002", "t:000003"]
    assert made.dropped.collect().select("row_id", "reason", "value").rows() == [("t:000001", "shouting", 1.0)]
