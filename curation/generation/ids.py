"""Seeds and names of what is generated: from what they belong to, never from an order."""

from __future__ import annotations

import hashlib
from typing import Any

from schemas.records import canonical_json


def seed_of(run_seed: int, owner: str, index: int) -> int:
    """31 bits of a sha256 over run seed, what the draw belongs to (a prompt, a question) and its index."""
    digest = hashlib.sha256(canonical_json([run_seed, owner, index])).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def policy_name(identity: dict[str, Any]) -> str:
    """Model and revision, as in `smollm2-135m-instruct@b179c9523d0e`; an adapter follows after a `+`."""
    parts = [_versioned(identity[part]) for part in ("model", "adapter") if part in identity]
    return "+".join(parts)


def _versioned(model: dict[str, Any]) -> str:
    version = model.get("revision") or (model.get("digest") or "")[:12]
    return f"{model['name']}@{version}" if version else str(model["name"])
