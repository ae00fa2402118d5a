"""The engine that a profile names."""

from __future__ import annotations

from pathlib import Path

from curation.generation.protocol import Generator
from curation.models import Model, resolve
from schemas.errors import UsageError
from schemas.profile.generation import Generation


def make_generator(settings: Generation, home: Path) -> Generator:
    """An engine, not started yet; `home` is where converted models are kept.

    On a machine with several GPUs, an offline engine is one on each of them.
    Raises UsageError where the model or the address cannot be used, EngineError where the engine is not installed.
    """
    if settings.engine == "none":
        raise UsageError("generation.engine is none: there is nothing to generate with", hint="name an engine")
    if settings.engine == "openai":
        from curation.generation.openai import OpenAIGenerator

        return OpenAIGenerator(settings)
    if settings.engine == "vllm":
        return _offline(settings, home)
    from curation.generation.deterministic import DeterministicGenerator

    return DeterministicGenerator()


def model_of(settings: Generation, home: Path) -> Model:
    """The model of the settings, made ready to load.

    Raises UsageError where a revision is given for a model that is no Hub id.
    """
    if settings.revision is None:
        return resolve(settings.model, home)
    if Path(settings.model).is_dir() or settings.model.count("/") != 1 or "@" in settings.model:
        raise UsageError(
            f"generation.revision {settings.revision!r} of {settings.model!r}: only a Hub id has revisions",
            hint="leave revision out, or name the model as owner/name",
        )
    return resolve(f"{settings.model}@{settings.revision}", home)


def _offline(settings: Generation, home: Path) -> Generator:
    from curation.generation.adapters import resolve_adapter
    from curation.generation.fan_out import FanOutGenerator
    from curation.generation.offline import installed
    from curation.generation.placement import gpus
    from curation.generation.vllm import SERVE_INSTEAD, VllmGenerator

    _, cpu = installed(SERVE_INSTEAD)
    model = model_of(settings, home)
    adapter = resolve_adapter(settings.adapter) if settings.adapter else None
    found = [] if cpu else gpus()
    if len(found) > 1:
        return FanOutGenerator([VllmGenerator(model, settings, adapter, device) for device in found])
    return VllmGenerator(model, settings, adapter)
