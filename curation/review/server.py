"""The page that asks: two answers to one prompt, blind and shuffled, one key each. For this machine only.

It listens on the loopback interface, answers only to requests that name it (no other site's page can be pointed at it
through a name of its own), and all its addresses begin with a secret of this start, so that neither another user of
the machine nor a page in another tab can read or write. Texts go to the page as JSON and become text nodes there.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from curation.review.items import Item
from curation.review.verdicts import NOTE_CHARACTERS, Verdict, append, read, standing
from schemas.errors import UsageError

HOST: Final = "127.0.0.1"
FOLDER: Final = Path(__file__).parent / "page"
KINDS: Final = {"review.html": "text/html", "review.js": "text/javascript", "review.css": "text/css"}
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
CHOICES: Final = ("first", "second", "tie", "skip")


class Desk:
    """One reviewer's queue: what is to be asked, what was said, and the file that keeps it."""

    def __init__(
        self, items: Sequence[Item], file: Path, by: str, run: str, summary: Callable[[], Any] = lambda: []
    ) -> None:
        self.items, self.file, self.by, self.run, self.summary = items, file, by, run, summary
        said: dict[tuple[str, str, str], Verdict] = {}
        for verdict in read(file):
            if verdict.by == by:
                said[verdict.pair] = verdict
        self.said = {item.pair: said[item.pair] for item in items if item.pair in said}

    def next(self) -> int:
        """The place of the first pair without a word from this reviewer; the number of pairs where there is none."""
        return next((at for at, item in enumerate(self.items) if item.pair not in self.said), len(self.items))

    def show(self, at: int) -> dict[str, Any]:
        """What the page shows: no id, score, model or reason that could hint at an answer."""
        progress = {"at": at, "total": len(self.items), "done": len(self.said), "next": self.next(), "by": self.by}
        if at >= len(self.items):
            return progress | {"summary": self.summary()}
        item = self.items[at]
        shown = [item.a, item.b] if item.first(self.by) == "a" else [item.b, item.a]
        prompt = [{"role": str(m["role"]), "content": str(m["content"])} for m in item.prompt]
        verdict = self.said.get(item.pair)
        before = {"choice": self._as_choice(item, verdict), "note": verdict.note} if verdict else None
        return progress | {"prompt": prompt, "answers": shown, "before": before}

    def take(self, at: int, choice: str, note: str) -> None:
        """Write a verdict. Raises ValueError for a place or a choice that there is not."""
        if not 0 <= at < len(self.items) or choice not in CHOICES:
            raise ValueError("no such pair or choice")
        item = self.items[at]
        first = item.first(self.by)
        named = {"first": first, "second": "b" if first == "a" else "a"}.get(choice, choice)
        prompt_id, a, b = item.pair
        verdict = Verdict.model_validate(
            {
                "prompt_id": prompt_id,
                "a_text": a,
                "b_text": b,
                "verdict": named,
                "by": self.by,
                "note": note[:NOTE_CHARACTERS],
                "first": first,
                "run": self.run,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        append(self.file, [verdict])
        self.said[item.pair] = verdict

    def _as_choice(self, item: Item, verdict: Verdict) -> str:
        if verdict.verdict in ("tie", "skip"):
            return verdict.verdict
        return "first" if verdict.verdict == item.first(self.by) else "second"


def make_app(desk: Desk, secret: str) -> Any:
    """The application; everything it serves is below `/<secret>/`."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    def page(request: Request) -> Response:
        name = request.path_params.get("name") or "review.html"
        if name not in KINDS:
            return Response(status_code=404, headers=HEADERS)
        return Response((FOLDER / name).read_bytes(), media_type=KINDS[name], headers=HEADERS)

    def item(request: Request) -> Response:
        at = request.path_params["at"]
        return JSONResponse(desk.show(desk.next() if at == "next" else min(int(at), len(desk.items))), headers=HEADERS)

    async def verdict(request: Request) -> Response:
        try:
            body = await request.json()
            desk.take(int(body["at"]), str(body["choice"]), str(body.get("note", "")))
        except (ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse({"error": "at, choice (first, second, tie, skip) and note are wanted"}, 400, HEADERS)
        except UsageError as error:
            return JSONResponse({"error": str(error)}, 500, HEADERS)
        return JSONResponse(desk.show(int(body["at"]) + 1), headers=HEADERS)

    routes = [
        Route(f"/{secret}/", page),
        Route(f"/{secret}/item/{{at:int}}", item),
        Route(f"/{secret}/item/{{at}}", _only("next", item)),
        Route(f"/{secret}/verdict", verdict, methods=["POST"]),
        Route(f"/{secret}/{{name}}", page),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    return Starlette(routes=routes, middleware=[hosts])


def _only(word: str, answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(request: Any) -> Any:
        from starlette.responses import Response

        return answer(request) if request.path_params["at"] == word else Response(status_code=404, headers=HEADERS)

    return checked


def serve(desk: Desk, port: int, tell: Callable[[str], None]) -> None:
    """Serve until stopped. `tell` is given the address once it can be opened; port 0 takes any that is free.

    Raises UsageError where the port is taken.
    """
    import uvicorn

    secret = secrets.token_urlsafe(16)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # whoever opens the address before the server is up waits for it
    except OSError as error:
        listener.close()
        raise UsageError(f"port {port} cannot be used: {error.strerror}", hint="name another with --port") from error
    tell(f"http://{HOST}:{listener.getsockname()[1]}/{secret}/")
    config = uvicorn.Config(make_app(desk, secret), log_level="warning", access_log=False, lifespan="off")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()


def reviewed(file: Path) -> Any:
    """The verdicts that stand in a file, for agreement and labels."""
    return standing(read(file))
