"""EleutherAI's lm-evaluation-harness on a model, where it is installed; it is no dependency of this project."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from curation.models import Model
from schemas.errors import UsageError


def need_harness() -> None:
    """Raises UsageError where the package is not installed."""
    if importlib.util.find_spec("lm_eval") is None:
        raise UsageError(
            "--lm-eval: the package lm_eval is not installed",
            hint='pip install "lm-eval[hf]" (0.4.3 or later); its tasks are fetched from the Hub when they run',
        )


def run_harness(model: Model, tasks: Sequence[str], *, seed: int) -> dict[str, Any]:
    """The harness's `results` by task, of a model written with its own chat template.

    Raises UsageError where the package is not installed.
    """
    need_harness()
    import lm_eval

    arguments = {"pretrained": model.path} | ({"revision": model.revision} if model.revision else {})
    found = lm_eval.simple_evaluate(
        model="hf",
        model_args=arguments,
        tasks=list(tasks),
        apply_chat_template=True,
        random_seed=seed,
        numpy_random_seed=seed,
        torch_random_seed=seed,
        fewshot_random_seed=seed,
        log_samples=False,
    )
    results: dict[str, Any] = found["results"]
    return results
