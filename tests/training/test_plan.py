"""The plan of a run: counted parameters, parts of memory by hand and as measured, steps, refusals and ways out."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from curation.models import Model
from curation.progress import Silent
from flows.plan_command import device_for, run_plan
from schemas.errors import UsageError
from schemas.profile.training import Rloo
from tests.training.sets import profile, write_colours, write_completions, write_pairs
from training.job import Job
from training.launch import make_job, train
from training.plan import plan as planning
from training.plan.activations import Arithmetic, Batch, kept_bytes, layer_bytes, logits_bytes
from training.plan.device import SHIPPED, Device, device_of, launch_of, parse_size
from training.plan.feasible import problems
from training.plan.memory import CPU_PROCESS, CUDA_PROCESS, Load, batch_of, estimate
from training.plan.parameters import Parameters, Shape, count
from training.plan.plan import load_of, make_plan
from training.plan.render import line, render
from training.plan.steps import count_steps
from training.preflight import Preflight

pytestmark = pytest.mark.usefixtures("one_thread")

GIB = 2**30
CPU = Device("cpu", 1000 * GIB)
GPU = Device("cuda", 24 * GIB, present=False, bf16=True)
# A layer: q and o 64 x 64, k and v 64 x 32, three of 64 x 128, two norms of 64.
TINY_LAYER = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64
TINY = 2 * 2048 * 64 + 2 * TINY_LAYER + 64
SHAPE = Shape(
    layers=2,
    hidden=64,
    heads=4,
    kv_heads=2,
    head_dim=16,
    intermediate=128,
    vocabulary=2048,
    gated=True,
    dropout=False,
    tied=False,
)
# A billion parameters, all trained.
BILLION = Parameters(
    total=10**9,
    trained=10**9,
    quantised=0,
    largest=10**8,
    layer=10**7,
    factored=10**6,
    head_trained=True,
)


def job_of(model: str, stage: str = "rejection_sampling", **settings: Any) -> Job:
    return Job(
        stage=stage,
        dataset="preference" if stage == "dpo" else stage,
        data=Path(),
        out=Path(),
        settings=getattr(profile(model, **settings), stage),
        model=Model(model, model, ""),
        seed=0,
    )


def counts(stage: str = "rejection_sampling", **changed: int) -> Preflight:
    told = {"max_length": 128, "examples": 8, "tokens": 400, "tokens_kept": 400, "longest": 60}
    return Preflight(stage=stage, **{**told, "truncated": 0, "dropped": 0, "without_completion": 0, **changed})


def test_parameters_are_counted_without_weights_tied_adapters_and_all(tiny_llama: str):
    whole, shape = count(job_of(tiny_llama))
    assert (whole.total, whole.trained, whole.quantised) == (TINY, TINY, 0)
    assert (whole.largest, whole.layer, whole.head_trained) == (2048 * 64, (TINY - 2048 * 64) // 2, True)
    assert shape == SHAPE
    adapted, _ = count(job_of(tiny_llama, lora_r=4))
    # r (in + out) for each linear layer but the output: q, k, v, o, gate, up, down.
    rank = 2 * 4 * ((64 + 64) + 2 * (64 + 32) + (64 + 64) + 2 * (64 + 128) + (128 + 64))
    assert (adapted.total, adapted.trained, adapted.head_trained) == (TINY + rank, rank, False)
    assert adapted.quantised == 2 * (TINY_LAYER - 2 * 64)


def test_the_counts_are_those_of_the_run_itself(tmp_path: Path, tiny_llama: str, tiny_bert: str):
    write_colours(tmp_path)
    for stage in ("dpo", "reward"):
        run = train(
            stage,
            tmp_path,
            tmp_path / "out",
            profile(tiny_llama, tiny_bert, max_steps=1, lora_r=2 if stage == "dpo" else 0),
            seed=0,
            home=tmp_path,
        )
        model = tiny_bert if stage == "reward" else tiny_llama
        counted, _ = count(job_of(model, stage, lora_r=2 if stage == "dpo" else 0))
        device = run.manifest.facts["device"]
        assert (counted.total, counted.trained) == (device["parameters"], device["parameters_trained"])


@pytest.mark.parametrize(
    ("rank", "bf16", "attention"), [(0, False, "sdpa"), (4, False, "sdpa"), (0, True, "sdpa"), (0, False, "eager")]
)
def test_activations_are_what_autograd_keeps(tiny_llama: str, rank: int, bf16: bool, attention: str):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_llama, attn_implementation=attention, dtype=torch.float32)
    body = model.model
    if rank:
        adapted = LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM")
        body = get_peft_model(model, adapted).get_base_model().model
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    sizes = {weight.numel() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage().data_ptr()
        # Copies of weights in bfloat16 are a part of their own.
        if place not in weights and tensor.numel() not in sizes:
            kept[place] = tensor
        return tensor

    ids = torch.randint(3, 2000, (2, 100))
    mask = torch.ones_like(ids)
    mask[0, -5:] = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t), torch.autocast("cpu", torch.bfloat16, bf16):
        body.train()(input_ids=ids, attention_mask=mask, use_cache=False)
    measured = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    arithmetic = Arithmetic(
        residual=4,
        compute=2 if bf16 else 4,
        adapters=bool(rank),
        scores=attention == "eager",
        mask=True,
        dropout=False,
    )
    assert kept_bytes(SHAPE, Batch(2, 100), arithmetic, checkpointing=False, offloading=False) == pytest.approx(
        measured, rel=0.08
    )


def test_checkpointing_keeps_inputs_and_one_layer_and_offloading_two():
    arithmetic = Arithmetic(residual=4, compute=4, adapters=False, scores=False, mask=False, dropout=False)
    batch, deep = Batch(2, 100), replace(SHAPE, layers=10)
    # A token: norms 2 x 64 x 8, their outputs 2 x 64 x 4, four of the heads' width, four of 128, a number a head.
    one = layer_bytes(deep, batch, arithmetic)
    assert one == 200 * (2 * 64 * 8 + 2 * 64 * 4 + 4 * 64 * 4 + 4 * 4 + 4 * 128 * 4)
    final = 200 * 64 * 12
    every = kept_bytes(deep, batch, arithmetic, checkpointing=False, offloading=False)
    inputs = kept_bytes(deep, batch, arithmetic, checkpointing=True, offloading=False)
    assert (every - final, inputs - final) == (10 * one, one + 10 * 200 * 64 * 4)
    assert kept_bytes(deep, batch, arithmetic, checkpointing=False, offloading=True) - final == 2 * one


def test_logits_are_a_tile_where_trl_projects_in_tiles_and_whole_where_not():
    batch = Batch(2, 50)
    options: dict[str, Any] = {"head_trained": False, "fused": True, "triton": True}
    # 100 tokens by 32,768 columns in bfloat16, and hidden states' gradient twice in float32.
    assert logits_bytes(SHAPE, batch, 2, **options) == 100 * 32768 * 2 + 2 * 100 * 64 * 4
    trained = logits_bytes(SHAPE, batch, 2, **{**options, "head_trained": True})
    assert trained - logits_bytes(SHAPE, batch, 2, **options) == 2048 * 64 * 4
    steps = logits_bytes(SHAPE, batch, 2, **{**options, "triton": False})
    assert steps - logits_bytes(SHAPE, batch, 2, **options) == int(7.25 * 100 * 2048 * 4)
    assert logits_bytes(SHAPE, batch, 4, head_trained=True, fused=False, triton=True) == 100 * 2048 * 4 * 3


@pytest.mark.parametrize(
    ("optim", "bytes_each"),
    [("adamw_torch", 8), ("paged_adamw_32bit", 8), ("paged_adamw_8bit", 2), ("sgd", 0), ("lion_8bit", 1)],
)
def test_states_are_bytes_a_parameter(optim: str, bytes_each: int):
    parts = estimate(job_of("x", optim=optim), BILLION, SHAPE, Load(60, 400), GPU).parts
    assert parts["optimiser"] == bytes_each * 10**9
    assert (parts["weights"], parts["gradients"], parts["weights in bfloat16"]) == (4 * 10**9, 4 * 10**9, 2 * 10**9)
    assert parts["process"] == CUDA_PROCESS


def test_adafactor_keeps_rows_and_columns():
    parts = estimate(job_of("x", optim="adafactor"), BILLION, SHAPE, Load(60, 400), GPU).parts
    assert parts["optimiser"] == 4 * 10**6


def test_frozen_weights_are_in_bfloat16_or_in_four_bits():
    lora = replace(BILLION, total=1_010_000_000, trained=10_000_000, quantised=900_000_000, head_trained=False)
    parts = estimate(job_of("x", lora_r=16), lora, SHAPE, Load(60, 400), GPU).parts
    assert (parts["weights"], parts["weights in bfloat16"]) == (4 * 10**7 + 2 * 10**9, 0)
    parts = estimate(job_of("x", lora_r=16, load_in_4bit=True), lora, SHAPE, Load(60, 400), GPU).parts
    # Adapters in bfloat16, the rest of the frozen ones too, and 4.127 bits for those that are quantised.
    assert parts["weights"] == 2 * 10**7 + 2 * 10**8 + 4127 * 9 * 10**8 // 8000


def test_fsdp_divides_the_states_and_ddp_adds_its_buckets():
    job = job_of("x")
    eight = replace(GPU, processes=8)
    alone = estimate(job, BILLION, SHAPE, Load(60, 400), GPU).parts
    copies = estimate(job, BILLION, SHAPE, Load(60, 400), eight).parts
    assert (copies["weights"], copies["gradients"]) == (alone["weights"], alone["gradients"])
    assert (alone["DDP buckets"], copies["DDP buckets"]) == (0, alone["gradients"])
    shards = estimate(job, BILLION, SHAPE, Load(60, 400), replace(eight, sharded=True)).parts
    # An eighth of each, and two layers of ten million parameters and the output's 2,048 x 64 gathered.
    assert shards["weights"] == 4 * 10**9 // 8 + 4 * (2 * 10**7 + 2048 * 64)
    assert (shards["gradients"], shards["optimiser"]) == (4 * 10**9 // 8, 10**9)


def test_dpo_has_two_sequences_a_pair_and_a_reference_unless_it_is_told_not_to():
    def reference(**settings: Any) -> int:
        return estimate(job_of("x", "dpo", **settings), BILLION, SHAPE, Load(60, 400), GPU).parts["reference model"]

    assert reference() == 4 * 10**9
    assert reference(precompute_ref_log_probs=True) == 0
    assert reference(lora_r=8) == 0
    settings = profile("x", per_device_train_batch_size=3).dpo
    assert batch_of("dpo", settings, Load(60, 400)) == Batch(6, 60)
    supervised = profile("x", per_device_train_batch_size=3, packing=True).sft
    assert batch_of("sft", supervised, Load(60, 4000)) == Batch(1, 3 * 128)


def test_online_training_holds_its_answers_or_what_vllm_reserves():
    def parts(**settings: Any) -> dict[str, int]:
        job = replace(job_of("x"), stage="rloo", settings=Rloo(max_length=256, max_kl=0.0, beta=0.0, **settings))
        return estimate(job, BILLION, SHAPE, Load(60, 400), GPU).parts

    # Four answers of 256 tokens: keys and values of two layers, two heads of 16, in bfloat16.
    assert (parts()["generation"], parts()["vLLM"]) == (4 * 256 * 2 * 2 * 2 * 16 * 2, 0)
    reserved = parts(use_vllm=True, vllm_gpu_memory_utilization=0.5)
    assert (reserved["generation"], reserved["vLLM"]) == (0, 12 * GIB)
    assert batch_of("rloo", Rloo(max_length=256, max_completion_length=128), Load(60, 400)) == Batch(4, 60 + 128)


def test_the_parts_of_the_peak_add_up_to_it_and_accumulated_gradients_stay():
    once = estimate(job_of("x"), BILLION, SHAPE, Load(60, 400), CPU)
    assert once.peak == sum(once.at_peak.values())
    # Weights, gradients, two moments, and two of the largest tensor for AdamW to work with.
    assert (once.moment, once.peak - CPU_PROCESS) == ("step", (4 + 4 + 8) * 10**9 + 2 * 4 * 10**8)
    long = Load(128, 10**6)
    job = job_of("x", per_device_train_batch_size=4000)
    again = job_of("x", per_device_train_batch_size=4000, gradient_accumulation_steps=2)
    peaks = [estimate(one, BILLION, replace(SHAPE, layers=24), long, CPU) for one in (job, again)]
    assert [one.moment for one in peaks] == ["loss", "loss"]
    assert peaks[1].peak - peaks[0].peak == 4 * 10**9


@pytest.mark.parametrize(
    ("settings", "processes", "steps", "batch"),
    [
        # 8 examples in threes are 3 batches, in twos of them 2 steps.
        ({"per_device_train_batch_size": 3, "gradient_accumulation_steps": 2}, 1, 2, 6),
        ({"per_device_train_batch_size": 3, "num_train_epochs": 3.0}, 1, 9, 3),
        ({"per_device_train_batch_size": 2}, 4, 1, 8),
        ({"per_device_train_batch_size": 2, "max_steps": 7}, 1, 7, 2),
    ],
)
def test_steps_by_hand(settings: dict[str, Any], processes: int, steps: int, batch: int):
    counted = count_steps(job_of("x", **settings), counts(), replace(CPU, processes=processes))
    assert (counted.optimiser_steps, counted.batch, counted.exact) == (steps, batch, True)


def test_packed_sequences_are_told_as_the_fewest():
    counted = count_steps(job_of("x", packing=True, per_device_train_batch_size=1), counts(), CPU)
    # 400 tokens in sequences of 128.
    assert (counted.sequences, counted.exact, counted.tokens) == (4, False, 400)


def test_a_run_tells_the_same_plan_in_a_line_and_takes_its_steps(tmp_path: Path, tiny_llama: str):
    class Said(Silent):
        lines: list[str]

        def line(self, text: str) -> None:
            self.lines.append(text)

    write_colours(tmp_path)
    said = Said()
    said.lines = []
    training = profile(tiny_llama, per_device_train_batch_size=3, gradient_accumulation_steps=2, num_train_epochs=2.0)
    options: dict[str, Any] = {"seed": 0, "home": tmp_path, "progress": said}
    run = train("rejection_sampling", tmp_path, tmp_path / "out", training, **options)
    job = make_job("rejection_sampling", tmp_path, tmp_path / "out", training, **options)
    plan = make_plan(job, run.preflight, planning.device_here())
    assert line(plan) in said.lines
    assert plan.steps.optimiser_steps == run.metrics["steps"] == 4
    assert plan.steps.tokens == run.metrics["tokens"]
    assert job.recipe() == run.manifest.recipe


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Device:
    """A machine with a little less memory than the tiny model takes."""
    device = Device("cpu", CPU_PROCESS + 10**7)
    monkeypatch.setattr(planning, "device_here", lambda: device)
    return device


def test_a_run_that_does_not_fit_is_refused_with_ways_out_that_fit(tmp_path: Path, tiny_llama: str, small: Device):
    write_colours(tmp_path)
    training = profile(tiny_llama, max_length=64)
    with pytest.raises(
        UsageError, match=r"rejection_sampling: the estimated peak is .*, this machine's memory"
    ) as error:
        train("rejection_sampling", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
    assert error.value.exit_code == 2
    assert list((tmp_path / "out").iterdir()) == []
    job = make_job("rejection_sampling", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
    plan = make_plan(job, counts(longest=40), small)
    assert len(plan.ways) == 3
    told = error.value.hint.splitlines()[1:]
    assert len(told) == 3
    for one in plan.ways:
        settings = job.settings.model_copy(update=one.settings)
        parameters, shape = count(replace(job, settings=settings))
        load = load_of(counts(longest=min(40, settings.max_length)))
        peak = estimate(replace(job, settings=settings), parameters, shape, load, small).peak
        assert (peak, peak <= small.memory) == (one.peak, one.fits)
    assert any(one.fits for one in plan.ways)
    assert [one.fits for one in plan.ways] == sorted((one.fits for one in plan.ways), reverse=True)


def test_where_nothing_fits_the_ways_say_so(tiny_llama: str):
    plan = make_plan(job_of(tiny_llama), counts(), replace(CPU, memory=1000))
    assert [one.fits for one in plan.ways] == [False] * 3
    with pytest.raises(UsageError) as error:
        plan.check_memory()
    assert error.value.hint.count("which does not fit 0 MiB either") == 3


@pytest.mark.parametrize(
    ("stage", "settings", "device", "message"),
    [
        ("rejection_sampling", {"lora_r": 4, "load_in_4bit": True}, CPU, "load_in_4bit: needs a GPU"),
        ("rejection_sampling", {"optim": "paged_adamw_8bit"}, CPU, "optim = 'paged_adamw_8bit': needs a GPU"),
        ("rejection_sampling", {"optim": "adamw"}, CPU, "Transformers has no such optimiser"),
        ("rejection_sampling", {"attn_implementation": "flash_attention_2"}, CPU, "needs a GPU; use sdpa"),
        ("rejection_sampling", {"activation_offloading": True}, CPU, "in the machine's memory already"),
        ("rejection_sampling", {"padding_free": True}, GPU, "only with packing = true"),
        ("rejection_sampling", {"padding_free": True, "packing": True}, GPU, "it needs flash attention"),
        ("dpo", {"bf16": True}, replace(GPU, bf16=False), "this GPU has no bfloat16"),
    ],
)
def test_a_setting_that_cannot_work_is_told(stage: str, settings: dict[str, Any], device: Device, message: str):
    (found,) = problems(job_of("x", stage, **settings), device)
    assert found.startswith(f"training.{stage}.")
    assert message in found


@pytest.mark.parametrize(
    ("settings", "package"),
    [
        ({"lora_r": 4, "load_in_4bit": True}, "bitsandbytes"),
        ({"attn_implementation": "flash_attention_2"}, "flash_attn"),
        ({"use_kernels": True}, "kernels"),
    ],
)
def test_a_package_that_is_missing_is_told_by_name(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], package: str
):
    missing: set[str] = set()
    monkeypatch.setattr("training.plan.feasible._installed", lambda name: name not in missing)
    assert problems(job_of("x", **settings), GPU) == []
    missing.add(package)
    (found,) = problems(job_of("x", **settings), GPU)
    assert f"the package {package} is not installed" in found


def test_a_run_refuses_what_a_plan_tells(tmp_path: Path, tiny_llama: str, small: Device):
    write_colours(tmp_path)
    training = profile(tiny_llama, optim="paged_adamw_8bit")
    with pytest.raises(UsageError, match=r"1 of its settings cannot work here\n.*paged_adamw_8bit"):
        train("rejection_sampling", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)


@pytest.mark.parametrize(
    ("name", "processes", "sharded"), [("single_gpu", 1, False), ("ddp", 2, False), ("fsdp2", 2, True)]
)
def test_accelerate_takes_the_configurations_that_ship(name: str, processes: int, sharded: bool):
    from accelerate.commands.launch import launch_command_parser
    from yaml import safe_load

    assert launch_of(name) == launch_of(str(SHIPPED / f"{name}.yaml")) == (processes, sharded)
    own = safe_load((SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")).get("fsdp_config", {})
    known = {action.dest for action in launch_command_parser()._actions}
    assert set(own) <= known
    assert not sharded or own["fsdp_version"] == 2


def test_an_unknown_configuration_names_those_that_ship(tmp_path: Path):
    with pytest.raises(UsageError, match="fsdp9") as error:
        launch_of("fsdp9")
    assert "ddp, fsdp2, single_gpu" in error.value.hint
    (tmp_path / "own.yaml").write_text("distributed_type: MULTI_GPU\nnum_procs: 4\n")
    with pytest.raises(UsageError, match="unknown keys"):
        launch_of(str(tmp_path / "own.yaml"))


@pytest.mark.parametrize(
    ("text", "size"), [("24GiB", 24 * GIB), ("80GB", 80 * 10**9), ("80g", 80 * 10**9), ("1.5 GiB", 3 * 2**29)]
)
def test_sizes(text: str, size: int):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1GiB", "24TiB", "0GiB", "24 GiB GiB"])
def test_what_is_no_size(text: str):
    with pytest.raises(UsageError, match="is not a size of memory"):
        parse_size(text)


def test_devices_asked_about():
    assert device_for("24GiB", None, None) == device_of("24GiB")
    assert device_for("24GiB", "fsdp2", 8) == device_of("24GiB", processes=8, sharded=True)
    assert device_for("24GiB", "ddp", None).processes == 2
    with pytest.raises(UsageError, match="need the size of a GPU"):
        device_for(None, "fsdp2", None)


def planned(data: Path, model: str, *overrides: str, **options: Any) -> str:
    out = Console(file=io.StringIO(), width=200)
    said = [f"training.model={model}", "training.rejection_sampling.max_length=128", *overrides]
    run_plan(
        out,
        "rejection-sampling",
        run="latest",
        data=data,
        base=None,
        profile="quickstart",
        overrides=said,
        home=data,
        **options,
    )
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_the_command_prints_the_plan_and_leaves_nothing(tmp_path: Path, tiny_llama: str):
    write_colours(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    text = planned(tmp_path, tiny_llama, "training.rejection_sampling.lora_r=4", device_memory="24GiB")
    assert sorted(tmp_path.rglob("*")) == before
    # The adapters' 8,192 of 344,384 parameters.
    for told in (
        "8,192 (2.38 %)",
        "336,192 in bfloat16",
        "a GPU of this size, 24.0 GiB",
        "optimiser steps",
        "preflight of",
    ):
        assert told in text
    told = planned(tmp_path, tiny_llama, "training.rejection_sampling.use_kernels=true", device_memory="24GiB")
    assert "cannot work: training.rejection_sampling.use_kernels" in told
    with pytest.raises(UsageError, match="a GPU of this size has 512 MiB"):
        planned(tmp_path, tiny_llama, device_memory="512MiB")


def test_a_plan_near_the_limit_says_so(tiny_llama: str):
    plan = make_plan(job_of(tiny_llama), counts(), CPU)
    close = replace(CPU, memory=int(plan.estimate.peak * 1.1))
    assert "near the limit" in render(make_plan(job_of(tiny_llama), counts(), close))
    assert "near the limit" not in render(plan)


MEASURED = [
    ("rejection_sampling", 8, {"per_device_train_batch_size": 1}),
    ("rejection_sampling", 80, {"per_device_train_batch_size": 4}),
    ("rejection_sampling", 80, {"per_device_train_batch_size": 4, "gradient_checkpointing": True}),
    ("rejection_sampling", 80, {"per_device_train_batch_size": 4, "lora_r": 16}),
    ("dpo", 40, {"per_device_train_batch_size": 2}),
]


@pytest.fixture(scope="module")
def middle_llama(tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Forty million parameters: a model that outweighs what it is measured with."""
    import shutil

    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "middle-llama"
    shutil.copytree(tokenizer_folder, folder)
    config = LlamaConfig(
        vocab_size=2048,
        hidden_size=512,
        intermediate_size=1536,
        num_hidden_layers=12,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


def peak_of(model: str, stage: str, words: int, settings: dict[str, Any], data: Path) -> int:
    """Peak of a process that trains two steps on texts of so many words."""
    text = "word " * words
    if stage == "dpo":
        write_pairs(data, *[(f"q{at}", text, f"{text}no") for at in range(8)])
    else:
        write_completions(data, *[(f"q{at}", text) for at in range(16)])
    asked = json.dumps({"model": model, "stage": stage, "settings": settings, "data": str(data), "out": "out"})
    command = [sys.executable, "-m", "tests.training.memory_child", asked]
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=quiet)
    peak: int = json.loads(done.stdout.splitlines()[-1])["peak"]
    return peak


@pytest.fixture(scope="module")
def baseline(tiny_llama: str, tmp_path_factory: pytest.TempPathFactory) -> int:
    """What a process holds that trains a model of no size to speak of."""
    return peak_of(tiny_llama, "rejection_sampling", 8, {}, tmp_path_factory.mktemp("baseline"))


@pytest.mark.slow
def test_the_process_takes_what_the_plan_says(baseline: int):
    assert baseline == pytest.approx(CPU_PROCESS, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "words", "settings"), MEASURED, ids=lambda value: str(value).replace(" ", ""))
def test_an_estimate_is_within_a_quarter_of_what_is_measured(
    tmp_path: Path, middle_llama: str, baseline: int, stage: str, words: int, settings: dict[str, Any]
):
    measured = peak_of(middle_llama, stage, words, settings, tmp_path) - baseline
    training = profile(middle_llama, max_steps=2, max_length=512, **settings)
    job = make_job(stage, tmp_path, tmp_path / "planned", training, seed=0, home=tmp_path)
    from training.launch import load

    plan = make_plan(job, load(stage).prepare(job, tmp_path / "work").preflight, CPU)
    estimated = plan.estimate.peak - CPU_PROCESS
    print(
        f"{stage} {words} {settings}: measured {measured:,}, estimated {estimated:,}, {estimated / measured - 1:+.1%}"
    )
    assert estimated == pytest.approx(measured, rel=0.25)
