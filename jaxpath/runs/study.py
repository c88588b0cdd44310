"""What a run works on: a classifier, the images to learn from, and those to score."""

from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxpath import data
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.metrics import Session, fitting_batch_size
from jaxpath.runs.boxes import Boxed, read_boxes
from jaxpath.runs.nets import Net, preprocessing_facts, small_size
from jaxpath.runs.options import AUTO, DataOptions
from jaxpath.runs.run import say
from jaxpath.types import InputError, Params, Target

_LARGEST, _BYTES = 32, 4 * 2**30
"""Images per device, and what their activations would take with a gradient; a forward takes a third of it."""


class Study(NamedTuple):
    """A trained classifier and its images.

    Attributes:
        target: The classifier.
        params: Its parameters.
        train: The images to learn from.
        held_out: The images to score, none of which was learned from.
        origin: Who says which preprocessing the classifier has; see :class:`~jaxpath.runs.nets.Net`.
        identity: Tells the classifier from others, likewise.
    """

    target: Target
    params: Params
    train: data.Source
    held_out: data.Source
    origin: str = ""
    identity: str = ""


def open_data(options: DataOptions, *, seed: int) -> tuple[data.Source, data.Source]:
    """The images to learn from and those to score.

    Args:
        options: Says which they are.
        seed: Of the held-out share.

    Raises:
        InputError: A data set or split cannot be opened, they are of different classes, or
            ``eval_fraction`` is no share.
    """
    scored = options.eval_split
    if scored == AUTO:
        scored = _scored_split(options)
        share = f"{options.eval_fraction:g} of the images, drawn at random"
        say(f"scored is {share if scored is None else f'the split {scored}'} (--eval-split {AUTO})")
    if scored is not None:
        held_out = open_part(options, options.data, scored)
        # By name: digits that are asked for no split are all digits, those to be scored among them.
        train = open_part(options, options.data, options.train_split or "train")
    elif 0 < options.eval_fraction < 1:
        everything = open_part(options, options.data, options.train_split)
        train, held_out = data.split(everything, options.eval_fraction, seed)
    else:
        raise InputError(
            f"--eval-fraction is {options.eval_fraction}; expected a share between 0 and 1, or name a split "
            "to score with --eval-split"
        )
    if options.train_images is not None:
        train = data.concatenate([train, open_part(options, options.train_images)])
    return train, data.align(train, held_out)


def _scored_split(options: DataOptions) -> str | None:
    """The split of the data that is there to be scored; None if there is none."""
    try:
        data.open_source(options.data, split="test", data_dir=options.data_dir)
    except data.MissingSplit as missing:
        return data.find_part(missing.names, "val")
    return "test"


def open_part(options: DataOptions, spec: str, split: str | None = None) -> data.Source:
    """The images ``spec`` names, or a split of them, read as ``options`` say.

    Raises:
        InputError: They cannot be opened.
    """
    source = data.open_source(spec, split=split, data_dir=options.data_dir)
    return data.ignore_exif(source) if options.ignore_exif else source


def make_study(net: Net, train: data.Source, held_out: data.Source, *, labels_needed: bool = True) -> Study:
    """A trained classifier with its images.

    Args:
        net: The classifier.
        train: The images to learn from.
        held_out: The images to score.
        labels_needed: Whether every image must have a label.

    Raises:
        InputError: A label is none of its classes, or the data have other classes.
    """
    train, held_out = (fit_data(net, source, labels_needed=labels_needed) for source in (train, held_out))
    return Study(net.target, net.params, train, held_out, net.origin, net.identity)


def with_boxes_of(study: Study, path: Path | None) -> Study:
    """The study with the boxes of the images to score by a file (``read_boxes``); None: as it is."""
    if path is None:
        return study
    boxes = read_boxes(path, study.held_out, study.target.preprocessing)
    return study._replace(held_out=Boxed(study.held_out, boxes))


def known_by(net: Net | Study) -> dict[str, Any]:
    """What a run's configuration says about a classifier that was opened for it."""
    named = {"weights": net.identity} if net.identity else {}
    return {**named, "preprocessing": preprocessing_facts(net.target, net.origin)}


def fit_data(net: Net, source: data.Source, *, labels_needed: bool = True) -> data.Source:
    """The images with the classifier's labels, by name where its weights carry the names of its classes.

    Args:
        net: The classifier.
        source: Images.
        labels_needed: Whether every image must have a label.

    Raises:
        InputError: A label is none of its classes, or the data have other classes.
    """
    known = data.Known(net.class_names, "the classifier")
    return data.fit_classes(source, net.target.num_classes, known, needed=labels_needed)


def check_data(target: Target, *sources: data.Source, labels_needed: bool = True) -> None:
    """Raises an error unless every label is one of the target's classes: before training, not after it."""
    for source in sources:
        data.check_labels(source, target.num_classes, needed=labels_needed)


def target_options(source: data.Source, *, image_size: int | None = None) -> dict[str, Any]:
    """Keywords of a target's maker that follow the data: classes, colour channels and small input sizes.

    Args:
        source: The images.
        image_size: Side of the square images that the target takes; None keeps the maker's own, or that of
            small images.
    """
    image = data.first_stored(source)
    options: dict[str, Any] = {"num_classes": source.num_classes}
    if not isinstance(image, bytes):
        options["channels"] = image.shape[-1]
        if (small := small_size(source)) is not None:
            options["image_size"] = small
    if image_size is not None:
        options["image_size"] = image_size
    return options


def images_at_once(target: Target) -> int:
    """Images over all devices for a pass without gradients: 32 on each, or fewer of large ones."""
    return jax.device_count() * fitting_batch_size(target, budget=_BYTES, largest=_LARGEST)


def open_session(target: Target, params: Params, *, batch_size: int) -> Session:
    """The classifier on all devices, with ``batch_size`` images at a time over all of them.

    Raises:
        InputError: The batch size is no multiple of the number of devices.
    """
    mesh = make_mesh()
    check_batch_size(batch_size, mesh)
    return Session(target, params, mesh, batch_size)
