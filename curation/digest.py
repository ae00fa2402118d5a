"""Digests that name things by what they are: files, values, and the source code of a module."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

from schemas.records import canonical_json

PACKAGES = ("schemas", "curation", "training")


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in bounded memory."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_value(value: object) -> str:
    """Hex sha256 of a JSON-like value in canonical form."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def sha256_folder(path: Path, files: Iterable[Path] | None = None) -> str:
    """Hex sha256 over the relative names and contents of the files in a folder (a model, a set of shards)."""
    chosen = sorted(files if files is not None else (p for p in path.rglob("*") if p.is_file()))
    return sha256_value([[p.relative_to(path).as_posix(), sha256_file(p)] for p in chosen])


@functools.cache
def code_digest(module: str) -> str:
    """Hex sha256 of a module's source and of every module of ours that it imports, directly or through others.

    It takes the place of a version number that somebody has to remember to raise: when the code behind a stage
    changes, its outputs get another key. Imports are read from the syntax tree; nothing is executed.
    """
    sources: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in sources or name.split(".")[0] not in PACKAGES:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        text = Path(spec.origin).read_text(encoding="utf-8")
        sources[name] = hashlib.sha256(text.encode()).hexdigest()
        waiting.extend(_imports(text))
    return sha256_value(sources)


def _imports(text: str) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append(node.module)
            found.extend(f"{node.module}.{alias.name}" for alias in node.names if _is_module(node.module, alias.name))
    return found


def _is_module(package: str, name: str) -> bool:
    if package.split(".")[0] not in PACKAGES:
        return False
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return False
    folder = Path(next(iter(spec.submodule_search_locations)))
    return (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
