"""The figure of maps: attention level by level, and what white-box explainers say beside it."""

import jax
import numpy as np
from jax import Array

from jaxpath import attributions, data, lap, report
from jaxpath.report.figures import Figure
from jaxpath.runs.boxes import boxes_seen
from jaxpath.runs.pictures import read_pictures
from jaxpath.runs.study import Net
from jaxpath.types import Params

_SHOWN = 6
_COMPARED = ("gradcam", "lrp_composite")
"""Explainers that are drawn beside the attention, on the plain net."""


def plot_explanations(plain: Net, trained: Net, source: data.Source, *, seed: int = 0) -> Figure:
    """A few images with the attention of each level and of all, and the plain net's explainers.

    Args:
        plain: The net with ordinary pooling.
        trained: The LAP net.
        source: The images; their boxes, if it has any, are drawn as well.
        seed: Of the choice of images.
    """
    part = data.draw(source, _SHOWN, seed=seed)
    batch = read_pictures(part, trained.target.preprocessing)
    images = batch["image"]
    maps, classes = _attention(trained, images)
    for name in _COMPARED:
        run = jax.jit(attributions.make_attribution(name, plain.target))
        maps[f"plain: {name}"] = run(plain.params, images, classes, key=jax.random.key(seed))
    names = data.names_of_classes(source, plain.target.num_classes)
    captions = [
        names[c] if c == label else f"{names[c]}, is {names[label]}"
        for c, label in zip(np.asarray(classes), batch["label"], strict=True)
    ]
    boxes = boxes_seen(source, trained.target.preprocessing)
    if boxes is not None:
        boxes = tuple(boxes[index] for index in part.indices)
    return report.plot_maps(images, maps, boxes=boxes, captions=captions)


def _attention(trained: Net, images: np.ndarray) -> tuple[dict[str, Array], Array]:
    """Maps [B, H, W] of each level and of all together, and the predicted classes [B]."""
    size = (images.shape[1], images.shape[2])

    @jax.jit
    def attend(params: Params, images: Array) -> tuple[tuple[Array, dict[str, Array]], Array]:
        output = lap.read(trained.target.apply(params, images))
        classes = output.logits.argmax(axis=-1)
        return lap.explain(output, classes, size=size), classes

    (combined, sites), classes = attend(trained.params, images)
    levels = {name.partition("_")[2]: values for name, values in sites.items()}
    return levels | {"combined": combined}, classes
