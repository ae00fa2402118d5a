"""vLLM offline, in a process of its own: the engine for a model on this machine.

The lower half runs in the child (`python -m curation.generation.vllm`) and is the only code that imports vllm.
Requests are added to the engine as they arrive and each reply is sent the moment it finishes, so that it can be
journalled; the engine itself is the loop of `LLM.generate`, no slower. The tokenizer is loaded first and the weights
only when there is something to generate: a run whose requests are all journalled never loads them.

On a CPU the engine runs inside the child instead of in two further processes: it loads in a quarter of the time, and
nothing is left behind when it is killed.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from curation.digest import sha256_file
from curation.generation import offline, template
from curation.generation.adapters import Adapter
from curation.generation.process import Child, Parent, run_child
from curation.generation.protocol import (
    PROMPT_REFUSED,
    PROMPT_TOO_LONG,
    Measured,
    Replies,
    Reply,
    Request,
)
from curation.generation.template import TemplateError, encode_chat
from curation.models import Model, describe
from schemas.errors import EngineError
from schemas.profile.generation import Generation
from schemas.records import Message

# On a CPU. Eager: compiling takes longer than a run. Blocks of 32 tokens instead of 128: candidates share the prefill
# of shorter prompts. No chunked prefill: after a chunk vLLM rewinds the generator of a seeded
# request, a CPU generator cannot be rewound, and the engine died as soon as the waiting prompts exceeded one batch.
CPU_ENGINE: Final[Mapping[str, Any]] = {"enforce_eager": True, "block_size": 32, "enable_chunked_prefill": False}
# What holds a reply to a schema. Named, so that it does not depend on the schema; vLLM pins its version, and vLLM's
# own is in the identity. Compact: between two fields a small model may write spaces until its tokens are used up.
STRUCTURED_OUTPUTS: Final[Mapping[str, Any]] = {"backend": "xgrammar", "disable_any_whitespace": True}
# Requests given to the child at a time: enough to keep the scheduler's queue full (vLLM runs up to 256 at once).
WINDOW: Final = 1024
SERVE_INSTEAD: Final = "set engine = 'openai' and name a server"
HINT: Final = (
    "where memory ran out, lower max_model_len or VLLM_CPU_KVCACHE_SPACE (GiB); where the model is not supported, "
    "serve it elsewhere and set engine = 'openai'; finished requests are kept and not repeated"
)


class VllmGenerator:
    """Parent's end: starts the child when it is first needed and speaks to it.

    `adapter` is laid over the model for every request. `device` is the one GPU to use, as CUDA_VISIBLE_DEVICES names
    it; None leaves the choice to vLLM.
    Raises EngineError where vllm is not installed, cannot start or crashes.
    """

    def __init__(
        self, model: Model, settings: Generation, adapter: Adapter | None = None, device: str | None = None
    ) -> None:
        self._model, self._settings, self._adapter, self._device = model, settings, adapter, device
        self._version, self._cpu = offline.installed(SERVE_INSTEAD)
        self._dtype = offline.precision(settings.dtype, self._cpu)
        self._child: Child | None = None

    def identity(self) -> dict[str, Any]:
        """What shapes the text beside prompt, sampling and seed."""
        return {
            "engine": "vllm",
            "version": self._version,
            "device": "cpu" if self._cpu else "cuda",
            "dtype": self._dtype,
            "model": describe(self._model),
            "template": sha256_file(Path(template.__file__)),
            **({"adapter": self._adapter.describe()} if self._adapter else {}),
        }

    def measure(self, prompts: Sequence[Sequence[Message]]) -> list[Measured]:
        """Tokens of each prompt through the model's chat template, or the template's refusal."""
        measured: list[Measured] = []
        try:
            for first in range(0, len(prompts), WINDOW):
                window = prompts[first : first + WINDOW]
                for messages in window:
                    self._started().send({"measure": list(messages)})
                measured.extend(Measured(**self._started().receive()) for _ in window)
        except EngineError:
            self.close()
            raise
        return measured

    def generate(self, requests: Iterable[Request]) -> Replies:
        """One reply a request, in the order in which they finish."""
        child = self._started()
        waiting, running = iter(requests), set[str]()
        try:
            while True:
                while len(running) < WINDOW and (request := next(waiting, None)) is not None:
                    running.add(request.request_id)
                    child.send({"generate": _as_message(request)})
                if not running:
                    return
                reply = Reply(**child.receive())
                running.remove(reply.request_id)
                yield reply
        finally:
            if running:  # left in the middle: what is still under way must not answer the next call
                self.close()

    def close(self) -> None:
        """End the child; a later call starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _started(self) -> Child:
        if self._child is None:
            settings = {
                "model": self._model.path,
                "revision": self._model.revision,
                "dtype": self._dtype,
                "max_model_len": self._settings.max_model_len,
                "cpu": self._cpu,
                "adapter": asdict(self._adapter) if self._adapter else None,
            }
            environment = offline.environment(self._model.path, os.environ, cpu=self._cpu)
            if self._device is not None:
                environment["CUDA_VISIBLE_DEVICES"] = self._device
            self._child = Child(__name__, settings, environment, f"the vllm engine of {self._model.name}", HINT)
        return self._child


def _as_message(request: Request) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "messages": list(request.messages),
        "seed": request.seed,
        "sampling": request.sampling.as_dict(),
        "schema": request.schema,
    }


# From here on: the child.


class _Engine:
    """The tokenizer, and vLLM once it is needed."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        from transformers import AutoTokenizer

        self.settings = settings
        self.tokenizer = AutoTokenizer.from_pretrained(settings["model"], revision=settings["revision"])
        if not self.tokenizer.chat_template:
            raise ValueError(f"{settings['model']} has no chat template: name an instruct or chat model")
        self._llm: Any = None

    def measure(self, messages: Sequence[Message]) -> dict[str, Any]:
        try:
            return {"tokens": len(encode_chat(self.tokenizer, messages, add_generation_prompt=True)), "problem": None}
        except TemplateError as error:
            return {"tokens": None, "problem": str(error)}

    def add(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Queue a request; a reply at once where its prompt cannot be used."""
        from vllm import SamplingParams
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        name, sampling = request["request_id"], request["sampling"]
        try:
            ids = encode_chat(self.tokenizer, request["messages"], add_generation_prompt=True)
        except TemplateError as error:
            return {"request_id": name, "error": PROMPT_REFUSED, "detail": str(error)}
        limit = self.settings["max_model_len"] - sampling["max_tokens"]
        if len(ids) > limit:
            return {"request_id": name, "error": PROMPT_TOO_LONG, "detail": f"{len(ids)} tokens, at most {limit}"}
        held = StructuredOutputsParams(json=request["schema"]) if request["schema"] is not None else None
        parameters = SamplingParams(
            seed=request["seed"], output_kind=RequestOutputKind.FINAL_ONLY, structured_outputs=held, **sampling
        )
        self._engine().add_request(name, tokens_input(ids), parameters, lora_request=self._adapter())
        return None

    def step(self) -> list[dict[str, Any]]:
        """One step of the engine; the replies that finished in it."""
        replies = []
        for output in self._engine().step():
            if output.finished:
                made = output.outputs[0]
                reply = {"text": made.text, "finish_reason": made.finish_reason or "", "tokens": len(made.token_ids)}
                replies.append({"request_id": output.request_id, **reply})
        return replies

    def busy(self) -> bool:
        return self._llm is not None and self._llm.llm_engine.has_unfinished_requests()

    def _engine(self) -> Any:
        if self._llm is None:
            from vllm import LLM

            wanted = {name: self.settings[name] for name in ("model", "revision", "dtype", "max_model_len")}
            cpu = CPU_ENGINE if self.settings["cpu"] else {}
            adapter = self.settings["adapter"]
            room = {"enable_lora": True, "max_lora_rank": adapter["rank"]} if adapter else {}
            held = dict(STRUCTURED_OUTPUTS)
            self._llm = LLM(enable_prefix_caching=True, structured_outputs_config=held, **wanted, **cpu, **room)
        return self._llm.llm_engine

    def _adapter(self) -> Any:
        adapter = self.settings["adapter"]
        if adapter is None:
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest(adapter["name"], 1, adapter["path"])


def _serve(parent: Parent) -> None:
    settings = parent.receive()
    if settings is None:
        return
    engine = _Engine(settings)
    while True:
        try:
            message = parent.receive(wait=not engine.busy())
        except queue.Empty:
            parent.send(*engine.step())
            continue
        if message is None:
            if settings["cpu"]:
                os._exit(0)  # one process with nothing to give back but memory; vLLM's own end takes seconds
            return
        if "measure" in message:
            parent.send(engine.measure(message["measure"]))
        elif (refused := engine.add(message["generate"])) is not None:
            parent.send(refused)


if __name__ == "__main__":
    run_child(_serve)
