"""Any server that speaks OpenAI's chat completions, such as `vllm serve`: bounded, patient, and never lossy.

At most `concurrency` requests are under way, and the next is sent only once a finished one has been handed over: a
killed run repeats no more than that window. A request that pauses before it is tried again gives its place to another.
Every request ends in a text or in an error that says why. What a server in trouble says (429, 5xx, resets, timeouts,
bodies that are no completion) is tried again with growing pauses; what it says of the request itself (400) is not; and
a refused key or an unknown model ends the run at once.

The server tokenizes, so a control token in a prompt's text cannot be made harmless here as the offline engine does:
such prompts are refused before they are sent.
"""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final, Self

import httpx
import orjson
import polars as pl

from curation.filter import control_tokens
from curation.generation.patience import Patience
from curation.generation.protocol import PROMPT_TOO_LONG, Measured, Replies, Reply, Request
from curation.generation.template import chat_messages
from curation.stage import Context
from schemas.errors import EngineError, UsageError
from schemas.profile.generation import Generation
from schemas.records import MESSAGES, Message

BACKOFF_SECONDS: Final = 0.5
BACKOFF_CAP_SECONDS: Final = 30.0
CONNECT_SECONDS: Final = 10.0
BODY_BYTES: Final = 16 * 2**20
RETRIED: Final = frozenset({408, 409, 425, 429})
# How servers word a prompt that does not fit: vLLM and OpenAI, llama.cpp, TGI.
TOO_LONG: Final = ("context length", "context_length_exceeded", "context size", "inputs tokens + max_new_tokens")
# Requests that pause, in windows: beyond them a server in trouble is not offered more.
PAUSED_WINDOWS: Final = 4
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class _Fault:
    """An attempt that gave no completion; `wait` is what the server asked for, in seconds."""

    code: str
    detail: str
    retry: bool = True
    wait: float = 0.0


@dataclass
class _Talk:
    """What the requests of one call share. `on_pause` is called, in the loop's thread, when a request pauses."""

    client: httpx.AsyncClient
    places: asyncio.Semaphore
    patience: Patience
    on_pause: Callable[[], None]
    pausing: int = 0

    async def pause(self, seconds: float) -> None:
        """Give the place back and wait."""
        self.pausing += 1
        self.places.release()
        self.on_pause()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.pausing -= 1


class OpenAIGenerator:
    """A server at `settings.base_url`. The key comes from SIEVELINE_API_KEY or OPENAI_API_KEY, where one is needed.

    `backoff_s` is the first pause between attempts; each further one is twice as long, less a jitter of up to half
    that is drawn from the request's id.
    """

    def __init__(self, settings: Generation, backoff_s: float = BACKOFF_SECONDS) -> None:
        url = httpx.URL(settings.base_url or "")
        if url.scheme not in ("http", "https") or not url.host:
            raise UsageError(f"base_url {settings.base_url!r} is not a URL", hint="such as http://localhost:8000/v1")
        self._settings, self._backoff = settings, backoff_s
        self._url = str(url.copy_with(path=url.path.rstrip("/") + "/chat/completions"))
        self._shown = f"{url.scheme}://{url.host}{f':{url.port}' if url.port else ''}{url.path}"
        self._loopback = url.host in LOOPBACK
        self._key = os.environ.get("SIEVELINE_API_KEY") or os.environ.get("OPENAI_API_KEY") or ""

    def identity(self) -> dict[str, Any]:
        """The model's name as served: it must name the weights, for nothing else that the server tells does."""
        return {"engine": "openai", "model": {"name": self._settings.model}}

    def measure(self, prompts: Sequence[Sequence[Message]]) -> list[Measured]:
        """No lengths, since the server tokenizes; a prompt with a control token is refused."""
        ids = [str(at) for at in range(len(prompts))]
        columns = {"row_id": ids, "prompt_id": ids, "messages": [list(map(dict, prompt)) for prompt in prompts]}
        frame = pl.LazyFrame(columns, schema={"row_id": pl.String, "prompt_id": pl.String, "messages": MESSAGES})
        judged = control_tokens.run(frame, control_tokens.Config(), Context()).dropped
        found = dict(
            judged.filter(pl.col("reason") == "control_token").select("row_id", "detail").collect().iter_rows()
        )
        return [Measured(problem=f"control token {found[at]} in the text" if at in found else None) for at in ids]

    def generate(self, requests: Iterable[Request]) -> Replies:
        """One reply a request, in the order in which they finish.

        Raises EngineError where the server refuses the key or does not know the model.
        """
        window = self._settings.concurrency
        waiting, running = iter(requests), set[Future[Reply]]()
        # A finished request, or None where one has paused and there is room for another.
        told: queue.SimpleQueue[Future[Reply] | None] = queue.SimpleQueue()
        with _event_loop() as loop, self._client(loop) as client:
            talk = _Talk(client, asyncio.Semaphore(window), Patience(self._settings.timeout_s), lambda: told.put(None))
            while True:
                while (
                    len(running) - talk.pausing < window
                    and len(running) < window * (1 + PAUSED_WINDOWS)
                    and (request := next(waiting, None)) is not None
                ):
                    future = asyncio.run_coroutine_threadsafe(self._answer(talk, request), loop)
                    running.add(future)
                    future.add_done_callback(told.put)
                if not running:
                    return
                if (done := told.get()) is not None:
                    running.remove(done)
                    yield done.result()
                    loop.call_soon_threadsafe(talk.places.release)

    def close(self) -> None:
        """Connections live no longer than a call of `generate`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    @contextmanager
    def _client(self, loop: asyncio.AbstractEventLoop) -> Iterator[httpx.AsyncClient]:
        settings = self._settings
        client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(settings.timeout_s, connect=min(settings.timeout_s, CONNECT_SECONDS), pool=None),
            limits=httpx.Limits(max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency),
            trust_env=not self._loopback,
        )
        try:
            yield client
        finally:
            asyncio.run_coroutine_threadsafe(_finish(client), loop).result()

    async def _answer(self, talk: _Talk, request: Request) -> Reply:
        """Try until there is a text, a fault that trying again cannot mend, or no time or attempts are left.

        The place that is taken for an attempt is given back for a pause, and otherwise once the reply is handed over.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + self._settings.deadline_s
        attempt = 0
        while True:
            await talk.places.acquire()
            try:
                async with asyncio.timeout_at(deadline):
                    outcome = await self._patiently(talk, request, attempt)
            except TimeoutError:
                outcome = _Fault("deadline", f"no reply within {self._settings.deadline_s:g} s", retry=False)
            if isinstance(outcome, Reply):
                return outcome
            pause = max(outcome.wait, self._pause(request, attempt))
            attempt += 1
            late = now() + pause >= deadline
            if not outcome.retry or late or attempt > self._settings.retries:
                why = " (the deadline came before the next attempt)" if outcome.retry and late else ""
                detail = f"{outcome.detail}{why}, {attempt} attempt{'s' if attempt > 1 else ''}"
                return Reply(request.request_id, error=outcome.code, detail=detail)
            await talk.pause(pause)

    async def _patiently(self, talk: _Talk, request: Request, attempt: int) -> Reply | _Fault:
        """One attempt, given up where it takes much longer than others do."""
        last = attempt >= self._settings.retries
        allowed = talk.patience.seconds(attempt, last)
        started = time.monotonic()
        try:
            async with talk.patience.bound(attempt, last) as scope:
                outcome = await self._attempt(talk.client, request)
        except TimeoutError:
            if not scope.expired():
                raise
            return _Fault("timeout", f"no reply within {allowed:.3g} s")
        if isinstance(outcome, Reply):
            talk.patience.took(time.monotonic() - started)
        return outcome

    def _pause(self, request: Request, attempt: int) -> float:
        draw = hashlib.sha256(f"{request.request_id}:{attempt}".encode()).digest()
        whole = min(BACKOFF_CAP_SECONDS, self._backoff * 2.0**attempt)
        return whole * (1 - int.from_bytes(draw[:4], "big") / 2**33)

    async def _attempt(self, client: httpx.AsyncClient, request: Request) -> Reply | _Fault:
        body = {
            "model": self._settings.model,
            "messages": chat_messages(request.messages),
            "seed": request.seed,
            "n": 1,
            **_response_format(request),
        }
        content = bytearray()
        try:
            async with client.stream("POST", self._url, json=body | request.sampling.as_dict()) as response:
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > BODY_BYTES:
                        return _Fault("bad_body", f"more than {BODY_BYTES:,} bytes")
        except httpx.TimeoutException as error:
            return _Fault("timeout", f"{type(error).__name__} after {self._settings.timeout_s:g} s")
        except httpx.RequestError as error:
            return _Fault("connection", f"{type(error).__name__}: {error}")
        if response.status_code == 200:
            outcome = read_completion(bytes(content))
            return replace(outcome, request_id=request.request_id) if isinstance(outcome, Reply) else outcome
        return self._refusal(response, bytes(content))

    def _refusal(self, response: httpx.Response, content: bytes) -> _Fault:
        """What a status other than 200 means."""
        status, text = response.status_code, _excerpt(content)
        if self._key:
            text = text.replace(self._key, "...")
        if status in (401, 403):
            raise EngineError(
                f"{self._shown} refused the key (status {status}): {text}",
                hint="set SIEVELINE_API_KEY to a key of this server",
            )
        if status == 404:
            raise EngineError(
                f"{self._shown} does not know the model {self._settings.model!r} or the address (status 404): {text}",
                hint="compare base_url and model with what GET <base_url>/models lists",
            )
        if status in (400, 413, 422) and any(words in content.decode("utf-8", "replace").lower() for words in TOO_LONG):
            return _Fault(PROMPT_TOO_LONG, text, retry=False)
        wait = _retry_after(response.headers.get("retry-after", ""))
        return _Fault(f"http_{status}", text, retry=status in RETRIED or status >= 500, wait=wait)


def _response_format(request: Request) -> dict[str, Any]:
    """OpenAI's structured outputs, which `vllm serve` and others take as well; nothing where there is no schema."""
    if request.schema is None:
        return {}
    named = {"name": "reply", "strict": True, "schema": request.schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def read_completion(content: bytes) -> Reply | _Fault:
    """The one completion in a body, without a request id; a fault where the body is anything else."""
    try:
        body = orjson.loads(content)
        (choice,) = body["choices"]
        text, reason = choice["message"]["content"], choice["finish_reason"]
        tokens = (body.get("usage") or {}).get("completion_tokens")
    except orjson.JSONDecodeError:
        return _Fault("bad_body", f"not JSON: {_excerpt(content)}")
    except (KeyError, TypeError, ValueError, AttributeError):
        return _Fault("bad_body", f"not one chat completion: {_excerpt(content)}")
    if not isinstance(text, str | None) or not isinstance(reason, str):
        return _Fault("bad_body", f"no text or no finish_reason: {_excerpt(content)}")
    counted = isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens < 2**31
    return Reply("", text or "", reason, tokens if counted else None)


def _retry_after(value: str) -> float:
    """Seconds from a Retry-After header: a number of seconds or a date (RFC 9110, section 10.2.3); 0 if neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0


def _excerpt(content: bytes) -> str:
    return ascii(content[:200].decode("utf-8", "replace"))


@contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop in a thread of its own: it works on while replies are stored, and inside another running loop too."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="openai-requests", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _finish(client: httpx.AsyncClient) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await client.aclose()
