"""The engine that a profile names."""

from __future__ import annotations

from pathlib import Path

from curation.generation.protocol import Generator
from curation.models import resolve
from schemas.errors import UsageError
from schemas.profile.generation import Generation


def make_generator(settings: Generation, home: Path) -> Generator:
    """An engine, not started yet; `home` is where converted models are kept.

    Raises UsageError where the model or the address cannot be used, EngineError where the engine is not installed.
    """
    if settings.engine == "none":
        raise UsageError("generation.engine is none: there is nothing to generate with", hint="name an engine")
    if settings.engine == "openai":
        from curation.generation.openai import OpenAIGenerator

        return OpenAIGenerator(settings)
    if settings.engine == "vllm":
        from curation.generation.vllm import VllmGenerator

        return VllmGenerator(resolve(settings.model, home), settings)
    from curation.generation.deterministic import DeterministicGenerator

    return DeterministicGenerator()
