"""Attention put into a trained classifier, by one command."""

import dataclasses
import inspect
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxpath import data, lap, targets
from jaxpath.runs.boxes import Boxed, read_boxes, region_of
from jaxpath.runs.lap.options import PlugInOptions, ScoreOptions
from jaxpath.runs.lap.reporting import report_lap
from jaxpath.runs.lap.training import plug_in
from jaxpath.runs.nets import Net, load_net, refuse_own_target
from jaxpath.runs.options import DataOptions
from jaxpath.runs.run import begin, say
from jaxpath.runs.study import Study, known_by, make_study, open_data
from jaxpath.runs.weights_options import WeightsOptions
from jaxpath.start_up import Launch
from jaxpath.types import InputError, Target


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlugInRun(DataOptions, Launch):
    """Attention for a trained classifier.

    Attributes:
        weights: The classifier's weights: .safetensors, .pth, or hf://owner/name.
        out: Folder of the run; the same command continues a run that was stopped.
        model: Name of the classifier.
        num_classes: Its classes; None keeps those of the weights.
        image_size: Side of the square images that it takes; None keeps that of the weights, or its own.
        seed: Of initialisation, order, draws and the held-out share.
        boxes: .csv of the objects' boxes in the scored images (path, width, height, x0, y0, x1, y1): they
            are localised.
        known_share: Share of the scored images that is set aside, drawn by the seed: they are learned from
            with their boxes, and not scored.
    """

    weights: str
    out: Path = Path("runs/lap")
    model: str = "resnet18"
    num_classes: int | None = None
    image_size: int | None = None
    seed: int = 0
    boxes: Path | None = None
    known_share: float = 0.0
    loading: WeightsOptions = dataclasses.field(default_factory=WeightsOptions)
    lap: PlugInOptions = dataclasses.field(default_factory=PlugInOptions)
    score: ScoreOptions = dataclasses.field(default_factory=ScoreOptions)


def run_plug_in(options: PlugInRun) -> dict[str, Any]:
    """Puts attention into a trained classifier, and compares it with what it was.

    Returns:
        The figures of ``results.json``.
    """
    options.score.check()
    refuse_own_target(options.loading, why="attention replaces the poolings of the library's own networks")
    run = begin(options)
    train, held_out = open_data(options, seed=options.seed)
    shape = {"num_classes": options.num_classes, "image_size": options.image_size}
    net = load_net(options.model, options.weights, options=options.loading, like=train, **shape)
    run = run.knowing(**known_by(net))
    study = make_study(net, train, held_out)
    target = extend_target(study.target, options.model, options.lap.sites)
    images = _set_aside(study, options)
    if images.knowledge is not None:
        run = run.knowing(known_regions=sha256(images.knowledge.masks.tobytes()).hexdigest())
    plain = Net(study.target, study.params)
    trained = plug_in(target, plain, images.train, options.lap, run=run, knowledge=images.knowledge)
    known = 0 if images.knowledge is None else len(images.knowledge.masks)
    return report_lap(plain, trained, images.scored, options.score, run=run, facts={"known_boxes": known})


class _Images(NamedTuple):
    """Images to learn from, images to score, and what is known of where the former show their class."""

    train: data.Source
    scored: data.Source
    knowledge: lap.Knowledge | None = None


def _set_aside(study: Study, options: PlugInRun) -> _Images:
    """The images of a run, with their boxes if there is a file of them.

    Raises:
        InputError: A share is to be set aside, and is none, or there are no boxes to learn from.
    """
    share = options.known_share
    if not 0 <= share < 1 or (share and options.boxes is None):
        found = f"--known-share is {share}" + ("" if options.boxes else " without --boxes")
        raise InputError(f"{found}; expected a share from 0 to below 1, and a file of boxes if it is not 0")
    if options.boxes is None:
        return _Images(study.train, study.held_out)
    preprocessing = study.target.preprocessing
    boxes = read_boxes(options.boxes, study.held_out, preprocessing)
    if not share:
        return _Images(study.train, Boxed(study.held_out, boxes))
    count = max(1, round(share * len(study.held_out)))
    order = np.random.default_rng(options.seed).permutation(len(study.held_out))
    known, rest = np.sort(order[:count]), np.sort(order[count:])
    masks = np.stack([region_of(boxes[place], preprocessing.crop) for place in known])
    rows = np.concatenate([np.full(len(study.train), -1), np.arange(count)]).astype(np.int32)
    say(f"set aside to be learned from, with their boxes: {count} of {len(order)} scored images")
    return _Images(
        data.concatenate([study.train, data.Subset(study.held_out, known)]),
        Boxed(data.Subset(study.held_out, rest), [boxes[place] for place in rest]),
        lap.Knowledge(masks, rows),
    )


def extend_target(target: Target, model: str, sites: tuple[str, ...] = ()) -> Target:
    """:func:`extend_model` for a network that there is, with its classes, images and preprocessing."""
    preprocessing = target.preprocessing
    shape = {
        "num_classes": target.num_classes,
        "image_size": preprocessing.crop,
        "channels": len(preprocessing.mean),
    }
    return targets.with_preprocessing(extend_model(model, sites, **shape), preprocessing)


def extend_model(model: str, sites: tuple[str, ...] = (), **shape: Any) -> Target:
    """A registered network whose pools attend.

    Args:
        model: Name of a ResNet or a VGG.
        sites: Places that attend; none takes the last three.
        **shape: Keywords of the network's maker.

    Raises:
        InputError: The network has no pooling that could attend, or a site is no place of it.
    """
    make = getattr(targets, model, None)
    if make is None or "pooling" not in inspect.signature(make).parameters:
        raise InputError(
            f"{model} has no pooling that could attend; expected a ResNet or a VGG: choose another --model"
        )
    return lap.extend(make, sites=sites or None, **shape)
