r"""Draws the gallery of photographs, each replaced by its saliency: the photographs may not be shown.

python docs/gallery.py photos20 resnet18.safetensors runs/resnet18_0 resnet18_20.safetensors \
    runs/lap_resnet18 runs/flint runs/architectures
"""

import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from jaxpath import attributions, data, gencnp, lap, metrics, report, runs, targets
from jaxpath.pathways import unflatten
from jaxpath.report.style import INK, MUTED, OPEN, SMALL, TEXT, WRONG
from jaxpath.runs.boxes import read_boxes
from jaxpath.runs.pictures import read_pictures
from jaxpath.runs.results import most_frequent
from jaxpath.runs.saliency import saliency_maps

IMAGES = Path(__file__).parent / "images"
NUMBER = 12


def choose(photographs: Path) -> data.Source:
    """The first validation photograph of every second class or so: twelve of twenty."""
    source = data.open_source(f"folder:{photographs}", split="val")
    _, first = np.unique(source.labels, return_index=True)
    return data.Subset(source, first[np.linspace(0, len(first) - 1, NUMBER).round().astype(int)])


def scaled(maps: np.ndarray) -> np.ndarray:
    """Magnitudes [B, H, W], averaged over 7 x 7 pixels, from 0 to 1 in each map."""
    size = maps.shape[1]
    blocks = np.abs(maps).reshape(-1, size // 7, 7, size // 7, 7).mean(axis=(2, 4))
    blocks /= np.quantile(blocks, 0.99, axis=(1, 2), keepdims=True) + 1e-30
    return np.repeat(np.repeat(blocks.clip(0, 1), 7, axis=1), 7, axis=2)


def as_pictures(maps: np.ndarray, boxes: list[np.ndarray]) -> np.ndarray:
    """Maps as white to blue pictures [B, H, W, 3] with the objects' boxes around."""
    colour = np.array([int(OPEN[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    pictures = 1 - scaled(maps)[..., None] * (1 - colour)
    edge = np.array([int(WRONG[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    size = maps.shape[1]
    for picture, mine in zip(pictures, boxes, strict=True):
        for top, left, bottom, right in mine.clip(1, size - 2):
            for rows, columns in (
                (slice(top - 1, top + 2), slice(left, right)),
                (slice(bottom - 1, bottom + 2), slice(left, right)),
                (slice(top, bottom), slice(left - 1, left + 2)),
                (slice(top, bottom), slice(right - 1, right + 2)),
            ):
                picture[rows, columns] = edge
    return pictures


def draw_pathways(photographs: Path, weights: Path, run: Path) -> Figure:
    """Pathways of the generator, beside each the saliency of the predicted class through it."""
    net = runs.load_net("resnet18", str(weights))
    source = choose(photographs)
    generator, learned = gencnp.load_generator(run / "generator.safetensors", net.target, params=net.params)
    method = metrics.Method("gencnp", partial(gencnp.make_gencnp, net.target, generator), learned)
    session = runs.open_session(net.target, net.params, batch_size=NUMBER)
    passes = metrics.source_passes(session, source)
    records = metrics.explain_all(session, method, passes)
    maps = saliency_maps(session, method, passes)["pathway"]
    boxes = read_boxes(photographs / "boxes_val.csv", source, net.target.preprocessing)
    captions = report.Captions(
        labels=records.labels.tolist(),
        predictions=records.predicted.tolist(),
        clean=records.clean_confidence.tolist(),
        masked=records.masked_confidence.tolist(),
    )
    masks = unflatten(records.masks.astype(np.float32), net.target.sites)
    names = data.names_of_classes(source, net.target.num_classes)
    title = "Twelve photographs, each replaced by the saliency of its class through its pathway"
    return report.plot_pathways(
        as_pictures(maps, boxes), masks, net.target.sites, captions, class_names=names, title=title
    )


def draw_classes(photographs: Path, weights: Path, run: Path) -> Figure:
    """Class pathways of the twelve classes that most photographs are put into."""
    net = runs.load_net("resnet18", str(weights))
    source = data.open_source(f"folder:{photographs}", split="val")
    with np.load(run / "pathways.npz") as kept:
        frequencies, masks, predicted = (kept[name] for name in ("class_frequencies", "masks", "predicted"))
    known = most_frequent(predicted, limit=NUMBER)
    alike = metrics.class_similarity(masks, predicted, net.target.num_classes).matrix
    return report.plot_class_pathways(
        {int(label): unflatten(frequencies[label], net.target.sites) for label in known},
        net.target.sites,
        data.names_of_classes(source, net.target.num_classes),
        iou=alike[np.ix_(known, known)],
    )


def draw_attention(photographs: Path, weights: Path, run: Path) -> Figure:
    """Attention of the LAP net, and Grad-CAM of the plain one, for the predicted class of each."""
    net = runs.load_net("resnet18", str(weights))
    extended = runs.lap.extend_target(net.target, "resnet18")
    params = targets.load_weights(extended, run / "lap.safetensors")
    source = data.fit_classes(
        choose(photographs), net.target.num_classes, data.Known(net.class_names, "the classifier")
    )
    batch = read_pictures(source, net.target.preprocessing)
    labels = batch["label"]
    kinds = {
        "attention (LAP)": (lap.make_attention(extended), params),
        "Grad-CAM": (attributions.make_attribution("gradcam", net.target), net.params),
    }
    boxes = read_boxes(photographs / "boxes_val.csv", source, net.target.preprocessing)
    figure = Figure(figsize=(13, 2.9), layout="constrained")
    grid = figure.subplots(len(kinds), NUMBER)
    for row, (kind, (attribute, weights_of)) in zip(grid, kinds.items(), strict=True):
        maps = np.asarray(jax.jit(attribute)(weights_of, batch["image"], labels, key=jax.random.key(0)))
        for axes, one, mine in zip(row, np.maximum(maps, 0), boxes, strict=True):
            axes.imshow(one, cmap="Blues", vmin=0, vmax=float(one.max()) or 1)
            for top, left, bottom, right in mine:
                size = (right - left, bottom - top)
                axes.add_patch(Rectangle((left, top), *size, fill=False, edgecolor=WRONG, lw=1))
            axes.set_xticks([])
            axes.set_yticks([])
        row[0].set_ylabel(kind, fontsize=TEXT, color=INK)
    for axes, label in zip(grid[0], labels, strict=True):
        axes.set_title(net.class_names[label][:14], fontsize=SMALL, color=MUTED)
    return figure


def main(photographs: Path, weights: Path, run: Path, weights_20: Path, *others: Path) -> None:
    """Draws the pictures into docs/images, and copies those of other runs that show no photograph."""
    lap_run, flint_run, architectures = others
    figures = {
        "pathways": draw_pathways(photographs, weights, run),
        "classes": draw_classes(photographs, weights, run),
        "attention": draw_attention(photographs, weights_20, lap_run),
    }
    for name, figure in figures.items():
        report.save_figure(figure, IMAGES / f"gallery_{name}.png", dpi=80)
    copy_small(flint_run / "global_relevance.png", IMAGES / "gallery_attributes.png")
    copy_small(architectures / "architectures.png", IMAGES / "gallery_architectures.png")


def copy_small(source: Path, copy: Path) -> None:
    """A picture at up to 1300 pixels' width, in 128 colours."""
    with Image.open(source) as picture:
        picture.thumbnail((1300, 1300))
        picture.convert("RGB").quantize(128).save(copy, optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
