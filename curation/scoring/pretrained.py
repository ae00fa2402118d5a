"""Loading what transformers has: where it runs, in which precision, and what is told when it cannot be loaded."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from curation.models import Model
from schemas.errors import EngineError


def device() -> tuple[str, str]:
    """Device and precision: the GPU in bfloat16 where there is one, else the CPU in float32."""
    return ("cuda", "bfloat16") if _cuda() else ("cpu", "float32")


def from_pretrained(kind: Any, model: Model, what: str, **options: Any) -> Any:
    """`kind.from_pretrained` of a model; `what` it is called in a message, such as "reward model".

    Raises EngineError where it cannot be loaded.
    """
    revision = {"revision": model.revision} if model.revision else {}
    try:
        return kind.from_pretrained(model.path, **revision, **options)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            f"the {what} {model.name} cannot be loaded: {type(error).__name__}: {error}",
            hint="name a folder in the Hugging Face layout, or a Hub id that is reachable or in the cache",
        ) from error


def load_network(kind: Any, model: Model, what: str, dtype: str) -> Any:
    """The weights of a model, from safetensors. Raises EngineError where some are missing or none can be loaded."""
    import torch

    return _whole(kind, model, what, dtype=getattr(torch, dtype))


def expect_weights(kind: Any, model: Model, what: str) -> None:
    """Raise EngineError where weights are missing, without reading any: for engines that would make some up."""
    _whole(kind, model, what, device_map="meta")


def _whole(kind: Any, model: Model, what: str, **options: Any) -> Any:
    network, report = from_pretrained(kind, model, what, use_safetensors=True, output_loading_info=True, **options)
    missing = sorted(report["missing_keys"])
    if missing:
        raise EngineError(
            f"{model.name} lacks {len(missing)} weights of a {what}, such as {missing[0]}; "
            "random numbers would stand in for them",
            hint=f"name a model that was trained as a {what}, not the base it would be trained from",
        )
    return network


def read_limit(config: Any, tokenizer: Any, most: int) -> int:
    """How many tokens are read: `most`, or what the model has positions for."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None) or most
    return int(min(most, positions, tokenizer.model_max_length))


def _cuda() -> bool:
    """Whether there is a GPU. torch is imported only where its build could use one."""
    if "+cpu" in version("torch"):
        return False
    import torch

    return torch.cuda.is_available()
