"""lm-evaluation-harness is called as its interface says, and only where it is there; the package is a stand-in here."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from curation.models import Model
from schemas.errors import UsageError
from training.evaluation.harness import need_harness, run_harness


def test_the_harness_gets_model_tasks_and_seed(monkeypatch: pytest.MonkeyPatch):
    told: dict[str, Any] = {}

    def simple_evaluate(**given: Any) -> dict[str, Any]:
        told.update(given)
        return {"results": {"gsm8k": {"exact_match": 0.5}}, "versions": {}}

    stand_in = ModuleType("lm_eval")
    stand_in.__spec__ = ModuleSpec("lm_eval", None)
    stand_in.simple_evaluate = simple_evaluate  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lm_eval", stand_in)
    model = Model("owner/name", "owner/name", "digest", "v1")
    assert run_harness(model, ["gsm8k"], seed=7) == {"gsm8k": {"exact_match": 0.5}}
    assert told["model_args"] == {"pretrained": "owner/name", "revision": "v1"}
    assert (told["model"], told["tasks"], told["apply_chat_template"]) == ("hf", ["gsm8k"], True)
    assert {told[f"{kind}_seed"] for kind in ("random", "numpy_random", "torch_random", "fewshot_random")} == {7}


def test_without_it_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install") as caught:
        need_harness()
    assert "lm_eval is not installed" in caught.value.message
