"""Which files of a tree of folders are pictures of which class: one rule for folders and archives."""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, Protocol

from jaxpath.data.class_index import order_folders
from jaxpath.data.index import LeftOut, is_image_name
from jaxpath.data.splits import SPLIT_NAMES, choose_split
from jaxpath.types import InputError

Place = tuple[str, ...]
"""A folder or file of a tree: the names that lead to it from the top."""

_SYSTEM = {"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"}
"""Folders that systems leave behind, some of them with copies of pictures in them."""

_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


class Listing(NamedTuple):
    """What is in one folder.

    Attributes:
        folders: Names of folders and of links to folders.
        files: Names of all other files. A link with a picture's name is a file, wherever it leads.
        specials: Names of what is neither, such as pipes.
    """

    folders: list[str]
    files: list[str]
    specials: list[str]

    @property
    def visible(self) -> list[str]:
        """The folders that are neither hidden nor a system's, sorted."""
        return sorted(name for name in self.folders if not _is_system(name))

    @property
    def has_pictures(self) -> bool:
        """Whether a file is named like a picture."""
        return any(map(is_image_name, self.files))


class Tree(Protocol):
    """Folders that can be listed."""

    def listing(self, place: Place) -> Listing:
        """What is in a folder."""

    def identity(self, place: Place) -> Hashable:
        """The same for two places if one of them is, by way of links, the other."""


class ClassFiles(NamedTuple):
    """The pictures of a tree.

    Attributes:
        classes: Names of the class folders, in the order of :func:`order_folders`.
        files: Of each, the paths of its pictures below it, sorted.
        left_out: What is none of the pictures.
        nested: Whether there are folders in class folders.
    """

    classes: tuple[str, ...]
    files: list[list[str]]
    left_out: tuple[LeftOut, ...]
    nested: bool


class Tally:
    """Counts what is left out, by kind, with an example of each."""

    def __init__(self) -> None:
        self._rows: dict[str, LeftOut] = {}

    def add(self, what: str, *path: str) -> None:
        """Counts one more."""
        example, row = "/".join(path), self._rows.get(what)
        # The first by name, so that it does not depend on the order of a disk.
        number, example = (1, example) if row is None else (row.number + 1, min(example, row.example))
        self._rows[what] = LeftOut(what, number, example)

    @property
    def rows(self) -> tuple[LeftOut, ...]:
        """All kinds, sorted."""
        return tuple(sorted(self._rows.values()))


def find_root(tree: Tree, split: str | None, origin: str) -> tuple[Place, tuple[LeftOut, ...]]:
    """Finds the folder of the class folders, and the folders beside the chosen split that are left out.

    A folder that holds nothing but one folder of folders is passed through, as archives often start with
    one; pictures beside several folders in it do not make it a class. Folders named like splits that hold
    folders are splits; one that holds only files is a class.

    Args:
        tree: The folders.
        split: Which split; None takes train, or all there is without splits.
        origin: What to call the data in messages.

    Raises:
        InputError: There is no such split, or a folder may be a split or a class.
    """
    place: Place = ()
    tally, seen, chosen = Tally(), set(), False
    while tree.identity(place) not in seen:
        seen.add(tree.identity(place))
        listing = tree.listing(place)
        inside = {name: tree.listing((*place, name)) for name in _leading(listing, chosen=chosen)}
        splits = tuple(name for name in SPLIT_NAMES if name in inside and inside[name].visible)
        if splits and not chosen:
            _check_splits(listing, {name: inside[name] for name in splits}, origin)
            name = choose_split(splits, split, origin)
            for other in listing.visible:
                if other not in SPLIT_NAMES:
                    tally.add(f"folders beside the split {name}", *place, other)
            place, chosen = (*place, name), True
            continue
        if len(listing.visible) != 1 or listing.has_pictures:
            break
        (name,) = listing.visible
        if len(inside[name].visible) < (2 if inside[name].has_pictures else 1):
            break
        place = (*place, name)
    if split is not None and not chosen:
        choose_split(("",), split, origin)
    return place, tally.rows


def _check_splits(listing: Listing, splits: Mapping[str, Listing], origin: str) -> None:
    """Raises an error if a folder named like a split holds pictures as well, beside other folders."""
    others = [name for name in listing.visible if name not in SPLIT_NAMES]
    both = [name for name, inside in splits.items() if inside.has_pictures]
    if others and both:
        raise InputError(
            f'the folder "{both[0]}" of {origin} holds pictures and folders, and "{others[0]}" lies beside '
            "it, so that it is unknown whether it is a split or a class; rename it, or move its pictures "
            "into class folders"
        )


def _leading(listing: Listing, *, chosen: bool) -> list[str]:
    """The folders that may lead to the class folders: those named like splits, or the only one."""
    visible = listing.visible
    return visible if len(visible) == 1 else [] if chosen else [n for n in visible if n in SPLIT_NAMES]


def list_classes(tree: Tree, root: Place, *, origin: str, indexed: bool) -> ClassFiles:
    """Lists the pictures of the class folders in ``root``.

    A picture belongs to the class folder that it is in, at any depth. Left out and counted are pictures
    beside the class folders, hidden files and folders, folders of the system, files of other endings, and
    links to folders that are read already.

    Args:
        tree: The folders.
        root: The folder that holds the class folders.
        origin: What to call the data in messages.
        indexed: Whether a list names all class folders. If none does, folders that hold the same folders are
            refused: they are more likely parts of a data set than its classes.

    Raises:
        InputError: As said.
    """
    tally = Tally()
    listing = tree.listing(root)
    _keep_pictures(listing, (), tally, beside=True)
    classes = order_folders(listing.visible)
    below = [_pictures_below(tree, root, name, tally) for name in classes]
    files = [names for names, _ in below]
    if not indexed:
        _check_parts(classes, files, origin)
    return ClassFiles(tuple(classes), files, tally.rows, nested=any(folders > 1 for _, folders in below))


def _pictures_below(tree: Tree, root: Place, name: str, tally: Tally) -> tuple[list[str], int]:
    """Sorted paths of the pictures at any depth, and the number of folders that they lie in.

    Every folder is read once, so that links make no circle.
    """
    found: list[str] = []
    seen = {tree.identity(root)}
    waiting: list[Place] = [()]
    while waiting:
        inner = waiting.pop()
        place = (*root, name, *inner)
        identity = tree.identity(place)
        if identity in seen:
            tally.add("links to folders that are read already", name, *inner)
            continue
        seen.add(identity)
        listing = tree.listing(place)
        prefix = "".join(f"{part}/" for part in inner)
        found += [prefix + file for file in _keep_pictures(listing, (name, *inner), tally)]
        waiting += [(*inner, folder) for folder in reversed(listing.visible)]
    return sorted(found, key=_as_bytes), len(seen) - 1


def _as_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _keep_pictures(listing: Listing, place: Place, tally: Tally, *, beside: bool = False) -> list[str]:
    """The pictures directly in a folder; counts what is left out there."""
    for name in sorted(listing.folders):
        if _is_system(name):
            tally.add("folders that are hidden or the system's", *place, name)
    pictures = []
    for name in listing.files:
        if is_image_name(name):
            pictures.append(name)
        elif name.startswith(".") and is_image_name(name.lstrip("._")):
            tally.add("hidden files", *place, name)
        elif not beside and not name.startswith(".") and name.lower() not in _SYSTEM_FILES:
            tally.add("files without a picture's ending", *place, name)
    for name in listing.specials:
        tally.add("entries that are neither file nor folder", *place, name)
    if beside:
        for name in sorted(pictures):
            tally.add("pictures beside the class folders", name)
    return pictures


def _is_system(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEM


def _check_parts(classes: Sequence[str], files: list[list[str]], origin: str) -> None:
    """Raises an error if all class folders hold no pictures but the same folders."""
    filled = [(name, paths) for name, paths in zip(classes, files, strict=True) if paths]
    if len(filled) < 2 or any("/" not in path for _, paths in filled for path in paths):
        return
    common = set.intersection(*({path.split("/")[0] for path in paths} for _, paths in filled))
    if len(common) > 1:
        parts, shared = ([*names][:3] for names in ([name for name, _ in filled], sorted(common)))
        raise InputError(
            f"the folders {', '.join(parts)} of {origin} hold the same folders ({', '.join(shared)}), so "
            "that it is unknown which of both are the classes; name one of them as the data if they are "
            "parts of a data set, or list the classes in a wnids.json"
        )
