"""A chat-completions server in this process that misbehaves on demand and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Fault = str | None


class StubServer:
    """`fault(text, seed, attempt)` names what goes wrong with an attempt (from 0), None for a good reply.

    `answer(body)` is the text of a good reply, or text and finish_reason; without it the prompt's text and seed.
    `asked` counts attempts and `served` good replies, by (text of the last message, seed).
    """

    def __init__(
        self,
        fault: Callable[[str, int, int], Fault] = lambda text, seed, attempt: None,
        answer: Callable[[dict[str, Any]], str | tuple[str, str]] | None = None,
    ) -> None:
        self.fault = fault
        self.answer = answer or (lambda body: f"{body['messages'][-1]['content']} #{body['seed']}")
        self.asked: Counter[tuple[str, int]] = Counter()
        self.served: Counter[tuple[str, int]] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.meeting = threading.Barrier(2)
        self.released = threading.Event()
        self.running = self.most_running = 0
        self._lock = threading.Lock()
        self._server = _Server(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def enter(self, body: dict[str, Any], headers: dict[str, str]) -> Fault:
        key = (body["messages"][-1]["content"], body["seed"])
        with self._lock:
            attempt = self.asked[key]
            self.asked[key] += 1
            self.bodies.append(body)
            self.headers.append(headers)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        return self.fault(*key, attempt)

    def leave(self, body: dict[str, Any], good: bool) -> None:
        with self._lock:
            self.running -= 1
            if good:
                self.served[(body["messages"][-1]["content"], body["seed"])] += 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, stub: StubServer) -> None:
        self.stub = stub
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        assert self.path == "/v1/chat/completions"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.server.stub.enter(body, dict(self.headers))
        good = fault in (None, "meet", "empty", "null", "uncounted")
        self.server.stub.leave(body, good) if fault != "meet" else None
        getattr(self, f"_{fault}", self._status)(body, fault)

    def _reply(self, content: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", headers.pop("length", str(len(content))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _completion(self, body: dict[str, Any], text: str | None = None, **changes: Any) -> bytes:
        answer = self.server.stub.answer(body) if text is None else text
        said, reason = (answer, "stop") if isinstance(answer, str) else answer
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": reason}
        tokens = len(said.split())
        return json.dumps({"choices": [choice], "usage": {"completion_tokens": tokens}} | changes).encode()

    def _None(self, body: dict[str, Any], fault: Fault) -> None:
        self._reply(self._completion(body))

    def _meet(self, body: dict[str, Any], fault: Fault) -> None:
        self.server.stub.meeting.wait(30)
        self.server.stub.leave(body, True)
        self._reply(self._completion(body))

    def _empty(self, body: dict[str, Any], fault: Fault) -> None:
        self._reply(self._completion(body, ""))

    def _null(self, body: dict[str, Any], fault: Fault) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "stop"}
        self._reply(self._completion(body, choices=[choice]))

    def _uncounted(self, body: dict[str, Any], fault: Fault) -> None:
        self._reply(self._completion(body, usage=None))

    def _status(self, body: dict[str, Any], fault: Fault) -> None:
        """A status code, with a Retry-After where the fault is such as `429:0`."""
        status, _, after = str(fault).partition(":")
        more = {"Retry_After": after} if after else {}
        self._reply(json.dumps({"error": f"fault {status}"}).encode(), int(status), **more)

    def _too_long(self, body: dict[str, Any], fault: Fault) -> None:
        text = "This model's maximum context length is 2048 tokens. However, you requested 5030 tokens."
        self._reply(json.dumps({"error": {"message": text}}).encode(), 400)

    def _key_echoed(self, body: dict[str, Any], fault: Fault) -> None:
        self._reply(f"wrong key: {self.headers['Authorization']}".encode(), 401)

    def _reset(self, body: dict[str, Any], fault: Fault) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _hang(self, body: dict[str, Any], fault: Fault) -> None:
        self.server.stub.released.wait(30)
        self.close_connection = True

    def _truncated(self, body: dict[str, Any], fault: Fault) -> None:
        content = self._completion(body)
        self._reply(content[: len(content) // 2], length=str(len(content)))
        self.close_connection = True

    def _html(self, body: dict[str, Any], fault: Fault) -> None:
        self._reply(b"<html><body>Bad gateway</body></html>", kind="text/html")

    def _nan(self, body: dict[str, Any], fault: Fault) -> None:
        self._reply(self._completion(body, usage={"completion_tokens": float("nan")}))

    def _two_choices(self, body: dict[str, Any], fault: Fault) -> None:
        choice = {"message": {"content": "a"}, "finish_reason": "stop"}
        self._reply(self._completion(body, choices=[choice, choice]))

    def _no_choices(self, body: dict[str, Any], fault: Fault) -> None:
        self._reply(self._completion(body, choices=[]))

    def _unfinished(self, body: dict[str, Any], fault: Fault) -> None:
        choice = {"message": {"content": "a"}, "finish_reason": None}
        self._reply(self._completion(body, choices=[choice]))

    def _list(self, body: dict[str, Any], fault: Fault) -> None:
        self._reply(b"[]")
