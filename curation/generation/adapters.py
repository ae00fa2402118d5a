"""LoRA adapters beside a base model: where one is, what it is, and the rank that the engine must make room for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from curation.digest import sha256_folder
from schemas.errors import UsageError

# What peft writes. Its older `adapter_model.bin` is a pickle and is not read.
FILES: Final = ("adapter_config.json", "adapter_model.safetensors")
# Ranks that vLLM 0.32 has kernels and buffers for (`MaxLoRARanks` in its configuration).
RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter. `digest` covers its weights and configuration; `rank` is one of `RANKS` and holds its own."""

    name: str
    path: str
    digest: str
    rank: int

    def describe(self) -> dict[str, Any]:
        """What goes into a recipe: never the path."""
        return {"name": self.name, "digest": self.digest}


def resolve_adapter(name: str) -> Adapter:
    """The adapter in a folder, or of a Hub id `owner/name[@revision]`, which is fetched into the local cache.

    Raises UsageError where there is none, or it is not a LoRA adapter in safetensors.
    """
    folder = Path(name) if Path(name).is_dir() else _fetched(name)
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        raise UsageError(
            f"{name}: no {' and no '.join(missing)} in this folder",
            hint="name a folder that peft's save_pretrained has written; a .bin file is a pickle and is not read",
        )
    try:
        config = orjson.loads((folder / FILES[0]).read_bytes())
        kind, rank = config["peft_type"], max(config["r"], *(config.get("rank_pattern") or {}).values(), 1)
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{name}: {FILES[0]} is not peft's ({type(error).__name__})", hint="save it again") from error
    if kind != "LORA" or rank > RANKS[-1]:
        raise UsageError(
            f"{name}: an adapter of type {kind} and rank {rank}; only LORA up to rank {RANKS[-1]} can be loaded",
            hint="merge it into the base model (peft's merge_and_unload) and name the merged folder as the model",
        )
    known = folder.resolve().name if Path(name).is_dir() else name.partition("@")[0]
    digest = sha256_folder(folder, [folder / file for file in FILES])
    return Adapter(known, str(folder.resolve()), digest, next(allowed for allowed in RANKS if allowed >= rank))


def _fetched(name: str) -> Path:
    repository, _, revision = name.partition("@")
    if name.startswith((".", "/")) or repository.count("/") != 1:
        raise UsageError(f"{name!r} is not an adapter", hint="use a folder, or a Hub id owner/name")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=list(FILES)))
    except Exception as error:  # what the Hub's client raises is no one family
        told = (str(error).splitlines() or [""])[0][:200]
        raise UsageError(
            f"{name}: the adapter cannot be fetched ({type(error).__name__}: {told})",
            hint="check the name, the revision and the network; offline, name a folder",
        ) from error
