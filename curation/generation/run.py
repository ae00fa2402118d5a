"""Candidates for chosen prompts, resumable at the request: prompts in, a committed table of completions out.

Every prompt ends as kept or dropped and every request as a completion or a decision that says why not. What an engine
answers is matched by request id, never by position, so a prompt that is left out moves nothing else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from curation import text
from curation.digest import code_digest, sha256_value
from curation.generation.ask import ask, measure
from curation.generation.protocol import (
    PROMPT_PROBLEMS,
    PROMPT_REFUSED,
    PROMPT_TOO_LONG,
    Generator,
    Measured,
    Reply,
    Request,
    Sampling,
)
from curation.journal import Journal
from curation.runner import log_line
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table
from schemas.profile.generation import Generation
from schemas.records import COMPLETIONS, Message, canonical_json, prompt_of

STAGE = "generate"
CARRIED = ("source", "language", "metadata", "reference")
ROW_COLUMNS = ("row_id", "prompt_id", "source", "language", "metadata", "messages")
SHAPING = {"candidates", "temperature", "top_p", "max_tokens", "max_model_len"}


def generate(
    store: Store, prompts: pl.DataFrame, settings: Generation, generator: Generator, context: Context
) -> Committed:
    """Generate `settings.candidates` completions for each prompt of a frame of rows, or return what is there.

    The committed folder holds the completions, sorted by prompt_id and index, and the decisions: rows dropped as
    same_prompt, prompt_too_long (value and threshold in tokens), prompt_refused or all_candidates_failed, and
    completions as generation_failed. Counts are of prompts.

    Raises EngineError where the engine fails, or more than `settings.max_failed` of the requests do.
    """
    started = time.monotonic()
    rows = prompts.select(*ROW_COLUMNS, text.response().alias("reference")).sort("row_id")
    identity = generator.identity()
    recipe = {
        "stage": STAGE,
        "code": [code_digest(__name__), code_digest(type(generator).__module__)],
        "config": settings.model_dump(mode="json", include=SHAPING),
        "inputs": [sha256_value(rows.rows())],
        "seed": context.seed,
        "engine": identity,
    }

    def build(folder: Path) -> Built:
        journal = store.root / "journal" / STAGE / f"{sha256_value(identity)[:32]}.jsonl"
        with Journal(journal) as finished:
            work = _Work(rows, settings, generator, identity, context, finished)
            work.sift()
            work.generate()
        return work.write(folder)

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


def seed_of(run_seed: int, prompt_id: str, index: int) -> int:
    """31 bits of a sha256 over run seed, prompt and index: nothing depends on the order of prompts."""
    digest = hashlib.sha256(canonical_json([run_seed, prompt_id, index])).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def policy_name(identity: dict[str, Any]) -> str:
    """Model and revision, as in `smollm2-135m-instruct@b179c9523d0e`."""
    model = identity["model"]
    version = model.get("revision") or (model.get("digest") or "")[:12]
    return f"{model['name']}@{version}" if version else str(model["name"])


@dataclass
class _Prompt:
    row_id: str
    prompt_id: str
    messages: Sequence[Message]
    row: dict[str, Any]


@dataclass
class _Work:
    """One build: what is to be asked, what was answered, and what was decided on the way."""

    rows: pl.DataFrame
    settings: Generation
    generator: Generator
    identity: dict[str, Any]
    context: Context
    journal: Journal
    prompts: dict[str, _Prompt] = field(default_factory=dict)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[str, Reply] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wanted = self.settings
        self.sampling = Sampling(wanted.temperature, wanted.top_p, wanted.max_tokens)
        self.engine = sha256_value(self.identity)
        self.policy = sha256_value([self.identity, self.sampling.as_dict()])[:8]

    def sift(self) -> None:
        """Merge rows of one prompt, and leave out prompts that the model cannot take."""
        for row in self.rows.iter_rows(named=True):
            prompt = _Prompt(row["row_id"], row["prompt_id"], prompt_of(row["messages"]), row)
            first = self.prompts.setdefault(prompt.prompt_id, prompt)
            if first is not prompt:
                self.drop(prompt, "same_prompt", kept_id=first.row_id)
        limit = self.settings.max_model_len - self.sampling.max_tokens
        for prompt, measured in self.measured():
            if measured.problem is not None:
                self.leave_out(prompt, PROMPT_REFUSED, detail=measured.problem)
            elif measured.tokens is not None and measured.tokens > limit:
                self.leave_out(prompt, PROMPT_TOO_LONG, value=measured.tokens, threshold=limit)

    def measured(self) -> list[tuple[_Prompt, Measured]]:
        """Each prompt with its measure, from the journal where it is known."""
        prompts = list(self.prompts.values())
        found = measure(self.generator, self.engine, [prompt.messages for prompt in prompts], self.journal)
        return list(zip(prompts, found, strict=True))

    def generate(self) -> None:
        """Ask for what the journal does not hold."""
        asked = ask(
            self.generator,
            self.engine,
            list(self.requests()),
            self.journal,
            self.context,
            name=STAGE,
            max_failed=self.settings.max_failed,
        )
        self.replies, self.failures = asked.replies, asked.failures

    def requests(self) -> Iterator[Request]:
        """All requests by prompt and index, so that candidates of one prompt stand together and share its prefill."""
        for prompt_id, prompt in sorted(self.prompts.items()):
            for index in range(self.settings.candidates):
                name = f"{prompt_id}-{self.policy}-{index}"
                seed = seed_of(self.context.seed, prompt_id, index)
                yield Request(name, prompt.messages, prompt_id, index, seed, self.sampling)

    def drop(self, prompt: _Prompt, reason: str, **more: Any) -> None:
        """Note that a row goes no further."""
        self.decisions.append({"row_id": prompt.row_id, "prompt_id": prompt.prompt_id, "reason": reason, **more})

    def leave_out(self, prompt: _Prompt, reason: str, **more: Any) -> None:
        """Note it, and ask nothing for its prompt."""
        self.drop(prompt, reason, **more)
        del self.prompts[prompt.prompt_id]

    def write(self, folder: Path) -> Built:
        """Write completions and decisions, and count prompts."""
        completions = self.completions()
        asked = self.settings.candidates * len(self.prompts)
        self.judge_failures(set(completions["prompt_id"]))
        found = pl.DataFrame(self.decisions, schema=DECIDED).sort("row_id", "reason")
        write_table(completions, folder / "part-00000.parquet")
        write_table(as_decisions(found, STAGE, "dropped"), folder / "decisions.parquet")
        kept = completions["prompt_id"].n_unique()
        counts = {"in": self.rows.height, "kept": kept, "dropped": self.rows.height - kept, "quarantined": 0}
        facts = {
            "unit": "prompts",
            "requests": asked,
            "completions": completions.height,
            "failed": len(self.failures),
            "tokens": int(completions["tokens"].sum() or 0),
            "cut_by_max_tokens": completions.filter(pl.col("finish_reason") == "length").height,
        }
        return Built(counts, facts)

    def completions(self) -> pl.DataFrame:
        """The table, in the order of the requests."""
        policy, sampling = policy_name(self.identity), canonical_json(self.sampling.as_dict()).decode()
        made = [
            {
                "completion_id": request.request_id,
                "prompt_id": request.prompt_id,
                "row_id": self.prompts[request.prompt_id].row_id,
                **{name: self.prompts[request.prompt_id].row[name] for name in CARRIED},
                "prompt": list(request.messages),
                "policy": policy,
                "origin": "off_policy",
                "sampling": sampling,
                "index": request.index,
                "seed": request.seed,
                "text": reply.text,
                "finish_reason": reply.finish_reason,
                "tokens": reply.tokens,
            }
            for request in self.requests()
            if (reply := self.replies.get(request.request_id)) is not None
        ]
        return pl.DataFrame(made, schema=COMPLETIONS)

    def judge_failures(self, answered: set[str]) -> None:
        """A decision for each failed request of a prompt that has other completions, and for each prompt with none."""
        for request in self.requests():
            failure = self.failures.get(request.request_id)
            if failure is None:
                continue
            told = f"{failure.error}: {failure.detail}"
            prompt = self.prompts[request.prompt_id]
            if failure.error not in PROMPT_PROBLEMS or request.prompt_id in answered:
                self.drop(replace(prompt, row_id=request.request_id), "generation_failed", detail=told)
            if request.prompt_id not in answered and request.index == 0:
                problem = failure.error if failure.error in PROMPT_PROBLEMS else "all_candidates_failed"
                self.drop(prompt, str(problem), detail=told)


DECIDED = {
    "row_id": pl.String,
    "prompt_id": pl.String,
    "reason": pl.String,
    "value": pl.Float64,
    "threshold": pl.Float64,
    "kept_id": pl.String,
    "detail": pl.String,
}
