"""What the commands open: the classifier, pictures, class names, the output folder."""

import json
from pathlib import Path

from jaxpath import data, runs, targets
from jaxpath.cli.options import TargetOptions
from jaxpath.types import InputError


def open_classifier(options: TargetOptions) -> runs.Net:
    """Makes the target that the weights belong to, and loads them.

    Raises:
        InputError: The weights do not tell the model and ``--model`` does not either, or they do not fit.
    """
    description = targets.describe_weights(options.weights)
    name = options.model or description.name
    if name is None:
        raise InputError(
            f"the weights in {options.weights!r} do not tell their model; name it with --model: one of "
            f"{', '.join(targets.names())}"
        )
    return runs.load_net(
        name,
        options.weights,
        num_classes=options.num_classes or description.num_classes,
        channels=description.channels,
        image_size=options.image_size,
    )


def open_pictures(
    spec: str, options: TargetOptions, *, split: str | None = None, data_dir: str | None = None
) -> data.Source:
    """A data set, or a folder with pictures in it and not in class folders, as the classifier is shown them.

    Raises:
        InputError: There is neither.
    """
    path = Path(spec.removeprefix("folder:")).expanduser()
    if path.is_dir() and split is None and data.holds_images(path):
        return as_held(data.image_files([path]), options)
    return as_held(data.open_source(spec, split=split, data_dir=data_dir), options)


def as_held(source: data.Source, options: TargetOptions) -> data.Source:
    """The pictures turned as their cameras were held, or as they are stored if the options ask for that."""
    return data.ignore_exif(source) if options.ignore_exif else source


def draw_pictures(source: data.Source, count: int | None, *, seed: int) -> data.Source:
    """``count`` of the pictures, drawn by the seed, in their order; None keeps all."""
    return source if count is None else data.draw(source, count, seed=seed)


def read_class_names(path: Path | None, num_classes: int, *sources: data.Source | None) -> tuple[str, ...]:
    """Names of the classes: of the file, else of the first data set that has one for each, else none.

    Raises:
        InputError: The file is missing, holds something else, or as many names as there are no classes.
    """
    if path is None:
        named = (s.class_names for s in sources if s is not None and len(s.class_names) == num_classes)
        return next(named, ())
    form = f"expected a JSON list of {num_classes} names, one per class"
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the class names in {path} cannot be read ({error}); {form}") from error
    if not isinstance(names, list) or len(names) != num_classes:
        raise InputError(f"{path} holds no list of {num_classes} names; {form}")
    return tuple(map(str, names))


def prepare_folder(out: Path) -> None:
    """Makes the output folder.

    Raises:
        InputError: There is a file of that name, or it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {out} cannot be made ({error.strerror}); name another with --out"
        ) from error
