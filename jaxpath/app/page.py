"""The page: what a reader sees and does, on NiceGUI. Every figure comes from :class:`~jaxpath.app.Studio`."""

import asyncio
import base64
import binascii
import contextlib
import functools
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nicegui import app, run, ui
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request

from jaxpath.app.layout import Widgets, build
from jaxpath.app.lines import python_lines
from jaxpath.app.side_by_side import side_by_side
from jaxpath.app.state import State, decode_mask, number_in
from jaxpath.app.studio import GENERATOR, Look, Studio
from jaxpath.app.uploads import MOST_BYTES
from jaxpath.cli.commands import App
from jaxpath.findings import Assessment, Measured, Pictures
from jaxpath.pathways import offsets
from jaxpath.report import fragments
from jaxpath.runs import as_json, say
from jaxpath.types import InputError

_SETTLED_AFTER = 0.4
"""Seconds without a change after which the verdict is measured."""

_DRAWING = "data:image/png;base64,"

_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
"""Names under which this machine may be asked; a page of another name is refused."""

_ASSETS = Path(__file__).parent


def serve(studio: Studio, options: App) -> None:
    """Shows the page on this machine until Ctrl-C.

    Raises:
        InputError: Something else is served at the port.
    """
    check_free(options.port)

    @ui.page("/")
    async def index(request: Request) -> None:
        await Reader(studio, options).begin(dict(request.query_params))

    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)
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


class Reader:
    """One open page: its state, and what its buttons do. No two share anything but the studio."""

    def __init__(self, studio: Studio, options: App):
        self.studio = studio
        self.options = options
        self.state: State | None = None
        self.site = 0
        self._changed = 0
        self._measuring = False
        self.w: Widgets

    async def begin(self, parameters: Mapping[str, str]) -> None:
        """Builds the page and shows what its address asks for."""
        ui.add_css(fragments.style() + (_ASSETS / "page.css").read_text(encoding="utf-8"))
        self.w = build(self)
        await ui.context.client.connected()
        try:
            await self._follow(parameters)
        except InputError as error:
            self.complain(error)

    async def _follow(self, parameters: Mapping[str, str]) -> None:
        """What an address asks for; the first picture of the reference where it asks for none."""
        studio = self.studio
        if studio.reference is None:
            return
        classes = studio.target.num_classes
        place = number_in(parameters, "picture", below=len(studio.reference.pictures.names))
        if parameters.get("explainer") in studio.explainers:
            self.w.explainer.set_value(parameters["explainer"])
        if self._asks:
            label, against = (number_in(parameters, name, below=classes) for name in ("class", "against"))
            self.w.label.set_value(-1 if label is None else label)
            self.w.against.set_value(-1 if against is None else against)
        await self.choose(place or 0)
        if self.state is not None and parameters.get("open"):
            channels = len(self.state.mask)
            self.state.mask = decode_mask(parameters["open"], channels)
            await self.changed()
        elif self.state is not None and parameters.get("density"):
            self.w.density.set_value(_share(parameters["density"]))

    # What the widgets do.

    async def choose(self, place: int) -> None:
        """Takes a picture of the reference."""
        await self.take(self.studio.from_reference(place), place)

    async def upload(self, event: Any) -> None:
        """Takes a picture that was dropped."""
        content = await event.file.read()
        self.w.upload.reset()
        await self._read(content, event.file.name)

    async def drawn(self, event: Any) -> None:
        """Takes a picture that was drawn."""
        text = str(event.args)
        try:
            content = base64.b64decode(text.removeprefix(_DRAWING), validate=True)
        except (binascii.Error, ValueError):
            content = b""
        await self._read(content[: MOST_BYTES + 1], "drawing")

    async def _read(self, content: bytes, name: str) -> None:
        pictures = await self._ask(self.studio.read, content, name)
        if pictures is not None:
            await self.take(pictures, None)

    async def take(self, pictures: Pictures, place: int | None) -> None:
        """Explains a picture, or puts the pathway that is held on it."""
        if self.state is not None and self.w.hold.value:
            look = await self._ask(self.studio.put_on, self.state.look, self.state.mask, pictures)
            if look is not None:
                self.state.look, self.state.place = look, place
                await self.changed()
            return
        label, against = self._question()
        look = await self._ask(
            functools.partial(
                self.studio.look, label=label, against=against, explainer=self.w.explainer.value
            ),
            pictures,
        )
        if look is not None:
            await self._begin_with(look, place)

    async def ask_again(self) -> None:
        """Asks another question about the same picture."""
        if not self._asks:
            for select in (self.w.label, self.w.against):
                select.set_value(-1)
        for select in (self.w.label, self.w.against):
            select.set_enabled(self._asks)
        if self.state is not None:
            self.w.hold.set_value(False)
            await self.take(self.state.look.pictures, self.state.place)

    async def _begin_with(self, look: Look, place: int | None) -> None:
        own = look.explainer == GENERATOR
        density = None if own else float(self.w.density.value)
        mask = look.own_mask if own else self.studio.cut(look, float(self.w.density.value))
        self.state = State(look, mask, mask.copy(), density, place)
        if own:
            self.w.show_density(float(mask.mean()))
        await self.changed()

    async def slide(self, density: float) -> None:
        """Takes the pathway of another density."""
        if self.state is not None and not self.w.silent:
            self.state.begin(self.studio.cut(self.state.look, density), density)
            await self.changed()

    async def turn_channel(self, channel: int) -> None:
        """Closes or opens a channel of the site that is shown, or shows what it does."""
        if self.w.mode.value == "card":
            html = await self._ask(self.studio.profile, self.site, channel)
            if html is not None:
                self.w.show_card(html)
        elif self.state is not None:
            self.state.turn(np.array([self._first + channel]))
            await self.changed()

    async def turn_site(self, *, opened: bool) -> None:
        """Opens or closes all channels of the site that is shown."""
        if self.state is not None:
            count = self.studio.target.sites[self.site].channels
            self.state.turn(self._first + np.arange(count), opened=opened)
            await self.changed()

    def show_site(self, site: int) -> None:
        """Shows the channels of another site."""
        self.site = site
        self.w.show_pathway(self)

    async def undo(self) -> None:
        """Takes the last change back."""
        if self.state is not None and self.state.undo():
            await self.changed()

    async def take_class_pathway(self) -> None:
        """Takes the pathway of the class in place of the picture's."""
        if self.state is not None:
            mask = await self._ask(self.studio.class_mask, self.state.look.label)
            if mask is not None:
                self.state.begin(mask, None)
                self.w.show_density(float(mask.mean()))
                await self.changed()

    async def compare_with_random(self) -> None:
        """Closes as many random channels, beside those that were closed by hand."""
        if self.state is None or not (self.state.start & ~self.state.mask).any():
            self.complain(InputError("no channel was closed by hand; click some first"))
            return
        state = self.state
        controls = await self._ask(self.studio.beside_random, state.look, state.start, state.mask)
        if controls is not None:
            self.w.show_random(controls)

    async def compare_explainers(self) -> None:
        """All explainers on the picture, at the density of the slider."""
        if self.state is not None:
            look, density = self.state.look, float(self.w.density.value)
            rows = await self._ask(side_by_side, self.studio, look, density)
            if rows is not None and self.state is not None and self.state.look is look:
                self.w.show_explainers(rows)

    async def download(self, kind: str) -> None:
        """The report or ``results.json`` of exactly what is shown."""
        if self.state is None:
            return
        state, studio = self.state, self.studio
        finding = await self._ask(studio.finding, state.look, state.mask)
        if finding is None:
            return
        if kind == "report":
            page = studio.page(state.look, finding, by_hand=state.by_hand)
            ui.download.content(page, "report.html", "text/html")
        else:
            results = studio.results(state.look, finding, by_hand=state.by_hand)
            ui.download.content(as_json(results), "results.json", "application/json")

    # What follows a change.

    async def changed(self) -> None:
        """Shows the pathway, then its figures, and the verdict when nothing changes any more."""
        self._changed += 1
        self.w.show_picture(self)
        self.w.show_pathway(self)
        self.w.stale(self._changed)
        if self._measuring:
            return
        self._measuring = True
        try:
            await self._measure_until_settled()
        finally:
            self._measuring = False

    async def _measure_until_settled(self) -> None:
        while self.state is not None:
            number, state = self._changed, self.state
            mask = state.mask
            measured: Measured | None = await self._ask(self.studio.measure, state.look, mask)
            if measured is None:
                return
            self.w.show_figures(measured)
            if number != self._changed:
                continue
            await asyncio.sleep(_SETTLED_AFTER)
            if number != self._changed:
                continue
            assessment: Assessment | None = await self._ask(self.studio.assess, state.look, mask)
            maps = await self._ask(self.studio.saliency, state.look, mask)
            if number == self._changed:
                if assessment is not None and maps is not None:
                    self.w.show_verdict(assessment, self.studio)
                    self.w.show_maps(state.look.pictures.images[0], maps)
                    self.w.settled(number)
                return

    async def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """An answer of the studio; None and a sentence on the page if it refuses."""
        self.w.say("working")
        try:
            answer = await run.io_bound(function, *arguments)
        except InputError as error:
            self.complain(error)
            return None
        self.w.say("")
        return answer

    def complain(self, error: InputError) -> None:
        """Says on the page what is wrong."""
        self.w.say(f"{error}.", wrong=True)

    # What the widgets show.

    @property
    def link(self) -> dict[str, str]:
        """The state as parameters of an address."""
        return {} if self.state is None else self.state.link()

    @property
    def lines(self) -> str:
        """Python that does the same."""
        return "" if self.state is None else python_lines(self.options, self.state)

    @property
    def _first(self) -> int:
        """Number of the first channel of the site that is shown, among all."""
        return offsets(self.studio.target.sites)[self.site]

    @property
    def _asks(self) -> bool:
        return self.studio.asks(self.w.explainer.value)

    def _question(self) -> tuple[int | None, int | None]:
        label, against = self.w.label.value, self.w.against.value
        return (None if label in (None, -1) else label), (None if against in (None, -1) else against)


def _share(text: str) -> float:
    """A density in an address.

    Raises:
        InputError: It is none.
    """
    try:
        value = float(json.loads(text))
    except (ValueError, TypeError) as error:
        raise InputError(f"the address asks for density {text}; expected a number from 0 to 1") from error
    if not 0 <= value <= 1:
        raise InputError(f"the address asks for density {text}; expected a number from 0 to 1")
    return value
