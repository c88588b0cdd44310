"""Draws the pictures of these pages; a finished demo (``make demo``) is needed.

python docs/pictures.py runs/digits
"""

import itertools
import shutil
import sys
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from jaxpath import data, devices, explainers, findings, gencnp, metrics, report, runs, targets
from jaxpath.report.style import CLEAN, CLOSED, INK, MUTED, OPEN, SMALL, TEXT, WRONG

IMAGES = Path(__file__).parent / "images"
GATES = ((1, 0, 1, 0, 0, 1), (0, 1, 0, 0, 1, 0, 0, 1), (1, 0, 0, 1, 0))
"""Of the drawing, site by site."""

VERDICT = (112, 404, 1190, 1184)
"""The part of the report that the README shows: left, top, right and bottom in pixels."""


def draw_gates() -> Figure:
    """A network as columns of neurons, those of a pathway in blue."""
    figure = Figure(figsize=(7.5, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    columns = [[(0, 0.0, 1)]]
    for place, gates in enumerate(GATES, start=1):
        columns.append([(place, row - (len(gates) - 1) / 2, gate) for row, gate in enumerate(gates)])
    columns.append([(len(GATES) + 1, 0.0, 1)])
    for left, right in itertools.pairwise(columns):
        for (x, y, gate), (x2, y2, gate2) in itertools.product(left, right):
            both = gate and gate2
            axes.plot([x, x2], [y, y2], color=OPEN if both else CLOSED, lw=1.2 if both else 0.6, zorder=both)
    for x, y, gate in itertools.chain(*columns[1:-1]):
        axes.plot(x, y, "o", ms=11, mfc=OPEN if gate else "white", mec=OPEN if gate else MUTED, zorder=3)
    frame = {"facecolor": "white", "edgecolor": MUTED, "boxstyle": "round,pad=0.5"}
    for (x, y, _), text in zip((columns[0][0], columns[-1][0]), ("image", "logits"), strict=True):
        axes.text(x, y, text, ha="center", va="center", fontsize=TEXT, color=INK, bbox=frame, zorder=4)
    for place, gates in enumerate(GATES, start=1):
        share = f"site {place - 1}: {sum(gates)} of {len(gates)} open"
        axes.text(place, -4.6, share, ha="center", fontsize=SMALL, color=MUTED)
    axes.set_ylim(-5, 4.2)
    return figure


def draw_curves(run: Path) -> Figure:
    """The demo's generator beside three explainers that need no training."""
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, run / "target" / "weights.safetensors")
    generator, weights = gencnp.load_generator(run / "generator.safetensors", target, params=params)
    methods = [metrics.Method("gencnp", partial(gencnp.make_gencnp, target, generator), weights)]
    for name in ("taylor_signed", "activation", "random"):
        methods.append(metrics.Method.of(name, explainers.make_explainer(name, target, density=0.5)))
    session = metrics.Session(target, params, devices.make_mesh(), batch_size=120)
    passes = metrics.source_passes(session, data.digits("test"))
    curves = {method.name: metrics.density_curve(session, method, passes) for method in methods}
    return report.plot_curves(curves, title="Digits: explainers at equal densities")


def assess_digit(run: Path) -> tuple[findings.Assessment, float]:
    """The first test digit's pathway put to the test, and the class's probability in the whole network."""
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, run / "target" / "weights.safetensors")
    trained = runs.load_generator(run, target, params=params)
    session = runs.open_session(target, params, batch_size=64)
    train = metrics.source_passes(session, data.draw(data.digits("train"), 256, seed=0))
    references = metrics.make_references(session, train)
    fills = {name: references.fill(name) for name in ("zero", "mean")}
    pictures = findings.load_pictures(session, data.Subset(data.digits("test"), range(64)))
    surveyed = findings.survey(session, trained.method(target), pictures)
    others = findings.others_for(pictures, surveyed, None)
    first, *_ = findings.assess(session, pictures, surveyed, findings.Conditions(fills, others))
    return first, first.clean


def draw_questions(run: Path) -> dict[str, Figure]:
    """Four questions about one pathway of the demo, each with what the network says."""
    one, clean = assess_digit(run)
    zero, mean = (one.measured.controls[name] for name in ("zero", "mean"))
    whole = ("the whole network", clean, CLEAN)
    alone = ("the pathway alone", zero.alone.probability, OPEN)
    rows = {
        "sufficient": [whole, alone, ("as many random channels alone", zero.random_alone.probability, MUTED)],
        "necessary": [
            whole,
            ("all but the pathway", zero.closed.probability, OPEN),
            ("all but as many random channels", zero.random_closed.probability, MUTED),
        ],
        "switch": [
            alone,
            ("the same on pictures of other classes", zero.other_pictures.probability, WRONG),
            ("the same on blank pictures", zero.blank_pictures.probability, WRONG),
        ],
        "refuted": [alone, ("with the others at their means", mean.alone.probability, WRONG)],
    }
    return {name: draw_bars(bars) for name, bars in rows.items()}


def draw_bars(bars: list[tuple[str, float, str]]) -> Figure:
    """The probability of the class in each case."""
    figure = Figure(figsize=(6, 0.36 * len(bars) + 0.5), layout="constrained")
    axes = figure.subplots()
    for row, (label, value, colour) in enumerate(bars):
        axes.barh(row, 1, color=CLOSED, height=0.6)
        axes.barh(row, value, color=colour, height=0.6)
        axes.text(1.02, row, f"{value:.2f}", va="center", fontsize=TEXT, color=INK)
        axes.text(-0.02, row, label, va="center", ha="right", fontsize=TEXT, color=INK)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_xlim(0, 1.1)
    axes.set_axis_off()
    axes.set_title("probability of the class", loc="left", fontsize=SMALL, color=MUTED)
    return figure


def main(run: Path) -> None:
    """Draws all pictures into docs/images."""
    report.save_figure(draw_gates(), IMAGES / "gates.png", dpi=110)
    report.save_figure(draw_curves(run), IMAGES / "curves.png", dpi=80)
    for name, figure in draw_questions(run).items():
        report.save_figure(figure, IMAGES / f"question_{name}.png", dpi=110)
    for name in ("class_pathways.png", "density_per_site.png"):
        shutil.copy(run / name, IMAGES / name)
    Image.open(IMAGES / "report.png").crop(VERDICT).save(IMAGES / "verdict.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
