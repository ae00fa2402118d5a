"""Adapters and revisions: what is found, what is refused, and what an engine is told of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curation.digest import sha256_folder
from curation.generation import offline, placement
from curation.generation.adapters import resolve_adapter
from curation.generation.engines import make_generator, model_of
from curation.generation.fan_out import FanOutGenerator
from curation.generation.vllm import VllmGenerator
from curation.models import Model
from schemas.errors import UsageError
from schemas.profile.generation import Generation


def adapter(folder: Path, **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 9} | config))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "README.md").write_text("says nothing of the weights")
    return folder


def test_an_adapter_is_known_by_its_weights_and_configuration(tmp_path: Path):
    folder = adapter(tmp_path / "chef")
    found = resolve_adapter(str(folder))
    files = [folder / "adapter_config.json", folder / "adapter_model.safetensors"]
    assert found.describe() == {"name": "chef", "digest": sha256_folder(folder, files)}
    assert found.path == str(folder)
    (folder / "README.md").write_text("changed")
    assert resolve_adapter(str(folder)) == found
    (folder / "adapter_model.safetensors").write_bytes(b"other weights")
    assert resolve_adapter(str(folder)).digest != found.digest


@pytest.mark.parametrize(
    ("config", "room"), [({"r": 1}, 1), ({}, 16), ({"r": 8, "rank_pattern": {"layers.0": 33}}, 64), ({"r": 512}, 512)]
)
def test_room_is_made_for_the_largest_rank(tmp_path: Path, config: dict[str, Any], room: int):
    assert resolve_adapter(str(adapter(tmp_path / "a", **config))).rank == room


def test_what_is_no_adapter_is_told_plainly(tmp_path: Path):
    with pytest.raises(UsageError, match="'nowhere' is not an adapter"):
        resolve_adapter("nowhere")
    folder = adapter(tmp_path / "a", peft_type="IA3")
    with pytest.raises(UsageError, match="of type IA3 and rank 9") as caught:
        resolve_adapter(str(folder))
    assert "merge_and_unload" in caught.value.hint
    with pytest.raises(UsageError, match="rank 513"):
        resolve_adapter(str(adapter(tmp_path / "a", r=513)))
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with pytest.raises(UsageError, match=r"adapter_config.json is not peft's \(KeyError\)"):
        resolve_adapter(str(folder))
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(UsageError, match=r"no adapter_model\.safetensors in this folder"):
        resolve_adapter(str(folder))


def test_a_hub_adapter_that_cannot_be_fetched_says_why(monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    asked: list[Any] = []

    def refuse(repository: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repository, revision, allow_patterns))
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(UsageError, match=r"owner/chef@v2: the adapter cannot be fetched \(OSError: no network\)"):
        resolve_adapter("owner/chef@v2")
    assert asked == [("owner/chef", "v2", ["adapter_config.json", "adapter_model.safetensors"])]


def test_a_hub_adapter_is_named_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    folder = adapter(tmp_path / "snapshot")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *given, **more: str(folder))
    assert resolve_adapter("owner/chef@v2").name == "owner/chef"


def test_a_revision_belongs_to_a_hub_id(tmp_path: Path):
    assert model_of(Generation(model="o/n", revision="v2"), tmp_path).revision == "v2"
    assert model_of(Generation(model="o/n@v1"), tmp_path).revision == "v1"
    for model in ("smollm2-135m-instruct", str(tmp_path), "o/n@v1"):
        with pytest.raises(UsageError, match="only a Hub id has revisions"):
            model_of(Generation(model=model, revision="v2"), tmp_path)


def test_an_adapter_is_part_of_the_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(offline, "installed", lambda instead: ("0.32.0", True))
    found = resolve_adapter(str(adapter(tmp_path / "chef")))
    settings = Generation()
    plain = VllmGenerator(Model("m", "/m", "d"), settings).identity()
    assert VllmGenerator(Model("m", "/m", "d"), settings, found).identity() == plain | {"adapter": found.describe()}


def test_an_offline_engine_is_one_on_each_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(offline, "installed", lambda instead: ("0.33.0", False))
    monkeypatch.setattr(placement, "gpus", lambda: ["2", "5"])
    started: list[str] = []

    class Started:
        def __init__(self, module: str, settings: Any, environment: dict[str, str], what: str, hint: str) -> None:
            started.append(environment["CUDA_VISIBLE_DEVICES"])

    monkeypatch.setattr("curation.generation.vllm.Child", Started)
    settings = Generation(model="o/n")
    fan = make_generator(settings, tmp_path)
    assert isinstance(fan, FanOutGenerator)
    for engine in fan._engines:
        assert isinstance(engine, VllmGenerator)
        engine._started()
    assert started == ["2", "5"]
    monkeypatch.setattr(placement, "gpus", lambda: ["0"])
    assert isinstance(make_generator(settings, tmp_path), VllmGenerator)
    assert fan.identity() == make_generator(settings, tmp_path).identity()
