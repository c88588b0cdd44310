"""One open page: its state, and what its buttons do. Every figure comes from the studio."""

import asyncio
import base64
import binascii
import functools
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nicegui import background_tasks, run, ui

from jaxpath.app.layout import Widgets, build
from jaxpath.app.lines import python_lines
from jaxpath.app.side_by_side import side_by_side
from jaxpath.app.state import Shown, State, number_in, share_in, shown_by
from jaxpath.app.studio import GENERATOR, Look, Studio
from jaxpath.app.uploads import MOST_BYTES
from jaxpath.cli.commands import App
from jaxpath.findings import Pictures
from jaxpath.pathways import offsets
from jaxpath.report import fragments
from jaxpath.runs import as_json
from jaxpath.types import InputError

_SETTLED_AFTER = 0.4
"""Seconds without a change after which the verdict is measured."""

_BETWEEN_SLIDES = 0.1
"""Seconds between two pathways of a slider that moves."""

_DRAWING = "data:image/png;base64,"

_ASSETS = Path(__file__).parent

Parameters = Mapping[str, str]


class Reader:
    """One open page. No two share anything but the studio."""

    def __init__(self, studio: Studio, options: App):
        self.studio = studio
        self.options = options
        self.state: State | None = None
        self.site = 0
        self._changed = 0
        self._asked = 0
        self._measuring = False
        self._sliding_to: float | None = None
        self._slides = False
        self.w: Widgets

    async def begin(self, parameters: Parameters) -> None:
        """Builds the page and shows what its address asks for."""
        ui.add_css(fragments.style() + (_ASSETS / "page.css").read_text(encoding="utf-8"))
        self.w = build(self)
        await ui.context.client.connected()
        if self.studio.reference is not None:
            await self._follow(parameters)
        elif parameters:
            self.complain(InputError("a link shows a picture of the reference; start with --reference"))

    async def _follow(self, parameters: Parameters) -> None:
        """What an address asks for; the first picture, or the predicted class, for what it asks wrongly."""
        assert self.studio.reference is not None
        wrong: list[InputError] = []

        def number(name: str, below: int) -> int | None:
            try:
                return number_in(parameters, name, below=below)
            except InputError as error:
                wrong.append(error)
                return None

        classes = self.studio.target.num_classes
        place = number("picture", len(self.studio.reference.pictures.names))
        label, against = number("class", classes), number("against", classes)
        if label is not None and label == against:
            wrong.append(InputError("the address names one class twice; name two"))
            against = None
        explainer = parameters.get("explainer", "")
        if explainer in self.studio.explainers:
            asks = self.studio.asks(explainer)
            self.w.show_question(explainer, label if asks else None, against if asks else None, asks=asks)
        await self.take(self.studio.from_reference(place or 0), place or 0, parameters)
        if wrong:
            self.complain(wrong[0])

    # What the widgets do.

    async def choose(self, place: int) -> None:
        """Takes a picture of the reference."""
        await self.take(self.studio.from_reference(place), place)
        self.w.focus(f"[data-picture='{place}']")

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

    async def take(self, pictures: Pictures, place: int | None, parameters: Parameters | None = None) -> None:
        """Explains a picture, or puts the pathway that is held on it; the last one that is asked for wins."""
        self._asked += 1
        number, state = self._asked, self.state
        if state is not None and self.w.hold.value:
            look = await self._ask(self.studio.put_on, state.look, state.mask, pictures)
            if look is not None and number == self._asked:
                state.look, state.place, state.held = look, place, True
                await self.changed()
            return
        label, against = self.w.question
        asked = functools.partial(self.studio.look, label=label, against=against)
        look = await self._ask(asked, pictures, self.w.explainer.value)
        if look is not None and number == self._asked:
            self._show(look, place, parameters or {})
            await self.changed()
        elif look is None and state is not None:
            self._show_question(state)

    def _show(self, look: Look, place: int | None, parameters: Parameters) -> None:
        """A picture with the pathway that an address asks for, or that of the slider."""
        own = look.explainer == GENERATOR and not parameters.get("density")
        try:
            shown = shown_by(parameters, len(look.own_mask))
            density = share_in(parameters)
        except InputError as error:
            shown, density = None, None
            self.complain(error)
        if shown is None and own:
            shown = Shown(look.own_mask, look.own_mask, None)
        if shown is None:
            density = float(self.w.density.value) if density is None else density
            mask = self.studio.cut(look, density)
            shown = Shown(mask, mask, density)
        self.state = State(look, shown, place)
        self.w.show_density(shown)

    def _show_question(self, state: State) -> None:
        """The question that was answered last."""
        look = state.look
        asks = self.studio.asks(look.explainer)
        self.w.show_question(look.explainer, look.label if asks else None, look.against, asks=asks)

    async def ask_again(self) -> None:
        """Asks another question about the same picture."""
        asks = self.studio.asks(self.w.explainer.value)
        label, against = self.w.question
        kept = (label, against) if asks else (None, None)
        self.w.show_question(self.w.explainer.value, *kept, asks=asks)
        if self.state is not None:
            self.w.hold.set_value(False)
            await self.take(self.state.look.pictures, self.state.place)

    def slide(self, density: float) -> Awaitable[None] | None:
        """Takes the pathway of another density; of moves that follow fast, some are left out."""
        self._sliding_to = density
        if self._slides or self.state is None:
            return None
        self._slides = True
        return self._slide()

    async def _slide(self) -> None:
        try:
            while self._sliding_to is not None and self.state is not None:
                density, self._sliding_to = self._sliding_to, None
                self.state.slide(self.studio.cut(self.state.look, density), density)
                self._show_change()
                if not self._measuring:
                    background_tasks.create(self._measure())
                await asyncio.sleep(_BETWEEN_SLIDES)
        finally:
            self._slides = False

    async def turn_channel(self, channel: int) -> None:
        """Closes or opens a channel of the site that is shown, or shows what it does."""
        if self.w.mode.value == "card":
            html = await self._ask(self.studio.profile, self.site, channel)
            if html is not None:
                self.w.show_card(html)
        elif self.state is not None:
            self.state.turn(np.array([self._first + channel]))
            self.w.focus(f"[data-channel='{channel}']")
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
        self.w.focus(f"[data-site='{site}']")

    async def undo(self) -> None:
        """Takes the last change back."""
        if self.state is not None and self.state.undo():
            self.w.show_density(self.state.shown)
            await self.changed()

    async def take_class_pathway(self) -> None:
        """Takes the pathway of the class in place of the picture's."""
        if self.state is not None:
            mask = await self._ask(self.studio.class_mask, self.state.look.label)
            if mask is not None:
                self.state.take(mask)
                self.w.show_density(self.state.shown)
                await self.changed()

    async def compare_with_random(self) -> None:
        """Closes as many random channels, beside those that were closed by hand."""
        state = self.state
        if state is None or not (state.shown.start & ~state.mask).any():
            self.complain(InputError("no channel was closed by hand; click some first"))
            return
        number = self._changed
        controls = await self._ask(self.studio.beside_random, state.look, state.shown.start, state.mask)
        if controls is not None and number == self._changed:
            self.w.show_random(controls)

    async def compare_explainers(self) -> None:
        """All explainers on the picture, at the density of the slider."""
        if self.state is not None:
            number, look = self._changed, self.state.look
            rows = await self._ask(side_by_side, self.studio, look, float(self.w.density.value))
            if rows is not None and number == self._changed:
                self.w.show_explainers(rows)

    async def download(self, kind: str) -> None:
        """The report or ``results.json`` of exactly what is shown."""
        if self.state is None:
            return
        look, shown, studio = self.state.look, self.state.shown, self.studio
        finding = await self._ask(studio.finding, look, shown.mask)
        if finding is None:
            return
        if kind == "report":
            page = studio.page(look, finding, by_hand=shown.by_hand)
            ui.download.content(page, "report.html", "text/html")
        else:
            results = studio.results(look, finding, by_hand=shown.by_hand)
            ui.download.content(as_json(results), "results.json", "application/json")

    # What follows a change.

    async def changed(self) -> None:
        """Shows picture and pathway, then the figures, and the verdict when nothing changes any more."""
        self.w.show_picture(self)
        self._show_change()
        if not self._measuring:
            await self._measure()

    def _show_change(self) -> None:
        self._changed += 1
        self.w.complain("")
        self.w.show_pathway(self)
        self.w.stale(self._changed)

    async def _measure(self) -> None:
        self._measuring = True
        try:
            while self.state is not None and not await self._settle(self._changed, self.state):
                pass
        finally:
            self._measuring = False

    async def _settle(self, number: int, state: State) -> bool:
        """Figures and verdict of one change; False if another has followed."""
        look, mask, studio = state.look, state.mask, self.studio
        measured = await self._ask(studio.measure, look, mask)
        if measured is None:
            return True
        if number == self._changed:
            self.w.show_figures(measured)
            await asyncio.sleep(_SETTLED_AFTER)
        if number != self._changed:
            return False
        assessment = await self._ask(studio.assess, look, mask)
        maps = await self._ask(studio.saliency, look, mask)
        if number != self._changed:
            return False
        if assessment is not None and maps is not None:
            self.w.show_verdict(assessment, studio)
            self.w.show_maps(look.pictures.images[0], maps)
            self.w.settled(number)
        return True

    async def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """An answer of the studio; None and a sentence on the page if it refuses."""
        self.w.busy.set_text("working")
        try:
            return await run.io_bound(function, *arguments)
        except InputError as error:
            self.complain(error)
            return None
        finally:
            self.w.busy.set_text("")

    def complain(self, error: InputError) -> None:
        """Says on the page what is wrong, until something changes."""
        self.w.complain(f"{error}.")

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
