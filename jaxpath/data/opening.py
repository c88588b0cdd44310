"""From what a user types, such as ``digits`` or ``folder:PATH``, to a data set."""

from collections.abc import Sequence
from pathlib import Path

from jaxpath.data.archives import tar
from jaxpath.data.arrays import digits
from jaxpath.data.folders import folder
from jaxpath.data.notes import tell_once
from jaxpath.data.npz_files import npz
from jaxpath.data.source import Source
from jaxpath.data.tfds_records import tfds
from jaxpath.naming import FORMS as FORMS
from jaxpath.naming import parse_data


def open_source(
    spec: str,
    *,
    split: str | None = None,
    data_dir: str | Path | None = None,
    class_index: Sequence[str] | None = None,
) -> Source:
    """Opens the data set that ``spec`` names, and says on stderr what is left out of it.

    Args:
        spec: One of :data:`FORMS`. A path alone is enough for a folder or for a file that ends in
            .npz or .tar.
        split: Name of the split. None takes ``train`` where there are splits, otherwise all. The
            splits of a folder are subfolders named train, val and so on.
        data_dir: Where TFDS data sets are prepared.
        class_index: Names of all class folders in the order of the labels, for folder and tar; by
            default read from a ``wnids.json`` beside the data if there is one.

    Raises:
        InputError: No such form, file, folder or split, or no images in it.

    >>> source = open_source("digits")
    >>> len(source), source.class_names[:3]
    (1797, ('0', '1', '2'))
    """
    source = _open(*parse_data(spec), split, data_dir, class_index)
    _tell(spec, source)
    return source


def _open(
    kind: str,
    place: str,
    split: str | None,
    data_dir: str | Path | None,
    class_index: Sequence[str] | None,
) -> Source:
    if kind == "digits":
        return digits(split)
    if kind == "npz":
        return npz(place, split)
    if kind == "tar":
        return tar(place, split, class_index)
    if kind == "tfds":
        return tfds(place, split or "train", data_dir)
    return folder(place, class_index, split=split)


def _tell(spec: str, source: Source) -> None:
    """Says on stderr, once, what is left out of a data set and what else there is to say of it."""
    left_out = ", ".join(map(str, source.left_out))
    for remark in (f"left out are {left_out}" if left_out else "", source.remark):
        if remark:
            tell_once(f"{spec}: {remark}")
