"""What the commands open: the classifier, pictures, class names."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from jaxpath import data, runs
from jaxpath.cli.options import TargetOptions
from jaxpath.files import expand_home, read_json
from jaxpath.findings import Question
from jaxpath.types import InputError


def open_classifier(options: TargetOptions) -> runs.Net:
    """Makes the target that the weights belong to, and loads them.

    Raises:
        InputError: The weights do not tell the model and ``--model`` does not either, or they do not fit.
    """
    return runs.load_net(
        options.model,
        options.weights,
        options=options.loading,
        num_classes=options.num_classes,
        image_size=options.image_size,
    )


def open_pictures(
    spec: str, options: TargetOptions, *, split: str | None = None, data_dir: str | None = None
) -> data.Source:
    """A data set, or a folder with pictures in it and in no folder below, as the classifier is shown them.

    Raises:
        InputError: There is neither.
    """
    path = Path(expand_home(spec.removeprefix("folder:")))
    if path.is_dir() and split is None and data.holds_loose_images(path):
        return as_held(data.image_files([path]), options)
    return as_held(data.open_source(spec, split=split, data_dir=data_dir), options)


def as_held(source: data.Source, options: TargetOptions) -> data.Source:
    """The pictures turned as their cameras were held, or as they are stored if the options ask for that."""
    return data.ignore_exif(source) if options.ignore_exif else source


def draw_pictures(source: data.Source, count: int | None, *, seed: int) -> data.Source:
    """``count`` of the pictures, drawn by the seed, in their order; None keeps all."""
    return source if count is None else data.draw(source, count, seed=seed)


def read_class_names(
    path: Path | None, num_classes: int, stored: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """Names of the classifier's classes: of the file, else those stored with its weights, else none.

    Args:
        path: The file, a data set of :func:`jaxpath.data.known_names`, or None.
        num_classes: Of the classifier.
        stored: Names that its weights carry, if they do.

    Raises:
        InputError: The file is missing, holds something else, or as many names as there are no classes; or
            its names are those of the weights in another order.
    """
    if path is None:
        return stored or ()
    form = f"a JSON list of {num_classes} names, one per class"
    known = data.known_names(str(path))
    names = list(known) if known else read_json(path, form)
    if not isinstance(names, list) or len(names) != num_classes or not all(map(_is_name, names)):
        raise InputError(f"{path} holds no list of {num_classes} names; expected {form}")
    names = tuple(map(str, names))
    if stored and data.contradict(names, stored):
        raise InputError(
            f"{path} has names that the weights carry in another order ({', '.join(stored[:3])} first); "
            "take the order of the weights, or leave the file out"
        )
    return names


def _is_name(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def fit_pictures(
    source: data.Source, num_classes: int, names: tuple[str, ...], *, labels_needed: bool = False
) -> data.Source:
    """The pictures with the labels of the classifier, by name where it has names.

    Args:
        source: Pictures.
        num_classes: Of the classifier.
        names: Of its classes, from :func:`read_class_names`.
        labels_needed: Whether pictures of an unknown class are refused.

    Raises:
        InputError: The labels or class names are of other classes.
    """
    known = data.Known(names, "the classifier")
    return data.fit_classes(source, num_classes, known, needed=labels_needed)


def names_to_show(names: tuple[str, ...], num_classes: int, *sources: data.Source | None) -> tuple[str, ...]:
    """``names``, else those of the first data set that has one for each class, else none."""
    named = (s.class_names for s in sources if s is not None and len(s.class_names) == num_classes)
    return names or next(named, ())


def open_question(label: str | None, against: str | None, num_classes: int, names: Sequence[str]) -> Question:
    """The question that ``--class`` and ``--against`` ask.

    Raises:
        InputError: A name is of no class, or both are of the same one.
    """
    first, other = (
        None if text is None else find_class(text, num_classes, names, option=option)
        for text, option in ((label, "--class"), (against, "--against"))
    )
    if first is not None and first == other:
        raise InputError(f"--class {label} and --against {against} are the same class; name two")
    return Question(first, other)


def find_class(text: str, num_classes: int, names: Sequence[str], *, option: str) -> int:
    """The number of the class that a word names: by its name, one of its synonyms, or the number itself.

    Raises:
        InputError: There is no such class, or several share the name.
    """
    found = int(data.match_names([text], names)[0]) if names else -1
    if found >= 0:
        return found
    if text.isdecimal() and int(text) < num_classes:
        return int(text)
    words = [word for name in names for word in (name, *name.split(", "))]
    near = difflib.get_close_matches(text, words, n=3)
    known = f"; there is {' and '.join(near)}" if near else ""
    expected = "the name of a class" if names else "a number, for its classes have no names (--class-names)"
    raise InputError(
        f"{option} is {text!r}, which is none of the {num_classes} classes{known}: expected {expected}, or "
        f"its number from 0 to {num_classes - 1}"
    )
