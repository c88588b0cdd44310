"""The widgets of the page, and what they show."""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
from nicegui import ui

from jaxpath.app.side_by_side import Explained
from jaxpath.app.state import Shown
from jaxpath.app.studio import RandomControl, Studio
from jaxpath.app.uploads import MOST_BYTES
from jaxpath.cli.options import DENSITY
from jaxpath.findings import Assessment, Measured
from jaxpath.findings.images import top_classes
from jaxpath.pathways import offsets
from jaxpath.report import encode, fragments
from jaxpath.report.conclusions import HELD

if TYPE_CHECKING:
    from jaxpath.app.reader import Reader

_PICTURE = "the picture as the classifier sees it"

_ANY = -1
"""In place of a class: the predicted one, or all others."""

_MOST_THUMBS = 60
_THUMB = 56

_PICKED = "(e) => {{ const b = e.target.closest('[{0}]'); if (b) emit(Number(b.getAttribute('{0}'))); }}"
"""Emits the number that the button under the pointer has as an attribute."""

_DRAW = (Path(__file__).parent / "draw.js").read_text(encoding="utf-8")

_SEND_DRAWING = "emitEvent('drawn', document.getElementById('drawing').toDataURL('image/png'))"


class _Slider(ui.slider):
    """A slider that is not told its own value: an answer that is late would move it back."""

    LOOPBACK = False


class Widgets:
    """What of the page changes."""

    def __init__(self) -> None:
        self.silent = False
        self.shown = 0
        self.picture: Any = None
        self.top: Any = None
        self.verdict: Any = None
        self.figures: Any = None
        self.sites: Any = None
        self.channels: Any = None
        self.channel_title: Any = None
        self.random: Any = None
        self.others: Any = None
        self.maps: Any = None
        self.density: Any = None
        self.opened: Any = None
        self.explainer: Any = None
        self.label: Any = None
        self.against: Any = None
        self.hold: Any = None
        self.mode: Any = None
        self.upload: Any = None
        self.thumbs: Any = None
        self.link: Any = None
        self.lines: Any = None
        self.message: Any = None
        self.busy: Any = None
        self.card: Any = None
        self.card_frame: Any = None

    @property
    def question(self) -> tuple[int | None, int | None]:
        """The class that is asked for, and the one rather than which; None: the predicted one, all others."""
        label, against = (
            None if select.value == _ANY else select.value for select in (self.label, self.against)
        )
        return label, against

    def complain(self, text: str) -> None:
        """A line about what is wrong; empty: nothing."""
        self.message.set_text(text)

    def focus(self, selector: str) -> None:
        """Gives the keyboard back to a button that was drawn anew."""
        ui.run_javascript(f'setTimeout(() => document.querySelector("{selector}")?.focus(), 50)')

    def show_density(self, shown: Shown) -> None:
        """Moves the slider to the density of a pathway that it did not choose."""
        density = float(shown.start.mean()) if shown.density is None else shown.density
        with self._silence():
            self.density.set_value(round(density, 3))

    def show_question(self, explainer: str, label: int | None, against: int | None, *, asks: bool) -> None:
        """A question that was not asked by these widgets."""
        with self._silence():
            self.explainer.set_value(explainer)
            self.label.set_value(_ANY if label is None else label)
            self.against.set_value(_ANY if against is None else against)
        for select in (self.label, self.against):
            select.set_enabled(asks)

    @contextlib.contextmanager
    def _silence(self) -> Iterator[None]:
        """Widgets that are set by the page ask nothing."""
        self.silent = True
        try:
            yield
        finally:
            self.silent = False

    def show_picture(self, reader: "Reader") -> None:
        """The picture and the predictions of the whole network."""
        state, studio = reader.state, reader.studio
        assert state is not None
        image = state.look.pictures.images[0]
        self.picture.set_source(fragments.picture_uri(image))
        self.picture.classes(
            add="small-pixels" if encode.is_small(image) else "",
            remove="" if encode.is_small(image) else "small-pixels",
        )
        self.top.set_content(fragments.predictions(top_classes(state.look.survey.logits[0]), studio.names))
        self.thumbs.set_content(_thumbs(studio, state.place))

    def show_pathway(self, reader: "Reader") -> None:
        """The sites, the channels of the chosen one, and how to come back here."""
        state, studio = reader.state, reader.studio
        if state is None:
            return
        sites = studio.target.sites
        site, first = sites[reader.site], offsets(sites)[reader.site]
        part, shown = slice(first, first + site.channels), state.shown
        self.sites.set_content(fragments.site_buttons(state.mask, sites, reader.site))
        self.channels.set_content(
            fragments.channel_buttons(state.mask[part], shown.start[part], state.look.survey.scores[0][part])
        )
        opened = int(state.mask[part].sum())
        self.channel_title.set_text(f"{site.name}: {opened} of {site.channels} channels open")
        by_hand = int((shown.mask != shown.start).sum())
        changed = f", {by_hand} turned by hand" if by_hand else ""
        self.opened.set_text(f"{state.mask.sum():,} of {len(state.mask):,} channels open{changed}")
        self.random.set_content("")
        self.others.set_content("")
        self.link.props(f'href="/?{urlencode(reader.link)}"')
        self.link.set_text(
            "This view as a link" + ("" if state.place is not None else " (without your picture)")
        )
        self.lines.set_text(reader.lines)

    def show_figures(self, measured: Measured) -> None:
        """What was measured while the slider moves; counts how often."""
        self.figures.set_content(fragments.control_table(measured.controls))
        self.shown += 1
        self.figures.props(f"data-figures={self.shown}")

    def stale(self, change: int) -> None:
        """Says that verdict and maps are of an earlier pathway than that of a change."""
        self.verdict.props(f"data-change={change}")
        for part in (self.verdict, self.maps):
            part.classes(add="stale")

    def settled(self, change: int) -> None:
        """Says that they are of this one."""
        self.verdict.props(f"data-settled={change}")
        for part in (self.verdict, self.maps):
            part.classes(remove="stale")

    def show_verdict(self, assessment: Assessment, studio: Studio) -> None:
        """What may be concluded, and all figures that it rests on."""
        self.figures.set_content(fragments.control_table(assessment.measured.controls))
        self.verdict.set_content(fragments.verdict_of(assessment, studio.names))

    def show_maps(self, image: np.ndarray, maps: np.ndarray) -> None:
        """Which pixels matter, in the whole network and through the pathway."""
        small = encode.is_small(image)
        self.maps.set_content(fragments.saliency_maps(image, maps, small=small))

    def show_random(self, controls: Mapping[str, RandomControl]) -> None:
        """Channels closed by hand beside as many random ones."""
        self.random.set_content(
            fragments.random_lines([(HELD[name], c.by_hand, c.random) for name, c in controls.items()])
        )

    def show_explainers(self, rows: Sequence[Explained]) -> None:
        """All explainers at the density of the slider."""
        self.others.set_content(
            fragments.explainers([(row.name, row.iou, row.measured.controls) for row in rows])
        )

    def show_card(self, html: str) -> None:
        """What a channel does."""
        self.card_frame.props["srcdoc"] = html
        self.card_frame.update()
        self.card.open()


def build(reader: "Reader") -> Widgets:
    """Lays the page out."""
    w, studio = Widgets(), reader.studio
    _heading(f"Which channels of {studio.target.name} carry the decision?", level=1)
    w.message = ui.label("").classes("error").props("role=status aria-live=polite")
    w.busy = ui.label("").classes("busy").props("aria-hidden=true")
    with ui.element("div").classes("app-top"):
        with ui.element("div"):
            w.picture = (
                ui.image()
                .classes("app-picture")
                .props('alt="the picture as the classifier sees it" no-spinner')
            )
        with ui.element("div"):
            w.verdict = ui.html("", sanitize=False).props("aria-live=polite")
            w.top = ui.html("", sanitize=False)
    _pictures(reader, w)
    _question(reader, w)
    _pathway(reader, w)
    _by_hand(reader, w)
    with _card("Which pixels matter"):
        w.maps = ui.html("", sanitize=False)
    _take_away(reader, w)
    with ui.dialog() as w.card, ui.card().style("width:min(96vw,1000px);max-width:none;height:88vh"):
        w.card_frame = (
            ui.element("iframe")
            .props('title="What the channel does" sandbox=""')
            .style("width:100%;height:100%;border:0")
        )
        ui.button("Close", on_click=w.card.close).props("outline")
    return w


def _heading(text: str, *, level: int) -> None:
    """A heading of the page; NiceGUI has no element for it."""
    ui.label(text).props(f"role=heading aria-level={level}").classes(f"app-heading-{level}")


def _card(title: str) -> Any:
    card = ui.element("section").classes("app-card")
    with card:
        _heading(title, level=2)
    return card


def _pictures(reader: "Reader", w: Widgets) -> None:
    studio = reader.studio
    with _card("Picture"), ui.element("div").classes("app-row"):
        w.upload = ui.upload(
            label="Drop a picture, or choose a file",
            auto_upload=True,
            max_file_size=MOST_BYTES,
            max_files=1,
            on_upload=reader.upload,
            on_rejected=lambda: w.complain(
                f"The file was not taken: expected one image of at most {MOST_BYTES // 2**20} MiB."
            ),
        ).props("flat bordered accept=image/*")
        if studio.target.preprocessing.shape[-1] == 1:
            with ui.element("div"):
                ui.html(
                    '<canvas id="drawing" class="app-draw" width="160" height="160" role="img" '
                    'aria-label="Draw here"></canvas>',
                    sanitize=False,
                )
                with ui.element("div").classes("app-row"):
                    ui.button("Use the drawing", on_click=lambda: ui.run_javascript(_SEND_DRAWING)).props(
                        "outline"
                    )
                    ui.button("Clear", on_click=lambda: ui.run_javascript(_DRAW)).props("flat")
            ui.on("drawn", reader.drawn)
            ui.timer(0.1, lambda: ui.run_javascript(_DRAW), once=True)
        w.hold = ui.switch("Keep this pathway, and put it on the next picture")
        w.thumbs = ui.html(_thumbs(studio, None), sanitize=False).style("width:100%")
        w.thumbs.on("click", lambda e: reader.choose(int(e.args)), js_handler=_PICKED.format("data-picture"))


def _thumbs(studio: Studio, chosen: int | None) -> str:
    if studio.reference is None:
        return ""
    small = encode.is_small(studio.reference.pictures.images[0])
    return fragments.thumbnails(_drawn_thumbs(studio), chosen, small=small)


@functools.lru_cache(maxsize=1)
def _drawn_thumbs(studio: Studio) -> list[tuple[str, str]]:
    """The first pictures of the reference, drawn once, and what the classifier says of them."""
    assert studio.reference is not None
    images = studio.reference.pictures.images[:_MOST_THUMBS]
    said = studio.reference.survey.records.predicted
    return [
        (fragments.picture_uri(image, side=2 * _THUMB), studio.names(int(label)))
        for image, label in zip(images, said, strict=False)
    ]


def _question(reader: "Reader", w: Widgets) -> None:
    studio = reader.studio
    classes = {i: studio.names(i) for i in range(studio.target.num_classes)}
    with _card("Question"), ui.element("div").classes("app-row"):
        w.explainer = ui.select(list(studio.explainers), value=studio.explainers[0], label="Explainer")
        w.label = ui.select(
            {_ANY: "the predicted class", **classes}, value=_ANY, label="Class", with_input=True
        )
        w.against = ui.select(
            {_ANY: "all others", **classes}, value=_ANY, label="Rather than", with_input=True
        )
        for select in (w.explainer, w.label, w.against):
            select.style("min-width:200px").on_value_change(lambda: None if w.silent else reader.ask_again())
        for select in (w.label, w.against):
            select.set_enabled(studio.asks(studio.explainers[0]))
        ui.button("All explainers at this density", on_click=reader.compare_explainers).props("outline")
    w.others = ui.html("", sanitize=False).style("width:100%")


def _pathway(reader: "Reader", w: Widgets) -> None:
    with _card("Pathway"):
        with ui.element("div").classes("app-row"):
            ui.label("Share of open channels").props("id=density-label")
            w.density = _Slider(min=0, max=1, step=0.005, value=DENSITY).style("flex:1 1 260px")
            w.density.props('label aria-labelledby="density-label"')
            w.density.on_value_change(lambda e: None if w.silent else reader.slide(float(e.value)))
            w.opened = ui.label("")
        w.figures = ui.html("", sanitize=False)
        w.sites = ui.html("", sanitize=False)
        w.sites.on("click", lambda e: reader.show_site(int(e.args)), js_handler=_PICKED.format("data-site"))


def _by_hand(reader: "Reader", w: Widgets) -> None:
    with _card("By hand"):
        w.channel_title = ui.label("")
        w.mode = ui.radio(
            {"turn": "a click closes or opens a channel", "card": "a click shows what it does"}, value="turn"
        ).props("inline")
        w.channels = ui.html("", sanitize=False)
        w.channels.on(
            "click", lambda e: reader.turn_channel(int(e.args)), js_handler=_PICKED.format("data-channel")
        )
        with ui.element("div").classes("app-row"):
            ui.button("Close the site", on_click=lambda: reader.turn_site(opened=False)).props("outline")
            ui.button("Open the site", on_click=lambda: reader.turn_site(opened=True)).props("outline")
            ui.button("Undo", on_click=reader.undo).props("outline")
            ui.button("Close as many random ones", on_click=reader.compare_with_random).props("outline")
            if reader.studio.class_pathways is not None:
                ui.button("Only this class's pathway", on_click=reader.take_class_pathway).props("outline")
        w.random = ui.html("", sanitize=False)


def _take_away(reader: "Reader", w: Widgets) -> None:
    with _card("Take it away"):
        with ui.element("div").classes("app-row"):
            ui.button("Report", on_click=lambda: reader.download("report")).props("outline")
            ui.button("results.json", on_click=lambda: reader.download("results")).props("outline")
            w.link = ui.link("This view as a link", "/")
        with ui.expansion("The same in Python"):
            w.lines = ui.label("").classes("app-code")
