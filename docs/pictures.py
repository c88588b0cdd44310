"""Draws the pictures of these pages; a finished demo (``make demo``) is needed.

python docs/pictures.py runs/digits
"""

import itertools
import shutil
import sys
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from jaxpath import data, devices, explainers, gencnp, metrics, report, targets
from jaxpath.report.style import CLOSED, INK, MUTED, OPEN, SMALL, TEXT

IMAGES = Path(__file__).parent / "images"
GATES = ((1, 0, 1, 0, 0, 1), (0, 1, 0, 0, 1, 0, 0, 1), (1, 0, 0, 1, 0))
"""Of the drawing, site by site."""


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


def main(run: Path) -> None:
    """Draws all pictures into docs/images."""
    report.save_figure(draw_gates(), IMAGES / "gates.png", dpi=110)
    report.save_figure(draw_curves(run), IMAGES / "curves.png", dpi=80)
    for name in ("class_pathways.png", "density_per_site.png"):
        shutil.copy(run / name, IMAGES / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
