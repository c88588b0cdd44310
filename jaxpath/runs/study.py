"""What a run works on: a classifier, the images to learn from, and those to score."""

from typing import Any, NamedTuple

from jaxpath import data, targets
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.metrics import Session
from jaxpath.runs.options import DataOptions
from jaxpath.types import InputError, Params, Target

_SMALL = 64
"""Images of fewer pixels are taken at their own size."""


class Net(NamedTuple):
    """A classifier and its parameters."""

    target: Target
    params: Params


class Study(NamedTuple):
    """A trained classifier and its images.

    Attributes:
        target: The classifier.
        params: Its parameters.
        train: The images to learn from.
        held_out: The images to score, none of which was learned from.
    """

    target: Target
    params: Params
    train: data.Source
    held_out: data.Source


def open_data(options: DataOptions, *, seed: int) -> tuple[data.Source, data.Source]:
    """The images to learn from and those to score.

    Args:
        options: Says which they are.
        seed: Of the held-out share.

    Raises:
        InputError: A data set or split cannot be opened, or ``eval_fraction`` is no share.
    """
    if options.eval_split is not None:
        # By name: digits that are asked for no split are all digits, those to be scored among them.
        train = open_part(options, options.data, options.train_split or "train")
        held_out = open_part(options, options.data, options.eval_split)
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
    return train, held_out


def open_part(options: DataOptions, spec: str, split: str | None = None) -> data.Source:
    """The images ``spec`` names, or a split of them, read as ``options`` say.

    Raises:
        InputError: They cannot be opened.
    """
    source = data.open_source(spec, split=split, data_dir=options.data_dir)
    return data.ignore_exif(source) if options.ignore_exif else source


def load_net(model: str, weights: str, **shape: Any) -> Net:
    """A trained classifier by its name and weights.

    Args:
        model: Name of the target.
        weights: Its weights: .safetensors, .pth, or hf://owner/name.
        **shape: Keywords of the target's maker; None keeps the maker's own.

    Raises:
        InputError: The model or the weights cannot be opened, or do not fit each other.
    """
    target = targets.make_target(model, **{name: v for name, v in shape.items() if v is not None})
    return Net(target, targets.load_weights(target, weights))


def make_study(net: Net, train: data.Source, held_out: data.Source) -> Study:
    """A trained classifier with its images.

    Raises:
        InputError: A label is none of its classes.
    """
    check_data(net.target, train, held_out)
    return Study(*net, train, held_out)


def check_data(target: Target, *sources: data.Source) -> None:
    """Raises an error unless every label is one of the target's classes: before training, not after it."""
    for source in sources:
        data.check_labels(source, target.num_classes)


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
        if image.shape[0] < _SMALL:
            options["image_size"] = image.shape[:2]
    if image_size is not None:
        options["image_size"] = image_size
    return options


def open_session(target: Target, params: Params, *, batch_size: int) -> Session:
    """The classifier on all devices, with ``batch_size`` images at a time over all of them.

    Raises:
        InputError: The batch size is no multiple of the number of devices.
    """
    mesh = make_mesh()
    check_batch_size(batch_size, mesh)
    return Session(target, params, mesh, batch_size)
