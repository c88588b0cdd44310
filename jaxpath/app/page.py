"""The page, served on this machine alone."""

import contextlib
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlparse

from nicegui import app, ui
from starlette.requests import Request

from jaxpath.app.reader import Reader
from jaxpath.app.studio import Studio
from jaxpath.cli.commands import App
from jaxpath.runs import say
from jaxpath.types import InputError

_HOSTS = ("127.0.0.1", "localhost", "::1")
"""Names of this machine."""

_Message = MutableMapping[str, Any]


def serve(studio: Studio, options: App) -> None:
    """Shows the page on this machine until Ctrl-C."""

    @ui.page("/")
    async def index(request: Request) -> None:
        await Reader(studio, options).begin(dict(request.query_params))

    app.add_middleware(OnlyThisMachine)
    app.on_startup(lambda: say(f"http://127.0.0.1:{options.port}/  (Ctrl-C ends it)"))
    # A second time, as uvicorn sends the signal on after its clean end.
    with contextlib.suppress(KeyboardInterrupt):
        _run(studio, options)
    say("ended")


def _run(studio: Studio, options: App) -> None:
    ui.run(
        host="127.0.0.1",
        port=options.port,
        title=f"Pathways of {studio.target.name}",
        favicon="🧭",
        dark=None,
        language="en-US",
        show=options.open,
        reload=False,
        show_welcome_message=False,
        tailwind=False,
        # Of a client that went away, and of its own end: what readers need to know is on the page.
        uvicorn_logging_level="critical",
    )


def check_free(port: int) -> None:
    """Raises an :class:`InputError` if something else is served at ``port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(f"port {port} is taken ({error.strerror}); name another with --port") from error


class OnlyThisMachine:
    """Refuses requests under another name, and those of pages of another origin; no page may frame this one.

    Without it, a page from anywhere could have its own name point at this machine, and read what is shown.
    """

    def __init__(self, application: Callable[..., Awaitable[None]]):
        self._application = application

    async def __call__(
        self, scope: _Message, receive: Callable[..., Any], send: Callable[[_Message], Awaitable[None]]
    ) -> None:
        """One request."""
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get(b"origin")
        names = [_name(f"//{headers.get(b'host', '')}"), *([_name(origin)] if origin else [])]
        if any(name not in _HOSTS for name in names):
            await _refuse(scope["type"], send)
            return

        async def guarded(message: _Message) -> None:
            if message["type"] == "http.response.start":
                framing = (b"content-security-policy", b"frame-ancestors 'none'")
                message["headers"] = [*message.get("headers", []), framing]
            await send(message)

        await self._application(scope, receive, guarded)


def _name(address: str) -> str | None:
    try:
        return urlparse(address).hostname
    except ValueError:
        return None


async def _refuse(kind: str, send: Callable[[_Message], Awaitable[None]]) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"This page is for its own machine alone."})
