"""What a user names, such as ``digits``, ``folder:PATH`` or a file of weights: understood, and looked for.

Nothing is read, so that a wrong name is refused before anything is loaded.
"""

import os
import re
from pathlib import Path

from jaxpath.errors import InputError
from jaxpath.files import expand_home

FORMS = "digits, npz:FILE.npz, folder:PATH, tar:FILE.tar, tfds:NAME"

KNOWN_NAMES = ("imagenet", "cifar10", "cifar100")
"""Data sets whose classes have names everywhere."""

HUB = "hf://"
"""How an address on the Hugging Face Hub begins."""

_FOLDERS = re.compile(r"(?:(?<=[\s:])|^)[^\s:]*/(?=[^\s/]+/[^\s/]+)(?![^\s]*/[^\s/]+/[^\s/]+)")
"""What stands before the last two parts of a path."""

_SUFFIXES = {".npz": "npz", ".tar": "tar"}


def parse_data(spec: str) -> tuple[str, str]:
    """The kind of a data set, and the place where it is.

    >>> parse_data("npz:cifar10.npz")
    ('npz', 'cifar10.npz')

    Raises:
        InputError: It is no folder and of no known form.
    """
    kind, colon, place = spec.partition(":")
    if spec == "digits" or (colon and place and kind in ("npz", "folder", "tar", "tfds")):
        return kind, expand_home(place) if kind != "tfds" else place
    path = expand_home(spec)
    suffix = Path(path).suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix], path
    if os.path.isdir(path):
        return "folder", path
    raise InputError(f'the data set "{spec}" is no folder and of no known form; take one of {FORMS}')


def look_for_data(spec: str) -> None:
    """Raises an :class:`InputError` if a data set is of no known form, or there is no such file or folder."""
    kind, place = parse_data(spec)
    if kind in ("npz", "tar", "folder") and not os.path.exists(place):
        raise InputError(
            f"there is no {'folder' if kind == 'folder' else 'file'} {place}; expected a data set: {FORMS}"
        )


def is_word(weights: str | Path) -> bool:
    """Whether weights are named by one word, such as ``resnet18``, for published ones; a file comes first.

    >>> is_word("resnet18"), is_word("hf://timm/resnet18.tv_in1k"), is_word("resnet18.pth")
    (True, False, False)
    """
    return re.fullmatch(r"[a-z]\w*", str(weights)) is not None and not os.path.exists(weights)


def look_for_weights(weights: str | None) -> None:
    """Raises an :class:`InputError` if a file of weights was named and is not there; asks no network."""
    if weights is not None and not weights.startswith(HUB) and not is_word(weights):
        local_weights(weights)


def local_weights(path: str | Path) -> Path:
    """The file of weights that is named.

    Raises:
        InputError: There is no such file.
    """
    file = Path(expand_home(str(path)))
    if not file.is_file():
        state = "is a folder" if file.is_dir() else "does not exist"
        raise InputError(
            f"the weights file {str(path)!r} {state}; give a .safetensors or PyTorch file, hf://owner/name, "
            "or the name of a network with published weights, such as resnet18"
        )
    return file


def look_for_names(path: Path | None, option: str) -> None:
    """Raises an :class:`InputError` if a list of names is neither a file nor a data set with known names."""
    if path is not None and str(path) not in KNOWN_NAMES:
        known = ", ".join(KNOWN_NAMES)
        look_for_file(path, option, f"a .json list with one name per class, or one of {known}")


def look_for_file(path: Path | None, option: str, expected: str) -> None:
    """Raises an :class:`InputError` if a file was named and is not there."""
    if path is not None and not path.is_file():
        raise InputError(f"there is no file {path}; expected {expected} ({option})")


def without_folders(text: str) -> str:
    """Text whose paths keep their last two parts, as pages show them, which may be passed on.

    >>> without_folders("npz:/data/sets/digits.npz"), without_folders("example 3 of /a/b/c.npz (images)")
    ('npz:sets/digits.npz', 'example 3 of b/c.npz (images)')
    >>> without_folders("hf://a/b/c"), without_folders("photos/dog.jpg")
    ('hf://a/b/c', 'photos/dog.jpg')
    """
    return text if HUB in text else _FOLDERS.sub("", text)
