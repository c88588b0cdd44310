"""Names of folders and arrays that say which part of a data set they hold, and no class."""

import re
from collections import defaultdict
from collections.abc import Iterable

_KINDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "val"),
    "trainval": "trainval",
    **dict.fromkeys(("eval", "evaluation"), "eval"),
    **dict.fromkeys(("pred", "predict", "prediction"), "pred"),
}

_FILLERS = {
    *("set", "split", "part", "data", "dataset", "folder", "dir", "full", "final"),
    *("image", "images", "img", "imgs", "picture", "pictures", "pics", "photo", "photos"),
}

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")


def _read(name: str) -> tuple[str | None, tuple[str, ...]]:
    """The kind of part that a name speaks of, and its other words."""
    words = [word.lower() for word in _WORD.findall(name)]
    words = [word.removesuffix("set") if word.removesuffix("set") in _KINDS else word for word in words]
    kinds = [word for word in words if word in _KINDS]
    rest = tuple(word for word in words if word not in _KINDS and word not in _FILLERS)
    return (_KINDS[kinds[0]] if len(kinds) == 1 else None), rest


def part_kind(name: str) -> str | None:
    """Which part of a data set a name alone means: train, test, val, eval or pred; None for other names.

    >>> part_kind("Training"), part_kind("test_set"), part_kind("val2017"), part_kind("bullet_train")
    ('train', 'test', 'val', None)
    """
    kind, rest = _read(name)
    return None if rest else kind


def parts_among(names: Iterable[str]) -> dict[str, str]:
    """The names that mean parts of a data set, with their kinds: alone, or beside another such part.

    >>> parts_among(["seg_train", "seg_test", "test_tube", "Val"])
    {'seg_train': 'train', 'seg_test': 'test', 'Val': 'val'}
    """
    read = {name: _read(name) for name in names}
    kinds = defaultdict(set)
    for kind, rest in read.values():
        if kind is not None:
            kinds[rest].add(kind)
    return {
        name: kind
        for name, (kind, rest) in read.items()
        if kind is not None and (not rest or len(kinds[rest]) > 1)
    }


def find_part(names: Iterable[str], wanted: str) -> str | None:
    """The name of the part that is wanted: of that name, else the only one of that kind; None if none is.

    >>> find_part(["Training", "Validation"], "val"), find_part(["test1", "test2"], "test")
    ('Validation', None)
    """
    names = tuple(names)
    if wanted in names:
        return wanted
    kind = part_kind(wanted)
    # Numbers tell parts of one kind apart, so that test2 is not test1.
    if kind is None or any(letter.isdigit() for letter in wanted):
        return None
    kinds = parts_among(names)
    fitting = [name for name in names if kinds.get(name) == kind]
    return fitting[0] if len(fitting) == 1 else None
